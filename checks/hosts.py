"""Checks of a host as such: what it is called and runs, where it stands in the network, and its clock."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from checks.core import Expectation, Outcome, Scope, check, expect, expect_members, failed, kind, passed
from checks.facts.hosts import Clock, Identity
from checks.facts.network import Address, Links, Resolvers, Routes
from checks.questions import FailureKind, Unreadable


@kind("identity", Scope.HOST, many=False)
class HostIdentity(Expectation):
    """Who a host is: its names, addresses, operating system, language and time zone."""

    hostname: str | None = None
    """Its name without a domain."""
    fqdn: str | None = None
    """Its full name, as the host itself resolves it (`hostname -f`)."""
    address: str | tuple[str, ...] | None = None
    """Its address or addresses, with prefix length (`192.168.19.10/24`); without it only the address counts."""
    static: bool | None = None
    """true: every address is configured on the host; false: every address comes from DHCP."""
    gateway: str | None = None
    """Next hop of the default route."""
    dns_servers: tuple[str, ...] = ()
    """Exactly these name servers are asked, in any order."""
    os: str | tuple[str, ...] | None = None
    """Operating system by os-release: `debian`, `debian 13`, `rocky 9` (any 9.x); a list: one of these."""
    time_zone: str | None = None
    """Such as `Europe/Brussels`."""
    locale: str | None = None
    """System language (LANG), such as `nl_BE.UTF-8`."""

    def __post_init__(self) -> None:
        """Refuse addresses that are none, while the definition is read."""
        for address in self.addresses:
            ipaddress.ip_interface(address)
        for address in (*self.dns_servers, *([self.gateway] if self.gateway else [])):
            ipaddress.ip_address(address)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The declared addresses as a list."""
        return (self.address,) if isinstance(self.address, str) else self.address or ()


@kind("time", Scope.HOST, many=False)
class TimeKeeping(Expectation):
    """The clock of a host: it follows a time source."""

    synchronised: bool = True
    """Whether the clock follows a time source."""
    servers: tuple[str, ...] = ()
    """Time servers, by name or address; at least one of them is followed, and no other."""
    max_offset_ms: float | None = None
    """Most milliseconds that the clock may differ from its source (chronyd, ntpd)."""


@check("hostname")
def hostname_is_as_declared(identity: Identity, want: HostIdentity) -> Outcome:
    """Whether the short name is right: it ties a host to its DNS record, its account in the domain and its backups."""
    return expect(identity.hostname.partition(".")[0], equals=str(want.hostname).lower())


@check("fqdn")
def full_name_is_as_declared(identity: Identity, want: HostIdentity) -> Outcome:
    """Whether the name with its domain is right: Kerberos and certificates are made for it."""
    return expect(identity.fqdn, equals=str(want.fqdn).lower().rstrip("."))


@check("address")
def addresses_are_as_declared(links: Links, want: HostIdentity) -> Outcome:
    """Whether every declared address stands on some interface; with its prefix length, if that is declared."""
    there = {str(a.address) for a in links.addresses}
    seen = there | {a.partition("/")[0] for a in there}
    missing = [a for a in want.addresses if _normal(a) not in seen]
    observed = {"addresses": sorted(there), **({"missing": missing} if missing else {})}
    return (failed if missing else passed)(observed, {"addresses": list(want.addresses)})


def _normal(address: str) -> str:
    return str(ipaddress.ip_interface(address)) if "/" in address else str(ipaddress.ip_address(address))


@check("static")
def addresses_are_configured_as_declared(links: Links, routes: Routes, want: HostIdentity) -> Outcome:
    """Whether addresses are configured or leased, by the flag of the address and by who set the routes."""
    leased_on = {r.device for r in routes.routes if r.protocol == "dhcp"}
    declared = {a.partition("/")[0] for a in want.addresses}
    judged = [a for a in links.addresses if a.address.version == 4 and (not declared or str(a.address.ip) in declared)]  # noqa: PLR2004
    if not judged:
        return failed({"addresses": []}, {"static": want.static})
    leased = [a for a in judged if a.dynamic or a.interface in leased_on]
    wrong = leased if want.static else [a for a in judged if a not in leased]
    observed = {"static": _shown(a for a in judged if a not in leased), "dynamic": _shown(leased)}
    return (failed if wrong else passed)({k: v for k, v in observed.items() if v}, {"static": want.static})


