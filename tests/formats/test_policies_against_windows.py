"""Our readers against the report that Windows made of the same policy (tests/data/gpo/nsacyber).

Security settings and audit policy agree entry by entry. Windows' report names registry settings by their administrative
template, so of those the numbers, the list elements and the count of values are held against it here.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from checks.formats import audit_csv, registry_pol, safe_xml, sddl, security_template
from checks.formats.safe_xml import Element

DATA = Path(__file__).parents[1] / "data" / "gpo" / "nsacyber"


def report(part: str) -> Element:
    return safe_xml.parse(gzip.decompress((DATA / part / "gpreport.xml.gz").read_bytes()))


def text(element: Element, *names: str) -> str | None:
    found = element.find(*names)
    return found.text.strip() if found else None


@pytest.fixture(scope="module")
def computer() -> Element:
    return report("computer")


@pytest.fixture(scope="module")
def template() -> security_template.SecurityTemplate:
    return security_template.parse((DATA / "computer" / "GptTmpl.inf").read_bytes())


def plain(value: object) -> str:
    return str(value & 0xFFFFFFFF if isinstance(value, int) else value)


def test_account_policies(computer: Element, template: security_template.SecurityTemplate) -> None:
    told = {
        text(e, "Name"): (text(e, "SettingNumber") or {"true": "1", "false": "0"}[text(e, "SettingBoolean") or ""])
        for e in computer.every("Account")
    }
    assert len(told) == 9
    for name, value in told.items():
        assert plain(template.get(f"System Access/{name}")) == value, name


def test_security_options(computer: Element, template: security_template.SecurityTemplate) -> None:
    seen = set()
    for option in computer.every("SecurityOptions"):
        value = text(option, "SettingNumber") or (text(option, "SettingString") or "").strip('"')
        if key := text(option, "KeyName"):
            entry = template.registry[key.casefold()]
            assert entry.path == key
            assert str(entry.data) == value, key
            seen.add(key.casefold())
        else:
            name = text(option, "SystemAccessPolicyName")
            assert plain(template.get(f"System Access/{name}")) == value, name
            seen.add(f"system access/{name}".casefold())
    accounts = {f"system access/{text(e, 'Name')}".casefold() for e in computer.every("Account")}
    ours = set(template.registry) | {f"{section}/{name}" for section, name in template.values}
    assert ours == seen | accounts
    assert len(template.registry) == 41


def test_user_rights(computer: Element, template: security_template.SecurityTemplate) -> None:
    told = {
        (text(e, "Name") or "").casefold(): {text(m, "SID") for m in e.children if m.name == "Member"}
        for e in computer.every("UserRightsAssignment")
    }
    assert len(told) == 27
    assert {right: set(who) for right, who in template.rights.items()} == told


def test_audit_policy(computer: Element) -> None:
    policy = audit_csv.parse((DATA / "computer" / "audit.csv").read_bytes())
    told = [
        (text(e, "SubcategoryGuid"), text(e, "PolicyTarget"), text(e, "SettingValue"))
        for e in computer.every("AuditSetting")
    ]
    assert len(told) == 21
    assert [("{" + s.guid + "}", s.target, str(s.value)) for s in policy.settings] == told
    for element in computer.every("AuditSetting"):
        name = text(element, "SubcategoryName") or ""
        assert "{" + (audit_csv.subcategory(name) or "") + "}" == text(element, "SubcategoryGuid"), name


def test_registry_of_the_computer(computer: Element) -> None:
    entries = registry_pol.parse((DATA / "computer" / "registry.pol").read_bytes())
    assert len(entries) == 87
    found = registry_pol.settings(entries)
    values = {str(e.data) for e in entries}
    for number in computer.every("Numeric"):
        assert text(number, "Value") in values
    paths = r"Software\Policies\Microsoft\Windows\NetworkProvider\HardenedPaths"
    told = {text(e, "Name"): text(e, "Data") for e in computer.every("Element")}
    assert told
    for name, data in told.items():
        entry = found.get(paths, name or "")
        assert entry is not None
        assert entry.data == data
    # every policy that is only on or off writes one value at least
    assert len(computer.every("Policy")) <= len(entries)
    disabled = [p for p in computer.every("Policy") if text(p, "State") == "Disabled"]
    zeroes = [e for e in entries if e.data in (0, "0")] + [e for e in entries if e.value.startswith("**")]
    assert len(disabled) <= len(zeroes)


def test_registry_of_the_user() -> None:
    entries = registry_pol.parse((DATA / "user" / "registry.pol").read_bytes())
    policies = report("user").every("Policy")
    assert [text(p, "State") for p in policies] == ["Enabled"] * 3
    assert [(e.key.rpartition("\\")[2], e.value, e.type_name, e.data) for e in entries] == [
        ("Desktop", "ScreenSaverIsSecure", "REG_SZ", "1"),
        ("Desktop", "ScreenSaveActive", "REG_SZ", "1"),
        ("PushNotifications", "NoToastApplicationNotificationOnLockScreen", "REG_DWORD", 1),
    ]


@pytest.mark.parametrize("part", ["computer", "user"])
def test_security_descriptor_of_the_policy(part: str) -> None:
    root = report(part)
    found = sddl.parse(text(root, "SecurityDescriptor", "SDDL") or "", "S-1-5-21-852640682-2439737213-2645099010")
    assert found.owner == text(root, "SecurityDescriptor", "Owner", "SID")
    assert found.group == text(root, "SecurityDescriptor", "Group", "SID")
    told = {text(e, "Trustee", "SID") for e in root.every("TrusteePermissions")}
    assert {a.sid for a in found.dacl or () if a.sid != "S-1-3-0"} == told
