"""The domain: its names, functional levels, controllers, roles, sites, and what can be brought back after a mistake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from checks.core import Expectation, Outcome, Scope, check, expect, expect_members, failed, kind, passed
from checks.facts.directory import LEVELS, DomainObject, Partitions, Roles, RootDse, Service, Sites
from checks.facts.directory_trusts import BackupMark, Trusts
from checks.formats import filetime

Level = Literal["2003", "2008", "2008R2", "2012", "2012R2", "2016", "2025", 2003, 2008, 2012, 2016, 2025]
_NUMBERS = {word: number for number, word in LEVELS.items()}


@kind("properties", Scope.DOMAIN, many=False)
class Properties(Expectation):
    """Properties of the domain and its forest."""

    dns_name: str | None = None
    """DNS name of the domain."""
    netbios: str | None = None
    """Short (NetBIOS) name of the domain."""
    forest: str | None = None
    """DNS name of the forest's first domain."""
    functional_level: Level | None = None
    """Functional level of the domain, at least."""
    forest_level: Level | None = None
    """Functional level of the forest, at least."""
    controllers: tuple[str, ...] | None = None
    """Host names of the domain controllers, exactly these."""
    min_controllers: int | None = None
    """Least number of domain controllers, so that one may fail."""
    global_catalogs: tuple[str, ...] | None = None
    """Controllers that are a global catalogue, at least these."""
    no_leftovers: bool | None = None
    """Whether no traces of removed controllers may be left in the sites."""
    sites: tuple[str, ...] | None = None
    """Names of the sites, exactly these."""
    subnets: dict[str, str] | None = None
    """Subnets (10.0.0.0/24) and the site that each belongs to; others may exist."""
    upn_suffixes: tuple[str, ...] | None = None
    """Further suffixes of logon names (user@suffix), exactly these."""
    trusts: tuple[str, ...] | None = None
    """DNS names of the domains with which a trust exists, exactly these; an empty list: none."""
    backup_days: int | None = None
    """How many days ago a controller was last backed up, at most, as the directory knows (not on Samba)."""
    quota: int | None = None
    """How many computers an ordinary user may join to the domain, at most."""
    recycle_bin: bool | None = None
    """Whether the recycle bin of the directory is on."""
    tombstone_days: int | None = None
    """How many days deleted objects are kept, at least: a backup older than that cannot be used."""


@kind("roles", Scope.DOMAIN, many=False)
class RoleHolders(Expectation):
    """The controllers that hold the five operations master roles (FSMO), by host name."""

    schema: str | None = None
    """Schema master."""
    naming: str | None = None
    """Domain naming master."""
    pdc: str | None = None
    """PDC emulator."""
    rid: str | None = None
    """RID master."""
    infrastructure: str | None = None
    """Infrastructure master."""


def host(name: str) -> str:
    """Give a host name as it is compared: the first part of a DNS name, in lower case."""
    return name.strip().partition(".")[0].casefold()


def _same(observed: str, wanted: str | None) -> Outcome:
    """Compare two names without case, showing them as they stand."""
    good = observed.casefold() == (wanted or "").strip().rstrip(".").casefold()
    return (passed if good else failed)(observed, wanted)


def _level(observed: int, wanted: Level | None) -> Outcome:
    good = observed >= _NUMBERS[str(wanted)]
    return (passed if good else failed)(LEVELS.get(observed, str(observed)), {"at_least": str(wanted)})


@check("dns_name")
def dns_name_is_right(partitions: Partitions, want: Properties) -> Outcome:
    """Whether the domain bears this DNS name."""
    return _same(partitions.dns, want.dns_name)


@check("netbios")
def short_name_is_right(partitions: Partitions, want: Properties) -> Outcome:
    """Whether the domain bears this NetBIOS name."""
    return _same(partitions.netbios, want.netbios)


@check("forest")
def domain_is_in_forest(partitions: Partitions, want: Properties) -> Outcome:
    """Whether the forest's root is this domain."""
    return _same(partitions.forest_dns, want.forest)


@check("functional_level")
def domain_level_is_high_enough(root: RootDse, want: Properties) -> Outcome:
    """Whether the domain's functional level is at least this one."""
    return _level(root.domain_level, want.functional_level)


@check("forest_level")
def forest_level_is_high_enough(root: RootDse, want: Properties) -> Outcome:
    """Whether the forest's functional level is at least this one."""
    return _level(root.forest_level, want.forest_level)


@check("controllers")
def controllers_are_the_declared_ones(sites: Sites, want: Properties) -> Outcome:
    """Whether exactly these hosts are controllers of the domain."""
    return expect_members((host(c.name) for c in sites.controllers), map(host, want.controllers or ()))


