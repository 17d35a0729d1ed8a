"""Effective access: share and folder together, through nested groups, with the entry that decides."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from checks.core import FailureKind
from checks.facts.directory_accounts import GROUPS
from checks.questions import SmbSecurity, SmbShares

DOC, STUD, INF1 = (f"S-1-5-21-1-2-3-{rid}" for rid in (1105, 1106, 1107))
LOCAL = "S-1-5-21-9-9-9-1001"
CHANGE = "D:(A;;0x1301bf;;;WD)"
# students put files in and see nothing; teachers read and tidy up; what somebody made stays theirs to nobody
DROP_BOX = (
    f"O:BAG:DUD:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;0x1301bf;;;{DOC})(A;;0x100026;;;{STUD})(A;OICIIO;0x1;;;OW)"
)


@pytest.fixture(autouse=True)
def server(world: Any) -> None:
    world.share("examens", CHANGE)
    world.folder("examens", DROP_BOX)


def told(world: Any, who: str, *words: str, share: str = "examens", **more: Any) -> dict[str, str]:
    """Give per right whether it is granted (yes), not (no), or not to be told (?): both checks must say the same."""
    answers: dict[str, str] = {}
    for word in words:
        (can,) = world.judge("access", share=share, who=who, can=[word], **more)
        (cannot,) = world.judge("access", share=share, who=who, cannot=[word], **more)
        assert (can.verdict, cannot.verdict) in {("pass", "fail"), ("fail", "pass"), ("unknown", "unknown")}, word
        answers[word] = {"pass": "yes", "fail": "no", "unknown": "?"}[can.verdict]
    return answers


EVERY = ("read", "list", "write", "modify", "execute", "delete", "change_permissions", "take_ownership")


def test_a_drop_box(world: Any) -> None:
    for who in ("G_Studenten", "G_INF1", "an", r"SCHOOL\an"):
        answers = told(world, who, *EVERY)
        assert {w for w, a in answers.items() if a == "yes"} == {"write"}, who
    for who in ("G_Docenten", "jan"):
        answers = told(world, who, *EVERY)
        assert {w for w, a in answers.items() if a == "no"} == {"change_permissions", "take_ownership"}, who
    assert set(told(world, "piet", *EVERY).values()) == {"no"}
    answers = told(world, "Administrator", "read", "change_permissions", "take_ownership")
    assert answers == {"read": "yes", "change_permissions": "no", "take_ownership": "yes"}
    world.share("open")
    world.folder("open", "O:SYD:")
    assert told(world, "Administrator", "take_ownership", share="open") == {"take_ownership": "yes"}
    assert told(world, "jan", "take_ownership", share="open") == {"take_ownership": "no"}
    found = world.judge("access", share="examens", who="G_Studenten", can=["write"], cannot=["read", "list"])
    assert [str(f.verdict) for f in found] == ["pass"] * 3
    assert [f.subject for f in found] == [f"G_Studenten @ examens: {w}" for w in ("write", "read", "list")]


def test_the_entry_that_decides_is_named(world: Any) -> None:
    (found,) = world.judge("access", share="examens", who="an", can=["write"])
    assert found.note == "share (A;;0x1301bf;;;Everyone) & files (A;;0x100026;;;G_Studenten)"
    (found,) = world.judge("access", share="examens", who="an", can=["read"])
    assert found.note == "share (A;;0x1301bf;;;Everyone) & files -"
    assert (found.expected, found.observed) == ({"access": True}, {"access": False})
    world.folder("examens", f"O:BAD:(D;OICI;FR;;;{INF1})(A;OICI;FR;;;{STUD})")
    (found,) = world.judge("access", share="examens", who="an", can=["read"])
    assert found.note == "share (A;;0x1301bf;;;Everyone) & files (D;ID;FR;;;G_INF1)"


def test_the_share_can_be_the_narrower_gate(world: Any) -> None:
    world.share("smal", f"D:(A;;0x1200a9;;;{DOC})")
    world.folder("smal", "O:BAD:(A;OICI;FA;;;AU)")
    assert told(world, "jan", "read", "list", "write", "delete", share="smal") == {
        "read": "yes", "list": "yes", "write": "no", "delete": "no"
    }  # fmt: skip
    assert told(world, "an", "read", "list", share="smal") == {"read": "no", "list": "no"}
    (found,) = world.judge("access", share="smal", who="jan", cannot=["write"])
    assert found.note == "share - & files (A;OICI;FA;;;Authenticated Users)"


@pytest.mark.parametrize(
    ("who", "trustee", "member", "controller"),
    [
        ("jan", "WD", True, True),
        ("jan", "AU", True, True),
        ("jan", "NU", True, True),
        ("jan", "IU", False, False),
        ("jan", "DU", True, True),
        ("jan", "BU", True, True),
        ("jan", "BA", False, False),
        ("Administrator", "BA", True, True),
        ("Administrator", "DA", True, True),
        ("jan", f"{DOC[:-4]}1108", True, True),
        ("G_Docenten", f"{DOC[:-4]}1108", True, True),
        ("G_Docenten", "DU", True, True),
        ("CLIENT1", "DU", False, False),
        ("CLIENT1", f"{DOC[:-4]}515", True, True),
        ("Everyone", "AU", False, False),
        ("Everyone", "WD", True, True),
        ("Authenticated Users", "AU", True, True),
        ("Authenticated Users", "DU", False, False),
        ("jan", "BO", False, True),
    ],
)
def test_the_token(world: Any, who: str, trustee: str, member: bool, controller: bool) -> None:
    # the domain's own Backup Operators count only on a domain controller
    world.group("Backup Operators", 551, ["G_Docenten"], builtin=True)
    world.folder("examens", f"O:SYD:(A;;0x1;;;{trustee})")
    assert told(world, who, "list") == {"list": "yes" if member else "no"}
    world.share("SYSVOL")
    world.share("NETLOGON")
    assert told(world, who, "list") == {"list": "yes" if controller else "no"}


def test_distribution_groups_are_in_no_token(world: Any) -> None:
    world.group("Nieuwsbrief", 1150, ["G_Docenten"], kind=2)
    world.group("Achter", 1151, ["Nieuwsbrief"])
    world.folder("examens", "O:SYD:(A;;0x1;;;S-1-5-21-1-2-3-1150)(A;;0x1;;;S-1-5-21-1-2-3-1151)")
    assert told(world, "jan", "list") == {"list": "no"}


def test_groups_in_a_circle(world: Any) -> None:
    world.group("Een", 1160, ["Twee", "jan"])
    world.group("Twee", 1161, ["Een"])
    world.folder("examens", "O:SYD:(A;;0x1;;;S-1-5-21-1-2-3-1161)")
    assert told(world, "jan", "list") == {"list": "yes"}


@pytest.mark.parametrize(
    ("rights", "answer"),
    [
        (f"(A;;0x1;;;{LOCAL})", "?"),
        (f"(D;;0x1;;;{LOCAL})(A;;0x1;;;WD)", "?"),
        (f"(A;;0x1;;;WD)(D;;0x1;;;{LOCAL})", "yes"),
        (f"(D;;0x1;;;WD)(A;;0x1;;;{LOCAL})", "no"),
        (f"(A;;0x2;;;{LOCAL})", "no"),
        ("(A;;0x1;;;S-1-22-2-1000)", "?"),
        ("(A;;0x1;;;S-1-22-1-1000)(A;;0x1;;;S-1-22-2-0)", "no"),
        ('(XA;;0x1;;;WD;(@User.Title == "x"))', "?"),
        ("(A;;0x1;;;S-1-5-21-1-2-3-9999)", "no"),
    ],
)
def test_what_a_local_group_would_decide_is_unknown(world: Any, rights: str, answer: str) -> None:
    world.folder("examens", "O:SYD:" + rights)
    assert told(world, "jan", "list") == {"list": answer}


def test_the_owner_may_change_the_rights(world: Any) -> None:
    world.share("eigen", "D:(A;;FA;;;WD)")
    world.folder("eigen", "O:S-1-5-21-1-2-3-1104D:P(A;OICI;0x1200a9;;;AU)")
    assert told(world, "jan", "change_permissions", share="eigen") == {"change_permissions": "yes"}
    assert told(world, "an", "change_permissions", share="eigen") == {"change_permissions": "no"}


def test_who_may_delete_what_is_in_a_folder_may_delete_files(world: Any) -> None:
    world.folder("examens", f"O:BAD:(A;;0x43;;;{DOC})(A;OICI;0x1;;;{DOC})")
    assert told(world, "jan", "delete", "read", "modify") == {"delete": "yes", "read": "yes", "modify": "no"}
    (found,) = world.judge("access", share="examens", who="jan", can=["delete"])
    assert "0x43" in found.note
    world.share("smal", "D:(A;;0x1200a9;;;WD)")
    world.folder("smal", f"O:BAD:(A;;0x43;;;{DOC})")
    assert told(world, "jan", "delete", share="smal") == {"delete": "no"}


def test_to_create_needs_files_and_folders_and_not_to_neither(world: Any) -> None:
    world.folder("examens", f"O:BAD:(A;;0x2;;;{DOC})")
    (can,) = world.judge("access", share="examens", who="jan", can=["create"])
    (cannot,) = world.judge("access", share="examens", who="jan", cannot=["create"])
    assert (can.verdict, cannot.verdict) == ("fail", "fail")


def test_files_in_a_folder_and_a_file_itself(world: Any) -> None:
    world.folder("examens", f"O:BAD:(A;;0x1;;;{DOC})(A;OIIO;0x2;;;{DOC})", r"INF1\Taken")
    given: dict[str, Any] = {"path": "INF1/Taken/"}
    assert told(world, "jan", "list", "read", "modify", "write", **given) == {
        "list": "yes", "read": "no", "modify": "yes", "write": "no"
    }  # fmt: skip
    world.folder("examens", f"O:BAD:(A;;0x1;;;{DOC})", r"INF1\taak.odt")
    given = {"path": r"INF1\taak.odt", "file": True}
    assert told(world, "jan", "read", "write", "delete", **given) == {"read": "yes", "write": "no", "delete": "no"}
    (found,) = world.judge("access", share="examens", who="jan", can=["read"], **given)
    assert found.subject == r"jan @ examens\INF1\taak.odt: read"


def test_what_is_not_there_fails_and_what_cannot_be_seen_is_unknown(world: Any) -> None:
    found = world.judge("access", share="examens", path="weg", who="jan", can=["read"], cannot=["write"])
    assert [str(f.verdict) for f in found] == ["fail", "fail"]
    assert [str(f.verdict) for f in world.judge("access", share="examens", who="niemand", cannot=["read"])] == [
        "unknown"
    ]
    world.share("dicht", None, error=5)
    world.folder("dicht", DROP_BOX)
    (found,) = world.judge("access", share="dicht", who="piet", cannot=["read"])
    assert (found.verdict, found.failure.kind) == ("unknown", FailureKind.DENIED)
    for question in (GROUPS, SmbShares(), SmbSecurity):
        world.failures = {question: FailureKind.DENIED}
        found = world.judge("access", share="examens", who="jan", can=["read"], cannot=["write"])
        assert [str(f.verdict) for f in found] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"can": ["read"], "cannot": ["read"]},
        {"can": ["fly"]},
        {"can": ["list"], "path": "x", "file": True},
    ],
)
def test_what_says_nothing_is_refused(world: Any, given: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        world.judge("access", share="examens", who="jan", **given)
