"""GPT.INI, GptTmpl.inf and the text they are written in."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.core import Unreadable
from checks.formats import gpt_ini, ini, security_template
from checks.formats.security_template import Secured

TEMPLATE = r"""
[Unicode]
Unicode=yes
[Version]
signature="$CHICAGO$"
Revision=1
; a comment
[System Access]
MinimumPasswordLength = 12
LockoutDuration = -1
NewAdministratorName = "beheer, de"
[Kerberos Policy]
MaxTicketAge = 10
[Registry Values]
MACHINE\Software\A\Number=4,1
MACHINE\Software\A\Negative=4,-1
MACHINE\Software\A\Text=1,"a, b=c"
MACHINE\Software\A\Many=7,one,two"," three,"four"
MACHINE\Software\A\Empty=7,
MACHINE\Software\A\Bytes=3,0
[Privilege Rights]
SeDenyInteractiveLogonRight = *S-1-5-21-1-2-3-1105,G_Studenten
SeTcbPrivilege =
[Group Membership]
*S-1-5-32-544__Members = *S-1-5-21-1-2-3-512,lokaal
*S-1-5-32-544__Memberof =
[Service General Setting]
"Spooler",4,""
Browser,2,"D:AR(A;;CC;;;SY)"
[File Security]
"%SystemRoot%\x",0,"D:PAR(A;OICI;FA;;;BA)"
1="C:\y",2,"D:(A;;FR;;;WD)"
"""


@pytest.mark.parametrize(
    "encode",
    [
        lambda t: codecs.BOM_UTF16_LE + t.replace("\n", "\r\n").encode("utf-16-le"),
        lambda t: codecs.BOM_UTF16_BE + t.encode("utf-16-be"),
        lambda t: t.replace("\n", "\r\n").encode("utf-16-le"),
        lambda t: t.encode("utf-8"),
        lambda t: codecs.BOM_UTF8 + t.encode("utf-8"),
        lambda t: t.encode("ascii"),
    ],
    ids=["windows", "big-endian", "no-mark", "utf-8", "utf-8-mark", "samba"],
)
def test_template_in_every_encoding(encode: object) -> None:
    found = security_template.parse(encode(TEMPLATE))  # type: ignore[operator]
    assert found.get("System Access/MinimumPasswordLength") == 12
    assert found.get("system access / lockoutduration") == -1
    assert found.get("System Access/NewAdministratorName") == "beheer, de"
    assert found.get("Kerberos Policy/MaxTicketAge") == 10
    assert found.get("System Access/Missing") is None
    assert found.get(r"Registry Values/MACHINE\Software\A\Number") == 1
    assert found.get(r"Registry Values/machine\software\a\negative") == 0xFFFFFFFF
    assert found.get(r"Registry Values/MACHINE\Software\A\Text") == "a, b=c"
    assert found.get(r"Registry Values/MACHINE\Software\A\Many") == ("one", "two, three", "four")
    assert found.get(r"Registry Values/MACHINE\Software\A\Empty") == ()
    assert found.get(r"Registry Values/MACHINE\Software\A\Bytes") == "0"
    assert found.get(r"Registry Values/MACHINE\Software\A\Nothing") is None
    assert found.rights["sedenyinteractivelogonright"] == ("S-1-5-21-1-2-3-1105", "G_Studenten")
    assert found.get("Privilege Rights/SeTcbPrivilege") == ()
    assert found.members == {"s-1-5-32-544": ("S-1-5-21-1-2-3-512", "lokaal")}
    assert found.member_of == {"s-1-5-32-544": ()}
    assert found.get("Service General Setting/Spooler") == 4
    assert found.get("Service General Setting/none") is None
    assert found.objects == (
        Secured("service general setting", "Spooler", 4, ""),
        Secured("service general setting", "Browser", 2, "D:AR(A;;CC;;;SY)"),
        Secured("file security", r"%SystemRoot%\x", 0, "D:PAR(A;OICI;FA;;;BA)"),
        Secured("file security", r"C:\y", 2, "D:(A;;FR;;;WD)"),
    )
    assert not any(section in ("unicode", "version") for section, _ in found.values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no section",
        "[System Access]\nno value",
        "[Registry Values]\nMACHINE\\A=x,1",
        "[Group Membership]\nno_word = a",
        '[Registry Keys]\n"only a name"',
        '[File Security]\n"a",x,""',
    ],
)
def test_a_template_that_does_not_fit_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        security_template.parse(text.encode())


def test_old_code_page() -> None:
    assert ini.decode("[A]\nx = é".encode("cp1252")) == "[A]\nx = é"
    assert ini.pairs("x = 0\n[A]\nX = 1\nflag\nx = 2\n[B]\nx = 3", "a") == {"x": "2"}


def test_nul_bytes_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        ini.decode(b"ab\0c")


def test_too_many_lines_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        ini.sections("\n" * 100_002)


@pytest.mark.parametrize(
    ("raw", "number", "machine", "user"),
    [
        (b"[General]\r\nVersion=0\r\n", 0, 0, 0),
        (b"[General]\nVersion = 5\n", 5, 5, 0),
        (b"[General]\r\nVersion=65541\r\ndisplayName=New\r\n", 65541, 5, 1),
        (codecs.BOM_UTF16_LE + "[general]\r\nVERSION=131072\r\n".encode("utf-16-le"), 131072, 0, 2),
    ],
)
def test_version(raw: bytes, number: int, machine: int, user: int) -> None:
    found = gpt_ini.parse(raw)
    assert (found.number, found.machine, found.user) == (number, machine, user)


@pytest.mark.parametrize(
    "raw", [b"", b"[General]", b"[General]\nVersion=x", b"[Other]\nVersion=1", b"[General]\nVersion=-1"]
)
def test_no_version_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        gpt_ini.parse(raw)


@given(
    st.binary(max_size=300)
    | st.text(max_size=200).map(lambda t: ("[Registry Values]\n" + t).encode("utf-8", "replace"))
)
def test_anything_is_read_or_refused(raw: bytes) -> None:
    for parse in (security_template.parse, gpt_ini.parse, ini.decode):
        try:
            parse(raw)
        except Unreadable:
            continue


@given(
    st.lists(
        st.text(st.characters(exclude_characters='",', exclude_categories=["Cc", "Cs", "Z"]), min_size=1), min_size=1
    )
)
def test_split_is_the_inverse_of_quoting(parts: list[str]) -> None:
    assert security_template.split(",".join(f'"{p}, {p}"' for p in parts)) == [f"{p}, {p}" for p in parts]