@check("min_controllers")
def there_are_enough_controllers(sites: Sites, want: Properties) -> Outcome:
    """Whether the domain survives the loss of a controller; a read-only one cannot take over."""
    return expect(sum(not c.read_only for c in sites.controllers), at_least=want.min_controllers)


@check("global_catalogs")
def controllers_are_global_catalogs(sites: Sites, want: Properties) -> Outcome:
    """Whether these controllers know the whole forest, which logging on needs."""
    there = (host(c.name) for c in sites.controllers if c.global_catalogue)
    return expect_members(there, map(host, want.global_catalogs or ()), exact=False)


@check("no_leftovers")
def removed_controllers_left_nothing(sites: Sites, want: Properties) -> Iterable[Outcome]:
    """Whether every server object in the sites has a directory service: others are what a removal left behind."""
    if want.no_leftovers:
        yield expect({"leftovers": list(sites.leftovers)}, equals={"leftovers": []})


@check("sites")
def sites_are_the_declared_ones(sites: Sites, want: Properties) -> Outcome:
    """Whether exactly these sites exist."""
    return expect_members(map(str.casefold, sites.sites), (s.casefold() for s in want.sites or ()))


@check("subnets")
def subnets_belong_to_their_site(sites: Sites, want: Properties) -> Iterable[Outcome]:
    """Whether every subnet exists and belongs to its site, so that clients find a controller near by."""
    for subnet, site in (want.subnets or {}).items():
        there = sites.subnets.get(subnet)
        good = (there or "").casefold() == site.casefold()
        yield (passed if good else failed)(
            {"exists": subnet in sites.subnets, "site": there}, {"exists": True, "site": site}, subject=subnet
        )


@check("upn_suffixes")
def logon_suffixes_are_the_declared_ones(partitions: Partitions, want: Properties) -> Outcome:
    """Whether exactly these further suffixes of logon names exist."""
    return expect_members(map(str.casefold, partitions.suffixes), (s.casefold() for s in want.upn_suffixes or ()))


@check("trusts")
def trusts_are_the_declared_ones(trusts: Trusts, want: Properties) -> Outcome:
    """Whether the domain trusts, or is trusted by, exactly these."""
    return expect_members((t.name for t in trusts.all), (name.casefold() for name in want.trusts or ()))


@check("backup_days")
def directory_was_backed_up(mark: BackupMark, want: Properties) -> Outcome:
    """Whether a controller was backed up within these days, as the domain's own mark tells."""
    age = filetime.days(mark.now, mark.at)
    good = age is not None and age <= (want.backup_days or 0)
    return (passed if good else failed)(
        {"days": age}, {"days": {"at_most": want.backup_days}}, note=filetime.iso(mark.at)
    )


@check("quota")
def users_cannot_join_computers(domain: DomainObject, want: Properties) -> Outcome:
    """Whether ordinary users may join no more computers than this (ms-DS-MachineAccountQuota)."""
    return expect(domain.quota, at_most=want.quota)


@check("recycle_bin")
def recycle_bin_is_as_declared(service: Service, want: Properties) -> Outcome:
    """Whether the recycle bin is on, so that a deleted object comes back with its groups and passwords."""
    return expect(service.recycle_bin, equals=want.recycle_bin)


@check("tombstone_days")
def deleted_objects_are_kept_long_enough(service: Service, want: Properties) -> Outcome:
    """Whether tombstones live this long: it bounds the age of a usable backup and of a controller's absence."""
    return expect(service.tombstone_days, at_least=want.tombstone_days)


def _holder(observed: str, wanted: str | None) -> Outcome:
    good = host(observed) == host(wanted or "")
    return (passed if good else failed)(observed, wanted)


@check("schema")
def schema_master_is_right(roles: Roles, want: RoleHolders) -> Outcome:
    """Whether this controller is the schema master."""
    return _holder(roles.schema, want.schema)


@check("naming")
def naming_master_is_right(roles: Roles, want: RoleHolders) -> Outcome:
    """Whether this controller is the domain naming master."""
    return _holder(roles.naming, want.naming)


@check("pdc")
def pdc_emulator_is_right(roles: Roles, want: RoleHolders) -> Outcome:
    """Whether this controller is the PDC emulator."""
    return _holder(roles.pdc, want.pdc)


@check("rid")
def rid_master_is_right(roles: Roles, want: RoleHolders) -> Outcome:
    """Whether this controller is the RID master."""
    return _holder(roles.rid, want.rid)


@check("infrastructure")
def infrastructure_master_is_right(roles: Roles, want: RoleHolders) -> Outcome:
    """Whether this controller is the infrastructure master."""
    return _holder(roles.infrastructure, want.infrastructure)
