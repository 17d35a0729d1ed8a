"""A packet filter in one form, and what it does with a new connection from another host.

The rules of nftables and iptables are read (`nftables`, `iptables`) into `Chain`s of `Rule`s. A condition is a set of
values on one field of the packet; what cannot be expressed so is the field `other`, which may or may not hold. So a
walk through the chains says "dropped" or "accepted" for sure, or both when it depends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Field = Literal["protocol", "port", "in", "out", "source", "destination", "state", "family", "never", "other"]
Ranges = tuple[tuple[int, int], ...]

ACCEPT, DROP = "accept", "drop"
TOP = 65_535
MOST_EDGES = 4096  # ports that rules name; a filter with more is not read
FAMILIES: Mapping[str, tuple[int, ...]] = {"ip": (4,), "ip6": (6,), "inet": (4, 6)}


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection that another host makes to this one: unicast, new, not translated."""

    protocol: str
    port: int
    family: int = 4


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one field: one of `values` (lower case), or of `ranges` for ports; `negated`: none of them."""

    field: Field
    values: frozenset[str] = frozenset()
    ranges: Ranges = ()
    negated: bool = False

    def holds(self, packet: Packet) -> bool | None:
        """Tell whether it holds for a packet; None when that cannot be told."""
        found = self._found(packet)
        return found if found is None else found != self.negated

    def _found(self, packet: Packet) -> bool | None:  # noqa: PLR0911 - one per field
        if self.field == "protocol":
            return packet.protocol in self.values
        if self.field == "port":
            return any(low <= packet.port <= high for low, high in self.ranges)
        if self.field == "state":
            return "new" in self.values
        if self.field == "family":
            return str(packet.family) in self.values
        if self.field == "in":
            return False if self.values == {"lo"} else None
        if self.field in ("source", "destination"):
            return True if self.values & {"0.0.0.0/0", "::/0"} else None
        return False if self.field == "never" else None


OTHER = Condition("other")
NEVER = Condition("never")
"""Does not hold for the first packet of a connection to this very host (multicast, translated, seen before)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to packets for which all conditions hold.

    `verdict`: accept, drop (also for reject), return, jump or goto (`target`), masquerade, snat, dnat; empty for a
    rule that only counts or logs.
    """

    conditions: tuple[Condition, ...]
    verdict: str
    target: str = ""

    def holds(self, packet: Packet) -> bool | None:
        """Tell whether all conditions hold; None when that cannot be told."""
        told = [c.holds(packet) for c in self.conditions]
        if False in told:
            return False
        return None if None in told else True

    def values(self, field: Field) -> frozenset[str] | None:
        """Give the values that a field may have; None when the rule does not look at it."""
        sets = [c.values for c in self.conditions if c.field == field and not c.negated]
        return frozenset.intersection(*sets) if sets else None


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain; with a `hook` (input, forward, output, prerouting, postrouting) packets come in by themselves."""

    family: str
    table: str
    name: str
    rules: tuple[Rule, ...] = ()
    hook: str = ""
    type: str = ""
    policy: str = ACCEPT

    @property
    def key(self) -> tuple[str, str, str]:
        """Its full name."""
        return self.family, self.table, self.name


