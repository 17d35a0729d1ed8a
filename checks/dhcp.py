"""Checks of DHCP: scopes with their pools, options and reservations, and a server that runs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from checks.core import Expectation, Outcome, Scope, check, failed, kind, passed
from checks.facts.dhcp import UNITS, DhcpServer
from checks.facts.units import Units
from checks.formats.dhcpd import Scope as Leases
from checks.formats.dhcpd import mac, option_name, option_value, pool

GONE = {"exists": False}


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """A fixed address for one network card."""

    mac: str
    """Hardware address of the card, in any notation."""
    address: str
    """The address that it always gets."""
    host: str | None = None
    """The name that belongs to it."""


@kind("dhcp", Scope.HOST)
class DhcpScope(Expectation):
    """A scope of the DHCP server on this host (Kea, ISC dhcpd or dnsmasq)."""

    subnet: str
    """Network with prefix length, such as `10.77.20.0/24`."""
    pool: str | tuple[str, ...] | None = None
    """Exactly this pool is leased, or these: `10.77.20.100-10.77.20.199`."""
    excluded: tuple[str, ...] = ()
    """Addresses or ranges that must not be in a pool (fixed addresses of servers and printers)."""
    options: dict[str, str | tuple[str, ...]] | None = None
    """Options by name or number: `routers`, `domain-name-servers`, `domain-name`, `ntp-servers` …."""
    reservations: tuple[Reservation, ...] = ()
    """Reservations that are there."""
    lease_hours: float | None = None
    """How long an address is leased."""

    def __post_init__(self) -> None:
        """Refuse networks, pools and hardware addresses that are none, while the definition is read."""
        ipaddress.IPv4Network(self.subnet)
        for text in (*self.pools, *self.excluded):
            pool(text)
        for reservation in self.reservations:
            mac(reservation.mac)
            ipaddress.IPv4Address(reservation.address)

    @property
    def subject(self) -> str:
        """The network."""
        return self.subnet

    @property
    def pools(self) -> tuple[str, ...]:
        """The declared pools as a list."""
        return (self.pool,) if isinstance(self.pool, str) else self.pool or ()


@check
def scope_exists(server: DhcpServer, want: DhcpScope) -> Outcome:
    """Whether the server has a scope for this subnet."""
    scope = _scope(server, want)
    observed = {"exists": scope is not None, "members": [str(s.subnet) for s in server.scopes]}
    return (passed if scope else failed)(observed, {"exists": True}, note=server.server)


@check
def dhcp_server_runs(server: DhcpServer, units: Units, want: DhcpScope) -> Outcome:  # noqa: ARG001 - of every scope
    """Whether the service of the server whose configuration this is runs, and starts with the host."""
    unit = units.find(*UNITS[server.server])
    if unit is None:
        return failed(GONE, {"running": True, "enabled": True}, note=server.server)
    good = unit.running and unit.enabled
    observed = {"running": unit.running, "enabled": unit.enabled}
    return (passed if good else failed)(observed, {"running": True, "enabled": True}, note=unit.name)


@check("pool")
def pool_is_as_declared(server: DhcpServer, want: DhcpScope) -> Outcome:
    """Whether exactly the declared addresses are leased; pools that touch count as one."""

    def judge(scope: Leases) -> Outcome:
        seen, wanted = _joined(scope.pools), _joined([pool(p) for p in want.pools])
        return (passed if seen == wanted else failed)(_shown(seen), _shown(wanted))

    return _judged(server, want, judge, list(want.pools))


@check("excluded")
def pool_leaves_out_what_is_excluded(server: DhcpServer, want: DhcpScope) -> Outcome:
    """Whether no pool holds an address that stands for something else: two machines would fight for it."""

    def judge(scope: Leases) -> Outcome:
        ranges = [pool(text) for text in want.excluded]
        extra = [r for r in ranges if any(r[0] <= high and low <= r[1] for low, high in scope.pools)]
        return (failed if extra else passed)(
            {"pools": _shown(scope.pools)} | ({"extra": _shown(extra)} if extra else {}), {"excluded": _shown(ranges)}
        )

    return _judged(server, want, judge, {"excluded": list(want.excluded)})


@check("options")
def options_are_as_declared(server: DhcpServer, want: DhcpScope) -> list[Outcome]:
    """Whether clients get each option with its value; addresses of a list in the declared order."""
    scope = _scope(server, want)
    outcomes = []
    for word, value in (want.options or {}).items():
        name = option_name(word)
        wanted = option_value(value if isinstance(value, str) else ",".join(value))
        seen = scope.options.get(name) if scope else None
        observed = {"value": seen} if seen is not None else GONE
        outcome = passed if seen == wanted else failed
        outcomes.append(outcome(observed, {"value": wanted}, subject=f"{want.subnet} {name}"))
    return outcomes


@check("reservations")
def reservations_are_as_declared(server: DhcpServer, want: DhcpScope) -> list[Outcome]:
    """Whether each card has its address, and its name if that is declared."""
    scope = _scope(server, want)
    outcomes = []
    for reservation in want.reservations:
        card = mac(reservation.mac)
        seen = next((r for r in (scope.reservations if scope else ()) if r.mac == card), None)
        expected = {"address": reservation.address} | ({"name": reservation.host} if reservation.host else {})
        good = seen is not None and seen.address == reservation.address
        if seen and reservation.host:
            good = good and seen.host.partition(".")[0] == reservation.host.lower().partition(".")[0]
        observed: dict[str, object] = {"address": seen.address, "name": seen.host} if seen else {"exists": False}
        subject = f"{want.subnet} {reservation.host or card}"
        outcomes.append((passed if good else failed)(observed, expected, subject=subject))
    return outcomes


@check("lease_hours")
def lease_is_as_declared(server: DhcpServer, want: DhcpScope) -> Outcome:
    """Whether addresses are leased for this long."""

    def judge(scope: Leases) -> Outcome:
        hours = None if scope.lease is None else round(scope.lease / 3600, 2)
        return (passed if hours == want.lease_hours else failed)({"hours": hours}, {"hours": want.lease_hours})

    return _judged(server, want, judge, {"hours": want.lease_hours})


def _scope(server: DhcpServer, want: DhcpScope) -> Leases | None:
    network = ipaddress.IPv4Network(want.subnet)
    return next((s for s in server.scopes if s.subnet == network), None)


def _judged(server: DhcpServer, want: DhcpScope, judge: Callable[[Leases], Outcome], expected: object) -> Outcome:
    scope = _scope(server, want)
    return failed(GONE, expected) if scope is None else judge(scope)


Range = tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]


def _joined(ranges: list[Range]) -> list[Range]:
    """Join ranges that overlap or touch."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and int(low) <= int(found[-1][1]) + 1:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return found


def _shown(ranges: list[Range]) -> list[str]:
    return [f"{low}-{high}" if low != high else str(low) for low, high in ranges]
