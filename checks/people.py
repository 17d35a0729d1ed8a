"""Users: that they are there, where they belong, with the properties and groups that were declared."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from checks.core import (
    Expectation,
    Fact,
    FailureKind,
    Outcome,
    Scope,
    Unreadable,
    check,
    expect,
    expect_members,
    failed,
    kind,
    not_applicable,
    passed,
)
from checks.facts.directory_accounts import NEVER_EXPIRES, Account, Accounts
from checks.facts.entries import entries
from checks.formats import distinguished_name, filetime, sid
from checks.questions import LdapSearch

MISSING = not_applicable("missing")
"""What is said of a property when the account itself is not there: that is another finding."""
_NEVER_ASKED = ("password", "pwd", "laps", "recovery", "keymaterial")
# field -> attribute; those in _LOOSE are compared without case, as Windows does with paths and logon names
_ATTRIBUTES = {
    "given_name": "givenname",
    "surname": "sn",
    "display_name": "displayname",
    "upn": "userprincipalname",
    "mail": "mail",
    "department": "department",
    "company": "company",
    "title": "title",
    "office": "physicaldeliveryofficename",
    "phone": "telephonenumber",
    "description": "description",
    "employee_id": "employeeid",
}
_LOOSE = frozenset({"upn", "mail"})


@kind("users", Scope.DOMAIN)
class User(Expectation):
    """A user of the domain."""

    name: str
    """Logon name (sAMAccountName)."""
    exists: bool = True
    """Whether it is there; false: there must be no such user."""
    unit: str | None = None
    """Path of the unit it stands in, such as Studenten/INF1."""
    enabled: bool | None = None
    """Whether the account can log on."""
    given_name: str | None = None
    """Given name."""
    surname: str | None = None
    """Family name."""
    display_name: str | None = None
    """Name as address books show it."""
    upn: str | None = None
    """User principal name, such as jan@school.be."""
    mail: str | None = None
    """Mail address."""
    department: str | None = None
    """Department."""
    company: str | None = None
    """Company or school."""
    title: str | None = None
    """Job title."""
    office: str | None = None
    """Office or room."""
    phone: str | None = None
    """Telephone number."""
    description: str | None = None
    """Description."""
    employee_id: str | None = None
    """Employee or pupil number."""
    home_directory: str | None = None
    r"""Home folder, such as \\\\files1\\homes\\%username%; "" for none."""
    home_drive: str | None = None
    """Drive letter of the home folder, such as H:."""
    profile: str | None = None
    """Path of the roaming profile; "" for none."""
    script: str | None = None
    """Logon script; "" for none."""
    member_of: tuple[str, ...] = ()
    """Groups it is in, at least these, directly or through other groups."""
    groups: tuple[str, ...] | None = None
    """Groups it is in directly, exactly these, besides its primary group."""
    not_member_of: tuple[str, ...] = ()
    """Groups it must not be in, not even through others."""
    password_never_expires: bool | None = None
    """Whether the password is kept from expiring."""
    must_change_password: bool | None = None
    """Whether a new password must be chosen at the next logon."""
    expires: str | None = None
    """Day on which the account ends, such as 2026-06-30; "" for never."""
    attributes: dict[str, str | tuple[str, ...]] | None = None
    """Further attributes by their LDAP name, each with its value or values."""

    def __post_init__(self) -> None:
        """Refuse attributes that keuring never asks for."""
        for name in self.attributes or ():
            if not name.replace("-", "").isalnum() or any(word in name.lower() for word in _NEVER_ASKED):
                raise ValueError(f"{name} is no attribute that keuring asks for")


@dataclass(frozen=True, slots=True)
class UserAttributes(Fact):
    """The attributes that definitions name themselves, of all users: one question for each set of names."""

    by_name: dict[str, Mapping[str, tuple[str, ...]]]  # folded logon name -> attribute in lower case -> values

    @classmethod
    def ask(cls, want: User) -> LdapSearch:
        """Ask for the attributes of this requirement."""
        names = tuple(sorted(want.attributes or (), key=str.casefold))
        return LdapSearch(filter="(sAMAccountType=805306368)", attributes=("sAMAccountName", *names))

    @classmethod
    def read(cls, answer: list[Mapping[str, Any]]) -> Self:
        """Read the users."""
        if not answer:
            raise Unreadable("the account may not see the users of the domain", FailureKind.DENIED)
        return cls(
            {
                sid.fold(e.must("samaccountname")): {k: tuple(v) for k, v in said["attributes"].items()}
                for e, said in zip(entries(answer), answer, strict=True)
            }
        )


def is_in_unit(accounts: Accounts, account: Account, path: str) -> Outcome:
    """Compare where an object stands with the path of its unit."""
    wanted = distinguished_name.of_path(path, accounts.domain)
    there = distinguished_name.parent(account.dn)
    good = distinguished_name.key(there) == distinguished_name.key(wanted)
    shown = [distinguished_name.path_of(dn, accounts.domain) for dn in (there, wanted)]
    return (passed if good else failed)({"unit": shown[0]}, {"unit": shown[1]})


@check("exists")
def user_exists(accounts: Accounts, want: User) -> Outcome:
    """Whether the directory holds a user of this logon name."""
    return expect({"exists": accounts.user(want.name) is not None}, equals={"exists": want.exists})


@check("unit")
def user_is_in_unit(accounts: Accounts, want: User) -> Outcome:
    """Whether the user stands in this unit, so that its policies apply."""
    user = accounts.user(want.name)
    return is_in_unit(accounts, user, want.unit or "") if user else MISSING


@check("enabled")
def user_is_enabled_as_declared(accounts: Accounts, want: User) -> Outcome:
    """Whether the account is on, or off, as declared."""
    user = accounts.user(want.name)
    return expect({"enabled": user.enabled}, equals={"enabled": want.enabled}) if user else MISSING


def _text(value: str) -> str:
    return unicodedata.normalize("NFC", value).strip()


def _compare(pairs: Mapping[str, tuple[str, str, bool]]) -> Outcome:
    """Compare several texts at once: word -> (observed, wanted, whether case counts)."""
    good = all(
        _text(seen) == _text(wanted) if exact else _text(seen).casefold() == _text(wanted).casefold()
        for seen, wanted, exact in pairs.values()
    )
    return (passed if good else failed)({w: p[0] for w, p in pairs.items()}, {w: p[1] for w, p in pairs.items()})


@check
def user_properties_match(accounts: Accounts, want: User) -> Iterable[Outcome]:
    """Whether names, department and the like are as declared; told together, as one row of a list."""
    wanted = {field: value for field in _ATTRIBUTES if (value := getattr(want, field)) is not None}
    if not wanted:
        return
    user = accounts.user(want.name)
    if user is None:
        yield MISSING
        return
    yield _compare({f: (user.entry.text(_ATTRIBUTES[f]) or "", value, f not in _LOOSE) for f, value in wanted.items()})


def _path(value: str, user: Account) -> str:
    """Put the logon name where consoles do, and take a closing backslash away."""
    parts = value.replace("/", "\\")
    lowered = parts.casefold()
    at = lowered.find("%username%")
    if at >= 0:
        parts = parts[:at] + user.name + parts[at + len("%username%") :]
    return parts.rstrip("\\")


def _drive(value: str) -> str:
    return value.rstrip(":\\") + ":" if value else ""


@check("home_directory")
def user_has_home_folder(accounts: Accounts, want: User) -> Outcome:
    """Whether the home folder, and its drive letter when that is given, are set as declared."""
    user = accounts.user(want.name)
    if user is None:
        return MISSING
    pairs = {
        "home_directory": (
            _path(user.entry.text("homedirectory") or "", user),
            _path(want.home_directory or "", user),
            False,
        )
    }
    if want.home_drive is not None:
        pairs["home_drive"] = (_drive(user.entry.text("homedrive") or ""), _drive(want.home_drive), False)
    return _compare(pairs)


@check
def user_has_profile_and_script(accounts: Accounts, want: User) -> Iterable[Outcome]:
    """Whether the roaming profile and the logon script are set as declared."""
    wanted = {w: v for w, v in (("profile", want.profile), ("script", want.script)) if v is not None}
    if not wanted:
        return
    user = accounts.user(want.name)
    if user is None:
        yield MISSING
        return
    there = {"profile": user.entry.text("profilepath") or "", "script": user.entry.text("scriptpath") or ""}
    yield _compare({w: (_path(there[w], user), _path(v, user), False) for w, v in wanted.items()})


@check("attributes")
def user_attributes_match(attributes: UserAttributes, accounts: Accounts, want: User) -> Outcome:
    """Whether further attributes hold these values; the order of several does not count."""
    user = accounts.user(want.name)
    if user is None:
        return MISSING
    there = attributes.by_name.get(sid.fold(user.name), {})
    observed, wanted = {}, {}
    for name, value in (want.attributes or {}).items():
        observed[name] = sorted(there.get(name.lower(), ()))
        wanted[name] = sorted([value] if isinstance(value, str) and value else value)
    good = all([_text(v) for v in observed[n]] == [_text(v) for v in wanted[n]] for n in wanted)
    return (passed if good else failed)(observed, wanted)


def _named(accounts: Accounts, names: Iterable[str]) -> dict[str, Account | None]:
    return {name: accounts.group(name) for name in names}


@check("member_of")
def user_is_in_groups(accounts: Accounts, want: User) -> Outcome:
    """Whether the user is in these groups, directly or through others."""
    user = accounts.user(want.name)
    if user is None:
        return MISSING
    there = accounts.groups_of(user)
    wanted = _named(accounts, want.member_of)
    good = {name for name, group in wanted.items() if group in there}
    return expect_members(good, wanted, exact=False)


@check("groups")
def user_is_in_no_other_groups(accounts: Accounts, want: User) -> Outcome:
    """Whether the user is directly in exactly these groups; the primary group need not be told."""
    user = accounts.user(want.name)
    if user is None:
        return MISSING
    wanted = _named(accounts, want.groups or ())
    names = {group: name for name, group in wanted.items() if group}
    primary = {a for a in accounts.direct_groups(user) if a in names}
    there = {*accounts.direct_groups(user, primary=False), *primary}
    return expect_members((names.get(g, g.name) for g in there), wanted)


@check("not_member_of")
def user_is_kept_out_of_groups(accounts: Accounts, want: User) -> Outcome:
    """Whether the user is in none of these groups, not even through others."""
    user = accounts.user(want.name)
    if user is None:
        return MISSING
    there = accounts.groups_of(user)
    bad = sorted(name for name, group in _named(accounts, want.not_member_of).items() if group in there)
    return expect({"extra": bad}, equals={"extra": []})


@check("password_never_expires")
def user_password_expires_as_declared(accounts: Accounts, want: User) -> Outcome:
    """Whether the password is kept from expiring, or not, as declared."""
    user = accounts.user(want.name)
    if user is None:
        return MISSING
    return expect(bool(user.control & NEVER_EXPIRES), equals=want.password_never_expires)


@check("must_change_password")
def user_must_choose_a_password_as_declared(accounts: Accounts, want: User) -> Outcome:
    """Whether a password that somebody else chose must be replaced at the next logon."""
    user = accounts.user(want.name)
    return expect(user.password_set is None, equals=want.must_change_password) if user else MISSING


@check("expires")
def user_ends_as_declared(accounts: Accounts, want: User) -> Outcome:
    """Whether the account ends on this day (the directory holds the midnight after it), or never."""
    user = accounts.user(want.name)
    if user is None:
        return MISSING
    at = user.entry.filetime("accountexpires")
    observed = "" if at is None else (filetime.iso(at - filetime.HOUR) or "")[:10]
    return expect(observed, equals=want.expires)
