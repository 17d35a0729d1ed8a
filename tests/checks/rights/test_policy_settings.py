"""Checks of what policies hold, read from SYSVOL; and of SYSVOL itself on every controller."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from checks.core import FailureKind
from checks.facts.group_policy import PolicyFiles

NAME, NUMBER = "School - Werkstations", 1
DWORD, SZ, MULTI, BINARY = 4, 1, 7, 3
DRIVES = r"""<Drives><Drive name="T:"><Properties action="U" path="\\files1\Docenten" letter="T"/>
<Filters><FilterGroup not="0" name="SCHOOL\G_Docenten" sid="S-1-5-21-1-2-3-1105"/></Filters></Drive>
<Drive name="H:"><Properties action="R" path="\\files1\homes\%LogonUser%" letter="H"/></Drive>
<Drive name="X:"><Properties action="D" path="\\files1\X" letter="X"/></Drive>
<Drive name="L:"><Properties path="\\files1\L" letter="L"/><Filters><FilterOs not="1" name="11"/></Filters></Drive>
</Drives>"""
PRINTERS = r"""<Printers><SharedPrinter name="L12"><Properties action="C" path="\\print1\Lokaal12"/></SharedPrinter>
<SharedPrinter name="Oud"><Properties action="D" path="\\print1\Oud"/></SharedPrinter></Printers>"""
PASSWORD = '<Groups><User name="lokaal"><Properties action="U" cpassword="abc"/></User></Groups>'
TEMPLATE = r"""[Unicode]
Unicode=yes
[System Access]
MinimumPasswordLength = 12
NewAdministratorName = "beheer"
[Registry Values]
MACHINE\System\A\Level=4,5
MACHINE\System\A\Pipes=7,a,b
[Privilege Rights]
SeDenyInteractiveLogonRight = *S-1-5-21-1-2-3-1106,Guest
"""
AUDIT = """Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value
,System,Audit Logon,{0cce9215-69ae-11d9-bed3-505054503030},Success and Failure,,3
,System,Audit Logoff,{0cce9216-69ae-11d9-bed3-505054503030},No Auditing,,4
"""
SCRIPTS = "[Logon]\r\n0CmdLine=kaart.cmd\r\n1CmdLine=weg.cmd\r\n2CmdLine=\\\\school.test\\netlogon\\x.vbs\r\n"


def pol(*entries: tuple[str, str, int, bytes]) -> bytes:
    said = b"PReg\x01\0\0\0"
    for key, value, kind, data in entries:
        head = f"[{key}\0;{value}\0;".encode("utf-16-le")
        marks = ";".encode("utf-16-le")
        said += head + struct.pack("<I", kind) + marks + struct.pack("<I", len(data)) + marks + data + b"]\0"
    return said


def w(text: str) -> bytes:
    return text.encode("utf-16-le")


@pytest.fixture(autouse=True)
def school(world: Any) -> None:
    world.policy(NAME, NUMBER)
    world.policy("Leeg", 2)
    world.file(
        NUMBER,
        r"MACHINE\Registry.pol",
        pol(
            (r"Software\Policies\A", "Number", DWORD, b"\x01\0\0\0"),
            (r"Software\Policies\A", "Text", SZ, w("ja\0")),
            (r"Software\Policies\A", "Many", MULTI, w("a\0b\0\0")),
            (r"Software\Policies\A", "Bytes", BINARY, b"\x00\xff"),
            (r"Software\Policies\A", "Winlogon", SZ, w("1\0")),
            (r"Software\Policies\A", "**del.Gone", SZ, w(" \0")),
        ),
    )
    world.file(NUMBER, r"User\registry.pol", pol((r"Software\Policies\B", "Number", DWORD, b"\x02\0\0\0")))
    world.file(NUMBER, r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf", TEMPLATE.encode("utf-16"))
    world.file(NUMBER, r"Machine\Microsoft\Windows NT\Audit\audit.csv", AUDIT.encode())
    world.file(NUMBER, r"User\Preferences\Drives\Drives.xml", DRIVES.encode())
    world.file(NUMBER, r"User\Preferences\Printers\Printers.xml", PRINTERS.encode())
    world.file(NUMBER, r"User\Scripts\scripts.ini", b"\xff\xfe" + w(SCRIPTS))
    world.file(NUMBER, r"User\Scripts\Logon\kaart.cmd", b"net use")


A = r"Software\Policies\A"


@pytest.mark.parametrize(
    ("setting", "verdict"),
    [
        ({"key": A, "value": "Number", "type": "REG_DWORD", "data": 1}, "pass"),
        ({"key": "HKLM\\" + A.upper(), "value": "number", "data": 1}, "pass"),
        ({"key": A, "value": "Number"}, "pass"),
        ({"key": A, "value": "Number", "data": 0}, "fail"),
        ({"key": A, "value": "Number", "type": "REG_SZ", "data": 1}, "fail"),
        ({"key": A, "value": "Text", "data": "ja"}, "pass"),
        ({"key": A, "value": "Text", "data": "Ja"}, "fail"),
        ({"key": A, "value": "Many", "data": ["a", "b"]}, "pass"),
        ({"key": A, "value": "Many", "data": ["b", "a"]}, "fail"),
        ({"key": A, "value": "Bytes", "data": "00 FF"}, "pass"),
        ({"key": A, "value": "Bytes", "data": "00"}, "fail"),
        ({"key": A, "value": "Winlogon", "data": 1}, "pass"),
        ({"key": A, "value": "Winlogon", "type": "REG_DWORD", "data": 1}, "fail"),
        ({"key": A, "value": "Gone", "removed": True}, "pass"),
        ({"key": A, "value": "Gone"}, "fail"),
        ({"key": A, "value": "Number", "removed": True}, "fail"),
        ({"key": A, "value": "Missing"}, "fail"),
        ({"hive": "user", "key": r"HKCU\Software\Policies\B", "value": "Number", "data": 2}, "pass"),
        ({"hive": "user", "key": A, "value": "Number", "data": 1}, "fail"),
    ],
)
def test_registry(world: Any, setting: dict[str, Any], verdict: str) -> None:
    assert world.verdicts("policies", "registry_setting_is_set", name=NAME, registry=[setting]) == [verdict]


def test_what_is_told_of_a_registry_setting(world: Any) -> None:
    wanted = [{"key": A, "value": v, "data": 0} for v in ("Number", "Bytes", "Gone", "Missing")]
    found = world.judge("policies", "registry_setting_is_set", name=NAME, registry=wanted)
    assert [f.observed for f in found] == [
        {"type": "REG_DWORD", "data": 1},
        {"type": "REG_BINARY", "data": "00ff"},
        {"removed": True},
        {"exists": False},
    ]
    assert found[0].subject == rf"{NAME}: HKLM\{A}\Number"
    assert found[0].expected == {"data": 0}


@pytest.mark.parametrize(
    ("security", "verdict"),
    [
        ({"System Access/MinimumPasswordLength": 12}, "pass"),
        ({"system access/minimumpasswordlength": {"at_least": 12}}, "pass"),
        ({"System Access/MinimumPasswordLength": {"at_least": 8, "at_most": 11}}, "fail"),
        ({"System Access/MinimumPasswordLength": 14}, "fail"),
        ({"System Access/NewAdministratorName": "beheer"}, "pass"),
        ({"System Access/NewAdministratorName": {"at_least": 1}}, "fail"),
        ({"System Access/LockoutBadCount": 5}, "fail"),
        ({"System Access/LockoutBadCount": {"at_most": 5}}, "fail"),
        ({r"Registry Values/MACHINE\System\A\Level": 5}, "pass"),
        ({r"Registry Values/MACHINE\System\A\Pipes": ["a", "b"]}, "pass"),
        ({r"Registry Values/MACHINE\System\A\Pipes": ["a"]}, "fail"),
    ],
)
def test_security(world: Any, security: dict[str, Any], verdict: str) -> None:
    assert world.verdicts("policies", "security_setting_is_set", name=NAME, security=security) == [verdict]


def test_a_policy_without_the_file_sets_nothing(world: Any) -> None:
    given = {
        "registry": [{"key": A, "value": "Number"}],
        "security": {"System Access/MinimumPasswordLength": {"at_least": 1}},
        "rights": {"SeTcbPrivilege": []},
        "audit": {"Logon": []},
        "drives": [{"letter": "T", "path": "x"}],
        "printers": ["x"],
        "scripts": {"logon": ["x"]},
    }
    found = world.judge("policies", name="Leeg", **given)
    assert [f.verdict for f in found if "exists" not in f.check] == ["fail"] * 7


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        (["G_Studenten", "Guest"], "pass"),
        ([r"SCHOOL\g_studenten", "Gast"], "pass"),
        (["G_Studenten"], "fail"),
        (["G_Studenten", "Guest", "G_Docenten"], "fail"),
        ([], "fail"),
    ],
)
def test_rights(world: Any, names: list[str], verdict: str) -> None:
    assert world.verdicts(
        "policies", "user_right_is_granted", name=NAME, rights={"SeDenyInteractiveLogonRight": names}
    ) == [verdict]


def test_what_is_told_of_a_right(world: Any) -> None:
    (found,) = world.judge(
        "policies", "user_right_is_granted", name=NAME, rights={"SeDenyInteractiveLogonRight": ["G_Docenten", "Wie"]}
    )
    assert found.observed["members"] == ["G_Studenten", "S-1-5-21-1-2-3-501"]
    assert found.observed["missing"] == ["G_Docenten", "Wie"]
    assert "G_Studenten" in found.observed["extra"]


@pytest.mark.parametrize(
    ("audit", "verdict"),
    [
        ({"Logon": ["success", "failure"]}, "pass"),
        ({"Logon": ["failure", "success"]}, "pass"),
        ({"Logon": ["success"]}, "fail"),
        ({"Logoff": []}, "pass"),
        ({"Logoff": ["success"]}, "fail"),
        ({"Process Creation": []}, "fail"),
    ],
)
def test_audit(world: Any, audit: dict[str, Any], verdict: str) -> None:
    assert world.verdicts("policies", "audit_policy_is_set", name=NAME, audit=audit) == [verdict]


@pytest.mark.parametrize(
    ("drive", "verdict"),
    [
        ({"letter": "T", "path": r"\\FILES1\docenten"}, "pass"),
        ({"letter": "t:", "path": "//files1/Docenten/"}, "pass"),
        ({"letter": "T", "path": r"\\files1\Docenten", "groups": ["G_Docenten"]}, "pass"),
        ({"letter": "T", "path": r"\\files1\Docenten", "groups": ["G_Studenten"]}, "fail"),
        ({"letter": "T", "path": r"\\files1\Docenten", "groups": []}, "fail"),
        ({"letter": "T", "path": r"\\files1\Ander"}, "fail"),
        ({"letter": "H", "path": r"\\files1\homes\%LogonUser%", "groups": []}, "pass"),
        ({"letter": "X", "path": r"\\files1\X"}, "fail"),
        ({"letter": "Q", "path": "x"}, "fail"),
    ],
)
def test_drives(world: Any, drive: dict[str, Any], verdict: str) -> None:
    assert world.verdicts("policies", "drive_is_mapped", name=NAME, drives=[drive]) == [verdict]


def test_what_else_a_drive_depends_on_is_told(world: Any) -> None:
    (found,) = world.judge("policies", "drive_is_mapped", name=NAME, drives=[{"letter": "L", "path": r"\\files1\L"}])
    assert (found.verdict, found.note) == ("pass", "not FilterOs 11")


def test_printers(world: Any) -> None:
    printers = [r"\\print1\lokaal12", r"\\print1\Oud", r"\\print1\Nieuw"]
    assert world.verdicts("policies", "printer_is_connected", name=NAME, printers=printers) == ["pass", "fail", "fail"]


def test_scripts(world: Any) -> None:
    logon = ["kaart.cmd", "weg.cmd", r"\\school.test\netlogon\x.vbs", "anders.cmd"]
    found = world.judge("policies", "script_is_run", name=NAME, scripts={"logon": logon, "startup": ["kaart.cmd"]})
    assert [f.verdict for f in found] == ["fail", "pass", "fail", "pass", "fail"]
    assert found[2].observed == {"listed": True, "exists": False}


def test_passwords_of_one_policy(world: Any) -> None:
    assert world.verdicts("policies", "policy_holds_no_passwords", name=NAME, no_cpassword=True) == ["pass"]
    world.file(NUMBER, r"Machine\Preferences\Groups\Groups.xml", PASSWORD.encode())
    (found,) = world.judge("policies", "policy_holds_no_passwords", name=NAME, no_cpassword=True)
    assert found.verdict == "fail"
    assert found.observed == [r"machine\preferences\groups\groups.xml: lokaal"]
    assert world.verdicts("policies", "policy_holds_no_passwords", name=NAME, no_cpassword=False) == ["pass"]


EVERY: dict[str, dict[str, Any]] = {
    "registry_setting_is_set": {"registry": [{"key": A, "value": "Number"}]},
    "security_setting_is_set": {"security": {"System Access/MinimumPasswordLength": 12}},
    "user_right_is_granted": {"rights": {"SeDenyInteractiveLogonRight": ["G_Studenten"]}},
    "audit_policy_is_set": {"audit": {"Logon": ["success"]}},
    "drive_is_mapped": {"drives": [{"letter": "T", "path": r"\\files1\Docenten"}]},
    "printer_is_connected": {"printers": [r"\\print1\Lokaal12"]},
    "script_is_run": {"scripts": {"logon": ["kaart.cmd"]}},
    "policy_holds_no_passwords": {"no_cpassword": True},
}
FILE_OF = {
    "registry_setting_is_set": r"MACHINE\Registry.pol",
    "security_setting_is_set": r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf",
    "user_right_is_granted": r"Machine\Microsoft\Windows NT\SecEdit\GptTmpl.inf",
    "audit_policy_is_set": r"Machine\Microsoft\Windows NT\Audit\audit.csv",
    "drive_is_mapped": r"User\Preferences\Drives\Drives.xml",
    "printer_is_connected": r"User\Preferences\Printers\Printers.xml",
    "script_is_run": r"User\Scripts\scripts.ini",
    "policy_holds_no_passwords": r"User\Preferences\Printers\Printers.xml",
}


@pytest.mark.parametrize("check", EVERY)
def test_unknown(world: Any, check: str) -> None:
    def told() -> tuple[str, FailureKind]:
        (found,) = world.judge("policies", check, name=NAME, **EVERY[check])
        return str(found.verdict), found.failure.kind

    path = rf"{{00000001-0000-0000-0000-000000000000}}\{FILE_OF[check]}"
    files = world.files["dc1"]
    files[path] = {"size": 9, "content": None}
    assert told() == ("unknown", FailureKind.TOO_LARGE)
    files[path] = {"size": 9, "content": None, "error": "denied"}
    assert told() == ("unknown", FailureKind.DENIED)
    files[path] = {"size": 9, "content": "cnViYmlzaAA="}
    assert told() == ("unknown", FailureKind.UNREADABLE)
    del files[path]
    files[path.rpartition("\\")[0] + "\\"] = {"size": 0, "content": None, "error": "denied"}
    assert told() == ("unknown", FailureKind.DENIED)
    for key in [k for k in files if k.startswith("{00000001")]:
        del files[key]
    assert told() == ("unknown", FailureKind.UNREADABLE)
    world.files["dc1"] = None
    assert told() == ("unknown", FailureKind.UNREADABLE)
    world.failures[PolicyFiles.question] = FailureKind.DENIED
    assert told() == ("unknown", FailureKind.DENIED)


@pytest.mark.parametrize("check", EVERY)
def test_a_policy_that_is_not_there(world: Any, check: str) -> None:
    assert world.verdicts("policies", check, name="Nergens", **EVERY[check]) == ["not_applicable"]


# -- SYSVOL -----------------------------------------------------------------------------------------------------------


def test_a_healthy_sysvol(world: Any) -> None:
    found = world.judge("sysvol")
    assert {f.verdict for f in found} == {"pass"}
    assert sorted((f.check, f.subject) for f in found) == sorted(
        (f"sysvol.{check}", name)
        for check in ("versions_agree", "sysvol_is_complete", "policies_hold_no_passwords")
        for name in (NAME, "Leeg")
    )
    assert world.judge("sysvol", versions_agree=False, complete=False, no_cpassword=False) == []


def test_versions_that_differ(world: Any) -> None:
    world.file(NUMBER, "GPT.INI", b"[General]\nVersion = 7\n", "dc2")
    found = {f.subject: f for f in world.judge("sysvol", "versions_agree")}
    assert found["Leeg"].verdict == "pass"
    assert found[NAME].verdict == "fail"
    assert found[NAME].observed == [
        {"server": "dc1", "directory": 1, "files": 1},
        {"server": "dc2", "directory": 1, "files": 7},
    ]
    assert found[NAME].expected == {"version": 7}


def test_versions_that_are_missing_or_garbled(world: Any) -> None:
    del world.files["dc2"][r"{00000001-0000-0000-0000-000000000000}\GPT.INI"]
    world.file(2, "GPT.INI", b"[General]\n", "dc2")
    found = {f.subject: f.verdict for f in world.judge("sysvol", "versions_agree")}
    assert found == {NAME: "fail", "Leeg": "unknown"}


def test_a_directory_that_lags_behind(world: Any) -> None:
    world.policies["dc2"] = world.policies["dc2"][1:]
    found = {f.subject: f.verdict for f in world.judge("sysvol", "versions_agree")}
    assert found == {NAME: "fail", "Leeg": "pass"}


def test_files_that_are_missing_or_differ(world: Any) -> None:
    world.file(NUMBER, r"User\Scripts\Logon\kaart.cmd", b"net usE", "dc2")
    world.files["dc2"] = {k: v for k, v in world.files["dc2"].items() if not k.startswith("{00000002")}
    found = {f.subject: f for f in world.judge("sysvol", "sysvol_is_complete")}
    assert found[NAME].observed == {"servers": ["dc1", "dc2"], "different": [r"user\scripts\logon\kaart.cmd"]}
    assert found["Leeg"].observed == {"servers": ["dc1"], "missing": ["dc2"]}
    assert {f.verdict for f in found.values()} == {"fail"}


def test_folders_that_are_left_over(world: Any) -> None:
    for server in ("dc1", "dc2"):
        world.files[server] |= {
            "{00000009-0000-0000-0000-000000000000}\\": {"size": 0, "content": None},
            "{00000001-0000-0000-0000-000000000000}_NTFRS_0123abcd\\": {"size": 0, "content": None},
            "PolicyDefinitions\\x.admx": {"size": 5, "content": None},
        }
    found = [f for f in world.judge("sysvol", "sysvol_is_complete") if f.verdict == "fail"]
    assert [f.subject for f in found] == [
        "{00000001-0000-0000-0000-000000000000}_NTFRS_0123abcd",
        "{00000009-0000-0000-0000-000000000000}",
    ]
    assert found[0].observed == {"servers": ["dc1", "dc2"]}


def test_a_folder_that_cannot_be_seen(world: Any) -> None:
    world.files["dc2"]["{00000001-0000-0000-0000-000000000000}\\"] = {"size": 0, "content": None, "error": "denied"}
    for check in ("sysvol_is_complete", "policies_hold_no_passwords"):
        found = {f.subject: f for f in world.judge("sysvol", check)}
        assert found[NAME].verdict == "unknown"
        assert found[NAME].failure.kind == FailureKind.DENIED
        assert found["Leeg"].verdict == "pass"


def test_passwords_on_any_controller_and_in_left_overs(world: Any) -> None:
    world.file(2, r"Machine\Preferences\Groups\Groups.xml", PASSWORD.encode(), "dc2")
    world.file(9, r"Machine\Preferences\Groups\Groups.xml", PASSWORD.encode(), "dc2")
    found = {f.subject: f for f in world.judge("sysvol", "policies_hold_no_passwords")}
    assert {n: str(f.verdict) for n, f in found.items()} == {
        NAME: "pass",
        "Leeg": "fail",
        "{00000009-0000-0000-0000-000000000000}": "fail",
    }
    assert "abc" not in str([f.observed for f in found.values()])


def test_one_controller_that_does_not_answer(world: Any) -> None:
    world.files["dc2"] = None
    for check in ("versions_agree", "sysvol_is_complete", "policies_hold_no_passwords"):
        (found,) = world.judge("sysvol", check)
        assert found.verdict == "unknown"
        assert "dc2" in found.failure.detail
