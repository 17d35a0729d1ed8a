"""The hygiene of accounts: settings that make a password or a ticket weaker than the domain's rules promise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from checks.computers import Stale, unused
from checks.core import Outcome, check, expect, failed, passed
from checks.facts.directory import DomainObject
from checks.facts.directory_accounts import (
    ADMINISTRATOR,
    DES_ONLY,
    GUEST,
    KRBTGT,
    NEVER_EXPIRES,
    NO_PASSWORD_NEEDED,
    NO_PREAUTHENTICATION,
    READ_ONLY_CONTROLLER,
    REVERSIBLE,
    TRUSTED,
    Account,
    Accounts,
)
from checks.formats import filetime
from checks.privileged import Health, cut, left_out, nobody

_ALL, _DES, _AES = 0x1F, (1, 2, 3), 0x18  # msDS-SupportedEncryptionTypes (MS-KILE 2.2.7)
_GROUPS = {"user": (513,), "computer": (515,)}  # Domain Users, Domain Computers
_CONTROLLERS, _READ_ONLY_CONTROLLERS, _GUESTS = 516, 521, 514
_CONFLICT = re.compile(r"\\0ACNF:|\nCNF:")
# A word for a password, then a colon, an equals sign or "is", then something: a password told in a description
_PASSWORD = re.compile(
    r"\b(?:wachtwoord|paswoord|password|passwd|passwort|kennwort|mot de passe|pass|pwd|pw|ww|mdp)\b\s*"
    r"(?:is|est|ist|[:=])\s*\S{3,}",
    re.IGNORECASE,
)
# First day without security updates (learn.microsoft.com/lifecycle; editions with paid or long support live longer)
_ENDED: Mapping[str, str] = MappingProxyType(
    {
        "windows nt": "20040630", "windows 2000": "20100713", "windows xp": "20140408", "windows vista": "20170411",
        "windows 7": "20200114", "windows 8.1": "20230110", "windows 8": "20160112", "windows 10": "20251014",
        "windows server 2003": "20150714", "windows server 2008": "20200114", "windows server 2012": "20231010",
        "windows server 2016": "20270112", "windows server 2019": "20290109", "windows server 2022": "20311014",
        "windows server 2025": "20341010",
    }
)  # fmt: skip
_NOT_PEOPLE = (ADMINISTRATOR, GUEST, KRBTGT)
_LONGER = ("ltsc", "ltsb", "iot")


def _enabled(accounts: Accounts) -> Iterable[Account]:
    return (u for u in accounts.users.values() if u.enabled)


def _flagged(accounts: Accounts, bit: int, want: Health) -> Outcome:
    return nobody(accounts, (u for u in _enabled(accounts) if u.control & bit), want)


@check("passwords_required")
def passwords_are_required(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no enabled user may do without a password (UF_PASSWD_NOTREQD), whatever the domain's rules say."""
    if want.passwords_required:
        yield _flagged(accounts, NO_PASSWORD_NEEDED, want)