@dataclass(frozen=True, slots=True)
class Opening:
    """Ports that new connections reach: from anywhere, or (`limited`) when a rule's further conditions hold."""

    protocol: str
    low: int
    high: int
    limited: bool

    def __str__(self) -> str:
        ports = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        return f"{self.protocol}/{ports}"


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """All chains."""

    chains: tuple[Chain, ...]

    def hooked(self, hook: str, family: int) -> list[Chain]:
        """Give the filtering chains that packets of a family come into at a hook."""
        return [
            c for c in self.chains if c.hook == hook and c.type == "filter" and family in FAMILIES.get(c.family, ())
        ]

    def verdicts(self, packet: Packet, hook: str = "input") -> frozenset[str]:
        """Give what may happen to a packet: accept, drop, or both when it depends on what is not known here.

        A packet gets through when every chain of the hook accepts it. ValueError for chains that jump in circles.
        """
        by_key = {c.key: c for c in self.chains}
        results = []
        for base in self.hooked(hook, packet.family):
            possible, falls = _walk(by_key, base.key, packet, {})
            results.append(possible | ({base.policy} if falls else set()))
        may: set[str] = set()
        if any(DROP in r for r in results):
            may.add(DROP)
        if all(ACCEPT in r for r in results):
            may.add(ACCEPT)
        return frozenset(may or {DROP})

    def openings(self, protocol: str, family: int) -> list[Opening]:
        """Give the ports that a new connection may reach, as few ranges as possible."""
        found: list[Opening] = []
        for low, high in self._segments():
            told = self.verdicts(Packet(protocol, low, family))
            if ACCEPT not in told:
                continue
            limited = DROP in told
            if found and found[-1].high == low - 1 and found[-1].limited == limited:
                found[-1] = Opening(protocol, found[-1].low, high, limited)
            else:
                found.append(Opening(protocol, low, high, limited))
        return found

    def default(self, family: int, protocol: str = "tcp") -> frozenset[str]:
        """Give what may happen to a connection to a port that no rule names."""
        named = [r for r in self._ranges() if r != (0, TOP)]
        free = next((low for low, _ in self._segments() if not any(a <= low <= b for a, b in named)), 0)
        return self.verdicts(Packet(protocol, free, family))

    def _ranges(self) -> set[tuple[int, int]]:
        return {r for chain in self.chains for rule in chain.rules for c in rule.conditions for r in c.ranges}

    def _segments(self) -> Iterator[tuple[int, int]]:
        """Cut all ports where a rule's range begins or ends: within a segment all are treated alike."""
        edges = {0, TOP + 1}
        for low, high in self._ranges():
            edges |= {low, high + 1}
        if len(edges) > MOST_EDGES:
            raise ValueError(f"the rules name more than {MOST_EDGES} ports")
        cuts = sorted(edges)
        return ((low, high - 1) for low, high in pairwise(cuts))

    def translations(self) -> Iterator[Rule]:
        """Give the rules that replace the source of packets that leave (masquerade, snat)."""
        tables = {(c.family, c.table) for c in self.chains if c.hook == "postrouting" and c.type == "nat"}
        for chain in self.chains:
            if (chain.family, chain.table) in tables:
                yield from (r for r in chain.rules if r.verdict in ("masquerade", "snat"))


Known = dict[tuple[str, str, str], "tuple[set[str], bool] | None"]


def _walk(
    chains: Mapping[tuple[str, str, str], Chain], key: tuple[str, str, str], packet: Packet, known: Known
) -> tuple[set[str], bool]:
    """Give the possible verdicts of a chain, and whether a packet may leave it at its end. Each is walked once."""
    if key in known:
        if (result := known[key]) is None:
            raise ValueError(f"chain {key[2]} jumps to itself")
        return result
    known[key] = None
    known[key] = result = _walk_rules(chains, key, packet, known)
    return result


def _walk_rules(
    chains: Mapping[tuple[str, str, str], Chain], key: tuple[str, str, str], packet: Packet, known: Known
) -> tuple[set[str], bool]:
    possible: set[str] = set()
    falls = False
    for rule in chains[key].rules if key in chains else ():
        holds = rule.holds(packet)
        if holds is False or not rule.verdict:
            continue
        if rule.verdict in (ACCEPT, DROP):
            possible.add(rule.verdict)
            ends = True
        elif rule.verdict == "return":
            falls = ends = True
        elif rule.verdict in ("jump", "goto"):
            inner, through = _walk(chains, (*key[:2], rule.target), packet, known)
            possible |= inner
            falls |= through and rule.verdict == "goto"
            ends = not through or rule.verdict == "goto"
        else:
            continue
        if ends and holds:
            return possible, falls
    return possible, True


def ports(values: Iterable[tuple[int, int]]) -> Condition:
    """Make the condition that the port lies in one of these ranges."""
    return Condition("port", ranges=tuple(sorted(values)))
