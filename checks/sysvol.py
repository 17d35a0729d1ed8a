"""SYSVOL: that every domain controller holds the same, whole and clean files of the group policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checks.core import (
    Each,
    Expectation,
    Outcome,
    Scope,
    Unreadable,
    Verdict,
    check,
    expect,
    failed,
    kind,
    passed,
    unknown,
)
from checks.facts.group_policy import Folder, Policies, PolicyFiles
from checks.policy_settings import passwords


@kind("sysvol", Scope.DOMAIN, many=False)
class Sysvol(Expectation):
    """The health of the group policies' files on all domain controllers."""

    versions_agree: bool = True
    """The version in the directory is that of the files, on every domain controller."""
    complete: bool = True
    """Every policy has its folder on every domain controller, with the same files, and no folder lacks its policy."""
    no_cpassword: bool = True
    """No preference holds a password."""


def _names(directories: Each[Policies]) -> dict[str, str]:
    """Give the names of all policies that any domain controller knows, by GUID."""
    return {p.guid: p.name for policies in directories.values() for p in policies.all}


@check
def versions_agree(directories: Each[Policies], servers: Each[PolicyFiles], want: Sysvol) -> Iterator[Outcome]:
    """Whether each policy has one version, in the directory and in GPT.INI, on every domain controller.

    A client compares both and applies nothing, or something old, when they differ (MS-GPOL 3.2.5.1.4).
    """
    if not want.versions_agree:
        return
    for guid, name in sorted(_names(directories).items(), key=lambda item: item[1]):
        try:
            yield _versions(directories, servers, guid, name)
        except Unreadable as e:
            yield Outcome(Verdict.UNKNOWN, subject=name, failure=e.failure)


def _versions(directories: Each[Policies], servers: Each[PolicyFiles], guid: str, name: str) -> Outcome:
    seen: list[dict[str, Any]] = []
    numbers: set[int | None] = set()
    for server, policies in directories.items():
        directory = next((p.version.number for p in policies.all if p.guid == guid), None)
        folder = servers[server].folders.get(guid)
        version = folder.version() if folder else None
        files = version.number if version else None
        numbers |= {directory, files}
        seen.append({"server": server, "directory": directory, "files": files})
    good = len(numbers) == 1 and None not in numbers
    expected = max((n for n in numbers if n is not None), default=None)
    return (passed if good else failed)(seen, {"version": expected}, subject=name)


@check
def sysvol_is_complete(directories: Each[Policies], servers: Each[PolicyFiles], want: Sysvol) -> Iterator[Outcome]:
    """Whether every domain controller has each policy's folder with the same content, and no folder is left over."""
    if not want.complete:
        return
    names = _names(directories)
    for guid, name in sorted(names.items(), key=lambda item: item[1]):
        folders = {server: files.folders.get(guid) for server, files in servers.items()}
        unseen = next((k for f in folders.values() if f for k in f.unseen.values()), None)
        if unseen:
            yield unknown(unseen, guid, subject=name)
            continue
        missing = sorted(server for server, folder in folders.items() if folder is None)
        there = {server: folder for server, folder in folders.items() if folder is not None}
        differing = _differences(there)
        seen: dict[str, Any] = {"servers": sorted(there)}
        if missing:
            seen["missing"] = missing
        if differing:
            seen["different"] = differing
        yield (failed if missing or differing else passed)(seen, {"servers": sorted(folders)}, subject=name)
    orphans: dict[str, list[str]] = {}
    for server, files in servers.items():
        for folder in files.policies():
            if folder.name.upper() not in names:
                orphans.setdefault(folder.name, []).append(server)
    for name, where in sorted(orphans.items()):
        yield failed({"servers": sorted(where)}, {"servers": []}, subject=name)


def _differences(folders: dict[str, Folder]) -> list[str]:
    """Name the files that are not the same on all servers."""
    paths = {path for folder in folders.values() for path in folder.files}
    found = []
    for path in sorted(paths):
        marks = {file.mark if (file := folder.files.get(path)) else None for folder in folders.values()}
        if len(marks) > 1:
            found.append(path)
    return found[:50]


@check
def policies_hold_no_passwords(
    directories: Each[Policies], servers: Each[PolicyFiles], want: Sysvol
) -> Iterator[Outcome]:
    """Whether no policy on any domain controller holds a password in its preferences (cpassword, MS14-025)."""
    if not want.no_cpassword:
        return
    names = _names(directories)
    folders: dict[str, list[Folder]] = {}
    for files in servers.values():
        for folder in files.policies():
            folders.setdefault(folder.name.upper(), []).append(folder)
    for guid, same in sorted(folders.items(), key=lambda item: names.get(item[0], item[0])):
        name = names.get(guid, guid)
        try:
            yield expect(sorted({place for folder in same for place in passwords(folder)}), equals=[], subject=name)
        except Unreadable as e:
            yield Outcome(Verdict.UNKNOWN, subject=name, failure=e.failure)
