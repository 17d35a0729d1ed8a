"""Who has power over the domain, exactly, and whether those accounts are kept as such accounts must be.

Groups are found by SID and RID, which never change, whatever they are called; membership is followed however deep.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from checks.core import (
    Expectation,
    FailureKind,
    Outcome,
    Scope,
    Unreadable,
    Verdict,
    check,
    expect,
    failed,
    kind,
    not_applicable,
    passed,
    unknown,
)
from checks.facts.directory import Service
from checks.facts.directory_accounts import ADMINISTRATOR, GUEST, KRBTGT, NOT_DELEGATED, Account, Accounts, Members
from checks.formats import filetime, sid
from checks.groups import judge_members

SHOWN = 100  # names of a list in a finding
_BUILTIN = {
    "administrators": 544,
    "account_operators": 548,
    "server_operators": 549,
    "print_operators": 550,
    "backup_operators": 551,
    "remote_desktop_users": 555,
}
_DOMAIN = {"domain_admins": 512, "enterprise_admins": 519, "schema_admins": 518, "group_policy_creators": 520}
_OF_THE_FOREST = frozenset({"enterprise_admins", "schema_admins"})
_PROTECTED_USERS = 525
_POWER = ("administrators", "domain_admins", "enterprise_admins", "schema_admins", "account_operators",
          "server_operators", "print_operators", "backup_operators")  # fmt: skip
_KEY_ADMINS = (526, 527)
_ALSO_GUARDED = (502, 516, 521, 526, 527)  # besides those: what AdminSDHolder guards (MS-ADTS 3.1.1.6.1.2)
_REPLICATOR, _PRE_WINDOWS_2000 = 552, 554
_ANONYMOUS_AT = 6  # the place in dSHeuristics that lets anybody read (MS-ADTS 6.1.1.2.4.1.2, fLDAPBlockAnonOps)


@kind("privileged", Scope.DOMAIN, many=False)
class Privileged(Expectation):
    """Who has power over the domain: users in these groups, exactly, however deep; an empty list: nobody."""

    domain_admins: tuple[str, ...] | None = None
    """Domain Admins."""
    enterprise_admins: tuple[str, ...] | None = None
    """Enterprise Admins, of the forest's first domain."""
    schema_admins: tuple[str, ...] | None = None
    """Schema Admins, of the forest's first domain."""
    administrators: tuple[str, ...] | None = None
    """Administrators of the domain controllers."""
    account_operators: tuple[str, ...] | None = None
    """Account Operators."""
    server_operators: tuple[str, ...] | None = None
    """Server Operators."""
    print_operators: tuple[str, ...] | None = None
    """Print Operators."""
    backup_operators: tuple[str, ...] | None = None
    """Backup Operators."""
    remote_desktop_users: tuple[str, ...] | None = None
    """Remote Desktop Users of the domain controllers."""
    group_policy_creators: tuple[str, ...] | None = None
    """Group Policy Creator Owners."""
    dns_admins: tuple[str, ...] | None = None
    """DnsAdmins."""


