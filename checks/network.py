"""Checks of interfaces, routes, forwarding and address translation."""

from __future__ import annotations

import ipaddress

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, passed
from checks.facts.firewall import Firewall
from checks.facts.kernel import Sysctl
from checks.facts.network import Links, Network, Route, Routes
from checks.formats.dhcpd import mac
from checks.formats.packet_filter import Rule

GONE = {"exists": False}


@kind("interfaces", Scope.HOST)
class Interface(Expectation):
    """A network interface."""

    name: str
    """Name of the interface, such as `eth0`."""
    up: bool | None = True
    """Whether it is enabled and has a carrier."""
    address: str | tuple[str, ...] | None = None
    """Its address or addresses, with prefix length."""
    mac: str | None = None
    """Its hardware address."""
    mtu: int | None = None
    """Largest packet in bytes."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The declared addresses as a list."""
        return (self.address,) if isinstance(self.address, str) else self.address or ()

    def __post_init__(self) -> None:
        """Refuse addresses that are none, while the definition is read."""
        for address in self.addresses:
            ipaddress.ip_interface(address)
        if self.mac:
            mac(self.mac)


@kind("routes", Scope.HOST)
class StaticRoute(Expectation):
    """A route of the main table."""

    to: str
    """Network with prefix length, or `default` (IPv4) or `default6`."""
    via: str | None = None
    """Next hop."""
    dev: str | None = None
    """Interface that it leaves by."""
    exists: bool = True
    """false: there must be no such route."""

    def __post_init__(self) -> None:
        """Refuse networks that are none, while the definition is read."""
        self.network  # noqa: B018 - raises ValueError

    @property
    def network(self) -> Network:
        """The network."""
        return ipaddress.ip_network({"default": "0.0.0.0/0", "default6": "::/0"}.get(self.to, self.to))

    @property
    def subject(self) -> str:
        """The network."""
        return self.to


@kind("forwarding", Scope.HOST, many=False)
class Forwarding(Expectation):
    """Whether the host passes packets on between its networks, as a router does."""

    ipv4: bool | None = None
    """For IPv4."""
    ipv6: bool | None = None
    """For IPv6."""


@kind("nat", Scope.HOST)
class AddressTranslation(Expectation):
    """Packets that leave get another source address (masquerade, source NAT)."""

    interface: str | None = None
    """Interface that they leave by."""
    source: str | None = None
    """Network that they come from."""
    exists: bool = True
    """false: there must be no such rule."""

    def __post_init__(self) -> None:
        """Refuse networks that are none, while the definition is read."""
        if self.source:
            ipaddress.ip_network(self.source)

    @property
    def subject(self) -> str:
        """The interface or network."""
        return self.interface or self.source or ""


@check("up")
def interface_is_up_as_declared(links: Links, want: Interface) -> Outcome:
    """Whether the interface is there, and up."""
    link = links.link(want.name)
    if link is None:
        return failed(GONE, {"up": want.up})
    return expect({"up": link.up}, equals={"up": want.up})


@check("address")
def interface_has_its_addresses(links: Links, want: Interface) -> Outcome:
    """Whether the interface has each declared address."""
    link = links.link(want.name)
    if link is None:
        return failed(GONE, {"addresses": list(want.addresses)})
    there = {str(a.address) for a in link.addresses}
    plain = there | {a.partition("/")[0] for a in there}
    missing = [a for a in want.addresses if (str(ipaddress.ip_interface(a)) if "/" in a else a) not in plain]
    observed = {"addresses": sorted(there)} | ({"missing": missing} if missing else {})
    return (failed if missing else passed)(observed, {"addresses": list(want.addresses)})


@check("mac")
def interface_has_its_hardware_address(links: Links, want: Interface) -> Outcome:
    """Whether it is the declared card: reservations of DHCP go by it."""
    link = links.link(want.name)
    return failed(GONE, mac(str(want.mac))) if link is None else expect(link.mac, equals=mac(str(want.mac)))


@check("mtu")
def interface_has_its_mtu(links: Links, want: Interface) -> Outcome:
    """Whether its largest packet is as declared."""
    link = links.link(want.name)
    return failed(GONE, want.mtu) if link is None else expect(link.mtu, equals=want.mtu)


@check
def route_is_as_declared(routes: Routes, want: StaticRoute) -> Outcome:
    """Whether the main table has this route, over this hop and interface; or has none such."""
    here = [r for r in routes.routes if r.to == want.network and r.kind == "unicast"]
    good = any(_fits(r, want) for r in here)
    expected = {k: v for k, v in (("exists", want.exists), ("via", want.via), ("device", want.dev)) if v is not None}
    observed = [{"via": r.via, "device": r.device} if r.via else {"device": r.device} for r in here]
    shown: object = observed[0] if len(observed) == 1 else observed or GONE
    return (passed if good == want.exists else failed)(shown, expected)


def _fits(route: Route, want: StaticRoute) -> bool:
    return (want.via is None or route.via == want.via) and (want.dev is None or route.device == want.dev)


@check("ipv4")
def ipv4_is_forwarded_as_declared(sysctl: Sysctl, want: Forwarding) -> Outcome:
    """Whether the kernel passes IPv4 packets on."""
    return expect(sysctl.value("net.ipv4.ip_forward") != "0", equals=want.ipv4)


@check("ipv6")
def ipv6_is_forwarded_as_declared(sysctl: Sysctl, want: Forwarding) -> Outcome:
    """Whether the kernel passes IPv6 packets on."""
    return expect(sysctl.value("net.ipv6.conf.all.forwarding") != "0", equals=want.ipv6)


@check
def addresses_are_translated_as_declared(firewall: Firewall, want: AddressTranslation) -> Outcome:
    """Whether a rule of the filter replaces the source of packets that leave so; or none does."""
    rules = list(firewall.filter.translations())
    good = any(_translates(rule, want) for rule in rules)
    expected = {
        k: v
        for k, v in (("exists", want.exists), ("interface", want.interface), ("source", want.source))
        if v is not None
    }
    return (passed if good == want.exists else failed)([_told(rule) for rule in rules] or GONE, expected)


def _translates(rule: Rule, want: AddressTranslation) -> bool:
    out, sources = rule.values("out"), rule.values("source")
    if want.interface and out is not None and want.interface not in out:
        return False
    if not want.source or sources is None:
        return True
    asked = ipaddress.ip_network(want.source)
    return any(_holds(source, asked) for source in sources)


def _holds(source: str, asked: Network) -> bool:
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return False
    return network.version == asked.version and asked.subnet_of(network)  # type: ignore[arg-type]


def _told(rule: Rule) -> dict[str, object]:
    parts = (("interface", rule.values("out")), ("source", rule.values("source")))
    return {"type": rule.verdict} | {k: sorted(v) for k, v in parts if v}
