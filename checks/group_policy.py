"""Group policies: that each is there, linked where it should be, for whom, and holds the settings that were asked for.

What a policy *holds* is judged here (Registry.pol, GptTmpl.inf, audit.csv, preferences, scripts in SYSVOL); what is in
force on a machine is another matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from checks.core import (
    Expectation,
    FailureKind,
    Outcome,
    Scope,
    Unreadable,
    check,
    expect,
    failed,
    kind,
    not_applicable,
    passed,
    unknown,
)
from checks.facts.group_policy import (
    APPLY,
    Container,
    Containers,
    Folder,
    Policies,
    PolicyFiles,
    WmiFilters,
)
from checks.facts.group_policy import Policy as Found
from checks.facts.principals import Principals
from checks.formats import access, audit_csv
from checks.formats.security_descriptor import Descriptor

_RIGHT = re.compile(r"Se[A-Za-z]{3,60}(?:Privilege|Right)")
_READ_PROPERTY, _CONTROL_ACCESS = 0x10, 0x100


@dataclass(frozen=True, kw_only=True)
class RegistrySetting:
    """A registry value that the policy sets (or takes away)."""

    hive: Literal["machine", "user"] = "machine"
    """The computer's part or the user's part of the policy."""
    key: str
    r"""Key below the hive, such as Software\\Policies\\Microsoft\\Windows\\System."""
    value: str = ""
    """Name of the value; empty for the key's default value."""
    type: (
        Literal["REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_QWORD", "REG_MULTI_SZ", "REG_NONE"] | None
    ) = None
    """Type of the value; not given: any."""
    data: int | str | tuple[str, ...] | None = None
    """The data: a number, a text, a list of texts, or hexadecimal digits for REG_BINARY; not given: any."""
    removed: bool = False
    """The policy removes this value (a setting that was disabled)."""