@kind("health", Scope.DOMAIN, many=False)
class Health(Expectation):
    """The health of accounts and rights in the domain. `health: {}` judges everything; false or null leaves one out."""

    allowed: tuple[str, ...] = ()
    """Accounts that are left out of every list."""
    krbtgt_days: int | None = 180
    """Age of the password of krbtgt, which signs every ticket, at most."""
    guest_disabled: bool = True
    """The Guest account is off."""
    admins_not_delegable: bool = True
    """Services cannot act in the name of administrators."""
    admins_without_spn: bool = True
    """No administrator bears a service name, since anybody can ask for a ticket to guess the password from."""
    admin_password_days: int | None = 365
    """Age of the passwords of administrators, at most."""
    inactive_admin_days: int | None = 180
    """Administrators logged on within these days."""
    administrator_unused_days: int | None = None
    """The built-in Administrator did not log on during the last days, this many; not judged by default."""
    max_admins: int | None = 10
    """Most users with power over the domain."""
    operators_empty: bool = True
    """Account, Server, Print and Backup Operators are empty."""
    schema_admins_empty: bool = True
    """Schema Admins is empty as long as nobody changes the schema."""
    admins_protected: bool = True
    """Administrators are in Protected Users; the built-in Administrator may stay out, as the way in of last resort."""
    admin_traces_cleaned: bool = True
    """Accounts that lost their power lost its traces as well (adminCount)."""
    anonymous_kept_out: bool = True
    """Nobody reads the directory without logging on."""
    passwords_required: bool = True
    """No user may have an empty password."""
    passwords_expire: bool = False
    """No user's password is kept from expiring; not judged by default."""
    preauthentication: bool = True
    """Everybody proves who they are before getting a ticket."""
    no_reversible: bool = True
    """No password is stored so that it can be read back."""
    no_des: bool = True
    """No account uses DES."""
    aes: bool = True
    """Accounts with a list of ciphers have AES on it."""
    primary_groups: bool = True
    """Primary groups are the default ones, since they do not show as members."""
    no_sid_history: bool = True
    """No account bears the SID of another domain's, or a second one."""
    no_unconstrained_delegation: bool = True
    """Only domain controllers may act in everybody's name."""
    controllers_no_delegation_target: bool = True
    """No service may act in others' names on a domain controller."""
    unique_spns: bool = True
    """Every service name belongs to one account."""
    no_conflicts: bool = True
    """No object was renamed because two controllers made one of the same name."""
    no_passwords_in_descriptions: bool = True
    """No description tells a password."""
    supported_systems: bool = True
    """No enabled computer runs an operating system without security updates."""
    laps: bool = True
    """The local administrator of every Windows computer has a password of its own (LAPS)."""
    no_replication_rights: bool = True
    """Nobody but controllers and administrators may fetch all passwords by replicating (DCSync)."""
    guarded_accounts: bool = True
    """Nobody but administrators has rights on the accounts with power (AdminSDHolder)."""
    no_power_for_everybody: bool = True
    """Nothing in the directory was delegated to Everyone, all users or all computers."""
    controllers_owned_by_admins: bool = True
    """The controllers' accounts are owned by administrators."""
    trusts_filter_sids: bool = True
    """Trusts with other domains drop SIDs that are not theirs to give."""
    machine_account_quota: int | None = 0
    """How many computers an ordinary user may join to the domain, at most."""


# -- who --------------------------------------------------------------------------------------------------------------


def power_group(accounts: Accounts, word: str) -> Account | None:
    """Give one of the groups with power by the word of the definition."""
    if word in _BUILTIN:
        return accounts.by_sid.get(f"{sid.BUILTIN}{_BUILTIN[word]}")
    return accounts.group("DnsAdmins") if word == "dns_admins" else accounts.by_rid(_DOMAIN[word])


def admins(accounts: Accounts) -> Members:
    """Give every user with power over the domain, with the built-in Administrator; and members that are not seen."""
    groups = [g for word in _POWER if (g := power_group(accounts, word))]
    groups += [g for rid in _KEY_ADMINS if (g := accounts.by_rid(rid))]
    if not groups:
        raise Unreadable("the account may not see the groups with power over the domain", FailureKind.DENIED)
    found = accounts.nested(*groups)
    builtin = accounts.by_rid(ADMINISTRATOR)
    users = {a for a in found.accounts if a.kind == "user"} | ({builtin} if builtin else set())
    return Members(frozenset(users), found.unseen)


def surely(outcome: Outcome, members: Members) -> Outcome:
    """Let a pass stand only when all members could be seen: one who could not may be the one who is bad."""
    if outcome.verdict is not Verdict.PASS or not members.unseen:
        return outcome
    detail = f"the account may not see the member {min(members.unseen)}"
    return unknown(FailureKind.DENIED, detail, subject=outcome.subject, expected=outcome.expected)


def left_out(accounts: Accounts, want: Health) -> frozenset[Account]:
    """Give the accounts that a requirement leaves out of its lists."""
    found = (accounts.find(name) or accounts.computer(name) for name in want.allowed)
    return frozenset(a for a in found if a)


def nobody(accounts: Accounts, bad: Iterable[Account], want: Health) -> Outcome:
    """Pass when no account is bad, but for those left out; else name them."""
    skip = left_out(accounts, want)
    names = accounts.names(a for a in bad if a not in skip)
    return (failed if names else passed)(cut("accounts", names), {"accounts": []})


