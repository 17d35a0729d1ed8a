"""Reads iptables-save and ip6tables-save (iptables(8), iptables-extensions(8)) into the form of `packet_filter`."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping

from checks.formats.packet_filter import NEVER, OTHER, Chain, Condition, Rule

_VERDICTS = {
    "ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return", "MASQUERADE": "masquerade",
    "SNAT": "snat", "DNAT": "dnat", "REDIRECT": "dnat",
}  # fmt: skip
_HOOKS: Mapping[str, str] = {
    "INPUT": "input", "FORWARD": "forward", "OUTPUT": "output", "PREROUTING": "prerouting",
    "POSTROUTING": "postrouting",
}  # fmt: skip
_NO_CONDITION = frozenset({"tcp", "udp", "multiport", "conntrack", "state", "comment", "sctp", "addrtype"})
_TAKES_NO_PART = frozenset(
    {"comment", "reject-with", "log-prefix", "log-level", "to-source", "to-destination", "random"}
)


def generated_by_legacy(text: str) -> bool:
    """Tell whether the rules stand in the old kernel tables, beside those of nftables."""
    return "(legacy)" in text.partition("\n")[0]


def read_iptables(text: str, family: str) -> tuple[Chain, ...]:
    """Read all tables; `family` is ip or ip6. ValueError for another shape."""
    table = ""
    policies: dict[tuple[str, str], str] = {}
    rules: dict[tuple[str, str], list[Rule]] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            name, policy, *_ = line[1:].split()
            policies[table, name] = policy
        elif line.startswith("-A "):
            name, rule = _rule(shlex.split(line)[1:], table, policies)
            rules.setdefault((table, name), []).append(rule)
    return tuple(
        Chain(
            family=family,
            table=table,
            name=name,
            rules=tuple(rules.get((table, name), ())),
            hook=_HOOKS.get(name, "") if policy != "-" else "",
            type="nat" if table == "nat" else "filter",
            policy="drop" if policy == "DROP" else "accept",
        )
        for (table, name), policy in policies.items()
    )


def _rule(words: list[str], table: str, chains: Mapping[tuple[str, str], str]) -> tuple[str, Rule]:
    conditions: list[Condition] = []
    verdict = target = ""
    for negated, option, values in _options(words[1:]):
        value = values[0] if values else ""
        if option in ("j", "jump", "g", "goto"):
            if (table, value) in chains:
                verdict, target = "jump" if option[0] == "j" else "goto", value
            else:
                verdict = _VERDICTS.get(value, "")
        else:
            conditions += _condition(option, values, negated=negated)
    return words[0], Rule(tuple(conditions), verdict, target)


def _options(words: list[str]) -> list[tuple[bool, str, list[str]]]:
    """Split in (negated, option, values)."""
    found: list[tuple[bool, str, list[str]]] = []
    negated = False
    for word in words:
        if word == "!":
            negated = True
        elif word.startswith("-") and len(word) > 1:
            found.append((negated, word.lstrip("-"), []))
            negated = False
        elif found:
            found[-1][2].append(word)
    return found


def _condition(option: str, values: list[str], *, negated: bool) -> list[Condition]:  # noqa: PLR0911 - one line an option
    value = values[0].lower() if values else ""
    if option in _TAKES_NO_PART or (option == "m" and value in _NO_CONDITION):
        return []
    if option == "p":
        return [Condition("protocol", frozenset({value.replace("ipv6-icmp", "icmpv6")}), negated=negated)]
    if option in ("dport", "dports", "destination-port", "destination-ports"):
        return [Condition("port", ranges=tuple(_range(part) for part in value.split(",")), negated=negated)]
    if option in ("ctstate", "state"):
        return [Condition("state", frozenset(value.split(",")), negated=negated)]
    if option in ("i", "o"):
        if value.endswith("+"):  # a pattern of names
            return [OTHER]
        return [Condition("in" if option == "i" else "out", frozenset({value}), negated=negated)]
    if option == "dst-type" or (option == "d" and value.startswith(("224.", "239.", "ff0"))):  # this packet is unicast
        return [dataclasses.replace(NEVER, negated=(value == "local") != negated)]
    if option in ("s", "d"):
        return [Condition("source" if option == "s" else "destination", frozenset({value}), negated=negated)]
    return [OTHER]


def _range(text: str) -> tuple[int, int]:
    low, colon, high = text.partition(":")
    return int(low or 0), int(high or 65_535) if colon else int(low)
