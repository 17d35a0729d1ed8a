"""Checks of the packet filter: active, closed by default, open where declared, and still there after a restart."""

from __future__ import annotations

import re

from checks.core import Expectation, Outcome, Scope, check, failed, kind, passed
from checks.facts.firewall import Firewall
from checks.facts.units import Units
from checks.formats.packet_filter import ACCEPT, DROP, Opening, Packet
from checks.questions import Unreadable

SERVICES = (
    "nftables.service", "firewalld.service", "ufw.service", "netfilter-persistent.service", "iptables.service",
    "shorewall.service", "ferm.service",
)  # fmt: skip
_PORT = re.compile(r"^(tcp|udp|sctp)/(\d{1,5})(?:-(\d{1,5}))?$")


@kind("firewall", Scope.HOST, many=False)
class FirewallPolicy(Expectation):
    """The packet filter of a host, whichever program made it (nftables, iptables, ufw, firewalld)."""

    active: bool = True
    """Whether new connections from elsewhere are refused unless a rule lets them in."""
    allows: tuple[str, ...] = ()
    """Ports that are open, from anywhere or for some: `tcp/22`, `udp/53`, `tcp/8000-8010`."""
    refuses: tuple[str, ...] = ()
    """Ports that are closed for everyone."""
    nothing_else: bool = False
    """true: besides `allows` nothing is open."""
    persistent: bool | None = None
    """Whether the rules come back when the host restarts."""
    ipv6: bool = True
    """Judge IPv6 too. false: the host has none."""

    def __post_init__(self) -> None:
        """Refuse ports that are none, while the definition is read."""
        for text in (*self.allows, *self.refuses):
            opening(text)

    @property
    def families(self) -> tuple[int, ...]:
        """Versions of IP to judge."""
        return (4, 6) if self.ipv6 else (4,)


def opening(text: str) -> Opening:
    """Read `tcp/22` or `tcp/8000-8010`; ValueError when it is neither."""
    match = _PORT.match(text)
    if not match or not 0 < int(match[2]) <= int(match[3] or match[2]) < 65_536:  # noqa: PLR2004 - ports
        raise ValueError(f"'{text}' is no port; write for example 'tcp/22' or 'udp/60000-61000'")
    return Opening(match[1], int(match[2]), int(match[3] or match[2]), limited=False)


@check
def firewall_is_active(firewall: Firewall, want: FirewallPolicy) -> Outcome:
    """Whether connections to a port that no rule names are dropped, on every version of IP."""
    return judge_active(firewall, want.families, active=want.active)


def judge_active(firewall: Firewall, families: tuple[int, ...], *, active: bool = True) -> Outcome:
    """Judge whether the filter is closed by default."""
    told = {version: firewall.filter.default(version) for version in families}
    closed = {version: verdicts == {DROP} for version, verdicts in told.items()}
    if any(len(verdicts) > 1 for verdicts in told.values()):
        raise Unreadable("whether unnamed ports are dropped hangs on conditions that cannot be judged")
    observed = {"active": all(closed.values())} | {f"ipv{version}": good for version, good in closed.items()}
    note = ", ".join(firewall.programs) or None
    return (passed if all(closed.values()) == active else failed)(observed, {"active": active}, note=note)


@check("allows")
def declared_ports_are_open(firewall: Firewall, want: FirewallPolicy) -> Outcome:
    """Whether the filter lets new connections to each declared port in, if only from some (over IPv4)."""
    closed = [p for p in want.allows if any(ACCEPT not in v for v in _verdicts(firewall, p, 4))]
    observed = {"open": [p for p in want.allows if p not in closed]} | ({"missing": closed} if closed else {})
    return (failed if closed else passed)(observed, {"open": {"at_least": sorted(want.allows)}})


@check("refuses")
def forbidden_ports_are_closed(firewall: Firewall, want: FirewallPolicy) -> Outcome:
    """Whether the filter lets nobody in on these ports, on every version of IP."""
    opened = [
        p for p in want.refuses for family in want.families if any(ACCEPT in v for v in _verdicts(firewall, p, family))
    ]
    return (failed if opened else passed)({"extra": sorted(set(opened))}, {"closed": sorted(want.refuses)})


def _verdicts(firewall: Firewall, port: str, family: int) -> list[frozenset[str]]:
    """Give what may happen at both ends of a range of ports."""
    asked = opening(port)
    return [firewall.filter.verdicts(Packet(asked.protocol, p, family)) for p in {asked.low, asked.high}]


@check("nothing_else")
def nothing_else_is_open(firewall: Firewall, want: FirewallPolicy) -> Outcome | list[Outcome]:
    """Whether every port that the filter lets someone in on is declared."""
    if not want.nothing_else:
        return []
    declared = [opening(p) for p in want.allows]
    found = {
        str(o)
        for family in want.families
        for protocol in ("tcp", "udp")
        for o in firewall.filter.openings(protocol, family)
        if not any(d.protocol == protocol and d.low <= o.low and o.high <= d.high for d in declared)
    }
    return (failed if found else passed)({"extra": sorted(found)}, {"open": sorted(want.allows)})


@check("persistent")
def firewall_survives_a_restart(units: Units, want: FirewallPolicy) -> Outcome:
    """Whether a service that loads the rules is enabled: rules that were typed in are gone after a power cut."""
    enabled = sorted(u.name for u in units.each if u.name in SERVICES and u.enabled)
    return (passed if bool(enabled) == want.persistent else failed)(
        {"enabled": enabled}, {"persistent": want.persistent}
    )