@check("passwords_expire")
def passwords_can_expire(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no enabled user's password is kept from expiring (UF_DONT_EXPIRE_PASSWD)."""
    if want.passwords_expire:
        yield _flagged(accounts, NEVER_EXPIRES, want)


@check("preauthentication")
def logons_are_preauthenticated(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether nobody can ask for a ticket sealed with a user's password without proving to be that user."""
    if want.preauthentication:
        yield _flagged(accounts, NO_PREAUTHENTICATION, want)


@check("no_reversible")
def passwords_are_not_reversible(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no user's password is stored so that it can be read back (UF_ENCRYPTED_TEXT_PASSWORD_ALLOWED)."""
    if want.no_reversible:
        yield _flagged(accounts, REVERSIBLE, want)


@check("no_des")
def des_is_not_used(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no enabled account is held to DES, by its flag or by a list of ciphers with nothing else on it."""
    if want.no_des:
        everybody = (a for a in (*accounts.users.values(), *accounts.computers.values()) if a.enabled)
        yield nobody(accounts, (a for a in everybody if a.control & DES_ONLY or _ciphers(a) & _ALL in _DES), want)


def _ciphers(account: Account) -> int:
    return account.entry.number("msds-supportedencryptiontypes") or 0


@check("aes")
def tickets_can_use_aes(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether every enabled account that lists its ciphers has AES among them."""
    if want.aes:
        everybody = (a for a in (*accounts.users.values(), *accounts.computers.values()) if a.enabled)
        yield nobody(accounts, (a for a in everybody if _ciphers(a) and not _ciphers(a) & _AES), want)


def _primary(account: Account) -> int:
    return filetime.number(account.entry.must("primarygroupid"))


def _default_primary(account: Account) -> tuple[int, ...]:
    if account.kind == "computer" and account.control & READ_ONLY_CONTROLLER:
        return (_READ_ONLY_CONTROLLERS,)
    if account.is_controller:
        return (_CONTROLLERS,)
    return (_GUESTS, *_GROUPS["user"]) if account.rid == GUEST else _GROUPS[account.kind]


@check("primary_groups")
def primary_groups_are_default(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether nobody is in a group by way of the primary group, which lists of members do not show."""
    if want.primary_groups:
        everybody = (*accounts.users.values(), *accounts.computers.values())
        yield nobody(accounts, (a for a in everybody if _primary(a) not in _default_primary(a)), want)


@check("no_sid_history")
def nobody_bears_another_sid(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no account or group has the rights of a second SID (sIDHistory), as after a migration or an attack."""
    if want.no_sid_history:
        yield nobody(accounts, (a for a in accounts.by_sid.values() if a.entry.has("sidhistory")), want)


@check("no_unconstrained_delegation")
def delegation_is_constrained(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether only controllers may pass on anybody's identity to any service (UF_TRUSTED_FOR_DELEGATION)."""
    if want.no_unconstrained_delegation:
        everybody = (a for a in (*accounts.users.values(), *accounts.computers.values()) if a.enabled)
        yield nobody(accounts, (a for a in everybody if a.control & TRUSTED and not a.is_controller), want)


@check("controllers_no_delegation_target")
def controllers_are_no_delegation_target(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no service may act in others' names on a controller (msDS-AllowedToDelegateTo): it owns the domain."""
    if not want.controllers_no_delegation_target:
        return
    hosts = set()
    for computer in accounts.computers.values():
        if computer.is_controller:
            hosts |= {computer.name.rstrip("$").casefold(), (computer.entry.text("dnshostname") or "").casefold()}
    everybody = (*accounts.users.values(), *accounts.computers.values())
    yield nobody(accounts, (a for a in everybody if not a.is_controller and _targets(a) & hosts - {""}), want)


def _targets(account: Account) -> set[str]:
    """Give the hosts of the service names that an account may delegate to: `class/host[:port][/name]`."""
    names = (n.casefold().split("/") for n in account.entry.texts("msds-allowedtodelegateto"))
    return {parts[1].partition(":")[0] for parts in names if len(parts) > 1}


@check("unique_spns")
def service_names_are_unique(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no service name stands on two accounts: Kerberos then fails now and then, without a clear error."""
    if not want.unique_spns:
        return
    bearers: dict[str, set[Account]] = {}
    for account in (*accounts.users.values(), *accounts.computers.values()):
        for name in account.entry.texts("serviceprincipalname"):
            bearers.setdefault(name.casefold(), set()).add(account)
    skip = left_out(accounts, want)
    double = {n: accounts.names(who) for n, who in sorted(bearers.items()) if len(who) > 1 and not who & skip}
    yield (failed if double else passed)(cut("names", double), {"names": {}})


@check("no_conflicts")
def no_object_is_in_conflict(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no account was renamed (CNF) because two controllers made one of the same name apart from each other."""
    if want.no_conflicts:
        yield nobody(accounts, (a for a in accounts.by_key.values() if _CONFLICT.search(a.dn)), want)


@check("no_passwords_in_descriptions")
def descriptions_tell_no_password(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no description, which everybody can read, tells a password. The text itself is not shown."""
    if want.no_passwords_in_descriptions:
        everybody = (*accounts.users.values(), *accounts.groups.values(), *accounts.computers.values())
        yield nobody(accounts, (a for a in everybody if _PASSWORD.search(a.entry.text("description") or "")), want)


def _ended(account: Account, now: float) -> str | None:
    """Give the day on which the computer's system lost its updates; None when it still has them, or is not known."""
    system = (account.entry.text("operatingsystem") or "").casefold().replace("®", "").replace("™", "")
    if any(word in system for word in _LONGER):
        return None
    name = max((n for n in _ENDED if system.startswith(n)), key=len, default=None)
    if name is None or filetime.generalized(f"{_ENDED[name]}000000Z") > now:
        return None
    day = _ENDED[name]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


@check("supported_systems")
def systems_get_updates(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether no enabled computer runs a Windows without security updates, as it told the domain itself."""
    if not want.supported_systems:
        return
    skip = left_out(accounts, want)
    old = {
        c: day for c in accounts.computers.values() if c.enabled and c not in skip and (day := _ended(c, accounts.now))
    }
    shown = {c.name: f"{c.entry.text('operatingsystem')} ({old[c]})" for c in sorted(old, key=lambda c: c.name)}
    yield (failed if old else passed)(cut("accounts", shown), {"accounts": {}})


def _has_laps(computer: Account) -> bool:
    return computer.entry.has("mslaps-passwordexpirationtime") or computer.entry.has("ms-mcs-admpwdexpirationtime")


@check("laps")
def local_administrators_have_own_passwords(accounts: Accounts, want: Health) -> Iterable[Outcome]:
    """Whether every enabled Windows member has a managed password for its local administrator (by its expiry)."""
    if want.laps:
        members = (c for c in accounts.computers.values() if c.enabled and not c.is_controller)
        windows = (c for c in members if (c.entry.text("operatingsystem") or "").casefold().startswith("windows"))
        yield nobody(accounts, (c for c in windows if not _has_laps(c)), want)


@check("machine_account_quota")
def only_admins_join_computers(domain: DomainObject, want: Health) -> Outcome:
    """Whether ordinary users may join no more computers than this (ms-DS-MachineAccountQuota)."""
    return expect(domain.quota, at_most=want.machine_account_quota)


@check("users_days")
def users_are_in_use(accounts: Accounts, want: Stale) -> Outcome:
    """Whether every enabled user logged on within these days; the system's own accounts do not count."""
    people = (u for u in accounts.users.values() if u.rid not in _NOT_PEOPLE)
    return unused(accounts, people, want.users_days or 0, want)