def cut(word: str, found: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Show a list, or a mapping, and only when it is too long how many there are and the first of them."""
    if len(found) <= SHOWN:
        return {word: found}
    first = found[:SHOWN] if isinstance(found, Sequence) else dict(itertools.islice(found.items(), SHOWN))
    return {"count": len(found), word: first}


def by_day(accounts: Accounts, then: Iterable[tuple[Account, float]], days: int, want: Health) -> Outcome:
    """Pass when each account's time lies within these days; else name those that are older, with their day."""
    skip = left_out(accounts, want)
    old = {a: at for a, at in then if accounts.now - at > days * filetime.DAY and a not in skip}
    shown = sorted(old, key=lambda a: (old[a], a.name))
    observed = cut("accounts", {a.name: (filetime.iso(old[a]) or "")[:10] for a in shown})
    return (failed if old else passed)(observed, {"accounts": {}, "days": {"at_most": days}})


@check
def privileged_groups_hold_only_declared(accounts: Accounts, want: Privileged) -> Iterable[Outcome]:
    """Whether exactly the declared users are in each group with power, however deep."""
    for word in (*_DOMAIN, *_BUILTIN, "dns_admins"):
        names: tuple[str, ...] | None = getattr(want, word)
        if names is None:
            continue
        group = power_group(accounts, word)
        if group:
            yield judge_members(accounts, accounts.nested(group), names, exact=True, subject=group.name)
        elif word == "dns_admins" or (word in _OF_THE_FOREST and not accounts.in_root):
            yield not_applicable("missing", subject=word)
        else:
            yield unknown(FailureKind.DENIED, "the account may not see the group", subject=word)


# -- how they are kept ------------------------------------------------------------------------------------------------


@check("krbtgt_days")
def krbtgt_password_is_fresh(accounts: Accounts, want: Health) -> Outcome:
    """Whether the key that signs all tickets was renewed within these days: who stole it could forge any."""
    account = accounts.by_rid(KRBTGT)
    if account is None:
        raise Unreadable("the account may not see krbtgt", FailureKind.DENIED)
    at = account.password_set or account.created
    return expect(filetime.days(accounts.now, at), at_most=want.krbtgt_days, note=filetime.iso(at))


@check("guest_disabled")
def guest_is_disabled(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether the account that anybody may use is off. It is found by its RID, as it may be renamed."""
    if want.guest_disabled:
        guest = accounts.by_rid(GUEST)
        if guest is None:
            raise Unreadable("the account may not see the built-in guest account", FailureKind.DENIED)
        yield expect({"name": guest.name, "enabled": guest.enabled}, equals={"name": guest.name, "enabled": False})


def _protected_users(accounts: Accounts) -> frozenset[Account]:
    group = accounts.by_rid(_PROTECTED_USERS)
    return accounts.nested(group).accounts if group else frozenset()


def _active(accounts: Accounts) -> Members:
    found = admins(accounts)
    return Members(frozenset(a for a in found.accounts if a.enabled), found.unseen)


@check("admins_not_delegable")
def admins_cannot_be_delegated(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no service can pass on an administrator's identity: the flag, or Protected Users."""
    if want.admins_not_delegable:
        safe = _protected_users(accounts)
        active = _active(accounts)
        bad = (a for a in active.accounts if not a.control & NOT_DELEGATED and a not in safe)
        yield surely(nobody(accounts, bad, want), active)


@check("admins_without_spn")
def admins_have_no_service_name(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no ticket can be asked for that is sealed with an administrator's password."""
    if want.admins_without_spn:
        active = _active(accounts)
        bad = (a for a in active.accounts if a.entry.has("serviceprincipalname"))
        yield surely(nobody(accounts, bad, want), active)


@check("admin_password_days")
def admin_passwords_are_fresh(accounts: Accounts, want: Health) -> Outcome:
    """Whether every administrator's password was changed within these days."""
    active = _active(accounts)
    times = ((a, at) for a in active.accounts if (at := a.password_set) is not None)
    return surely(by_day(accounts, times, want.admin_password_days or 0, want), active)


@check("inactive_admin_days")
def admins_are_in_use(accounts: Accounts, want: Health) -> Outcome:
    """Whether no enabled administrator is left behind; the built-in one is there for emergencies."""
    active = _active(accounts)
    times = ((a, max(a.created, a.last_logon or 0)) for a in active.accounts if a.rid != ADMINISTRATOR)
    return surely(by_day(accounts, times, want.inactive_admin_days or 0, want), active)


@check("administrator_unused_days")
def builtin_administrator_is_unused(accounts: Accounts, want: Health) -> Outcome:
    """Whether people log on with accounts of their own, and the built-in one has rested this long."""
    account = accounts.by_rid(ADMINISTRATOR)
    if account is None:
        raise Unreadable("the account may not see the built-in administrator", FailureKind.DENIED)
    at = account.last_logon
    if at is None:
        return passed({"days": None}, {"at_least": want.administrator_unused_days})
    return expect(filetime.days(accounts.now, at), at_least=want.administrator_unused_days, note=filetime.iso(at))


@check("max_admins")
def admins_are_few(accounts: Accounts, want: Health) -> Outcome:
    """Whether no more users than this have power over the domain."""
    active = _active(accounts)
    names = accounts.names(active.accounts - left_out(accounts, want))
    told = passed if len(names) <= (want.max_admins or 0) else failed
    return surely(told(cut("accounts", names) | {"count": len(names)}, {"count": {"at_most": want.max_admins}}), active)


def _empty(accounts: Accounts, words: Iterable[str], want: Health) -> Iterable[Outcome]:
    for word in words:
        group = power_group(accounts, word)
        if group is None:
            continue
        found = accounts.nested(group)
        yield surely(dataclasses.replace(nobody(accounts, found.accounts, want), subject=group.name), found)


@check("operators_empty")
def operators_groups_are_empty(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether nobody is in groups that give more power over controllers than their names say."""
    if want.operators_empty:
        words = ("account_operators", "server_operators", "print_operators", "backup_operators")
        yield from _empty(accounts, words, want)


@check("schema_admins_empty")
def schema_admins_is_empty(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether nobody can change the schema, which happens some times in a domain's life and cannot be undone."""
    if want.schema_admins_empty:
        yield from _empty(accounts, ("schema_admins",), want) if accounts.in_root else (not_applicable("missing"),)


@check("admins_protected")
def admins_are_protected_users(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether administrators are in Protected Users, which keeps their secrets off the machines they use."""
    if not want.admins_protected:
        return
    if accounts.by_rid(_PROTECTED_USERS) is None:
        yield not_applicable("functional_level")
        return
    safe = _protected_users(accounts)
    active = _active(accounts)
    bad = (a for a in active.accounts if a.rid != ADMINISTRATOR and a not in safe)
    yield surely(nobody(accounts, bad, want), active)


@check("admin_traces_cleaned")
def former_admins_are_cleaned_up(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether adminCount stands only on accounts with power: elsewhere it stops rights from being inherited."""
    if not want.admin_traces_cleaned:
        return
    guarded = {g for word in _POWER if (g := power_group(accounts, word))}
    guarded |= {g for rid in _ALSO_GUARDED if (g := accounts.by_rid(rid))}
    guarded |= {g for g in (accounts.by_sid.get(f"{sid.BUILTIN}{_REPLICATOR}"), accounts.by_rid(ADMINISTRATOR)) if g}
    marked = (a for a in accounts.by_sid.values() if a.entry.text("admincount") not in (None, "0"))
    yield nobody(accounts, (a for a in marked if a not in guarded and not guarded & accounts.groups_of(a)), want)


@check("anonymous_kept_out")
def anonymous_cannot_read(accounts: Accounts, service: Service, want: Health) -> Iterable[Outcome]:
    """Whether neither dSHeuristics nor the pre-Windows 2000 group lets anybody read without logging on."""
    if not want.anonymous_kept_out:
        return
    group = accounts.by_sid.get(f"{sid.BUILTIN}{_PRE_WINDOWS_2000}")
    if group is None:
        raise Unreadable("the account may not see the pre-Windows 2000 group", FailureKind.DENIED)
    members = [a.name for a in accounts.direct(group).accounts if a.sid in (sid.EVERYONE, sid.ANONYMOUS)]
    allowed = service.heuristics[_ANONYMOUS_AT : _ANONYMOUS_AT + 1] == "2"
    observed: dict[str, Any] = {"heuristics": allowed, "members": sorted(members)}
    yield expect(observed, equals={"heuristics": False, "members": []})
