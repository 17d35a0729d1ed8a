"""Checks of shares and of the SMB server: pass, fail and unknown."""

from __future__ import annotations

from typing import Any

import pytest

from checks.core import FailureKind
from checks.facts.shares import Negotiated
from checks.questions import SmbSecurity, SmbShares

DOC, STUD = "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-1106"
RIGHTS = f"O:BAG:DUD:P(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;{DOC})(A;;0x1200a9;;;{STUD})(A;OICIIO;FA;;;CO)"
ADMINS, DOCENTEN, STUDENTEN, CREATOR = (
    {"principal": "Administrators", "rights": "full"},
    {"principal": "G_Docenten", "rights": "modify"},
    {"principal": "G_Studenten", "rights": "read"},
    {"principal": "CREATOR OWNER", "rights": "full"},
)


@pytest.fixture(autouse=True)
def server(world: Any) -> None:
    world.share("Docenten", f"D:(A;;FA;;;BA)(A;;0x1301bf;;;{DOC})", remark="Voor leerkrachten")
    world.share("Profiles$", path=r"D:\Profielen")
    world.share("Open", None)
    world.share("Dicht", None, error=5, path=None)
    for share in ("Docenten", "Profiles$", "Open"):
        world.folder(share, RIGHTS)


@pytest.mark.parametrize(
    ("check", "given", "verdict"),
    [
        ("share_exists", {"name": "docenten"}, "pass"),
        ("share_exists", {"name": "Weg"}, "fail"),
        ("share_exists", {"name": "Weg", "exists": False}, "pass"),
        ("share_exists", {"name": "Docenten", "exists": False}, "fail"),
        ("share_visibility_is_right", {"name": "Docenten", "hidden": False}, "pass"),
        ("share_visibility_is_right", {"name": "Docenten", "hidden": True}, "fail"),
        ("share_visibility_is_right", {"name": "Profiles$", "hidden": True}, "pass"),
        ("share_visibility_is_right", {"name": "Weg", "hidden": True}, "not_applicable"),
        ("share_path_is_right", {"name": "Docenten", "path": "/srv/Docenten"}, "pass"),
        ("share_path_is_right", {"name": "Docenten", "path": "/srv/docenten"}, "fail"),
        ("share_path_is_right", {"name": "Profiles$", "path": "d:/profielen/"}, "pass"),
        ("share_path_is_right", {"name": "Profiles$", "path": r"E:\Profielen"}, "fail"),
        ("share_path_is_right", {"name": "Dicht", "path": "/srv/Dicht"}, "unknown"),
        ("share_path_is_right", {"name": "Weg", "path": "/srv/Weg"}, "unknown"),
        ("share_comment_is_right", {"name": "Docenten", "comment": "Voor leerkrachten"}, "pass"),
        ("share_comment_is_right", {"name": "Docenten", "comment": ""}, "fail"),
        ("share_permissions_are_right", {"share_acl": {"Administrators": "full", "G_Docenten": "change"}}, "pass"),
        ("share_permissions_are_right", {"share_acl": {"Beheerders": "full", r"SCHOOL\G_Docenten": "change"}}, "pass"),
        ("share_permissions_are_right", {"share_acl": {"Administrators": "full", "G_Docenten": "read"}}, "fail"),
        ("share_permissions_are_right", {"share_acl": {"G_Docenten": "change"}}, "fail"),
        ("share_permissions_are_right", {"share_acl": {}}, "fail"),
        ("share_permissions_are_right", {"name": "Open", "share_acl": {"Iedereen": "full"}}, "pass"),
        ("share_permissions_are_right", {"name": "Open", "share_acl": {"G_Docenten": "full"}}, "fail"),
        ("share_permissions_are_right", {"name": "Dicht", "share_acl": {"G_Docenten": "full"}}, "unknown"),
        ("file_permissions_are_right", {"file_acl": [DOCENTEN, STUDENTEN]}, "pass"),
        ("file_permissions_are_right", {"file_acl": [DOCENTEN, STUDENTEN, ADMINS, CREATOR], "exact": True}, "pass"),
        ("file_permissions_are_right", {"file_acl": [DOCENTEN, STUDENTEN, ADMINS], "exact": True}, "fail"),
        ("file_permissions_are_right", {"file_acl": [DOCENTEN | {"rights": "full"}]}, "fail"),
        ("file_permissions_are_right", {"file_acl": [DOCENTEN | {"rights": ["read", "write"]}]}, "fail"),
        ("file_permissions_are_right", {"file_acl": [DOCENTEN | {"deny": True}]}, "fail"),
        ("file_permissions_are_right", {"file_acl": [{"principal": "G_INF1", "rights": "read"}]}, "fail"),
        ("file_permissions_are_right", {"file_acl": [{"principal": "Niemand", "rights": "read"}]}, "fail"),
        ("file_permissions_are_right", {"file_acl": [STUDENTEN | {"applies_to": ["this"]}]}, "pass"),
        ("file_permissions_are_right", {"file_acl": [DOCENTEN | {"applies_to": ["this"]}]}, "fail"),
        ("file_permissions_are_right", {"file_acl": [CREATOR | {"applies_to": ["subfolders", "files"]}]}, "pass"),
        ("inheritance_is_right", {"inherited": False}, "pass"),
        ("inheritance_is_right", {"inherited": True}, "fail"),
        ("owner_is_right", {"owner": r"BUILTIN\Administrators"}, "pass"),
        ("owner_is_right", {"owner": "jan"}, "fail"),
        ("owner_is_right", {"owner": "Niemand"}, "fail"),
    ],
)
def test_each_verdict(world: Any, check: str, given: dict[str, Any], verdict: str) -> None:
    found = [f for f in world.judge("shares", check, **({"name": "Docenten"} | given)) if f.check.startswith("shares.")]
    assert [str(f.verdict) for f in found] == [verdict]


