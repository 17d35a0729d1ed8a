"""SIDs and GUIDs: bytes to text and back, bounded, and the well-known ones by any of their names."""

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.formats import sid
from checks.questions import Unreadable

# MS-DTYP 2.4.2.4, and the example of Microsoft's documentation of SIDs
PAIRS = [
    ("S-1-1-0", "010100000000000100000000"),
    ("S-1-5-11", "01010000000000050b000000"),
    ("S-1-5-32-544", "01020000000000052000000020020000"),
    (
        "S-1-5-21-2127521184-1604012920-1887927527-72713",
        "010500000000000515000000a065cf7e784b9b5fe77c8770091c0100",
    ),
    ("S-1-0x100000000000-1", "0101100000000000" + "01000000"),
]


@pytest.mark.parametrize(("text", "octets"), PAIRS)
def test_bytes_and_text(text: str, octets: str) -> None:
    raw = bytes.fromhex(octets)
    assert sid.sid_text(raw) == (text, len(raw))
    assert sid.sid_text(b"xx" + raw + b"yy", 2) == (text, len(raw))
    assert sid.sid_bytes(text) == raw
    assert sid.sid_of(base64.b64encode(raw).decode()) == text


@given(st.integers(0, 2**48 - 1), st.lists(st.integers(0, 2**32 - 1), max_size=15))
def test_every_sid_survives(authority: int, parts: list[int]) -> None:
    raw = bytes([1, len(parts)]) + authority.to_bytes(6, "big") + b"".join(p.to_bytes(4, "little") for p in parts)
    text, length = sid.sid_text(raw)
    assert (length, sid.sid_bytes(text)) == (len(raw), raw)


@given(st.binary(max_size=80), st.integers(-4, 90))
def test_rubbish_is_unreadable_and_never_more(raw: bytes, offset: int) -> None:
    for read in (sid.sid_text, sid.guid_text):
        try:
            read(raw, offset)
        except Unreadable:
            continue


@pytest.mark.parametrize("text", ["", "S-1", "S-2-5-11", "S-1-5-4294967296", "S-1-5-" + "-".join("1" * 16), "Everyone"])
def test_what_is_no_sid_cannot_be_written(text: str) -> None:
    with pytest.raises(Unreadable):
        sid.sid_bytes(text)


@pytest.mark.parametrize("value", ["%%%", "AQ==", base64.b64encode(bytes.fromhex(PAIRS[0][1]) + b"\0").decode()])
def test_an_attribute_that_is_no_sid(value: str) -> None:
    with pytest.raises(Unreadable):
        sid.sid_of(value)


def test_guid() -> None:
    text = "766ddcd8-acd0-445e-f3b9-a7f9b6744f2a"
    assert sid.guid_text(sid.guid_bytes("{" + text.upper() + "}")) == text
    assert sid.guid_bytes(text) == uuid.UUID(text).bytes_le
    with pytest.raises(Unreadable):
        sid.guid_bytes("nothing")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Everyone", "S-1-1-0"),
        ("iedereen", "S-1-1-0"),
        ("Utilisateurs authentifiés", "S-1-5-11"),
        ("Administratoren", "S-1-5-32-544"),
        ("Opérateurs d\u2019impression", "S-1-5-32-550"),
        ("G_Docenten", None),
    ],
)
def test_names_of_well_known_principals(name: str, expected: str | None) -> None:
    assert sid.well_known(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Domain Admins", 512), ("domeinadministrators", 512), ("Admins du domaine", 512), ("Domänen-Admins", 512),
     ("Gast", 501), ("nobody", None)],
)  # fmt: skip
def test_names_of_a_domains_own(name: str, expected: int | None) -> None:
    assert sid.rid_of(name) == expected


def test_no_name_means_two_things() -> None:
    for table in (sid.WELL_KNOWN, sid.RIDS):
        names = [sid.fold(name) for several in table.values() for name in dict.fromkeys(map(sid.fold, several))]
        assert sorted(names) == sorted(set(names))
    assert all(sid.is_sid(s) for s in sid.WELL_KNOWN)


def test_normal_form_and_rid() -> None:
    assert sid.normal(" s-1-5-21-1-2-3-512 ") == "S-1-5-21-1-2-3-512"
    assert sid.rid("S-1-5-21-1-2-3-512") == 512
    with pytest.raises(Unreadable):
        sid.normal("Domain Admins")
