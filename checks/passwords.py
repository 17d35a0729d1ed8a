"""The domain's rules for passwords and lockout: those for everybody, and the fine-grained ones for some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, not_applicable, passed
from checks.facts.directory import DomainObject, Rules
from checks.facts.directory_accounts import Accounts
from checks.facts.password_settings import FineGrained, PasswordSettings
from checks.formats import distinguished_name, filetime, sid

MISSING = not_applicable("missing")
"""What is said of a property when the policy itself is not there: that is another finding."""
_Bounds = dict[str, Any]


@kind("password_policy", Scope.DOMAIN, many=False)
class PasswordPolicy(Expectation):
    """The rules for passwords of the whole domain. Stricter than declared is right, unless `exact` is set."""

    exact: bool = False
    """Whether every value must be the declared one, not merely as strict."""
    min_length: int | None = None
    """Characters that a password has at least."""
    history: int | None = None
    """How many of the last passwords cannot be used again, at least."""
    max_age_days: int | None = None
    """Days after which a password expires, at most; 0: it must never expire."""
    min_age_days: int | None = None
    """Days before a password can be changed again, at least."""
    complexity: bool | None = None
    """Whether a password must mix kinds of characters."""
    reversible: bool | None = None
    """Whether passwords are kept so that they can be read back."""
    lockout_threshold: int | None = None
    """Wrong passwords after which an account is locked, at most; 0: it must never be locked."""
    lockout_minutes: int | None = None
    """Minutes that it stays locked, at least; 0: until somebody unlocks it."""
    lockout_window_minutes: int | None = None
    """Minutes after which wrong passwords are forgotten, at least."""


@kind("fine_grained", Scope.DOMAIN)
class FineGrainedPolicy(Expectation):
    """A fine-grained password policy (password settings object). Bounds are as for `password_policy`."""

    name: str
    """Name of the policy."""
    exists: bool = True
    """Whether it is there; false: there must be no such policy."""
    applies_to: tuple[str, ...] | None = None
    """Users and global groups it is for, exactly these."""
    precedence: int | None = None
    """Its precedence; the lowest number wins."""
    exact: bool = False
    """Whether every value must be the declared one, not merely as strict."""
    min_length: int | None = None
    """Characters that a password has at least."""
    history: int | None = None
    """How many of the last passwords cannot be used again, at least."""
    max_age_days: int | None = None
    """Days after which a password expires, at most; 0: it must never expire."""
    min_age_days: int | None = None
    """Days before a password can be changed again, at least."""
    complexity: bool | None = None
    """Whether a password must mix kinds of characters."""
    reversible: bool | None = None
    """Whether passwords are kept so that they can be read back."""
    lockout_threshold: int | None = None
    """Wrong passwords after which an account is locked, at most; 0: never."""
    lockout_minutes: int | None = None
    """Minutes that it stays locked, at least; 0: until somebody unlocks it."""
    lockout_window_minutes: int | None = None
    """Minutes after which wrong passwords are forgotten, at least."""


def _count(seconds: float | None, unit: int) -> float | int | None:
    """Give whole days or minutes as a whole number, so that a report says 42 and not 42.0."""
    if seconds is None:
        return None
    number = round(seconds / unit, 2)
    return int(number) if number == int(number) else number


def observed(rules: Rules) -> _Bounds:
    """Give rules in the fields of a definition; 0 stands for never expires, never locks, until unlocked."""
    return {
        "min_length": rules.min_length,
        "history": rules.history,
        "max_age_days": _count(rules.max_age, filetime.DAY) or 0,
        "min_age_days": _count(rules.min_age, filetime.DAY),
        "complexity": rules.complexity,
        "reversible": rules.reversible,
        "lockout_threshold": rules.lockout_threshold,
        "lockout_minutes": _count(rules.lockout, filetime.MINUTE) or 0,
        "lockout_window_minutes": _count(rules.window, filetime.MINUTE),
    }


_AT_LEAST = frozenset({"min_length", "history", "min_age_days", "lockout_window_minutes"})
_AT_MOST_NOT_ZERO = frozenset({"max_age_days", "lockout_threshold"})  # where 0 is the weakest
_AT_LEAST_OR_ZERO = frozenset({"lockout_minutes"})  # where 0 is the strictest


def compare(field: str, seen: Any, wanted: Any, *, exact: bool) -> Outcome:
    """Judge one rule: as strict as declared, or exactly so. Where 0 means never, declaring 0 asks for exactly that."""
    if exact or isinstance(wanted, bool) or (wanted == 0 and field not in _AT_LEAST):
        return expect(seen, equals=wanted)
    if field in _AT_LEAST:
        return expect(seen, at_least=wanted)
    if field in _AT_MOST_NOT_ZERO:
        return (passed if 0 < seen <= wanted else failed)(seen, {"at_least": 1, "at_most": wanted})
    return (passed if seen == 0 or seen >= wanted else failed)(seen, {"at_least": wanted})


def _judge(domain: DomainObject, want: PasswordPolicy, field: str) -> Outcome:
    return compare(field, observed(domain.rules)[field], getattr(want, field), exact=want.exact)


@check("min_length")
def passwords_are_long_enough(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether the domain asks for passwords of this length (minPwdLength)."""
    return _judge(domain, want, "min_length")


