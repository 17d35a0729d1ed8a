"""Groups: scope, type, and exactly who is in them, directly or however deep; compared by SID, shown by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from checks.core import (
    Expectation,
    FailureKind,
    Outcome,
    Scope,
    check,
    expect,
    expect_members,
    failed,
    kind,
    not_applicable,
    passed,
    unknown,
)
from checks.facts.directory_accounts import Account, Accounts, Members
from checks.formats import sid
from checks.people import is_in_unit

MISSING = not_applicable("missing")
"""What is said of a property when the group itself is not there: that is another finding."""
_SHOWN = 200  # names of a list in a finding


@kind("groups", Scope.DOMAIN)
class Group(Expectation):
    """A group of the domain."""

    name: str
    """Name of the group (sAMAccountName); a built-in one may be told in English, Dutch, French or German."""
    exists: bool = True
    """Whether it is there; false: there must be no such group."""
    group_scope: Literal["global", "domain_local", "universal"] | None = None
    """How far it reaches."""
    type: Literal["security", "distribution"] | None = None
    """Whether it can bear rights."""
    unit: str | None = None
    """Path of the unit it stands in."""
    members: tuple[str, ...] | None = None
    """Who is in it, also by its primary group: names of users, groups and computers, or SIDs."""
    exact: bool = True
    """Whether nobody else may be in it."""
    nested: bool = False
    """Whether `members` means everybody in it, however deep, without the groups in between."""
    not_members: tuple[str, ...] = ()
    """Who must not be in it, not even through other groups."""
    member_of: tuple[str, ...] = ()
    """Groups that it is in itself, directly or through others, at least these."""
    only: Literal["groups", "users"] | None = None
    """What may be in it: only groups (as for a group that is given rights), or only users (as for a role)."""


def judge_members(
    accounts: Accounts, there: Members, names: Iterable[str], *, exact: bool, subject: str | None = None
) -> Outcome:
    """Compare who is in a group with who is declared, by SID.

    Somebody in it whom the account may not see makes it unknown, unless it fails on what can be seen.
    """
    wanted = {name: accounts.find(name) or _foreign(accounts, name) for name in names}
    known = {account: name for name, account in wanted.items() if account}
    missing = sorted(name for name, account in wanted.items() if account not in there.accounts)
    extra = sorted(a.name for a in there.accounts if a not in known)
    members = sorted((known.get(a, a.name) for a in there.accounts), key=str.casefold)
    expected = {"exactly" if exact else "at_least": sorted(wanted, key=str.casefold)}
    seen: dict[str, Any] = {"members": members[:_SHOWN]}
    if len(members) > _SHOWN:
        seen["count"] = len(members)
    if missing:
        seen["missing"] = missing[:_SHOWN]
    if extra and exact:
        seen["extra"] = extra[:_SHOWN]
    unseen = sorted(there.unseen)
    if unseen and (exact or missing) and not (exact and extra):
        detail = f"the account may not see {len(unseen)} of the members, such as {unseen[0]}"
        return unknown(FailureKind.DENIED, detail, subject=subject, expected=expected)
    return (failed if missing or (exact and extra) else passed)(seen, expected, subject=subject)


def _foreign(accounts: Accounts, name: str) -> Account | None:
    """Give a well-known principal such as Authenticated Users, which is in a group by its SID."""
    known = sid.well_known(name.rpartition("\\")[2])
    return accounts.by_sid.get(known) if known else None


@check("exists")
def group_exists(accounts: Accounts, want: Group) -> Outcome:
    """Whether the directory holds a group of this name."""
    return expect({"exists": accounts.group(want.name) is not None}, equals={"exists": want.exists})


@check("group_scope")
def group_has_scope(accounts: Accounts, want: Group) -> Outcome:
    """Whether the group reaches as far as declared."""
    group = accounts.group(want.name)
    return expect(group.scope, equals=want.group_scope) if group else MISSING


@check("type")
def group_is_of_type(accounts: Accounts, want: Group) -> Outcome:
    """Whether the group can bear rights, or only gets mail."""
    group = accounts.group(want.name)
    return expect(group.type, equals=want.type) if group else MISSING


@check("unit")
def group_is_in_unit(accounts: Accounts, want: Group) -> Outcome:
    """Whether the group stands in this unit."""
    group = accounts.group(want.name)
    return is_in_unit(accounts, group, want.unit or "") if group else MISSING


@check("members")
def group_has_members(accounts: Accounts, want: Group) -> Outcome:
    """Whether these are in the group, and with `exact` nobody else; with `nested` however deep."""
    group = accounts.group(want.name)
    if group is None:
        return MISSING
    there = accounts.nested(group) if want.nested else accounts.direct(group)
    return judge_members(accounts, there, want.members or (), exact=want.exact)


@check("not_members")
def group_keeps_others_out(accounts: Accounts, want: Group) -> Outcome:
    """Whether none of these is in the group, not even through other groups."""
    group = accounts.group(want.name)
    if group is None:
        return MISSING
    found = accounts.nested(group)
    refused = {name: accounts.find(name) for name in want.not_members}
    bad = sorted(
        name
        for name, account in refused.items()
        if account and (account in found.accounts or group in accounts.groups_of(account))
    )
    if found.unseen and not bad:
        return unknown(FailureKind.DENIED, f"the account may not see the member {min(found.unseen)}")
    return expect({"extra": bad}, equals={"extra": []})


@check("member_of")
def group_is_in_groups(accounts: Accounts, want: Group) -> Outcome:
    """Whether the group is in these groups, directly or through others."""
    group = accounts.group(want.name)
    if group is None:
        return MISSING
    there = accounts.groups_of(group)
    wanted = {name: accounts.group(name) for name in want.member_of}
    return expect_members({n for n, g in wanted.items() if g in there}, wanted, exact=False)


@check("only")
def group_holds_only(accounts: Accounts, want: Group) -> Outcome:
    """Whether only groups, or only users, are directly in the group: people in roles, roles in rights."""
    group = accounts.group(want.name)
    if group is None:
        return MISSING
    found = accounts.direct(group)
    bad = sorted(a.name for a in found.accounts if (a.kind == "group") != (want.only == "groups"))
    if found.unseen and not bad:
        return unknown(FailureKind.DENIED, f"the account may not see the member {min(found.unseen)}")
    return expect({"extra": bad[:_SHOWN]}, equals={"extra": []})