@dataclass(frozen=True, kw_only=True)
class Between:
    """Bounds of a number."""

    at_least: int | None = None
    at_most: int | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that bind nothing."""
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most, or both")


@dataclass(frozen=True, kw_only=True)
class Drive:
    """A drive letter that the policy maps."""

    letter: str
    """The letter, such as H."""
    path: str
    r"""The shared folder, such as \\\\files1\\homes\\%LogonUser%."""
    groups: tuple[str, ...] | None = None
    """Item-level targeting: only for members of these groups, exactly; not given: not judged."""


@dataclass(frozen=True, kw_only=True)
class Scripts:
    """Scripts that the policy runs; file names as they stand in the policy."""

    startup: tuple[str, ...] = ()
    shutdown: tuple[str, ...] = ()
    logon: tuple[str, ...] = ()
    logoff: tuple[str, ...] = ()


@kind("policies", Scope.DOMAIN)
class Policy(Expectation):
    """A group policy: where it is linked, for whom, and what it sets."""

    name: str
    """Display name of the policy, or its GUID in braces."""
    exists: bool = True
    """Whether it is there; false: there must be no such policy."""
    enabled: Literal["all", "computer", "user", "none"] | None = None
    """Which of its parts are on."""
    linked_to: tuple[str, ...] = ()
    """Units it is linked to (link enabled), such as Studenten/INF1; "" is the domain, "site:NAME" a site."""
    not_linked_to: tuple[str, ...] = ()
    """Units it must not be linked to."""
    enforced_on: tuple[str, ...] = ()
    """Units on which its link is enforced."""
    order: int | None = None
    """Its link order on the units of `linked_to`; 1 wins."""
    filter: tuple[str, ...] | None = None
    """Security filtering: exactly these users, groups or computers may apply it."""
    applies_to: tuple[str, ...] = ()
    """Users and computers it applies to, with links, inheritance, status and filter all counted."""
    not_applies_to: tuple[str, ...] = ()
    """Users and computers it does not apply to."""
    wmi_filter: str | None = None
    """Name of its WMI filter; "" for none."""
    registry: tuple[RegistrySetting, ...] = ()
    """Registry settings (administrative templates) it holds."""
    security: dict[str, int | str | Between | tuple[str, ...]] | None = None
    r"""Security settings as `Section/Name`, such as System Access/MinimumPasswordLength: equal, or within bounds."""
    rights: dict[str, tuple[str, ...]] | None = None
    """User rights, such as SeDenyInteractiveLogonRight, each with exactly who has it."""
    audit: dict[str, tuple[Literal["success", "failure"], ...]] | None = None
    """Advanced audit policy: subcategory (English name or GUID) and what is audited; an empty list: nothing."""
    drives: tuple[Drive, ...] = ()
    """Drive letters it maps."""
    printers: tuple[str, ...] = ()
    r"""Shared printers it connects, such as \\\\print1\\Lokaal12."""
    scripts: Scripts | None = None
    """Scripts it runs, at least these."""
    no_cpassword: bool | None = None
    """Whether its preferences must be free of passwords, which anybody can decipher."""

    def __post_init__(self) -> None:
        """Refuse what could never be judged."""
        for right in self.rights or ():
            if not _RIGHT.fullmatch(right):
                raise ValueError(f"{right} is no user right: they are called Se…Right or Se…Privilege")
        for name in self.audit or ():
            if audit_csv.subcategory(name) is None:
                raise ValueError(f"{name} is no audit subcategory: give its English name or its GUID")
        for path in self.security or ():
            if "/" not in path:
                raise ValueError(f"{path}: write Section/Name, such as System Access/MinimumPasswordLength")
        for drive in self.drives:
            if not re.fullmatch("[A-Za-z]:?", drive.letter):
                raise ValueError(f"{drive.letter} is no drive letter")


@kind("links", Scope.DOMAIN)
class Links(Expectation):
    """The policies that are linked to one unit."""

    unit: str
    """The unit, such as Studenten/INF1; "" is the domain, "site:NAME" a site."""
    policies: tuple[str, ...] | None = None
    """Names of the policies whose links are enabled, in their order: the first one wins."""
    exact: bool = True
    """Whether no others may be linked; false: these, in this order, others may stand between."""
    blocked: bool | None = None
    """Whether inheritance from the units above is blocked."""

    @property
    def subject(self) -> str:
        """The unit."""
        return self.unit or "/"


def one(policies: Policies, name: str) -> Found | None:
    """Give the policy of this name; None when there is none; Unreadable when several bear it."""
    found = policies.named(name)
    if len(found) > 1:
        raise Unreadable(f"{len(found)} policies are called {name}: {', '.join(p.guid for p in found)}")
    return found[0] if found else None


_ABSENT = not_applicable("missing")


@check
def policy_exists(policies: Policies, want: Policy) -> Outcome:
    """Whether a policy of this name is in the directory."""
    return expect({"exists": bool(policies.named(want.name))}, equals={"exists": want.exists})


@check("enabled")
def policy_is_enabled(policies: Policies, want: Policy) -> Outcome:
    """Which parts of the policy are on (flags of MS-GPOL 2.2.3)."""
    found = one(policies, want.name)
    return expect({"enabled": found.status}, equals={"enabled": want.enabled}) if found else _ABSENT


def _shown(unit: str) -> str:
    return unit.strip() or "/"


def _each_unit(
    policies: Policies, containers: Containers, name: str, units: tuple[str, ...]
) -> Iterator[tuple[str, str, Found, Container] | Outcome]:
    """Give the units with the subject of their finding, or what is to be said of one that is not there."""
    found = one(policies, name)
    if found is None:
        yield _ABSENT
        return
    for unit in units:
        subject = f"{name} @ {_shown(unit)}"
        container = containers.named(unit)
        if container is None:
            yield unknown(FailureKind.UNREADABLE, f"the directory has no unit {unit}", subject=subject)
        else:
            yield subject, unit, found, container


def _where(containers: Containers, found: Found) -> list[str]:
    return sorted(c.path for c, link in containers.linking(found.guid) if not link.disabled)


@check("linked_to")
def policy_is_linked(policies: Policies, containers: Containers, want: Policy) -> Iterator[Outcome]:
    """Whether the policy has an enabled link on each of these units, so that it can apply there."""
    for told in _each_unit(policies, containers, want.name, want.linked_to):
        if isinstance(told, Outcome):
            yield told
            continue
        subject, unit, found, container = told
        good = any(link.guid == found.guid and not link.disabled for link in container.links)
        seen = {"linked_to": _where(containers, found)}
        yield (passed if good else failed)(seen, {"linked_to": [_shown(unit)]}, subject=subject)


@check("not_linked_to")
def policy_is_not_linked(policies: Policies, containers: Containers, want: Policy) -> Iterator[Outcome]:
    """Whether the policy has no enabled link on these units."""
    for told in _each_unit(policies, containers, want.name, want.not_linked_to):
        if isinstance(told, Outcome):
            yield told
            continue
        subject, unit, found, container = told
        bad = any(link.guid == found.guid and not link.disabled for link in container.links)
        seen = {"linked_to": _where(containers, found)}
        yield (failed if bad else passed)(seen, {"not_linked_to": [_shown(unit)]}, subject=subject)


@check("enforced_on")
def link_is_enforced(policies: Policies, containers: Containers, want: Policy) -> Iterator[Outcome]:
    """Whether the enabled link on these units is enforced, so that no unit below can block it."""
    for told in _each_unit(policies, containers, want.name, want.enforced_on):
        if isinstance(told, Outcome):
            yield told
            continue
        subject, _, found, container = told
        links = [link for link in container.links if link.guid == found.guid and not link.disabled]
        seen = {"linked": bool(links), "enforced": any(link.enforced for link in links)}
        yield expect(seen, equals={"linked": True, "enforced": True}, subject=subject)


@check("order", "linked_to")
def link_order_is_right(policies: Policies, containers: Containers, want: Policy) -> Iterator[Outcome]:
    """Whether the policy has this link order on its units, which decides who wins."""
    for told in _each_unit(policies, containers, want.name, want.linked_to):
        if isinstance(told, Outcome):
            yield told
            continue
        subject, _, found, container = told
        orders = [n for n, link in enumerate(container.links, 1) if link.guid == found.guid]
        yield expect(orders[0] if orders else None, equals=want.order, subject=subject)


def _appliers(descriptor: Descriptor) -> tuple[set[str], set[str]]:
    """Give who is granted, and who is denied, to apply a policy: SIDs as they stand in its entries."""
    granted: set[str] = set()
    denied: set[str] = set()
    for ace in descriptor.dacl or ():
        mask = access.DIRECTORY_OBJECT.apply(ace.mask)
        if ace.applies_here and mask & _CONTROL_ACCESS and ace.object_type in (None, APPLY):
            (granted if ace.allows else denied if ace.denies else set()).add(ace.sid)
    return granted, denied


@check("filter")
def policy_applies_to_filter(policies: Policies, principals: Principals, want: Policy) -> Outcome:
    """Whether exactly these may apply the policy (the extended right), and nobody is denied it."""
    found = one(policies, want.name)
    if found is None:
        return _ABSENT
    granted, denied = _appliers(found.rights)
    wanted = {principals.find(name) or name for name in want.filter or ()}
    seen: dict[str, Any] = {"members": principals.names(granted)}
    for word, sids in (("missing", wanted - granted), ("extra", granted - wanted), ("denied", denied)):
        if sids:
            seen[word] = principals.names(sids)
    good = granted == wanted and not denied
    return (passed if good else failed)(seen, {"exactly": principals.names(wanted)})


@check("filter")
def computers_can_read_policy(policies: Policies, principals: Principals, want: Policy) -> Outcome:
    """Whether computers may read the policy, without which no user gets it either (MS16-072)."""
    found = one(policies, want.name)
    if found is None:
        return _ABSENT
    descriptor = found.rights

    def readable(who: str) -> bool:
        token = access.Token(principals.logged_on(who))
        return bool(access.check(descriptor, token, access.DIRECTORY_OBJECT).all(_READ_PROPERTY))

    for_users = found.status in ("all", "user") and found.version.user > 0
    groups = [f"{principals.domain}-515"]
    if not for_users:  # then it is enough that those who apply it can read it
        groups = [sid for name in want.filter or () if (sid := principals.find(name))]
    good, who = all(map(readable, groups)), principals.names(groups)
    return expect({"read": good, "groups": who}, equals={"read": True, "groups": who})


@check("wmi_filter")
def policy_has_wmi_filter(policies: Policies, filters: WmiFilters, want: Policy) -> Outcome:
    """Whether the policy depends on the WMI filter that was asked for, or on none."""
    found = one(policies, want.name)
    if found is None:
        return _ABSENT
    name = filters.names.get(found.wmi, found.wmi) if found.wmi else ""
    return expect(name, equals=want.wmi_filter, note=filters.queries.get(found.wmi or "") or None)


def folder_of(policies: Policies, files: PolicyFiles, name: str) -> Folder | None:
    """Give the files of a policy; None when there is no such policy; Unreadable when its folder is missing."""
    found = one(policies, name)
    if found is None:
        return None
    folder = files.folders.get(found.guid)
    if folder is None:
        raise Unreadable(f"the folder {found.guid} of {name} is missing in SYSVOL")
    return folder


@check("policies")
def unit_has_links(policies: Policies, containers: Containers, want: Links) -> Outcome:
    """Whether exactly these policies are linked to the unit in this order, or (not exact) these in this order."""
    container = containers.named(want.unit)
    if container is None:
        return failed({"exists": False}, {"policies": list(want.policies or ())})
    wanted = [found.guid if (found := one(policies, name)) else name for name in want.policies or ()]
    there = [link.guid for link in container.links if not link.disabled]
    names = {p.guid: p.name for p in policies.all}
    ours = [guid for guid in there if want.exact or guid in wanted]
    seen: dict[str, Any] = {"policies": [names.get(guid, guid) for guid in there]}
    for word, guids in (
        ("missing", [g for g in wanted if g not in there]),
        ("extra", [g for g in there if g not in wanted and want.exact]),
    ):
        if guids:
            seen[word] = [names.get(guid, guid) for guid in guids]
    return (passed if ours == wanted else failed)(seen, {"policies": list(want.policies or ())})


@check("blocked")
def inheritance_is_right(containers: Containers, want: Links) -> Outcome:
    """Whether the unit blocks what is linked above it (gPOptions), or lets it through."""
    container = containers.named(want.unit)
    if container is None:
        return failed({"exists": False}, {"blocked": want.blocked})
    return expect({"blocked": container.blocked}, equals={"blocked": want.blocked})
