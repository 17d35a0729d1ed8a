"""For whom a group policy is in force: planned from the directory, as a client would find out (MS-GPOL 3.2.5.1).

The way from the account up to the domain: disabled and enforced links, blocked inheritance, the policy's status, its
security filter. What only the client knows stays unknown where it would decide: its site, and a WMI filter's answer.
Loopback processing is left out: a user's policies are those of the user's own unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.core import FailureKind, Outcome, Unreadable, Verdict, check, failed, not_applicable, passed, unknown
from checks.facts.directory_accounts import Account
from checks.facts.group_policy import APPLY, Container, Containers, Policies
from checks.facts.group_policy import Policy as Found
from checks.facts.principals import Principals
from checks.formats import access, distinguished_name
from checks.group_policy import Policy, one

_ABSENT = not_applicable("missing")
_READ_PROPERTY, _CONTROL_ACCESS = 0x10, 0x100
_FUNCTIONALITY = 2  # what clients understand (MS-GPOL 2.3)


@dataclass(frozen=True, slots=True)
class Planned:
    """Whether a policy applies to an account (None: that depends), and why (not)."""

    applies: bool | None
    reason: str
    where: str = ""


@check("applies_to")
def policy_applies(
    policies: Policies, containers: Containers, principals: Principals, want: Policy
) -> Iterator[Outcome]:
    """Whether the policy applies to these users and computers."""
    yield from _judge(policies, containers, principals, want, expected=True)


@check("not_applies_to")
def policy_does_not_apply(
    policies: Policies, containers: Containers, principals: Principals, want: Policy
) -> Iterator[Outcome]:
    """Whether the policy does not apply to these users and computers."""
    yield from _judge(policies, containers, principals, want, expected=False)


def _judge(
    policies: Policies, containers: Containers, principals: Principals, want: Policy, *, expected: bool
) -> Iterator[Outcome]:
    found = one(policies, want.name)
    if found is None:
        yield _ABSENT
        return
    for name in want.applies_to if expected else want.not_applies_to:
        subject = f"{want.name} @ {name}"
        account = principals.accounts.find(name)
        if account is None or account.kind not in ("user", "computer"):
            yield unknown(FailureKind.UNREADABLE, f"no user or computer is called {name}", subject=subject)
            continue
        try:
            told = plan(found, containers, principals, account)
        except Unreadable as e:
            yield Outcome(Verdict.UNKNOWN, subject=subject, failure=e.failure)
            continue
        note = f"{told.reason} ({told.where})" if told.where else told.reason
        if told.applies is None:
            yield unknown(FailureKind.UNREADABLE, note, subject=subject, expected={"applies": expected})
        else:
            verdict = passed if told.applies == expected else failed
            yield verdict({"applies": told.applies}, {"applies": expected}, subject=subject, note=note)


def plan(policy: Found, containers: Containers, principals: Principals, account: Account) -> Planned:
    """Tell whether a policy applies to a user or computer. Unreadable when its rights cannot be seen."""
    linked = _linked(policy, containers, account.dn)
    if linked.applies is False:
        return linked
    part = "computer" if account.kind == "computer" else "user"
    if refusal := _off(policy, part):
        return Planned(False, refusal)
    token = access.Token(principals.logged_on(account.sid))
    granted = access.check(policy.rights, token, access.DIRECTORY_OBJECT, frozenset({APPLY}))
    for word, bit in (("Read", _READ_PROPERTY), ("Apply", _CONTROL_ACCESS)):
        if (answer := granted.all(bit)) is not True:
            return Planned(answer, f"no right: {word}")
    return Planned(None, f"WMI filter: {policy.wmi}") if policy.wmi else linked


def _off(policy: Found, part: str) -> str:
    """Tell why a part of a policy is in force for nobody, if so."""
    if policy.status not in ("all", part):
        return f"status: {policy.status}"
    if policy.functionality != _FUNCTIONALITY:
        return f"functionality version: {policy.functionality}"
    version = policy.version.machine if part == "computer" else policy.version.user
    return "" if version else f"version of the {part} part: 0"


def _linked(policy: Found, containers: Containers, dn: str) -> Planned:
    """Follow the account's way up, and tell whether a link of the policy reaches it."""
    reason = Planned(False, "no link")
    blocked: Container | None = None
    for container in _above(containers, dn):
        for link in container.links:
            if link.guid != policy.guid:
                continue
            if link.disabled:
                reason = Planned(False, "link disabled", container.path)
            elif blocked and not link.enforced:
                reason = Planned(False, "inheritance blocked", blocked.path)
            else:
                return Planned(True, "link enforced" if link.enforced else "link", container.path)
        if container.blocked and blocked is None:
            blocked = container
    for container, link in containers.linking(policy.guid):
        if container.is_site and not link.disabled and (link.enforced or not blocked):
            return Planned(None, "link of a site", container.path)
    return reason


def _above(containers: Containers, dn: str) -> Iterator[Container]:
    """Give the containers of an object, the nearest first, the domain last."""
    by_key = {distinguished_name.key(c.dn): c for c in containers.all if not c.is_site}
    while dn:
        dn = distinguished_name.parent(dn)
        if container := by_key.get(distinguished_name.key(dn)):
            yield container