FILES: dict[str, dict[str, Any]] = {
    "file_permissions_are_right": {"file_acl": [DOCENTEN]},
    "inheritance_is_right": {"inherited": False},
    "owner_is_right": {"owner": "jan"},
}
LIST: dict[str, dict[str, Any]] = {
    "share_exists": {},
    "share_visibility_is_right": {"hidden": False},
    "share_path_is_right": {"path": "/x"},
    "share_comment_is_right": {"comment": "x"},
    "share_permissions_are_right": {"share_acl": {}},
}


@pytest.mark.parametrize("check", FILES)
def test_rights_on_files_that_cannot_be_read_are_unknown(world: Any, check: str) -> None:
    world.folder("Docenten", None)  # listed, but there is no folder behind it
    (found,) = world.judge("shares", check, name="Docenten", **FILES[check])
    assert (found.verdict, found.observed) == ("fail", {"exists": False})
    world.failures[SmbSecurity] = FailureKind.DENIED
    (found,) = world.judge("shares", check, name="Docenten", **FILES[check])
    assert (found.verdict, found.failure.kind) == ("unknown", FailureKind.DENIED)


@pytest.mark.parametrize("check", LIST)
def test_a_list_that_cannot_be_read_is_unknown(world: Any, check: str) -> None:
    world.failures[SmbShares] = FailureKind.DENIED
    (found,) = world.judge("shares", check, name="Docenten", **LIST[check])
    assert (found.verdict, found.failure.kind) == ("unknown", FailureKind.DENIED)


def test_a_share_that_is_not_listed_but_answers_is_there_and_hidden(world: Any) -> None:
    world.folder("Stil", RIGHTS)
    assert world.verdicts("shares", "share_exists", name="Stil") == ["pass"]
    assert world.verdicts("shares", "share_exists", name="Stil", exists=False) == ["fail"]
    assert world.verdicts("shares", "share_visibility_is_right", name="Stil", hidden=True) == ["pass"]
    assert world.verdicts("shares", "share_permissions_are_right", name="Stil", share_acl={}) == ["unknown"]
    world.share("Stil")
    world.unlisted.append(world.shares.pop())  # it is only told when it is asked for by name
    given = {"name": "Stil", "hidden": True, "share_acl": {"Everyone": "full"}}
    assert world.verdicts("shares", "share_permissions_are_right", **given) == ["pass"]
    assert world.verdicts("shares", "share_visibility_is_right", **given) == ["pass"]
    assert world.verdicts("shares", "share_visibility_is_right", **(given | {"hidden": False})) == ["fail"]
    world.failures[SmbSecurity] = FailureKind.DENIED
    assert world.verdicts("shares", "share_exists", name="Stil", exists=False) == ["unknown"]
    assert world.verdicts("shares", "share_exists", name="Docenten") == ["pass"]


