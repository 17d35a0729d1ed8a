"""The packet filter of a host, whichever program made it: nftables, iptables, ufw, firewalld."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import is_missing
from checks.formats.iptables import generated_by_legacy, read_iptables
from checks.formats.nftables import read_nftables
from checks.formats.packet_filter import Chain, PacketFilter
from checks.questions import Shell


@dataclass(frozen=True, slots=True)
class Firewall(Fact):
    """All filter rules that the kernel holds (nft(8) `-j list ruleset`, iptables-save(8), ip6tables-save(8)).

    Tables that iptables made through nftables are read from iptables-save, which alone tells their conditions. A host
    without any of the three programs has no filter: `programs` is empty then.
    """

    question = (
        Shell("nft -j list ruleset", root=True),
        Shell("iptables-save", root=True),
        Shell("ip6tables-save", root=True),
    )

    filter: PacketFilter
    programs: tuple[str, ...]

    @classmethod
    def read(cls, *answers: Output) -> Self:
        """Read the rules of nftables, and put those of iptables in their place."""
        nft, four, six = (None if is_missing(a) else a.text() for a in answers)
        chains: list[Chain] = list(read_nftables(nft)) if nft else []
        for text, family in ((four, "ip"), (six, "ip6")):
            if not text:
                continue
            ours = read_iptables(text, family)
            if not generated_by_legacy(text):
                tables = {c.table for c in ours}
                chains = [c for c in chains if c.family != family or c.table not in tables]
            chains += ours
        names = ("nft", "iptables", "ip6tables")
        programs = tuple(n for n, text in zip(names, (nft, four, six), strict=True) if text is not None)
        return cls(PacketFilter(tuple(chains)), programs)