def _shown(addresses: Iterator[Address] | list[Address]) -> list[str]:
    return sorted(str(a.address) for a in addresses)


@check("gateway")
def gateway_is_as_declared(routes: Routes, want: HostIdentity) -> Outcome:
    """Whether this is the one next hop of the default route."""
    version = ipaddress.ip_address(str(want.gateway)).version
    hops = sorted({r.via for r in routes.defaults if r.via and r.to.version == version})
    return expect(hops[0] if len(hops) == 1 else hops, equals=str(ipaddress.ip_address(str(want.gateway))))


@check("dns_servers")
def name_servers_are_as_declared(resolvers: Resolvers, want: HostIdentity) -> Outcome:
    """Whether exactly these are asked: a host of a domain that also asks another server fails now and then."""
    return expect_members(resolvers.servers, (str(ipaddress.ip_address(s)) for s in want.dns_servers))


@check("os")
def operating_system_is_as_declared(identity: Identity, want: HostIdentity) -> Outcome:
    """Whether name and version fit, by os-release(5); a shorter version holds longer ones (9 holds 9.4)."""
    declared = (want.os,) if isinstance(want.os, str) else want.os or ()
    observed = f"{identity.os_id} {identity.version}".strip()
    good = any(_is_system(identity, text) for text in declared)
    expected = declared[0] if len(declared) == 1 else {"one_of": list(declared)}
    return (passed if good else failed)(observed, expected, note=identity.pretty_name)


def _is_system(identity: Identity, declared: str) -> bool:
    name, _, version = declared.strip().lower().partition(" ")
    return identity.os_id == name and (not version or f"{identity.version}.".startswith(f"{version}."))


@check("time_zone")
def time_zone_is_as_declared(identity: Identity, want: HostIdentity) -> Outcome:
    """Whether the time zone is right; the various names of UTC count as one."""
    utc = {"Etc/UTC", "Etc/UCT", "UCT", "Etc/Universal", "Universal", "Zulu", "Etc/Zulu"}
    seen, wanted = ("UTC" if zone in utc else zone for zone in (identity.time_zone, str(want.time_zone)))
    return expect(seen, equals=wanted)


@check("locale")
def locale_is_as_declared(identity: Identity, want: HostIdentity) -> Outcome:
    """Whether the system's language is right; `utf8` and `UTF-8` are one."""

    def plain(locale: str) -> str:
        return locale.lower().replace("-", "")

    outcome = passed if plain(identity.locale) == plain(str(want.locale)) else failed
    return outcome(identity.locale, want.locale)


@check
def clock_is_synchronised(clock: Clock, want: TimeKeeping) -> Outcome:
    """Whether the clock follows a source other than itself: Kerberos refuses a difference of five minutes."""
    observed = {"synchronised": clock.synchronised, "servers": list(clock.servers)}
    good = clock.synchronised == want.synchronised
    return (passed if good else failed)(observed, {"synchronised": want.synchronised}, note=clock.daemon)


@check("servers")
def time_servers_are_as_declared(clock: Clock, want: TimeKeeping) -> Outcome:
    """Whether only declared servers are followed. A daemon tells names, addresses, or both of the same server."""
    declared = {s.lower() for s in want.servers}
    followed = set(clock.servers)
    good = bool(followed & declared) and _all_declared(followed, declared)
    return (passed if good else failed)({"servers": sorted(followed)}, {"one_of": sorted(declared)}, note=clock.daemon)


def _all_declared(followed: set[str], declared: set[str]) -> bool:
    """Tell whether no server besides the declared is followed, as far as names and addresses can be compared."""
    of_kind = {_is_address(d) for d in declared}
    return all(s in declared for s in followed if len(of_kind) == 2 or _is_address(s) in of_kind)  # noqa: PLR2004


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@check("max_offset_ms")
def clock_is_right(clock: Clock, want: TimeKeeping) -> Outcome:
    """Whether the clock is near its source, as the daemon itself measures it."""
    if not clock.synchronised:
        return failed({"synchronised": False}, {"at_most": want.max_offset_ms}, note=clock.daemon)
    if clock.offset is None:
        raise Unreadable(f"{clock.daemon} does not tell how far the clock is off", FailureKind.NOT_INSTALLED)
    return expect(round(abs(clock.offset) * 1000, 3), at_most=want.max_offset_ms, note=clock.daemon)
