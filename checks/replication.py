"""Replication: every controller answers, keeps the same time, and has the same content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from checks.core import (
    Each,
    Expectation,
    Failure,
    FailureKind,
    Outcome,
    Scope,
    check,
    expect,
    failed,
    kind,
    passed,
    unknown,
)
from checks.facts.directory import Roles, RootDse
from checks.facts.replication import Copy, InboundLinks, Replica
from checks.formats import filetime
from checks.formats.reps_from import Link

_GONE = (FailureKind.UNREACHABLE, FailureKind.REFUSED, FailureKind.TIMED_OUT)
_SHOWN = 50  # objects of a list in a finding


@kind("replication", Scope.DOMAIN, many=False)
class Replication(Expectation):
    """That the controllers are one directory. `replication: {}` judges everything; false or null leaves one out."""

    all_answer: bool = True
    """Every controller in the inventory answers."""
    synchronized: bool = True
    """Every controller says that it finished its first synchronisation."""
    agree: bool = True
    """All controllers hold the same users, groups, computers, units and policies."""
    within_seconds: int = 60
    """How young a difference may be before it counts, since replication takes a moment."""
    max_link_minutes: int | None = 240
    """How long ago each link between controllers last worked, at most; its last attempt must have worked, too."""
    roles_agree: bool = True
    """All controllers name the same holders of the five operations master roles."""
    max_clock_seconds: int | None = 120
    """How far the controllers' clocks may lie apart; Kerberos refuses at 300."""


@check("all_answer")
def controllers_answer(roots: Each[RootDse | Failure], want: Replication) -> Iterable[Outcome]:
    """Whether each controller answers. When none does, that tells of our way there rather than of the controllers."""
    if not want.all_answer:
        return
    none = all(isinstance(root, Failure) for root in roots.values())
    for name, root in roots.items():
        if not isinstance(root, Failure):
            yield passed({"answers": True}, {"answers": True}, subject=name)
        elif none or root.kind not in _GONE:
            yield unknown(root.kind, root.detail, subject=name, expected={"answers": True})
        else:
            yield failed({"answers": False}, {"answers": True}, subject=name, note=root.detail or root.kind)


@check("synchronized")
def controllers_are_synchronized(roots: Each[RootDse], want: Replication) -> Iterable[Outcome]:
    """Whether each controller finished its first synchronisation (isSynchronized of the rootDSE)."""
    if want.synchronized:
        for name, root in roots.items():
            yield expect(root.synchronized, equals=True, subject=name)


@check("max_clock_seconds")
def controller_clocks_agree(roots: Each[RootDse], want: Replication) -> Outcome:
    """Whether the controllers tell the same time. They are asked at the same moment but for a few seconds."""
    times = {name: root.now for name, root in roots.items()}
    if len(times) < 2:  # noqa: PLR2004 - one clock agrees with itself
        return passed({"seconds": 0}, {"seconds": {"at_most": want.max_clock_seconds}})
    apart = round(max(times.values()) - min(times.values()))
    told = passed if apart <= (want.max_clock_seconds or 0) else failed
    return told({"seconds": apart}, {"seconds": {"at_most": want.max_clock_seconds}})


@check("roles_agree")
def controllers_name_the_same_roles(roles: Each[Roles], want: Replication) -> Iterable[Outcome]:
    """Whether all controllers name the same holder of each role: two schema masters would tear the forest apart."""
    if not want.roles_agree:
        return
    for word in ("schema", "naming", "pdc", "rid", "infrastructure"):
        holders = {name: getattr(held, word) for name, held in roles.items()}
        agree = len({h.casefold() for h in holders.values()}) == 1
        yield (passed if agree else failed)(holders, subject=word)


def _old(copy: Copy | None, replica: Replica, seconds: int) -> bool:
    """Tell whether a copy has not changed for so long that it should have reached the others."""
    return copy is None or replica.now - copy.changed > seconds


def _differences(replicas: Mapping[str, Replica], seconds: int) -> Mapping[str, Mapping[str, str]]:
    """Give the objects that differ, by distinguished name, each with what every controller has of it."""
    first = next(iter(replicas.values()))
    if all(r.objects.keys() == first.objects.keys() for r in replicas.values()):
        suspects: Iterable[str] = first.objects
    else:
        suspects = dict.fromkeys(guid for r in replicas.values() for guid in r.objects)
    found: dict[str, dict[str, str]] = {}
    for guid in suspects:
        copies = {name: r.objects.get(guid) for name, r in replicas.items()}
        digests = {c.digest if c else None for c in copies.values()}
        if len(digests) > 1 and all(_old(c, replicas[name], seconds) for name, c in copies.items()):
            dn = next(c.dn for c in copies.values() if c)
            found[dn] = {name: c.digest.hex()[:8] if c else "missing" for name, c in copies.items()}
    return found


@check("agree")
def controllers_agree(replicas: Each[Replica], want: Replication) -> Iterable[Outcome]:
    """Whether all controllers hold the same objects with the same content, but for changes of the last moments."""
    if not want.agree:
        return
    differ = _differences(replicas, want.within_seconds)
    observed: dict[str, Any] = {
        "count": {name: len(r.objects) for name, r in replicas.items()},
        "different": dict(sorted(differ.items())[:_SHOWN]),
    }
    yield (failed if differ else passed)(observed, {"different": {}})


def _trouble(link: Link, now: float, minutes: int) -> str | None:
    """Say what is wrong with a link, in numbers; None when it works."""
    late = link.success is None or now - link.success > minutes * filetime.MINUTE
    if not link.failures and not late:
        return None
    return f"{filetime.iso(link.success) or '-'}, {link.failures} x {link.result}"


@check("max_link_minutes")
def replication_links_work(controllers: Each[InboundLinks], want: Replication) -> Iterable[Outcome]:
    """Whether each controller's last attempt to fetch changes worked, for each partition and partner (repsFrom).

    A controller without links is cut off when there are others. When none shows a link, it is we who may not see them.
    """
    some = any(links for c in controllers.values() for links in c.links.values())
    for name, controller in controllers.items():
        partners = {
            f"{controller.controllers.get(link.source, link.source)}: {partition}": link
            for partition, links in controller.links.items()
            for link in links
        }
        alone = len(controller.controllers) < 2  # noqa: PLR2004 - itself
        if not partners and not alone and not some:
            yield unknown(FailureKind.DENIED, "the account may not read repsFrom of the partitions", subject=name)
            continue
        bad = {
            p: words
            for p, link in partners.items()
            if (words := _trouble(link, controller.now, want.max_link_minutes or 0))
        }
        observed: dict[str, Any] = {"count": len(partners), "errors": dict(sorted(bad.items())[:_SHOWN])}
        told = passed if not bad and (partners or alone) else failed
        yield told(observed, {"errors": {}, "minutes": {"at_most": want.max_link_minutes}}, subject=name)
