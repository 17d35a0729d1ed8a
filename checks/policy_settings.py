"""What a group policy holds: registry and security settings, rights, audit policy, drives, printers, scripts.

Everything is read from its files in SYSVOL, which one question brings; see `checks.facts.group_policy.Folder`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from checks.core import Outcome, check, expect, expect_members, failed, not_applicable, passed
from checks.facts.group_policy import Folder, Policies, PolicyFiles
from checks.facts.principals import Principals
from checks.formats import audit_csv
from checks.formats.preferences import Item
from checks.formats.registry_pol import Entry
from checks.group_policy import Between, Drive, Policy, RegistrySetting, folder_of

_HIVE = re.compile(r"^(?:HKLM|HKCU|HKEY_LOCAL_MACHINE|HKEY_CURRENT_USER|MACHINE|USER)\\", re.IGNORECASE)
_ABSENT = not_applicable("missing")
_NOTHING = {"exists": False}


@check("registry")
def registry_setting_is_set(policies: Policies, files: PolicyFiles, want: Policy) -> Iterator[Outcome]:
    """Whether Registry.pol sets (or removes) each of these values, as the last entry for it says."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        yield _ABSENT
        return
    for setting in want.registry:
        key = _HIVE.sub("", setting.key)
        subject = f"{want.name}: {'HKLM' if setting.hive == 'machine' else 'HKCU'}\\{key}\\{setting.value}"
        found = folder.registry(setting.hive)
        entry = found.get(key, setting.value) if found else None
        removed = bool(found and found.removes(key, setting.value))
        seen: dict[str, Any] = _NOTHING
        if removed:
            seen = {"removed": True}
        elif entry:
            seen = {"type": entry.type_name, "data": _shown(entry)}
        good = removed if setting.removed else _fits(entry, setting)
        yield (passed if good else failed)(seen, _wanted(setting), subject=subject)


def _wanted(setting: RegistrySetting) -> dict[str, Any]:
    if setting.removed:
        return {"removed": True}
    said = {"exists": True, "type": setting.type, "data": setting.data}
    told = {k: v for k, v in said.items() if v is not None}
    return told if len(told) == 1 else {k: v for k, v in told.items() if k != "exists"}


def _shown(entry: Entry) -> Any:
    return entry.data.hex() if isinstance(entry.data, bytes) else entry.data


def _fits(entry: Entry | None, setting: RegistrySetting) -> bool:
    if entry is None or (setting.type and entry.type_name != setting.type):
        return False
    if setting.data is None:
        return True
    data = _shown(entry)
    if isinstance(entry.data, bytes) and isinstance(setting.data, str):
        return bool(data == re.sub(r"[\s,]", "", setting.data).lower())
    if isinstance(data, str) and isinstance(setting.data, int):  # Winlogon keeps numbers as text
        return setting.type is None and data == str(setting.data)
    return bool(data == setting.data)


@check("security")
def security_setting_is_set(policies: Policies, files: PolicyFiles, want: Policy) -> Iterator[Outcome]:
    """Whether GptTmpl.inf holds each of these settings with this value, or one within the bounds."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        yield _ABSENT
        return
    template = folder.template()
    for path, value in (want.security or {}).items():
        found = template.get(path) if template else None
        subject = f"{want.name}: {path}"
        if isinstance(value, Between):
            number = found if isinstance(found, int) else None
            bounds = {k: v for k in ("at_least", "at_most") if (v := getattr(value, k)) is not None}
            outcome = expect(number, **bounds, subject=subject)
            yield outcome if found is not None else failed(_NOTHING, outcome.expected, subject=subject)
        elif found is None:
            yield failed(_NOTHING, value, subject=subject)
        else:
            yield expect(found, equals=value, subject=subject)


@check("rights")
def user_right_is_granted(
    policies: Policies, files: PolicyFiles, principals: Principals, want: Policy
) -> Iterator[Outcome]:
    """Whether the policy gives each of these rights to exactly these users and groups."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        yield _ABSENT
        return
    template = folder.template()
    for right, names in (want.rights or {}).items():
        subject = f"{want.name}: {right}"
        found = template.rights.get(right.casefold()) if template else None
        wanted = _sids(principals, names)
        if found is None:
            yield failed(_NOTHING, {"exactly": principals.names(wanted)}, subject=subject)
            continue
        there = _sids(principals, found)
        # by SID, shown by name
        outcome = expect_members(there, wanted, subject=subject)
        seen = {word: principals.names(sids) for word, sids in outcome.observed.items()}
        yield (passed if there == wanted else failed)(seen, {"exactly": principals.names(wanted)}, subject=subject)


def _sids(principals: Principals, names: Iterable[str]) -> set[str]:
    """Give the SIDs; a name that nobody bears stays a name, so that it is told."""
    return {principals.find(name) or name for name in names}


