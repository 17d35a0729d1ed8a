"""The domain itself: what a controller says of it, its partitions, sites, controllers, roles and service settings.

Everything here is a handful of objects: small static questions. Names of controllers are the host names of their
server objects; roles are told as the host that holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, FailureKind, Unreadable
from checks.facts.entries import Entry, entries, only
from checks.formats import distinguished_name, filetime, sid
from checks.questions import LdapSearch

LEVELS = {
    0: "2000",
    1: "2003 interim",
    2: "2003",
    3: "2008",
    4: "2008R2",
    5: "2012",
    6: "2012R2",
    7: "2016",
    10: "2025",
}
"""Functional levels (MS-ADTS 6.1.4.4, msDS-Behavior-Version)."""
RECYCLE_BIN = "766ddcd8-acd0-445e-f3b9-a7f9b6744f2a"  # MS-ADTS 3.1.1.9.1
_COMPLEX, _REVERSIBLE = 0x1, 0x10  # pwdProperties (MS-SAMR 2.2.3.14)
_TOMBSTONE_DAYS = 60  # when tombstoneLifetime is not set (MS-ADTS 3.1.1.1.15)
_DOMAIN_CONTEXT = 0x2  # systemFlags of a crossRef: it is a domain (MS-ADTS 2.2.10)
_GLOBAL_CATALOGUE = 0x1  # options of nTDSDSA (MS-ADTS 6.1.1.2.2.1.2.1.1)
_INTERSITE_READ_ONLY = "ntdsdsaro"

Said = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RootDse(Fact):
    """What a controller says of itself before anything else (MS-ADTS 3.1.1.3.2): also the directory's clock."""

    question = LdapSearch(
        attributes=(
            "currentTime",
            "defaultNamingContext",
            "rootDomainNamingContext",
            "configurationNamingContext",
            "dnsHostName",
            "domainFunctionality",
            "forestFunctionality",
            "highestCommittedUSN",
            "isSynchronized",
            "isGlobalCatalogReady",
            "tokenGroups",
        ),
        nc="root",
        scope="base",
        binary=("tokenGroups",),
    )

    now: float  # seconds since 1970
    domain: str  # distinguished names
    forest: str
    configuration: str
    host: str
    domain_level: int
    forest_level: int
    usn: int
    synchronized: bool
    token: frozenset[str]  # the SIDs of our own account and its groups; empty when the server does not tell

    @classmethod
    def read(cls, answer: Said) -> Self:
        """Read the rootDSE."""
        root = only(answer, "the rootDSE")
        return cls(
            filetime.generalized(root.must("currenttime")),
            root.must("defaultnamingcontext"),
            root.must("rootdomainnamingcontext"),
            root.must("configurationnamingcontext"),
            root.must("dnshostname"),
            int(root.must("domainfunctionality")),
            int(root.must("forestfunctionality")),
            int(root.must("highestcommittedusn")),
            root.flag("issynchronized") is not False,
            frozenset(sid.sid_of(value) for value in root.texts("tokengroups")),
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for passwords and lockout. Ages and times in seconds; None: never expires, locked until someone unlocks."""

    min_length: int
    history: int
    max_age: float | None
    min_age: float
    complexity: bool
    reversible: bool
    lockout_threshold: int  # 0: accounts are never locked
    lockout: float | None
    window: float


@dataclass(frozen=True, slots=True)
class DomainObject(Fact):
    """The head of the domain: its SID, its rules for passwords, how many computers a user may join."""

    question = (
        RootDse.question,
        LdapSearch(
            attributes=(
                "objectSid",
                "objectGUID",
                "whenCreated",
                "minPwdLength",
                "pwdHistoryLength",
                "maxPwdAge",
                "minPwdAge",
                "pwdProperties",
                "lockoutThreshold",
                "lockoutDuration",
                "lockOutObservationWindow",
                "ms-DS-MachineAccountQuota",
            ),
            scope="base",
            binary=("objectSid", "objectGUID"),
        ),
    )

    dn: str
    sid: str
    entry: Entry

    @classmethod
    def read(cls, root: Said, answer: Said) -> Self:
        """Read the object."""
        dse, head = RootDse.read(root), only(answer, "the head of the domain")
        return cls(dse.domain, sid.sid_of(head.must("objectsid")), head)

    @property
    def rules(self) -> Rules:
        """The domain's rules for passwords (MS-ADTS 3.1.1.4.5.45)."""
        e = self.entry
        properties = filetime.number(e.must("pwdproperties"))
        return Rules(
            filetime.number(e.must("minpwdlength")),
            filetime.number(e.must("pwdhistorylength")),
            filetime.interval(e.must("maxpwdage")),
            filetime.interval(e.must("minpwdage")) or 0,
            bool(properties & _COMPLEX),
            bool(properties & _REVERSIBLE),
            filetime.number(e.must("lockoutthreshold")),
            filetime.interval(e.must("lockoutduration")),
            filetime.interval(e.must("lockoutobservationwindow")) or 0,
        )

    @property
    def quota(self) -> int:
        """How many computers an ordinary user may join to the domain."""
        return filetime.number(self.entry.must("ms-ds-machineaccountquota"))


@dataclass(frozen=True, slots=True)
class Partitions(Fact):
    """The forest's partitions: which domains there are, and their short names."""

    question = (
        RootDse.question,
        LdapSearch(
            filter="(objectClass=crossRef)",
            attributes=("nCName", "nETBIOSName", "dnsRoot", "systemFlags"),
            nc="configuration",
            rdn="CN=Partitions",
            scope="one",
        ),
        LdapSearch(attributes=("uPNSuffixes",), nc="configuration", rdn="CN=Partitions", scope="base"),
    )

    netbios: str
    dns: str
    forest_dns: str
    domains: tuple[str, ...]  # DNS names of all domains of the forest
    suffixes: tuple[str, ...]  # further suffixes of user principal names

    @classmethod
    def read(cls, root: Said, answer: Said, head: Said) -> Self:
        """Find our own domain and the forest's root among them."""
        dse = RootDse.read(root)
        domains = {
            distinguished_name.key(e.must("ncname")): e
            for e in entries(answer)
            if (e.number("systemflags") or 0) & _DOMAIN_CONTEXT and e.has("ncname")
        }
        own, top = (domains.get(distinguished_name.key(dn)) for dn in (dse.domain, dse.forest))
        if own is None or top is None:
            raise Unreadable("the account may not see the domain under CN=Partitions", FailureKind.DENIED)
        dns = tuple(sorted(e.must("dnsroot").casefold() for e in domains.values()))
        suffixes = only(head, "CN=Partitions,CN=Configuration").texts("upnsuffixes")
        return cls(
            own.must("netbiosname"), own.must("dnsroot").casefold(), top.must("dnsroot").casefold(), dns, suffixes
        )


@dataclass(frozen=True, slots=True)
class Controller:
    """A domain controller of this domain: host name (short), DNS name, site, and what it is."""

    name: str
    dns: str | None
    site: str
    global_catalogue: bool
    read_only: bool


@dataclass(frozen=True, slots=True)
class Sites(Fact):
    """The sites with their subnets, and the controllers of this domain (MS-ADTS 6.1.1.2.2.1)."""

    question = (
        RootDse.question,
        LdapSearch(
            filter="(|(objectClass=site)(objectClass=subnet)(objectClass=server)(objectClass=nTDSDSA))",
            attributes=("objectClass", "cn", "dNSHostName", "serverReference", "siteObject", "options"),
            nc="configuration",
            rdn="CN=Sites",
        ),
    )

    sites: tuple[str, ...]
    subnets: dict[str, str | None]  # CIDR -> site, None when it belongs to none
    controllers: tuple[Controller, ...]
    leftovers: tuple[str, ...]  # server objects of this domain without a directory service: removed controllers

    @classmethod
    def read(cls, root: Said, answer: Said) -> Self:
        """Sort them by class; a controller is a server object with a directory service below it."""
        dse = RootDse.read(root)
        sites, subnets, servers, services = [], {}, [], {}
        for e in entries(answer):
            classes = e.classes()
            if "ntdsdsa" in classes or _INTERSITE_READ_ONLY in classes:
                services[distinguished_name.key(distinguished_name.parent(e.dn))] = e
            elif "server" in classes:
                servers.append(e)
            elif "subnet" in classes:
                at = e.text("siteobject")
                subnets[e.must("cn")] = distinguished_name.name(at) if at else None
            elif "site" in classes:
                sites.append(e.must("cn"))
        if not services:
            raise Unreadable("the account may not see the controllers under CN=Sites", FailureKind.DENIED)
        found, left = [], []
        for server in servers:
            reference = server.text("serverreference")
            if reference and not distinguished_name.is_below(reference, dse.domain):
                continue  # another domain's
            service = services.get(server.key)
            if service is None:
                left.append(distinguished_name.name(server.dn))
            else:
                found.append(_controller(server, service))
        return cls(tuple(sorted(sites)), dict(sorted(subnets.items())), tuple(found), tuple(sorted(left)))


def _controller(server: Entry, service: Entry) -> Controller:
    """Read a controller; its site is two levels above the server object."""
    above = distinguished_name.parent(distinguished_name.parent(server.dn))
    return Controller(
        distinguished_name.name(server.dn),
        server.text("dnshostname"),
        distinguished_name.name(above),
        bool((service.number("options") or 0) & _GLOBAL_CATALOGUE),
        _INTERSITE_READ_ONLY in service.classes(),
    )


_OWNER = ("fSMORoleOwner",)


@dataclass(frozen=True, slots=True)
class Roles(Fact):
    """Which host holds each of the five roles that only one controller can have (MS-ADTS 3.1.1.1.11)."""

    question = (
        LdapSearch(attributes=_OWNER, nc="schema", scope="base"),
        LdapSearch(attributes=_OWNER, nc="configuration", rdn="CN=Partitions", scope="base"),
        LdapSearch(attributes=_OWNER, scope="base"),
        LdapSearch(attributes=_OWNER, rdn="CN=RID Manager$,CN=System", scope="base"),
        LdapSearch(attributes=_OWNER, rdn="CN=Infrastructure", scope="base"),
    )

    schema: str
    naming: str
    pdc: str
    rid: str
    infrastructure: str

    @classmethod
    def read(cls, *answers: Said) -> Self:
        """Read the five owners; a role whose holder was deleted names it with its tombstone."""
        words = ("schema", "naming", "pdc", "rid", "infrastructure")
        return cls(*(_holder(only(a, f"who holds the role {w}")) for w, a in zip(words, answers, strict=True)))


def _holder(entry: Entry) -> str:
    """Give the server object's name: the parent of its directory service."""
    parts = distinguished_name.split(entry.must("fsmoroleowner"))
    if len(parts) < 2:  # noqa: PLR2004 - the service and its server
        raise Unreadable(f"{entry.dn} names no holder of a role")
    return parts[1][1].replace("\n", " ")


@dataclass(frozen=True, slots=True)
class Service(Fact):
    """The settings of the directory service, for the whole forest."""

    question = LdapSearch(
        filter="(|(objectClass=nTDSService)(objectClass=msDS-OptionalFeature))",
        attributes=(
            "objectClass",
            "tombstoneLifetime",
            "msDS-DeletedObjectLifetime",
            "dSHeuristics",
            "msDS-OptionalFeatureGUID",
            "msDS-EnabledFeatureBL",
        ),
        nc="configuration",
        rdn="CN=Directory Service,CN=Windows NT,CN=Services",
        binary=("msDS-OptionalFeatureGUID",),
    )

    recycle_bin: bool
    tombstone_days: int
    deleted_days: int  # how long a deleted object can be brought back with all its attributes
    heuristics: str

    @classmethod
    def read(cls, answer: Said) -> Self:
        """Read the service's object and the optional features below it."""
        found = entries(answer)
        service = next((e for e in found if "ntdsservice" in e.classes()), None)
        if service is None:
            raise Unreadable("the account may not see CN=Directory Service", FailureKind.DENIED)
        features = {e.guid("msds-optionalfeatureguid"): e for e in found if e.has("msds-optionalfeatureguid")}
        on = RECYCLE_BIN in features and features[RECYCLE_BIN].has("msds-enabledfeaturebl")
        tombstone = service.number("tombstonelifetime") or _TOMBSTONE_DAYS
        deleted = service.number("msds-deletedobjectlifetime") or tombstone
        return cls(on, tombstone, deleted, service.text("dsheuristics") or "")
