"""Names: what the name servers answer, what the hosts make of it, and what the servers keep to themselves.

A record is asked of every server, and each must know it: a client may ask any of them. A server's own refusal
(REFUSED, SERVFAIL) to give a record that must be there is a failure, for that is what a client gets; for a record that
must not be there it says nothing: unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from checks.core import (
    Each,
    Expectation,
    Failure,
    FailureKind,
    Outcome,
    Scope,
    Verdict,
    check,
    failed,
    kind,
    passed,
    unknown,
)
from checks.facts.resolvers import (
    NOTHING,
    Answered,
    HostType,
    Pointers,
    Recursed,
    Resolved,
    Transfer,
    Type,
    ZoneServed,
    name_of,
    normal,
    reverse_of,
)


@kind("records", Scope.DNS)
class Record(Expectation):
    """A record that each name server must give."""

    name: str
    """Its complete name, such as www.school.test; for PTR the address will do."""
    type: Type = "A"
    """Type of the record."""
    data: str | tuple[str, ...]
    """Its data, or a list of them, as in a zone file; an empty list: there must be no such record."""
    exact: bool = True
    """Whether there may be no other data of this type."""
    ttl: int | None = None
    """Time in seconds that it may be kept."""
    ptr: bool | None = None
    """Whether each address must lead back to the name (A and AAAA)."""

    def __post_init__(self) -> None:
        if self.ptr and self.type not in ("A", "AAAA"):
            raise ValueError("ptr is only for A and AAAA")

    def leaves_out(self, check_id: str) -> bool:
        """Leave out the pointers unless they are asked for."""
        return check_id == "resolvers.address_has_pointer" and not self.ptr

    @property
    def subject(self) -> str:
        """The name and type."""
        return f"{self.name} {self.type}"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The data in the shape in which it is compared."""
        several = (self.data,) if isinstance(self.data, str) else self.data
        return tuple(sorted({normal(self.type, d) for d in several}))

    @property
    def asked(self) -> str:
        """The name under which it stands."""
        return reverse_of(self.name) if self.type == "PTR" else name_of(self.name)


@kind("zones", Scope.DNS)
class Zone(Expectation):
    """A zone that each name server must serve itself."""

    name: str
    """Its name, such as school.test or 10.77.10.in-addr.arpa."""
    transfer: Literal["refused", "any"] = "refused"
    """Whether the whole zone must be kept from the auditor, as from any client; any: not judged."""
    primary: str | None = None
    """Name of the server that the zone names as its primary (SOA)."""
    name_servers: tuple[str, ...] | None = None
    """Exactly the name servers that the zone names (NS)."""
    same_serial: bool | None = None
    """Whether all servers must have the same version (serial); not for zones that live in the directory."""

    def leaves_out(self, check_id: str) -> bool:
        """Leave out what it says is not to be judged."""
        not_judged = {
            "resolvers.zone_transfer_is_refused": self.transfer != "refused",
            "resolvers.zone_serials_agree": not self.same_serial,
        }
        return not_judged.get(check_id, False)


@kind("recursion", Scope.DNS, many=False)
class Recursion(Expectation):
    """What the name servers do with names that are not theirs."""

    allowed: bool
    """Whether they must find them for the auditor; false: they must refuse."""
    name: str
    """A name of elsewhere that has an address, such as www.debian.org."""

    def leaves_out(self, check_id: str) -> bool:
        """Leave out the check of the opposite."""
        return check_id == f"resolvers.{'recursion_is_refused' if self.allowed else 'outside_names_resolve'}"


