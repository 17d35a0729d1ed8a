"""Checks of a Linux host as member of a domain: that the join really works, not only that it was made."""

from __future__ import annotations

from checks.core import Expectation, Outcome, Scope, check, expect, expect_members, failed, kind, passed
from checks.facts.membership import DomainUser, Join


@kind("membership", Scope.HOST, many=False)
class Membership(Expectation):
    """The host is member of a domain, and that works."""

    domain: str
    """DNS name of the domain."""
    user: str | None = None
    """A user of the domain, as the host names it (`an.peeters`, `SCHOOL\\\\an.peeters`): the host must know it."""
    user_groups: tuple[str, ...] = ()
    """Groups that the host must know this user to be in."""
    user_shell: str | None = None
    """Logon shell of this user on the host."""


@check
def host_is_member_of_the_domain(join: Join, want: Membership) -> Outcome:
    """Whether the host's configuration (Samba, realmd, Kerberos) names this domain."""
    return expect_members(join.domains, [want.domain.lower()], exact=False)


@check
def machine_account_works(join: Join, want: Membership) -> Outcome:  # noqa: ARG001 - any domain
    """Whether the host logs on with its own password: after a reset or a restored snapshot it cannot any more."""
    outcome = passed if join.works else failed
    return outcome({"works": join.works}, {"works": True}, note=join.detail or join.by)


@check("user")
def domain_user_resolves(user: DomainUser, want: Membership) -> Outcome:
    """Whether the host knows a user of the domain, and not from its own /etc/passwd."""
    observed = {"exists": user.found, "local": user.local} | ({"uid": user.uid} if user.uid is not None else {})
    return (passed if user.found else failed)(observed, {"exists": True, "local": False}, subject=want.user)


@check("user", "user_groups")
def domain_groups_resolve(user: DomainUser, want: Membership) -> Outcome:
    """Whether the host knows the user's groups: rights go by them. Names are compared without their domain."""
    seen = {_plain(g) for g in user.groups}
    return expect_members(seen, {_plain(g) for g in want.user_groups}, exact=False, subject=want.user)


@check("user", "user_shell")
def domain_user_has_its_shell(user: DomainUser, want: Membership) -> Outcome:
    """Whether the user has this shell on the host."""
    return expect(user.shell, equals=want.user_shell, subject=want.user)


def _plain(group: str) -> str:
    """Give a group's name in lower case, without the domain that winbind or SSSD puts before or behind it."""
    return group.lower().rpartition("\\")[2].partition("@")[0]