def test_what_is_told_of_rights(world: Any) -> None:
    (found,) = world.judge("shares", "share_permissions_are_right", name="Docenten", share_acl={"G_Docenten": "read"})
    assert found.expected == {"exactly": [{"principal": "G_Docenten", "rights": "read"}]}
    assert found.observed == {
        "entries": [
            {"principal": "Administrators", "rights": "full"},
            {"principal": "G_Docenten", "rights": "change"},
        ],
        "missing": [{"principal": "G_Docenten", "rights": "read"}],
        "extra": [
            {"principal": "Administrators", "rights": "full"},
            {"principal": "G_Docenten", "rights": "change"},
        ],
    }
    (found,) = world.judge("shares", "file_permissions_are_right", name="Docenten", file_acl=[DOCENTEN], exact=True)
    assert found.observed["extra"][1] == {
        "principal": "G_Studenten",
        "rights": "read_and_execute",
        "applies_to": "this",
    }


def test_an_entry_that_denies_is_never_right_on_a_share(world: Any) -> None:
    world.share("Deny", f"D:(D;;FA;;;{STUD})(A;;FA;;;{DOC})")
    (found,) = world.judge("shares", "share_permissions_are_right", name="Deny", share_acl={"G_Docenten": "full"})
    assert found.verdict == "fail"
    assert found.observed["extra"] == [{"principal": "G_Studenten", "deny": "full"}]


def test_a_folder_without_a_list_is_open_to_everybody(world: Any) -> None:
    world.folder("Docenten", "O:BAD:NO_ACCESS_CONTROL")
    (found,) = world.judge("shares", "file_permissions_are_right", name="Docenten", file_acl=[ADMINS], exact=True)
    assert found.verdict == "fail"
    assert found.observed["entries"] == [{"principal": "Everyone", "rights": "full"}]


def test_a_conditional_entry_is_unknown(world: Any) -> None:
    conditional = '(XA;;FA;;;WD;(@User.Title == "x"))'
    world.share("Soms", "D:" + conditional)
    world.folder("Soms", f"O:BAD:{conditional}(A;OICI;0x1301bf;;;{DOC})")
    assert world.verdicts("shares", "share_permissions_are_right", name="Soms", share_acl={"Everyone": "full"}) == [
        "unknown"
    ]
    assert world.verdicts("shares", "file_permissions_are_right", name="Soms", file_acl=[DOCENTEN]) == ["unknown"]


def test_a_descriptor_that_is_garbled_is_unknown(world: Any) -> None:
    world.folders["Docenten", ""] = "AAAA"
    assert world.verdicts("shares", "owner_is_right", name="Docenten", owner="jan") == ["unknown"]


@pytest.mark.parametrize(
    ("given", "seen", "verdict"),
    [
        ({"signing": "required"}, {}, "pass"),
        ({"signing": "required"}, {"signing_required": False}, "fail"),
        ({"signing": "optional"}, {}, "fail"),
        ({"smb1": False}, {}, "pass"),
        ({"smb1": False}, {"smb1": True}, "fail"),
        ({"encryption": True}, {}, "pass"),
        ({"encryption": True}, {"encryption": False}, "fail"),
        ({"encryption": True}, {"encryption": None}, "unknown"),
    ],
)
def test_smb_server(world: Any, given: dict[str, Any], seen: dict[str, Any], verdict: str) -> None:
    world.negotiated |= seen
    assert [str(f.verdict) for f in world.judge("smb_server", **given)] == [verdict]
    world.failures[Negotiated.question] = FailureKind.REFUSED
    assert [str(f.verdict) for f in world.judge("smb_server", **given)] == ["unknown"]
