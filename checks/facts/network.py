"""Facts about addresses, routes and resolvers of a host, as iproute2 and the resolver's files tell them."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Output
from checks.facts.sections import sections
from checks.questions import Shell, Unreadable

Interface4or6 = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an interface; `dynamic`: it was leased (by DHCP) or announced, not configured."""

    interface: str
    address: Interface4or6
    dynamic: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. `up`: enabled and with a carrier. `mac` in lower case, `mtu` in bytes."""

    name: str
    up: bool
    mac: str
    mtu: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Links(Fact):
    """The network interfaces with their addresses, link-local ones left out (ip-address(8), `-json`)."""

    question = Shell("ip -j address")

    links: tuple[Link, ...]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the JSON list."""
        return cls(tuple(_link(entry) for entry in _json_list(answer.text())))

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All addresses but those of the loopback."""
        return tuple(a for link in self.links for a in link.addresses if not a.address.is_loopback)

    def link(self, name: str) -> Link | None:
        """Give the interface of this name, if there is one."""
        return next((link for link in self.links if link.name == name), None)


def _link(entry: dict[str, Any]) -> Link:
    name, flags = entry["ifname"], entry["flags"]
    addresses = tuple(
        Address(name, ipaddress.ip_interface(f"{a['local']}/{a['prefixlen']}"), a.get("dynamic") is True)
        for a in entry.get("addr_info", ())
        if a.get("scope") != "link" and "local" in a
    )
    up = "UP" in flags and ("LOWER_UP" in flags or "LOOPBACK" in flags)
    return Link(name, up, str(entry.get("address", "")).lower(), int(entry["mtu"]), addresses)


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the main table: where to, over which gateway (None: directly) and interface, who set it.

    `kind` is unicast, blackhole, unreachable, prohibit …; `protocol` is kernel, static, dhcp, bird, ospf, ra, boot …
    """

    to: Network
    via: str | None
    device: str
    protocol: str
    kind: str = "unicast"


@dataclass(frozen=True, slots=True)
class Routes(Fact):
    """The main routing tables of IPv4 and IPv6 (ip-route(8), `-json`)."""

    question = Shell("ip -j route && echo '@@ ipv6' && ip -j -6 route")

    routes: tuple[Route, ...]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read both JSON lists."""
        text = answer.text()
        four = text.partition("@@ ipv6")[0]
        six = sections(text).get("ipv6", "")
        return cls((*_routes(four, "0.0.0.0/0"), *_routes(six, "::/0")))

    @property
    def defaults(self) -> tuple[Route, ...]:
        """The default routes."""
        return tuple(r for r in self.routes if r.to.prefixlen == 0 and r.kind == "unicast")


def _routes(text: str, default: str) -> list[Route]:
    found = []
    for entry in _json_list(text):
        to = ipaddress.ip_network(default if entry["dst"] == "default" else entry["dst"], strict=False)
        kind = entry.get("type", "unicast")
        hops = entry.get("nexthops") or [entry]
        for hop in hops:
            via = hop.get("gateway") or (hop.get("via") or {}).get("host")
            found.append(Route(to, via, hop.get("dev", ""), entry.get("protocol", "boot"), kind))
    return found


@dataclass(frozen=True, slots=True)
class Resolvers(Fact):
    """The name servers a host asks, and its search domains (resolv.conf(5), systemd-resolved(8)).

    Where resolv.conf names the stub of systemd-resolved, the servers that the stub asks are given.
    """

    question = Shell(
        "echo '@@ resolv'; cat /etc/resolv.conf; "
        "echo '@@ upstream'; cat /run/systemd/resolve/resolv.conf 2>/dev/null; true"
    )

    servers: tuple[str, ...]
    search: tuple[str, ...]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the nameserver, search and domain lines."""
        told = sections(answer.text())
        servers, search = _resolv(told["resolv"])
        if set(servers) & {"127.0.0.53", "127.0.0.54"} and told["upstream"]:
            servers, search = _resolv(told["upstream"])
        if not servers:
            raise Unreadable("/etc/resolv.conf names no name server")
        return cls(servers, search)


def _resolv(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    servers: list[str] = []
    search: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1].partition("%")[0])
        elif words[0] in ("search", "domain"):
            search = [w.rstrip(".").lower() for w in words[1:]]
    return tuple(servers), tuple(search)


def _json_list(text: str) -> list[dict[str, Any]]:
    """Read a list of objects; nothing at all is an empty list (as older iproute2 prints it)."""
    data = json.loads(text) if text.strip() else []
    if not isinstance(data, list):
        raise Unreadable("ip did not print a list")
    return [entry for entry in data if entry]
