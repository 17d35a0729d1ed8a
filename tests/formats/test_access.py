"""The access check (MS-DTYP 2.5.3.2), inheritance (2.5.3.4), and the words for rights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.formats import access, file_rights, sddl
from checks.formats.access import DIRECTORY_OBJECT, FILE, Token
from checks.formats.security_descriptor import Ace, Descriptor

DOMAIN = "S-1-5-21-1-2-3"
ME, STAFF, LOCAL = f"{DOMAIN}-1104", f"{DOMAIN}-1105", "S-1-5-21-9-9-9-1000"
APPLY, OTHER = "edacfd8f-ffb3-11d1-b41d-00a0c968f939", "00299570-246d-11d0-a768-00aa006e0529"
TOKEN = Token(frozenset({ME, STAFF, "S-1-1-0"}))


def granted(text: str, token: Token = TOKEN) -> int:
    return access.check(sddl.parse(text, DOMAIN), token).granted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("O:BAD:(A;;FR;;;WD)", 0x120089),
        ("O:BAD:(A;;GR;;;WD)", 0x120089),
        ("O:BAD:(A;;GA;;;WD)", 0x1F01FF),
        (f"O:BAD:(A;;FR;;;{STAFF})(A;;FW;;;{ME})", 0x12019F),
        ("O:BAD:(A;;FA;;;BU)", 0),
        ("O:BAD:", 0),
        ("O:BAD:NO_ACCESS_CONTROL", 0x1F01FF),
        ("O:BA", 0x1F01FF),
        # order decides, not kind
        (f"O:BAD:(D;;0x2;;;{STAFF})(A;;FA;;;WD)", 0x1F01FD),
        (f"O:BAD:(A;;FA;;;WD)(D;;0x2;;;{STAFF})", 0x1F01FF),
        (f"O:BAD:(A;;0x1;;;{ME})(D;;0x3;;;{STAFF})(A;;0x6;;;WD)", 0x5),
        # only what applies here
        ("O:BAD:(A;OICIIO;FA;;;WD)", 0),
        ("O:BAD:(D;OICIIO;FA;;;WD)(A;;0x1;;;WD)", 0x1),
        # the owner may read and change the list, unless it says what the owner may
        (f"O:{ME}D:", 0x60000),
        (f"O:{ME}D:(D;;0x60001;;;WD)(A;;0x1;;;WD)", 0x60000),
        (f"O:{ME}D:(A;;0x1;;;OW)", 0x1),
        (f"O:{ME}D:(A;IO;0x1;;;OW)", 0x60000),
        (f"O:{ME}D:(D;;0x40000;;;OW)(A;;FA;;;{ME})", 0x1B01FF),
        ("O:BAD:(A;;0x1;;;OW)", 0),
        # audit entries and those of unknown kinds give nothing
        ("O:BAD:(AU;SA;FA;;;WD)", 0),
        # an object entry gives nothing without an object type asked for, but takes away
        (f"O:BAD:(OA;;0x100;{APPLY};;WD)", 0),
        (f"O:BAD:(OD;;0x100;{APPLY};;WD)(A;;0x101;;;WD)", 0x1),
        ("O:BAD:(OA;;0x100;;;WD)", 0x100),
    ],
)
def test_files(text: str, expected: int) -> None:
    assert hex(granted(text)) == hex(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"O:BAD:(OA;;0x100;{APPLY};;WD)", True),
        (f"O:BAD:(OA;;0x100;{OTHER};;WD)", False),
        (f"O:BAD:(OD;;0x100;{OTHER};;WD)(A;;0x100;;;WD)", True),
        (f"O:BAD:(OD;;0x100;{APPLY};;{STAFF})(OA;;0x100;{APPLY};;WD)", False),
        ("O:BAD:(A;;GA;;;WD)", True),
    ],
)
def test_extended_rights(text: str, expected: bool) -> None:
    found = access.check(sddl.parse(text), TOKEN, DIRECTORY_OBJECT, frozenset({APPLY}))
    assert found.all(0x100) is expected


def test_the_entry_that_decides() -> None:
    found = access.check(sddl.parse(f"O:BAD:(D;;0x2;;;{STAFF})(A;;0x7;;;WD)(A;;0x10000;;;{ME})"), TOKEN)
    deny, allow, delete = (found.deciding(bit) for bit in (0x2, 0x1, 0x10000))
    assert deny == Ace(1, 0, 0x2, STAFF)
    assert allow == Ace(0, 0, 0x7, "S-1-1-0")
    assert delete == Ace(0, 0, 0x10000, ME)
    assert found.deciding(0x3) == deny  # what is in the way goes before what grants
    assert found.deciding(0x40000) is None
    assert found.deciding(0) is None


def test_what_cannot_be_told_stays_doubtful() -> None:
    token = Token(TOKEN.sids, frozenset({LOCAL}))

    def told(text: str) -> tuple[bool | None, Ace | None]:
        found = access.check(sddl.parse(f"O:BAD:{text}"), token)
        assert found.any(0x1) is found.all(0x1)
        return found.all(0x1), found.deciding(0x1)

    maybe, never = Ace(0, 0, 1, LOCAL), Ace(1, 0, 1, LOCAL)
    assert told(f"(A;;0x1;;;{LOCAL})") == (None, maybe)
    assert told(f"(A;;0x1;;;{LOCAL})(A;;0x1;;;WD)") == (True, Ace(0, 0, 1, "S-1-1-0"))
    assert told(f"(A;;0x1;;;{LOCAL})(D;;0x1;;;WD)") == (None, maybe)
    assert told(f"(D;;0x1;;;WD)(A;;0x1;;;{LOCAL})") == (False, Ace(1, 0, 1, "S-1-1-0"))
    assert told(f"(D;;0x1;;;{LOCAL})(A;;0x1;;;WD)") == (None, never)
    assert told(f"(D;;0x1;;;{LOCAL})") == (False, never)
    assert told(f"(A;;0x1;;;WD)(D;;0x1;;;{LOCAL})")[0] is True
    assert told('(XA;;0x1;;;WD;(@User.Title == "x"))')[0] is None
    assert told('(XD;;0x1;;;WD;(@User.Title == "x"))(A;;0x1;;;WD)')[0] is None
    assert told(f"(XA;;0x1;;;{STAFF};(x))(A;;0x1;;;WD)")[0] is True


def test_who_may_take_ownership_needs_no_entry() -> None:
    token = Token(TOKEN.sids, takes_ownership=True)
    for text in ("O:BAD:", "O:BAD:(D;;0x80000;;;WD)"):
        found = access.check(sddl.parse(text), token)
        assert found.granted == 0x80000
        assert found.deciding(0x80000) is None


def test_all_and_any() -> None:
    found = access.check(sddl.parse("O:BAD:(A;;0x1;;;WD)"), TOKEN)
    assert found.all(0x1) is True
    assert found.all(0x3) is False
    assert found.any(0x3) is True
    assert found.any(0x2) is False


def inherited(text: str, *, folder: bool, owner: str | None = None) -> str:
    found = access.child(sddl.parse(text, DOMAIN), folder=folder, owner=owner, group=f"{DOMAIN}-513")
    return sddl.text(Descriptor(0x8004, None, None, found.dacl))


@pytest.mark.parametrize(
    ("text", "of_file", "of_folder"),
    [
        ("D:(A;OICI;FA;;;BA)", "D:(A;ID;FA;;;BA)", "D:(A;OICIID;FA;;;BA)"),
        ("D:(A;OI;FR;;;WD)", "D:(A;ID;FR;;;WD)", "D:(A;OIIOID;FR;;;WD)"),
        ("D:(A;CI;FR;;;WD)", "D:", "D:(A;CIID;FR;;;WD)"),
        ("D:(A;;FR;;;WD)", "D:", "D:"),
        ("D:(A;OICINP;FR;;;WD)", "D:(A;ID;FR;;;WD)", "D:(A;ID;FR;;;WD)"),
        ("D:(A;OINP;FR;;;WD)", "D:(A;ID;FR;;;WD)", "D:"),
        ("D:(A;OICIIO;GR;;;WD)", "D:(A;ID;FR;;;WD)", "D:(A;OICIID;FR;;;WD)"),
        ("D:(A;OICIIO;GA;;;CO)", "D:", "D:"),
        ("D:(A;OICIIO;FR;;;CG)", f"D:(A;ID;FR;;;{DOMAIN}-513)", f"D:(A;OICIID;FR;;;{DOMAIN}-513)"),
        ("D:NO_ACCESS_CONTROL", "D:NO_ACCESS_CONTROL", "D:NO_ACCESS_CONTROL"),
    ],
)
def test_inheritance(text: str, of_file: str, of_folder: str) -> None:
    assert inherited(text, folder=False) == of_file
    assert inherited(text, folder=True) == of_folder


def test_what_somebody_makes_is_theirs() -> None:
    assert inherited("D:(A;OICIIO;GA;;;CO)", folder=False, owner=ME) == f"D:(A;ID;FA;;;{ME})"


RIGHTS = st.integers(0, 0xFFFFFFFF)
ENTRIES = st.builds(
    Ace, st.sampled_from([0, 1]), st.sampled_from([0, 8]), RIGHTS, st.sampled_from([ME, STAFF, LOCAL, "S-1-3-4"])
)


@given(st.lists(ENTRIES, max_size=8).map(tuple), st.sampled_from([ME, "S-1-5-18"]))
def test_doubt_covers_both_answers(dacl: tuple[Ace, ...], owner: str) -> None:
    """Whatever the doubtful group turns out to be, what was said for sure holds."""
    descriptor = Descriptor(0x8004, owner, None, dacl)
    without = access.check(descriptor, TOKEN).granted
    within = access.check(descriptor, Token(TOKEN.sids | {LOCAL})).granted
    found = access.check(descriptor, Token(TOKEN.sids, frozenset({LOCAL})))
    assert found.granted == found.granted & without & within
    assert (without | within) & ~(found.granted | found.doubtful) == 0
    assert found.granted & found.doubtful == 0


@given(st.lists(ENTRIES, max_size=8).map(tuple))
def test_each_bit_is_decided_by_the_first_entry_for_it(dacl: tuple[Ace, ...]) -> None:
    """The same by the plain words of the specification: the first entry that names the right decides."""
    found = access.check(Descriptor(0x8004, "S-1-5-18", None, dacl), TOKEN)
    for i in range(24):
        bit = 1 << i
        first = next((a for a in dacl if a.applies_here and a.sid in TOKEN.sids and FILE.apply(a.mask) & bit), None)
        assert bool(found.granted & bit) == bool(first and first.allows)
        assert found.deciders.get(bit) == first


@pytest.mark.parametrize(
    ("mask", "words", "share"),
    [
        (0x1F01FF, ["full"], "full"),
        (0x10000000, ["full"], "full"),
        (0x1301BF, ["modify"], "change"),
        (0x1200A9, ["read_and_execute"], "read"),
        (0x120089, ["read"], "0x20089"),
        (0x100116, ["write"], "0x116"),
        (0x120116, ["write"], "0x20116"),
        (0x12019F, ["read", "write"], "0x2019f"),
        (0x1201BF, ["read_and_execute", "write"], "0x201bf"),
        (0x100026, ["create_files", "create_folders", "traverse"], "0x26"),
        (0x40000, ["change_permissions"], "0x40000"),
        (0, [], "0x0"),
    ],
)
def test_words(mask: int, words: list[str], share: str) -> None:
    assert file_rights.words(mask) == words
    assert file_rights.share_word(mask) == share
    if words:
        assert file_rights.fits(mask, words)


@pytest.mark.parametrize(
    ("mask", "words", "fits"),
    [
        (0x1200A9, ["read"], True),
        (0x1200A9, ["read_and_execute"], True),
        (0x120089, ["read_and_execute"], False),
        (0x1301BF, ["read"], False),
        (0x1F01FF, ["modify"], False),
        (0x1201BF, ["modify"], False),
        (0x1201BF, ["read", "write"], True),
        (0x1200AF, ["list", "create_files", "create_folders", "traverse"], True),
        (0x1000AE, ["create_files", "create_folders", "traverse"], True),
        (0x1000AF, ["create_files", "create_folders", "traverse"], False),
        (0, ["read"], False),
    ],
)
def test_words_say_no_less_and_no_more(mask: int, words: list[str], fits: bool) -> None:
    assert file_rights.fits(mask, words) is fits