@kind("resolves", Scope.HOST)
class Lookup(Expectation):
    """How this host itself resolves a name, with the servers and files that it was given."""

    name: str
    """The name; for PTR the address."""
    type: HostType = "A"
    """Type of the record."""
    data: str | tuple[str, ...]
    """What it must find; an empty list: it must find nothing."""
    exact: bool = True
    """Whether it may find nothing else."""

    @property
    def subject(self) -> str:
        """The name and type."""
        return f"{self.name} {self.type}"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The data in the shape in which it is compared."""
        several = (self.data,) if isinstance(self.data, str) else self.data
        return tuple(sorted({normal(self.type, d) for d in several}))


# -- comparing --------------------------------------------------------------------------------------------------------


def compare(found: tuple[str, ...], wanted: tuple[str, ...], *, exact: bool) -> tuple[bool, Any, Any]:
    """Compare data; give whether it is right, what was expected, and what was seen."""
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    right = not missing and not (extra and exact)
    return right, list(wanted) if exact else {"at_least": list(wanted)}, list(found)


def of_all(
    servers: Each[Any], judge: Callable[[Any], Outcome | None], *, subject: str | None = None
) -> Iterator[Outcome]:
    """Give one outcome for all servers: a failure of any counts first, then what is unknown, then the pass.

    `judge` gives the outcome of one server's fact, or None where there is nothing to judge. The note names the
    servers that the outcome is of, when there are several.
    """
    by_verdict: dict[Verdict, list[tuple[str, Outcome]]] = {}
    for name, fact in servers.items():
        outcome = unknown(fact.kind, fact.detail) if isinstance(fact, Failure) else judge(fact)
        if outcome is not None:
            by_verdict.setdefault(outcome.verdict, []).append((name, outcome))
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE):
        if verdict in by_verdict:
            outcome = by_verdict[verdict][0][1]
            names = ", ".join(name for name, _ in by_verdict[verdict]) if len(servers) > 1 else ""
            told = names if verdict in (Verdict.FAIL, Verdict.UNKNOWN) else ""
            note = ": ".join(part for part in (told, outcome.note) if part) or None
            yield Outcome(verdict, outcome.expected, outcome.observed, subject, note, outcome.failure)
            return


# -- records ----------------------------------------------------------------------------------------------------------


@check
def record_has_data(answers: Each[Answered | Failure], want: Record) -> Iterator[Outcome]:
    """Whether every name server gives the declared data for the record; none of it when none is declared."""

    def judge(answered: Answered) -> Outcome:
        reply = answered.reply
        right, expected, seen = compare(reply.data(want.asked, want.type), want.wanted, exact=want.exact)
        if not want.wanted and reply.rcode not in NOTHING:
            return unknown(FailureKind.UNREADABLE, f"the server answers {reply.rcode}", expected=expected)
        note = reply.rcode if reply.rcode != "NOERROR" else None
        return (passed if right else failed)(seen, expected, note=None if right else note)

    return of_all(answers, judge)


@check("ttl")
def record_has_ttl(answers: Each[Answered | Failure], want: Record) -> Iterator[Outcome]:
    """Whether the record may be kept for as long as declared; a server that has it at second hand may tell less."""

    def judge(answered: Answered) -> Outcome:
        reply = answered.reply
        found = sorted({ttl for ttl, _ in reply.of_type(want.asked, want.type)})
        if not found:
            return failed({"missing": True}, want.ttl)
        good = found == [want.ttl] if reply.authoritative else found[-1] <= (want.ttl or 0)
        return (passed if good else failed)(found[0] if len(found) == 1 else found, want.ttl)

    return of_all(answers, judge)


@check("ptr")
def address_has_pointer(pointers: Each[Pointers | Failure], want: Record) -> Iterator[Outcome]:
    """Whether each address of the record leads back to its name: one finding for each address."""
    for i, address in enumerate(want.wanted):

        def judge(found: Pointers, i: int = i, address: str = address) -> Outcome:
            names = list(found.replies[i].data(reverse_of(address), "PTR"))
            good = name_of(want.name) in names
            return (passed if good else failed)({"names": names}, {"contains": name_of(want.name)})

        yield from of_all(pointers, judge, subject=address)


@check
def resolvers_agree(answers: Each[Answered | Failure], want: Record) -> Iterator[Outcome]:
    """Whether all name servers say the same of the record, when there are several; unknown when one says nothing."""
    if len(answers) < 2:  # noqa: PLR2004 - two can differ
        return
    said: dict[str, list[str]] = {}
    failure: Failure | None = None
    for server, fact in answers.items():
        if isinstance(fact, Failure):
            failure = failure or Failure(fact.kind, f"{server}: {fact.detail}")
        else:
            said[server] = list(fact.reply.data(want.asked, want.type))
    different = len({tuple(data) for data in said.values()}) > 1
    if different:
        yield failed(said, {"same": True})
    elif failure:
        yield unknown(failure.kind, failure.detail, expected={"same": True})
    else:
        yield passed(next(iter(said.values())), {"same": True})


# -- zones ------------------------------------------------------------------------------------------------------------


@check
def zone_is_served(zones: Each[ZoneServed | Failure], want: Zone) -> Iterator[Outcome]:
    """Whether every name server serves the zone itself (an authoritative SOA)."""

    def judge(zone: ZoneServed) -> Outcome:
        served = zone.soa(want.name) is not None
        rcode = zone.authority.rcode
        return (passed if served else failed)({"served": served}, {"served": True}, note=None if served else rcode)

    return of_all(zones, judge)


@check("primary")
def zone_primary_is_right(zones: Each[ZoneServed | Failure], want: Zone) -> Iterator[Outcome]:
    """Whether the zone names the declared primary server. In a directory each server may name itself: one suffices."""
    wanted = name_of(want.primary or "")
    named = [soa[0] for z in zones.values() if not isinstance(z, Failure) and (soa := z.soa(want.name)) is not None]
    failures = [f for f in zones.values() if isinstance(f, Failure)]
    if wanted in named:
        yield passed(wanted, wanted)
    elif failures:
        yield unknown(failures[0].kind, failures[0].detail, expected=wanted)
    else:
        yield failed(named[0] if named else None, wanted)


@check("name_servers")
def name_servers_are_declared(zones: Each[ZoneServed | Failure], want: Zone) -> Iterator[Outcome]:
    """Whether the zone names exactly the declared name servers: a server that is gone makes every client wait."""
    wanted = tuple(sorted({name_of(n) for n in want.name_servers or ()}))

    def judge(zone: ZoneServed) -> Outcome:
        right, expected, seen = compare(zone.servers.data(want.name, "NS"), wanted, exact=True)
        return (passed if right else failed)(seen, expected)

    return of_all(zones, judge)


@check("same_serial")
def zone_serials_agree(zones: Each[ZoneServed | Failure], want: Zone) -> Iterator[Outcome]:
    """Whether all name servers have the same version of the zone."""
    serials: dict[str, int | None] = {}
    for server, zone in zones.items():
        if isinstance(zone, Failure):
            yield unknown(zone.kind, f"{server}: {zone.detail}")
            return
        soa = zone.soa(want.name)
        serials[server] = soa[1] if soa else None
    good = None not in serials.values() and len(set(serials.values())) == 1
    yield (passed if good else failed)(serials, {"same": True})


@check
def zone_transfer_is_refused(
    transfers: Each[Transfer | Failure], zones: Each[ZoneServed | Failure], want: Zone
) -> Iterator[Outcome]:
    """Whether no name server hands the whole zone to whoever asks. Only a server that has the zone can refuse it."""
    served = {s for s, z in zones.items() if not isinstance(z, Failure) and z.soa(want.name) is not None}

    def judge(item: tuple[str, Transfer]) -> Outcome:
        server, transfer = item
        expected = {"transfer": False}
        if transfer.reply.rcode == "NOERROR" and transfer.reply.records:
            return failed({"transfer": True}, expected)
        if server not in served:
            return unknown(FailureKind.UNREADABLE, "this server does not serve the zone", expected=expected)
        if transfer.reply.rcode == "SERVFAIL":
            return unknown(FailureKind.UNREADABLE, "the server answers SERVFAIL", expected=expected)
        return passed({"transfer": False}, expected, note=transfer.reply.rcode)

    items: Each[Any] = Each({s: t if isinstance(t, Failure) else (s, t) for s, t in transfers.items()})
    return (yield from of_all(items, judge))


# -- recursion --------------------------------------------------------------------------------------------------------


@check
def outside_names_resolve(recursed: Each[Recursed | Failure], want: Recursion) -> Iterator[Outcome]:
    """Whether every name server also finds names of elsewhere: by itself or through its forwarders."""

    def judge(answer: Recursed) -> Outcome:
        addresses = list(answer.reply.data(want.name, "A"))
        expected = {"addresses": {"at_least": 1}}
        note = None if addresses else answer.reply.rcode
        return (passed if addresses else failed)({"addresses": addresses}, expected, note=note)

    yield from of_all(recursed, judge, subject=want.name)


@check
def recursion_is_refused(recursed: Each[Recursed | Failure], want: Recursion) -> Iterator[Outcome]:
    """Whether no name server looks up names of elsewhere for the auditor: open resolvers are used to attack others."""

    def judge(answer: Recursed) -> Outcome:
        offered = "RA" in answer.reply.flags or bool(answer.reply.data(want.name, "A"))
        return (failed if offered else passed)({"recursion": offered}, {"recursion": False})

    yield from of_all(recursed, judge, subject=want.name)


# -- hosts ------------------------------------------------------------------------------------------------------------


@check
def name_resolves_from_here(resolved: Resolved, want: Lookup) -> Outcome:
    """Whether the host, with its own files and name servers, finds what is declared."""
    try:
        found = resolved.data(want.type)
    except ValueError as e:
        if not want.wanted or resolved.found is None:
            raise
        return failed([], list(want.wanted), note=str(e))  # it resolves nothing, whatever the cause
    right, expected, seen = compare(found, want.wanted, exact=want.exact)
    return (passed if right else failed)(seen, expected)
