"""Security descriptors in binary and as SDDL (MS-DTYP 2.4.6, 2.5.1)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.core import Unreadable
from checks.formats import sddl
from checks.formats import security_descriptor as sd
from checks.formats.security_descriptor import Ace, Descriptor

DOMAIN = "S-1-5-21-1-2-3"
APPLY = "edacfd8f-ffb3-11d1-b41d-00a0c968f939"
SIDS = st.sampled_from(["S-1-1-0", "S-1-5-32-544", f"{DOMAIN}-1105", "S-1-3-0", "S-1-0x100000000000-7"])
GUIDS = st.none() | st.uuids().map(str)


def test_a_descriptor_as_windows_writes_it() -> None:
    # O:BAG:BAD:(A;;FA;;;WD), by hand from MS-DTYP 2.4.6, 2.4.5, 2.4.4.2
    administrators = bytes.fromhex("01020000000000052000000020020000")
    everyone = bytes.fromhex("010100000000000100000000")
    acl = struct.pack("<BBHHH", 2, 0, 28, 1, 0) + struct.pack("<BBHI", 0, 0, 20, 0x1F01FF) + everyone
    raw = struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 36, 0, 52) + administrators * 2 + acl
    found = sd.parse(raw)
    assert found == Descriptor(0x8004, "S-1-5-32-544", "S-1-5-32-544", (Ace(0, 0, 0x1F01FF, "S-1-1-0"),))
    assert sddl.text(found) == "O:BAG:BAD:(A;;FA;;;WD)"
    assert sd.pack(found) == raw


def test_no_list_and_an_empty_list_are_not_the_same() -> None:
    absent = sd.parse(struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0))
    null = sd.parse(struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 0))
    empty = sd.parse(struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHH", 2, 0, 8, 0, 0))
    assert (absent.dacl, null.dacl, empty.dacl) == (None, None, ())
    assert [sddl.text(d) for d in (absent, null, empty)] == ["", "D:NO_ACCESS_CONTROL", "D:"]


@pytest.mark.parametrize(
    "text",
    [
        f"O:{DOMAIN}-512G:{DOMAIN}-512D:PAI(OA;CI;0x100;{APPLY};;AU)(A;CI;0x20094;;;ED)(A;CIIO;0xf01ff;;;CO)",
        "O:BAG:SYD:PARAI(A;OICI;FA;;;SY)(D;OICINP;FR;;;WD)(A;OICIIOID;GA;;;CO)",
        "O:BAD:NO_ACCESS_CONTROLS:AI(AU;SAFA;FA;;;WD)(ML;;0x1;;;LW)",
        "D:(OD;CIIO;0x10;f30e3bbe-9ff0-11d1-b603-0000f80367c1;bf967aa5-0de6-11d0-a285-00aa003049e2;PS)",
    ],
)
def test_text_survives(text: str) -> None:
    found = sddl.parse(text)
    assert sddl.text(found) == text
    assert sd.parse(sd.pack(found)) == found


def test_aliases_of_the_domain_and_rights_in_letters() -> None:
    found = sddl.parse("O:DAG:DUD:(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;EA)(XA;;FX;;;BU;(Member_of {SID(BA)}))", DOMAIN)
    assert (found.owner, found.group) == (f"{DOMAIN}-512", f"{DOMAIN}-513")
    first, second = found.dacl or ()
    assert first == Ace(0, 2, 0xF00FF, f"{DOMAIN}-519")
    assert second.conditional
    assert second.condition == b"(Member_of {SID(BA)})"


def test_names_instead_of_sids() -> None:
    found = sddl.parse("O:BAD:(A;;FA;;;WD)")
    assert sddl.text(found, {"S-1-5-32-544": "Beheerders", "S-1-1-0": "Iedereen"}.__getitem__) == (
        "O:BeheerdersD:(A;;FA;;;Iedereen)"
    )


@pytest.mark.parametrize(
    "text",
    ["x", "O:", "O:XX", "O:DA", "O:BAO:BA", "D:(A;;FA;;;WD", "D:A;;FA;;;WD)", "D:(A;;ZZ;;;WD)", "D:(A;ZZ;FA;;;WD)",
     "D:(Q;;FA;;;WD)", "D:(A;;FA;;)", "D:X", "D:(A;;FA;;;WD)x", "D:(A;;FA;;;S-1)", "(" * 100, "D:" + "(" * 200_000],
)  # fmt: skip
def test_what_is_no_sddl_is_unreadable(text: str) -> None:
    if text == "O:":
        assert sddl.parse(text).owner is None
        return
    with pytest.raises(Unreadable):
        sddl.parse(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01" * 19,
        struct.pack("<BBHIIII", 2, 0, 0x8004, 0, 0, 0, 0),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 4000, 0, 0, 0),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 4000),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHH", 2, 0, 4, 0, 0),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHH", 2, 0, 8, 1, 0),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHH", 2, 0, 400, 1, 0),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHHBBHI", 2, 0, 16, 1, 0, 0, 0, 0, 1),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHHBBHI", 2, 0, 16, 1, 0, 0, 0, 8, 1),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHHBBHI", 2, 0, 16, 1, 0, 5, 0, 8, 1),
        struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHHBBHII", 2, 0, 20, 1, 0, 5, 0, 12, 1, 3),
    ],
)
def test_what_is_cut_off_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        sd.parse(raw)


def test_an_entry_of_an_unknown_kind_counts_for_nothing() -> None:
    raw = struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + struct.pack("<BBHHHBBHI", 2, 0, 16, 1, 0, 77, 0, 8, 1)
    (found,) = sd.parse(raw).dacl or ()
    assert (found.type, found.sid, found.allows, found.denies) == (77, "", False, False)
    assert "0x4d" in sddl.ace_text(found)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for candidate in (raw, struct.pack("<BBHIIII", 1, 0, 0x8014, 20, 20, 20, 20) + raw):
        try:
            sddl.text(sd.parse(candidate))
        except Unreadable:
            continue


@given(st.text(alphabet="OGDSAPI:;()0xFRWDBACYLU12-S{}", max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        sddl.parse(text, DOMAIN)
    except Unreadable:
        return


ACES = st.builds(
    Ace,
    type=st.sampled_from([0, 1, 5, 6]),
    flags=st.sampled_from([0, 1, 2, 3, 8, 0x0B, 0x1F]),
    mask=st.integers(0, 0xFFFFFFFF),
    sid=SIDS,
    object_type=GUIDS,
    inherited_type=GUIDS,
).map(lambda a: a if a.type > 1 else Ace(a.type, a.flags, a.mask, a.sid))


@given(st.builds(
    Descriptor,
    control=st.sampled_from([0x8004, 0x9404, 0x8504]),
    owner=SIDS, group=SIDS, dacl=st.lists(ACES, max_size=6).map(tuple),
))  # fmt: skip
def test_both_forms_survive(descriptor: Descriptor) -> None:
    assert sd.parse(sd.pack(descriptor)) == descriptor
    assert sddl.parse(sddl.text(descriptor)) == descriptor


@given(st.data())
def test_a_damaged_descriptor_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(
        sd.pack(sddl.parse(f"O:BAG:BAD:(A;OICI;FA;;;BA)(OA;CI;0x100;{APPLY};;AU)(D;;FR;;;WD)S:(AU;SA;FA;;;WD)"))
    )
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        sd.parse(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except Unreadable:
        return
