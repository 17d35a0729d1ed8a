"""The complete set of records by which clients find a domain: one finding for each name.

A client without them does not log on, or logs on at the other end of the country; and a record that leads to a
controller that is gone makes every client wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from checks.core import Each, Expectation, Failure, Outcome, Scope, check, failed, kind, passed
from checks.facts.locator import LDAP, GuidRecords, Locator, Wanted, wanted_of
from checks.facts.resolvers import Reply, name_of
from checks.resolvers import of_all


@kind("locator", Scope.DNS, many=False)
class LocatorRecords(Expectation):
    """The records by which clients find the domain's controllers (SRV, addresses, name servers)."""

    domain: str
    """DNS name of the domain."""
    controllers: tuple[str, ...]
    """Complete names of all writable domain controllers."""
    forest: str | None = None
    """DNS name of the forest's root domain; not given: the domain itself."""
    site: str | None = None
    """Name of the only site; not given: Default-First-Site-Name."""
    sites: dict[str, tuple[str, ...]] | None = None
    """With several sites: the controllers of each."""
    catalogues: tuple[str, ...] | None = None
    """Controllers that hold the global catalogue; not given: all."""
    name_servers: tuple[str, ...] | None = None
    """Controllers that serve the domain's zones; not given: all."""
    pdc: str | None = None
    """Controller that holds the PDC emulator role; not given: any, but exactly one."""
    guids: bool | None = None
    """Whether the records that carry GUIDs are judged too; they are read from the directory (needs `directory`)."""

    def leaves_out(self, check_id: str) -> bool:
        """Leave out the records with GUIDs unless they are asked for."""
        return check_id == "locator.guid_record_is_registered" and not self.guids

    @property
    def subject(self) -> str:
        """The domain."""
        return self.domain


@check
def locator_record_is_registered(sets: Each[Locator | Failure], want: LocatorRecords) -> Iterator[Outcome]:
    """Whether each name of the set leads to exactly the controllers that it should, on every name server."""
    known = {name_of(c) for c in (*want.controllers, *(want.catalogues or ()), *(want.name_servers or ()))}
    for item in wanted_of(want):

        def judge(locator: Locator, item: Wanted = item) -> Outcome:
            replies = locator.by_query(want)
            if item.type == "ADDRESS":
                return _addresses(item, replies)
            return _targets(item, replies[item.name, item.type], known)

        type_ = "A" if item.type == "ADDRESS" else item.type
        yield from of_all(sets, judge, subject=f"{item.name} {type_}")


def _addresses(item: Wanted, replies: Mapping[tuple[str, str], Reply]) -> Outcome:
    """Judge a name by the addresses of the servers that it stands for; a server itself must have one."""
    found = _addresses_of(item.name, replies)
    if item.targets == (item.name,):
        expected: Any = {"addresses": {"at_least": 1}}
        return (passed if found else failed)({"addresses": sorted(found)}, expected)
    wanted = {a for server in item.targets for a in _addresses_of(server, replies)}
    return _compare("addresses", found, wanted, wanted, rcode=replies[item.name, "A"].rcode)


def _addresses_of(name: str, replies: Mapping[tuple[str, str], Reply]) -> set[str]:
    return {a for type_ in ("A", "AAAA") if (name, type_) in replies for a in replies[name, type_].data(name, type_)}


def _targets(item: Wanted, reply: Reply, known: set[str]) -> Outcome:
    """Judge SRV or NS records: all targets, nobody who is no controller, the right port, and one if it is one."""
    data = reply.data(item.name, item.type)
    if item.type == "NS":
        return _compare("targets", set(data), set(item.targets), known, rcode=reply.rcode)
    rows = [d.split() for d in data]
    found = {r[3] for r in rows if len(r) == 4}  # noqa: PLR2004 - priority, weight, port, target
    ports = sorted({int(r[2]) for r in rows if len(r) == 4})  # noqa: PLR2004
    if item.single:
        good = len(found) == 1 and found <= set(item.targets) and ports == [item.port]
        expected = {"one_of": list(item.targets), "port": item.port}
        seen: dict[str, Any] = {"targets": sorted(found), "port": ports} if found else {"missing": [item.name]}
        return (passed if good else failed)(seen, expected, note=_note(reply))
    outcome = _compare("targets", found, set(item.targets), known, rcode=reply.rcode)
    if found and ports != [item.port]:
        return failed({"targets": sorted(found), "port": ports}, {"targets": sorted(item.targets), "port": item.port})
    return outcome


def _note(reply: Reply) -> str | None:
    return None if reply.rcode == "NOERROR" else reply.rcode


def _compare(word: str, found: set[str], wanted: set[str], allowed: set[str], *, rcode: str) -> Outcome:
    """Compare: all that is wanted must be there, and nothing that is not allowed. Nothing wanted is never right."""
    missing, extra = sorted(wanted - found), sorted(found - allowed)
    seen: dict[str, Any] = {word: sorted(found)}
    if missing:
        seen["missing"] = missing
    if extra:
        seen["extra"] = extra
    good = bool(wanted) and not missing and not extra
    return (passed if good else failed)(seen, {word: sorted(wanted)}, note=None if rcode == "NOERROR" else rcode)


@check("guids")
def guid_record_is_registered(stored: GuidRecords, want: LocatorRecords) -> Iterator[Outcome]:
    """Whether the records by which controllers find each other to replicate are in the zone _msdcs of the directory."""
    forest = name_of(want.forest or want.domain)
    for controller in (name_of(c) for c in want.controllers):
        guid = stored.controllers.get(controller.partition(".")[0])
        if guid is None:
            yield failed({"missing": [controller]}, {"members": [controller]}, subject=controller, note="NTDS Settings")
            continue
        names = sorted(data for type_, data in stored.records.get(guid, ()) if type_ == "CNAME")
        judged = passed if names == [controller] else failed
        yield judged({"targets": names}, {"targets": [controller]}, subject=f"{guid}._msdcs.{forest} CNAME")
    name = f"_ldap._tcp.{stored.domain}.domains"
    rows = [data.split() for type_, data in stored.records.get(name, ()) if type_ == "SRV"]
    wanted = {name_of(c) for c in want.controllers}
    found = {r[3] for r in rows if int(r[2]) == LDAP}
    outcome = _compare("targets", found, wanted, wanted, rcode="NOERROR")
    yield Outcome(outcome.verdict, outcome.expected, outcome.observed, f"{name}._msdcs.{forest} SRV")
