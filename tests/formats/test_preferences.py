"""Group policy preferences (MS-GPPREF 2.2), and XML that means no good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.core import Unreadable
from checks.formats import preferences, safe_xml

DRIVES = r"""<?xml version="1.0" encoding="utf-8"?>
<Drives clsid="{8FDDCC1A-0C3C-43cd-A6B4-71A6DF20DA8C}">
  <Drive clsid="{935D1B74-9CB8-4e3c-9914-7DD559B7A417}" name="T:" status="T:" image="2" uid="{A}">
    <Properties action="U" thisDrive="NOCHANGE" userName="" path="\\files1\Docenten" label="Docenten" letter="T"/>
    <Filters><FilterGroup bool="AND" not="0" name="SCHOOL\G_Docenten" sid="S-1-5-21-1-2-3-1105"/></Filters>
  </Drive>
  <Drive name="X:"><Properties action="D" path="" letter="X"/></Drive>
  <Drive name="Y:" disabled="1"><Properties path="\\files1\Y" letter="Y"/></Drive>
  <Collection name="map" disabled="1">
    <Filters><FilterOs not="1" bool="AND"/></Filters>
    <Drive name="Z:"><Properties action="c" path="\\files1\Z" letter="Z"/><Filters><FilterRunOnce/></Filters></Drive>
  </Collection>
</Drives>"""
GROUPS = r"""<?xml version="1.0" encoding="utf-8"?>
<Groups clsid="{x}">
  <User name="lokaal"><Properties action="U" cpassword="j1Uyj3Vx8TY9LtLZil2uAuZkFQA/4latT76ZwgdHdhw"/></User>
  <User name="leeg"><Properties action="U" cpassword="" userName="leeg"/></User>
  <Group name="Administrators (built-in)">
    <Properties action="U" groupSid="S-1-5-32-544" groupName="Administrators (built-in)" deleteAllUsers="1">
      <Members><Member name="SCHOOL\G_ICT" action="ADD" sid="S-1-5-21-1-2-3-1110"/></Members>
    </Properties>
  </Group>
</Groups>"""
BOMB = (
    """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>"""
)


def test_drives() -> None:
    found = preferences.parse(DRIVES.encode())
    assert found.kind == "Drives"
    assert found.passwords == ()
    assert [(i.name, i.action, i.disabled, i.acts) for i in found.items] == [
        ("T:", "update", False, True),
        ("X:", "delete", False, False),
        ("Y:", "update", True, False),
        ("Z:", "create", True, False),
    ]
    first, last = found.items[0], found.items[-1]
    assert first.kind == "Drive"
    assert first.properties["path"] == r"\\files1\Docenten"
    (condition,) = first.filters
    assert (condition.kind, condition.negated) == ("FilterGroup", False)
    assert condition.attributes["sid"] == "S-1-5-21-1-2-3-1105"
    assert [(f.kind, f.negated) for f in last.filters] == [("FilterOs", True), ("FilterRunOnce", False)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_passwords_are_told_and_never_kept(encoding: str) -> None:
    found = preferences.parse(GROUPS.replace('"utf-8"', f'"{encoding}"').encode(encoding))
    assert found.passwords == ("lokaal",)
    assert not any("cpassword" in i.properties for i in found.items)
    assert "j1Uyj3Vx8" not in repr(found)
    assert found.items[2].members == ({"name": r"SCHOOL\G_ICT", "action": "ADD", "sid": "S-1-5-21-1-2-3-1110"},)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16"])
def test_passwords_can_be_blotted_out(encoding: str) -> None:
    raw = (
        GROUPS.replace('encoding="utf-8"', "")
        .replace('cpassword="j1', "CPassword = 'j1")
        .replace('dhw"', "dhw'")
        .encode(encoding)
    )
    found = preferences.without_passwords(raw)
    assert "j1Uyj3Vx8" not in found.decode(encoding)
    assert "CPassword = '***'" in found.decode(encoding)
    assert 'cpassword=""' in found.decode(encoding)
    assert preferences.without_passwords(found) == found
    if encoding in ("utf-8", "utf-16"):
        assert preferences.parse(preferences.without_passwords(GROUPS.replace("utf-8", encoding).encode(encoding))) == (
            preferences.parse(GROUPS.encode())
        )


@given(st.binary(max_size=200))
def test_nothing_but_passwords_is_blotted_out(raw: bytes) -> None:
    assert b"cpassword" in raw or b"c\0p" in raw or preferences.without_passwords(raw) == raw


def test_a_password_is_found_wherever_it_stands() -> None:
    found = preferences.parse(
        b'<DataSources cpassword=" x "><Other cpassword="y"/><A><B name="n" cpassword="z"/></A></DataSources>'
    )
    assert found.passwords == ("DataSources", "Other", "n")
    assert preferences.parse(b'<Properties cpassword="x"/>').passwords == ("Properties",)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no xml",
        b"<a>",
        BOMB.encode(),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        b"<a>" * 300 + b"</a>" * 300,
        b"<a>" + b"<b/>" * 200_001 + b"</a>",
        b'<Drives><Drive><Properties action="Q"/></Drive></Drives>',
        b"<D><C><Properties/><Filters>" + b"<F/>" * 600 + b"</Filters></C></D>",
    ],
    ids=["empty", "text", "open", "bomb", "fetch", "encoding", "deep", "wide", "action", "filters"],
)
def test_what_is_none_or_means_no_good_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        preferences.parse(raw)


def test_elements() -> None:
    root = safe_xml.parse(b'<x:a xmlns:x="urn:x" x:k="1"><b>t<c/>u</b><b/></x:a>')
    assert (root.name, root.attributes) == ("a", {"k": "1"})
    assert [e.name for e in root.every()] == ["a", "b", "c", "b"]
    assert len(root.every("b")) == 2
    found = root.find("b", "c")
    assert found is not None
    assert root.children[0].text == "tu"
    assert root.find("b", "d") is None
    assert root.find("d", "c") is None


@given(st.binary(max_size=200) | st.text(alphabet='<>/="& abcProperties!-?[]', max_size=200).map(str.encode))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    for candidate in (raw, b"<a>" + raw + b"</a>"):
        try:
            preferences.parse(candidate)
        except Unreadable:
            continue