@check("history")
def old_passwords_are_refused(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether the domain remembers as many passwords (pwdHistoryLength)."""
    return _judge(domain, want, "history")


@check("max_age_days")
def passwords_expire_in_time(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether passwords expire within these days (maxPwdAge), or never when that is declared."""
    return _judge(domain, want, "max_age_days")


@check("min_age_days")
def passwords_cannot_be_cycled(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether a new password must be kept this long (minPwdAge), since else the history is walked around."""
    return _judge(domain, want, "min_age_days")


@check("complexity")
def complexity_is_as_declared(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether passwords must mix kinds of characters (pwdProperties, DOMAIN_PASSWORD_COMPLEX)."""
    return _judge(domain, want, "complexity")


@check("reversible")
def reversible_storage_is_as_declared(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether passwords are stored so that they can be read back (DOMAIN_PASSWORD_STORE_CLEARTEXT)."""
    return _judge(domain, want, "reversible")


@check("lockout_threshold")
def guessing_locks_the_account(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether an account is locked after so many wrong passwords (lockoutThreshold)."""
    return _judge(domain, want, "lockout_threshold")


@check("lockout_minutes")
def lockout_lasts_long_enough(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether a locked account stays so for these minutes (lockoutDuration)."""
    return _judge(domain, want, "lockout_minutes")


@check("lockout_window_minutes")
def wrong_passwords_are_counted_long_enough(domain: DomainObject, want: PasswordPolicy) -> Outcome:
    """Whether wrong passwords are counted over these minutes (lockOutObservationWindow)."""
    return _judge(domain, want, "lockout_window_minutes")


def _find(policies: FineGrained, want: FineGrainedPolicy) -> PasswordSettings | None:
    return policies.policies.get(sid.fold(want.name))


@check("exists")
def fine_grained_policy_exists(policies: FineGrained, want: FineGrainedPolicy) -> Outcome:
    """Whether a fine-grained policy of this name is there; unknown to an account that may not read them."""
    return expect({"exists": _find(policies, want) is not None}, equals={"exists": want.exists})


@check("applies_to")
def fine_grained_policy_applies_to_declared(
    policies: FineGrained, accounts: Accounts, want: FineGrainedPolicy
) -> Outcome:
    """Whether the policy is for exactly these users and groups."""
    policy = _find(policies, want)
    if policy is None:
        return MISSING
    wanted = {name: accounts.find(name) for name in want.applies_to or ()}
    names = {account.entry.key: name for name, account in wanted.items() if account}
    there = {distinguished_name.key(dn): dn for dn in policy.applies_to}
    shown = {
        key: names.get(key) or (accounts.by_key[key].name if key in accounts.by_key else dn)
        for key, dn in there.items()
    }
    seen: dict[str, Any] = {"members": sorted(shown.values())}
    missing = sorted(name for name, account in wanted.items() if not account or account.entry.key not in there)
    extra = sorted(word for key, word in shown.items() if key not in names)
    seen |= ({"missing": missing} if missing else {}) | ({"extra": extra} if extra else {})
    return (failed if missing or extra else passed)(seen, {"exactly": sorted(wanted)})


@check("precedence")
def fine_grained_policy_has_precedence(policies: FineGrained, want: FineGrainedPolicy) -> Outcome:
    """Whether the policy has this precedence, which decides who wins."""
    policy = _find(policies, want)
    return expect(policy.precedence, equals=want.precedence) if policy else MISSING


@check
def fine_grained_policy_is_strict_enough(policies: FineGrained, want: FineGrainedPolicy) -> tuple[Outcome, ...]:
    """Whether the policy's rules are as strict as declared; told together."""
    wanted = {f: v for f in (*_AT_LEAST, *_AT_MOST_NOT_ZERO, *_AT_LEAST_OR_ZERO, "complexity", "reversible")
              if (v := getattr(want, f)) is not None}  # fmt: skip
    if not wanted:
        return ()
    policy = _find(policies, want)
    if policy is None:
        return (MISSING,)
    return (_together(observed(policy.rules), wanted, exact=want.exact),)


def _together(seen: Mapping[str, Any], wanted: Mapping[str, Any], *, exact: bool) -> Outcome:
    fields = sorted(wanted)
    outcomes = {field: compare(field, seen[field], wanted[field], exact=exact) for field in fields}
    good = all(o.verdict == "pass" for o in outcomes.values())
    told = passed if good else failed
    return told({f: seen[f] for f in fields}, {f: outcomes[f].expected for f in fields})
