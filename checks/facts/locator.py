"""The records by which clients find a domain's controllers (MS-ADTS 6.3.2.3; Samba `source4/setup/dns_update_list`).

Most are asked of the name servers. Those that carry a GUID are read where a directory keeps its zones, for their names
are only known once the directory has answered.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from checks.core import Fact, Unreadable
from checks.facts.entries import Entry
from checks.facts.resolvers import Reply, name_of
from checks.formats import dns_record
from checks.questions import DnsQuery, LdapSearch

LDAP, KERBEROS, KPASSWD, CATALOGUE = 389, 88, 464, 3268
"""Ports that the records name."""
FIRST_SITE = "Default-First-Site-Name"
AddressOf = Literal["A", "AAAA"]
_ADDRESSES: tuple[AddressOf, ...] = ("A", "AAAA")


class _Locator(Protocol):
    @property
    def domain(self) -> str: ...

    @property
    def controllers(self) -> tuple[str, ...]: ...

    @property
    def forest(self) -> str | None: ...

    @property
    def site(self) -> str | None: ...

    @property
    def sites(self) -> Mapping[str, tuple[str, ...]] | None: ...

    @property
    def catalogues(self) -> tuple[str, ...] | None: ...

    @property
    def name_servers(self) -> tuple[str, ...] | None: ...

    @property
    def pdc(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One name that must be there. `targets`: the controllers that it must lead to (for addresses: whose)."""

    name: str
    type: Literal["SRV", "NS", "ADDRESS"]
    targets: tuple[str, ...]
    port: int = 0
    single: bool = False  # any of the targets, but exactly one


def wanted_of(want: _Locator) -> tuple[Wanted, ...]:
    """Give the complete set for a domain, in the order in which it is reported."""
    return tuple(_all(want))


def _all(want: _Locator) -> Iterator[Wanted]:
    domain, forest = name_of(want.domain), name_of(want.forest or want.domain)
    controllers = _names(want.controllers)
    catalogues = _names(want.catalogues) or controllers
    servers = _names(want.name_servers) or controllers
    sites = want.sites or {want.site or FIRST_SITE: want.controllers}
    for controller in controllers:
        yield Wanted(controller, "ADDRESS", (controller,))
    yield Wanted(domain, "ADDRESS", controllers)
    yield Wanted(f"_ldap._tcp.{domain}", "SRV", controllers, LDAP)
    yield Wanted(f"_ldap._tcp.dc._msdcs.{domain}", "SRV", controllers, LDAP)
    pdc = _names((want.pdc,) if want.pdc else ()) or controllers
    yield Wanted(f"_ldap._tcp.pdc._msdcs.{domain}", "SRV", pdc, LDAP, single=True)
    yield Wanted(f"_kerberos._tcp.{domain}", "SRV", controllers, KERBEROS)
    yield Wanted(f"_kerberos._tcp.dc._msdcs.{domain}", "SRV", controllers, KERBEROS)
    yield Wanted(f"_kerberos._udp.{domain}", "SRV", controllers, KERBEROS)
    yield Wanted(f"_kpasswd._tcp.{domain}", "SRV", controllers, KPASSWD)
    yield Wanted(f"_kpasswd._udp.{domain}", "SRV", controllers, KPASSWD)
    yield Wanted(f"gc._msdcs.{forest}", "ADDRESS", catalogues)
    yield Wanted(f"_gc._tcp.{forest}", "SRV", catalogues, CATALOGUE)
    yield Wanted(f"_ldap._tcp.gc._msdcs.{forest}", "SRV", catalogues, CATALOGUE)
    for site, members in sites.items():
        here = _names(members)
        below = f"{name_of(site)}._sites"
        for service, port in (("_ldap", LDAP), ("_kerberos", KERBEROS)):
            yield Wanted(f"{service}._tcp.{below}.{domain}", "SRV", here, port)
            yield Wanted(f"{service}._tcp.{below}.dc._msdcs.{domain}", "SRV", here, port)
        if catalogues_here := tuple(c for c in catalogues if c in here):
            yield Wanted(f"_gc._tcp.{below}.{forest}", "SRV", catalogues_here, CATALOGUE)
            yield Wanted(f"_ldap._tcp.{below}.gc._msdcs.{forest}", "SRV", catalogues_here, CATALOGUE)
    for zone in dict.fromkeys((domain, forest, f"_msdcs.{forest}")):
        yield Wanted(zone, "NS", servers)
    for zone in (f"domaindnszones.{domain}", f"forestdnszones.{forest}"):
        yield Wanted(zone, "ADDRESS", servers)
        yield Wanted(f"_ldap._tcp.{zone}", "SRV", servers, LDAP)


