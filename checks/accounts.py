"""Checks of local accounts: declared users, and who is administrator."""

from __future__ import annotations

from checks.core import Expectation, Outcome, Scope, check, expect, expect_members, failed, kind, passed
from checks.facts.accounts import LocalAccounts, PasswordStates, Sudoers
from checks.questions import Failure, FailureKind, Unreadable

GONE = {"exists": False}


@kind("accounts", Scope.HOST)
class Account(Expectation):
    """A local user of a host."""

    name: str
    """Its logon name."""
    present: bool = True
    """false: there must be no such user."""
    uid: int | None = None
    """Its number."""
    groups: tuple[str, ...] = ()
    """Local groups that it is in; it may be in others too."""
    shell: str | None = None
    """Its logon shell, with or without the path (`bash`, `/usr/sbin/nologin`)."""
    home: str | None = None
    """Its home directory."""
    locked: bool | None = None
    """true: no password opens it (locked); false: it has a usable password."""
    sudo: bool | None = None
    """Whether sudo lets it run any command as root."""


@kind("administrators", Scope.HOST, many=False)
class Administrators(Expectation):
    """Who can become root on a host: user number 0, and everyone whom sudo lets run any command."""

    exactly: tuple[str, ...] | None = None
    """All of them and no one else: local users by name, groups of the domain as `%SCHOOL\\\\group`."""
    without_password: tuple[str, ...] | None = None
    """Exactly these may use sudo without a password (also for single commands); an empty list: no one."""


@check
def account_exists_as_declared(accounts: LocalAccounts, want: Account) -> Outcome:
    """Whether the user stands in the host's own files, or does not."""
    return expect({"exists": accounts.user(want.name) is not None}, equals={"exists": want.present})


@check("uid")
def uid_is_as_declared(accounts: LocalAccounts, want: Account) -> Outcome:
    """Whether its number is right: rights on files and on NFS go by number."""
    user = accounts.user(want.name)
    return expect(user.uid, equals=want.uid) if user else failed(GONE, want.uid)


@check("groups")
def account_is_in_its_groups(accounts: LocalAccounts, want: Account) -> Outcome:
    """Whether it is in all declared local groups."""
    user = accounts.user(want.name)
    if user is None:
        return failed(GONE, {"at_least": sorted(want.groups)})
    return expect_members(accounts.groups_of(user), want.groups, exact=False)


@check("shell")
def shell_is_as_declared(accounts: LocalAccounts, want: Account) -> Outcome:
    """Whether its shell is right; a name without path matches any path."""
    user = accounts.user(want.name)
    if user is None:
        return failed(GONE, want.shell)
    seen, wanted = user.shell, str(want.shell)
    good = seen == wanted or ("/" not in wanted and seen.rpartition("/")[2] == wanted)
    return (passed if good else failed)(seen, want.shell)


@check("home")
def home_is_as_declared(accounts: LocalAccounts, want: Account) -> Outcome:
    """Whether its home directory is right."""
    user = accounts.user(want.name)
    return expect(user.home.rstrip("/"), equals=str(want.home).rstrip("/")) if user else failed(GONE, want.home)


@check("locked")
def account_is_locked_as_declared(passwords: PasswordStates, want: Account) -> Outcome:
    """Whether a password opens it. An empty password is no lock."""
    state = passwords.states.get(want.name)
    if state is None:
        return failed(GONE, {"locked": want.locked})
    good = state == ("L" if want.locked else "P")
    return (passed if good else failed)(
        {"locked": state == "L", "empty_password": state == "NP"}, {"locked": want.locked}
    )


@check("sudo")
def sudo_is_as_declared(accounts: LocalAccounts, sudoers: Sudoers | Failure, want: Account) -> Outcome:
    """Whether it may run everything as root, by itself or by way of a group."""
    everyone = {name for name in administrators(accounts, sudoers) if name[0] != "%"}
    return expect({"sudo": want.name in everyone}, equals={"sudo": want.sudo})


@check("exactly")
def administrators_are_as_declared(
    accounts: LocalAccounts, sudoers: Sudoers | Failure, want: Administrators
) -> Outcome:
    """Whether exactly these can become root; groups of the host are resolved, others shown as groups."""
    return expect_members(administrators(accounts, sudoers), want.exactly or ())


@check("without_password")
def sudo_asks_a_password(accounts: LocalAccounts, sudoers: Sudoers | Failure, want: Administrators) -> Outcome:
    """Whether only these may use sudo without a password; an empty list: no one."""
    if isinstance(sudoers, Failure):
        rules = _no_sudo(accounts, sudoers)
    else:
        rules = [r.who for r in sudoers.rules if not r.password]
    return expect_members({m for who in rules for m in _who(accounts, who)}, want.without_password or ())


def administrators(accounts: LocalAccounts, sudoers: Sudoers | Failure) -> set[str]:
    """Name everyone who can become root: number 0, and by sudo."""
    found = {u.name for u in accounts.users if u.uid == 0}
    if isinstance(sudoers, Failure):
        _no_sudo(accounts, sudoers)
        return found
    return found | {m for rule in sudoers.rules if rule.everything for m in _who(accounts, rule.who)}


def _no_sudo(accounts: LocalAccounts, failure: Failure) -> list[str]:
    """Accept that sudo's rules cannot be read only where there are none."""
    if failure.kind == FailureKind.NOT_INSTALLED and not accounts.sudo:
        return []
    raise Unreadable(failure.detail, failure.kind)


def _who(accounts: LocalAccounts, who: str) -> set[str]:
    """Resolve a name of sudoers: `ALL`, a user, a number or a group of this host; other groups stay as they are."""
    if who == "ALL":
        return {u.name for u in accounts.users}
    if who.startswith("#") and who[1:].isdigit():
        return {u.name for u in accounts.users if u.uid == int(who[1:])} or {who}
    if who.startswith("%#") and who[2:].isdigit():
        names = {g for g, (gid, _) in accounts.groups.items() if gid == int(who[2:])}
        return {m for g in names for m in accounts.members(g)} if names else {who}
    if who.startswith("%") and who[1:] in accounts.groups:
        return set(accounts.members(who[1:]))
    return {who}
