"""Computers of the domain, and accounts that nobody uses any more."""

from __future__ import annotations

from collections.abc import Iterable

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, not_applicable, passed
from checks.facts.directory_accounts import Account, Accounts
from checks.formats import filetime
from checks.people import is_in_unit

MISSING = not_applicable("missing")
"""What is said of a property when the computer's account itself is not there: that is another finding."""
_SHOWN = 100  # names of a list in a finding
_LATE_DAYS = 14  # lastLogonTimestamp may be this late by design


@kind("computers", Scope.DOMAIN)
class Computer(Expectation):
    """A computer that is a member of the domain."""

    name: str
    """Name of the computer."""
    exists: bool = True
    """Whether it has an account; false: it must have none."""
    unit: str | None = None
    """Path of the unit it stands in, such as Werkstations; CN=Computers for the default container."""
    enabled: bool | None = None
    """Whether its account is on."""
    stale_days: int | None = None
    """Within how many days it must have logged on or renewed its password."""
    dns_name: str | None = None
    """DNS name that it registered."""
    operating_system: str | None = None
    """Text that its operating system's name contains, such as Windows 11."""
    member_of: tuple[str, ...] = ()
    """Groups it is in, at least these, directly or through others."""

    def __post_init__(self) -> None:
        """Refuse what the directory cannot tell."""
        _hold(self.stale_days, "stale_days")


@kind("stale", Scope.DOMAIN, many=False)
class Stale(Expectation):
    """After how long without a logon an account counts as left behind; disabled accounts do not count."""

    computers_days: int | None = None
    """Days for computers: neither a logon nor a new password."""
    users_days: int | None = None
    """Days for users: no logon since, or since the account was made."""
    allowed: tuple[str, ...] = ()
    """Accounts that may be left unused."""

    def __post_init__(self) -> None:
        """Refuse what the directory cannot tell."""
        _hold(self.computers_days, "computers_days")
        _hold(self.users_days, "users_days")


def _hold(days: int | None, field: str) -> None:
    if days is not None and days <= _LATE_DAYS:
        raise ValueError(f"{field}: the directory knows the last logon up to {_LATE_DAYS} days late; ask for more days")


def last_seen(account: Account) -> float:
    """Give when the account was last used: a logon, for a computer also a new password, or else that it was made."""
    seen = [account.created]
    if (logon := account.last_logon) is not None:
        seen.append(logon)
    if account.kind == "computer" and (renewed := account.password_set) is not None:
        seen.append(renewed)
    return max(seen)


@check("exists")
def computer_exists(accounts: Accounts, want: Computer) -> Outcome:
    """Whether the computer has an account in the domain."""
    return expect({"exists": accounts.computer(want.name) is not None}, equals={"exists": want.exists})


@check("unit")
def computer_is_in_unit(accounts: Accounts, want: Computer) -> Outcome:
    """Whether the computer stands in this unit, so that its policies apply."""
    computer = accounts.computer(want.name)
    return is_in_unit(accounts, computer, want.unit or "") if computer else MISSING


@check("enabled")
def computer_is_enabled_as_declared(accounts: Accounts, want: Computer) -> Outcome:
    """Whether the computer's account is on, or off, as declared."""
    computer = accounts.computer(want.name)
    return expect({"enabled": computer.enabled}, equals={"enabled": want.enabled}) if computer else MISSING


@check("stale_days")
def computer_is_in_use(accounts: Accounts, want: Computer) -> Outcome:
    """Whether the computer showed itself to the domain within these days."""
    computer = accounts.computer(want.name)
    if computer is None:
        return MISSING
    seen = last_seen(computer)
    return expect(filetime.days(accounts.now, seen), at_most=want.stale_days, note=filetime.iso(seen))


@check("dns_name")
def computer_has_dns_name(accounts: Accounts, want: Computer) -> Outcome:
    """Whether the computer registered itself under this DNS name."""
    computer = accounts.computer(want.name)
    if computer is None:
        return MISSING
    observed = computer.entry.text("dnshostname") or ""
    good = observed.casefold() == (want.dns_name or "").casefold().rstrip(".")
    return (passed if good else failed)(observed, want.dns_name)


@check("operating_system")
def computer_runs_operating_system(accounts: Accounts, want: Computer) -> Outcome:
    """Whether the operating system that the computer told the domain is the one declared."""
    computer = accounts.computer(want.name)
    if computer is None:
        return MISSING
    words = [computer.entry.text(a) or "" for a in ("operatingsystem", "operatingsystemversion")]
    observed, wanted = " ".join(w for w in words if w), want.operating_system or ""
    good = wanted.casefold() in observed.casefold()
    return (passed if good else failed)(observed, {"contains": wanted})


@check("member_of")
def computer_is_in_groups(accounts: Accounts, want: Computer) -> Outcome:
    """Whether the computer is in these groups, directly or through others."""
    computer = accounts.computer(want.name)
    if computer is None:
        return MISSING
    there = accounts.groups_of(computer)
    missing = sorted(name for name in want.member_of if accounts.group(name) not in there)
    names = accounts.names(there)
    return (failed if missing else passed)(
        {"members": names} | ({"missing": missing} if missing else {}), {"at_least": sorted(want.member_of)}
    )


def unused(accounts: Accounts, candidates: Iterable[Account], days: int, want: Stale) -> Outcome:
    """Pass when every enabled account among these was used within these days; else name the oldest."""
    allowed = {a for name in want.allowed if (a := accounts.find(name) or accounts.computer(name))}
    found = {a: seen for a in candidates if a.enabled and a not in allowed
             and (accounts.now - (seen := last_seen(a))) > days * filetime.DAY}  # fmt: skip
    oldest = sorted(found, key=lambda a: (found[a], a.name))
    shown = {a.name: (filetime.iso(found[a]) or "")[:10] for a in oldest[:_SHOWN]}
    more = {"count": len(found)} if len(found) > _SHOWN else {}
    return (failed if found else passed)(more | {"accounts": shown}, {"accounts": {}, "days": {"at_most": days}})


@check("computers_days")
def computers_are_in_use(accounts: Accounts, want: Stale) -> Outcome:
    """Whether every enabled computer account showed itself within these days."""
    return unused(accounts, accounts.computers.values(), want.computers_days or 0, want)