def _names(names: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name_of(n) for n in names or ()))


@dataclass(frozen=True, slots=True)
class Locator(Fact):
    """What a name server answers for each name of the set, in the order of `wanted_of`; addresses of both families."""

    replies: tuple[Reply, ...]

    @classmethod
    def ask(cls, want: _Locator) -> tuple[DnsQuery, ...]:
        """Ask for the whole set, and for the addresses of every server that it leads to."""
        return tuple(DnsQuery(name, type_) for name, type_ in _queries(want))

    @classmethod
    def read(cls, *answers: Mapping[str, Any]) -> Self:
        """Read the answers."""
        return cls(tuple(Reply.of(a) for a in answers))

    def by_query(self, want: _Locator) -> dict[tuple[str, str], Reply]:
        """Give the answers by name and type."""
        return dict(zip(_queries(want), self.replies, strict=True))


def _queries(want: _Locator) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    for item in wanted_of(want):
        for type_ in _ADDRESSES if item.type == "ADDRESS" else (item.type,):
            found[item.name, type_] = None
    for server in _names(want.name_servers) + _names(want.catalogues):
        for family in _ADDRESSES:
            found[server, family] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class GuidRecords(Fact):
    """What the directory's zone `_msdcs` holds, and the GUIDs by which its records are named.

    `records`: (type, data) by the name below the zone; `controllers`: GUID of the directory service by the name of
    the controller's server object (lower case); `domain`: GUID of the domain.
    """

    records: Mapping[str, tuple[tuple[str, str], ...]]
    controllers: Mapping[str, str]
    domain: str

    @classmethod
    def ask(cls, want: _Locator) -> tuple[LdapSearch, LdapSearch, LdapSearch]:
        """Ask for the zone's nodes, the directory services, and the domain."""
        zone = f"DC=_msdcs.{name_of(want.forest or want.domain)},CN=MicrosoftDNS"
        nodes = "(&(objectClass=dnsNode)(!(dNSTombstoned=TRUE)))"
        return (
            LdapSearch(nodes, ("name", "dnsRecord"), nc="forestdns", rdn=zone, binary=("dnsRecord",)),
            LdapSearch("(objectClass=nTDSDSA)", ("objectGUID",), nc="configuration", binary=("objectGUID",)),
            LdapSearch("(objectClass=domainDNS)", ("objectGUID",), scope="base", binary=("objectGUID",)),
        )

    @classmethod
    def read(cls, *answers: list[Mapping[str, Any]]) -> Self:
        """Read the three answers; Unreadable when the zone does not live in the directory, or may not be seen."""
        nodes, services, domains = ([Entry(e) for e in answer] for answer in answers)
        if not nodes:
            raise Unreadable("the directory holds no zone _msdcs of the forest")
        records: dict[str, tuple[tuple[str, str], ...]] = {}
        for node in nodes:
            parsed = [dns_record.parse(base64.b64decode(raw)) for raw in node.texts("dnsrecord")]
            records[(node.text("name") or "").lower()] = tuple((r.type, r.data) for r in parsed if r)
        controllers = {_server_of(s.dn): guid for s in services if (guid := s.guid())}
        guid = domains[0].guid() if domains else None
        if not guid or not controllers:
            raise Unreadable("the directory does not tell the GUIDs of the domain and its controllers")
        return cls(records, controllers, guid)


def _server_of(dn: str) -> str:
    """Give the server's name out of `CN=NTDS Settings,CN=DC1,CN=Servers,…`."""
    return dn.split(",", 2)[1].partition("=")[2].lower()