@check("audit")
def audit_policy_is_set(policies: Policies, files: PolicyFiles, want: Policy) -> Iterator[Outcome]:
    """Whether audit.csv audits exactly these outcomes of each of these subcategories."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        yield _ABSENT
        return
    policy = folder.audit()
    for name, wanted in (want.audit or {}).items():
        setting = policy.system(audit_csv.subcategory(name) or name) if policy else None
        audits = setting.audits if setting else None
        expected = sorted(wanted, reverse=True)
        seen = _NOTHING if audits is None else sorted(audits, reverse=True)
        yield expect(seen, equals=expected, subject=f"{want.name}: {name}")


def _path(path: str) -> str:
    return path.strip().replace("/", "\\").rstrip("\\").casefold()


def _groups(item: Item, principals: Principals) -> tuple[set[str], list[str]]:
    """Give the groups (SIDs) that an item is for, and the other conditions it has."""
    groups: set[str] = set()
    others = []
    for condition in item.filters:
        a = condition.attributes
        if condition.kind == "FilterGroup" and not condition.negated:
            name = a.get("name", "")
            groups.add(a.get("sid") or principals.find(name) or name)
        else:
            others.append(f"{'not ' if condition.negated else ''}{condition.kind} {a.get('name', '')}".strip())
    return groups, others


@check("drives")
def drive_is_mapped(policies: Policies, files: PolicyFiles, principals: Principals, want: Policy) -> Iterator[Outcome]:
    """Whether a preference maps each of these letters to this path, for these groups; a deletion maps nothing."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        yield _ABSENT
        return
    for drive in want.drives:
        yield _drive(folder, principals, drive, want.name)


def _drive(folder: Folder, principals: Principals, drive: Drive, policy: str) -> Outcome:
    letter = drive.letter[0].upper()
    wanted: dict[str, Any] = {"path": drive.path}
    sids = _sids(principals, drive.groups or ())
    if drive.groups is not None:
        wanted["groups"] = principals.names(sids)
    good, seen, notes = False, [], []
    for item in folder.items("Drive"):
        if not item.acts or item.properties.get("letter", "")[:1].upper() != letter:
            continue
        path = item.properties.get("path", "")
        groups, others = _groups(item, principals)
        told: dict[str, Any] = {"path": path}
        if groups:
            told["groups"] = principals.names(groups)
        seen.append(told)
        notes += others
        good = good or (_path(path) == _path(drive.path) and (drive.groups is None or groups == sids))
    observed: Any = seen[0] if len(seen) == 1 else seen or _NOTHING
    note = "; ".join(notes)[:300] or None
    return (passed if good else failed)(observed, wanted, subject=f"{policy}: {letter}:", note=note)


@check("printers")
def printer_is_connected(policies: Policies, files: PolicyFiles, want: Policy) -> Iterator[Outcome]:
    """Whether a preference connects each of these shared printers."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        yield _ABSENT
        return
    paths = [i.properties.get("path", "") for i in folder.items("SharedPrinter") if i.acts]
    for printer in want.printers:
        good = _path(printer) in map(_path, paths)
        told = {"paths": sorted(paths)} if paths else _NOTHING
        yield (passed if good else failed)(told, {"path": printer}, subject=f"{want.name}: {printer}")


@check("scripts")
def script_is_run(policies: Policies, files: PolicyFiles, want: Policy) -> Iterator[Outcome]:
    """Whether each of these scripts is in the policy's list, and the file is there when it lies in the policy."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        yield _ABSENT
        return
    listed = folder.scripts()
    for when in ("startup", "shutdown", "logon", "logoff"):
        side = "machine" if when in ("startup", "shutdown") else "user"
        for name in getattr(want.scripts, when):
            there = any(_path(command.strip('"')) == _path(name) for command, _ in listed.get(when, ()))
            seen = {"listed": there}
            expected = {"listed": True}
            if not re.match(r"\\\\|[A-Za-z]:|%", name):
                seen["exists"] = folder.has(f"{side}\\scripts\\{when}\\{_path(name)}")
                expected["exists"] = True
            yield expect(seen, equals=expected, subject=f"{want.name}: {when} {name}")


@check("no_cpassword")
def policy_holds_no_passwords(policies: Policies, files: PolicyFiles, want: Policy) -> Outcome:
    """Whether no preference of this policy holds a password (cpassword), which everybody can decipher (MS14-025)."""
    folder = folder_of(policies, files, want.name)
    if folder is None:
        return _ABSENT
    found = passwords(folder)
    return expect(found, equals=[]) if want.no_cpassword else passed(found)


def passwords(folder: Folder) -> list[str]:
    r"""Name where passwords stand in a policy: `user\preferences\groups\groups.xml: Administrator`."""
    return [f"{path}: {name}" for path, file in folder.preferences().items() for name in file.passwords]
