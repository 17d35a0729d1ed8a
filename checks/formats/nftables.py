"""Reads `nft -j list ruleset` (libnftables-json(5)) into the form of `packet_filter`."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

from checks.formats.packet_filter import NEVER, OTHER, Chain, Condition, Field, Ranges, Rule

Sets = Mapping[tuple[str, str, str], Any]
Table = tuple[str, str]
"""Family and name."""

_ENDS = {"accept": "accept", "drop": "drop", "reject": "drop", "return": "return", "masquerade": "masquerade",
         "snat": "snat", "dnat": "dnat", "redirect": "dnat", "tproxy": "accept", "queue": "accept"}  # fmt: skip
_NEUTRAL = frozenset({"counter", "log", "notrack", "mangle", "ct helper", "flow", "dup", "set", "comment", "quota"})
_META: Mapping[str, Field] = {
    "l4proto": "protocol", "iifname": "in", "iif": "in", "oifname": "out", "oif": "out", "nfproto": "family",
    "protocol": "family",
}  # fmt: skip
_PAYLOAD: Mapping[tuple[str, str], Field] = {
    ("ip", "saddr"): "source", ("ip6", "saddr"): "source", ("ip", "daddr"): "destination",
    ("ip6", "daddr"): "destination", ("ip", "protocol"): "protocol", ("ip6", "nexthdr"): "protocol",
}  # fmt: skip
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "132": "sctp"}
_VERSIONS = {"ip": "4", "ipv4": "4", "ip6": "6", "ipv6": "6"}
_SERVICES = {"ssh": 22, "domain": 53, "http": 80, "https": 443, "bootps": 67, "ntp": 123, "ldap": 389}


def read_nftables(text: str) -> tuple[Chain, ...]:
    """Read all chains with their rules, but those of dormant tables. ValueError, KeyError for another shape."""
    objects = [(kind, body) for item in json.loads(text)["nftables"] for kind, body in item.items()]
    sleeping = {
        (b["family"], b["name"]) for kind, b in objects if kind == "table" and "dormant" in _listed(b.get("flags"))
    }
    sets = {(b["family"], b["table"], b["name"]): b for kind, b in objects if kind in ("set", "map")}
    rules: dict[tuple[str, str, str], list[Rule]] = {}
    for kind, body in objects:
        if kind == "rule":
            key = body["family"], body["table"], body["chain"]
            rules.setdefault(key, []).extend(_rules(body.get("expr", ()), sets, key[:2]))
    chains = [
        Chain(
            b["family"], b["table"], b["name"], tuple(rules.get((b["family"], b["table"], b["name"]), ())),
            b.get("hook", ""), b.get("type", ""), b.get("policy", "accept"),
        )
        for kind, b in objects if kind == "chain"
    ]  # fmt: skip
    return tuple(c for c in chains if (c.family, c.table) not in sleeping)


def _rules(expressions: Any, sets: Sets, table: Table) -> Iterator[Rule]:
    conditions: list[Condition] = []
    for expression in expressions:
        ((kind, body),) = expression.items()
        if kind == "match":
            conditions += _match(body, sets, table)
        elif kind in _ENDS:
            yield Rule(tuple(conditions), _ENDS[kind])
            return
        elif kind in ("jump", "goto"):
            yield Rule(tuple(conditions), kind, body["target"])
            return
        elif kind == "vmap":
            yield from _verdict_map(body, conditions, sets, table)
            return
        elif kind not in _NEUTRAL:
            conditions.append(OTHER)  # limit, xt, and whatever comes


def _verdict_map(body: Any, conditions: list[Condition], sets: Sets, table: Table) -> Iterator[Rule]:
    """Give a rule per element of a verdict map."""
    for key, verdict in _elements(body["data"], sets, table):
        ((kind, target),) = verdict.items()
        name = target.get("target", "") if isinstance(target, dict) else ""
        match = _match({"left": body["key"], "op": "==", "right": key}, sets, table)
        yield Rule((*conditions, *match), _ENDS.get(kind, kind), name)


def _match(body: Mapping[str, Any], sets: Sets, table: Table) -> list[Condition]:
    left, op = body["left"], body.get("op", "==")
    if (known := _of_this_packet(left, body["right"])) is not None and op in ("==", "!=", "in"):
        return [dataclasses.replace(NEVER, negated=known == (op != "!="))]
    field, implied = _field(left)
    if field is None or op not in ("==", "!=", "in"):
        return [*implied, OTHER]
    values = list(_values(body["right"], sets, table))
    if None in values:
        return [*implied, OTHER]
    if field == "port":
        ranges: Ranges = tuple(sorted(_range(v) for v in values))
        return [*implied, Condition("port", ranges=ranges, negated=op == "!=")]
    names = _VERSIONS if field == "family" else _NUMBERS
    words = frozenset(names.get(str(v), str(v)).lower() for v in values)
    if field == "in" and "lo" in words and len(words) > 1:
        return [*implied, OTHER]
    return [*implied, Condition(field, words, negated=op == "!=")]


def _of_this_packet(left: Any, right: Any) -> bool | None:
    """Tell of conditions that are known for a new unicast packet to this host; None for all others."""
    listed = right.get("set", ()) if isinstance(right, dict) else right
    values = {v for v in _listed(listed) if isinstance(v, str)}
    if isinstance(left, dict) and left.get("fib", {}).get("result") == "type" and "daddr" in left["fib"]["flags"]:
        return "local" in values
    if isinstance(left, dict) and left.get("ct", {}).get("key") == "status":
        return False
    if isinstance(left, dict) and left.get("meta", {}).get("key") == "pkttype":
        return bool(values & {"host", "unicast"})
    return None


def _field(left: Any) -> tuple[Field | None, list[Condition]]:  # noqa: PLR0911 - one per kind of expression
    """Tell which field the left side looks at, and what it implies (tcp dport: the protocol)."""
    if not isinstance(left, dict):
        return None, []
    if "meta" in left:
        return _META.get(left["meta"]["key"]), []
    if "ct" in left:
        return ("state" if left["ct"].get("key") == "state" else None), []
    if "payload" in left and "protocol" in left["payload"]:
        protocol, name = left["payload"]["protocol"], left["payload"].get("field", "")
        if name == "dport":
            return "port", [] if protocol == "th" else [Condition("protocol", frozenset({protocol}))]
        if (protocol, name) in _PAYLOAD:
            family = [Condition("family", frozenset({"4" if protocol == "ip" else "6"}))]
            return _PAYLOAD[protocol, name], family
        if protocol in ("tcp", "udp", "icmp", "icmpv6", "sctp"):
            return None, [Condition("protocol", frozenset({protocol}))]
    return None, []


def _values(right: Any, sets: Sets, table: Table) -> Iterator[Any]:
    """Give the single values and (low, high) pairs of a right side; None for one that cannot be told."""
    if isinstance(right, list):
        for value in right:
            yield from _values(value, sets, table)
    elif isinstance(right, str) and right.startswith("@"):
        named = sets.get((table[0], table[1], right[1:]), {})
        changes = not named or {"dynamic", "timeout"} & set(_listed(named.get("flags")))
        yield from [None] if changes else _values(named.get("elem", []), sets, table)
    elif isinstance(right, dict):
        yield from _structured(right, sets, table)
    else:
        yield right


def _structured(right: Mapping[str, Any], sets: Sets, table: Table) -> Iterator[Any]:
    ((kind, body),) = right.items()
    if kind == "set":
        yield from _values(body, sets, table)
    elif kind == "elem":
        yield from _values(body.get("val"), sets, table)
    elif kind == "range":
        yield tuple(body)
    elif kind == "prefix":
        yield str(ipaddress.ip_network(f"{body['addr']}/{body['len']}", strict=False))
    else:
        yield None


def _range(value: Any) -> tuple[int, int]:
    if isinstance(value, tuple):
        return _port(value[0]), _port(value[1])
    return _port(value), _port(value)


def _port(value: Any) -> int:
    return value if isinstance(value, int) else _SERVICES[value] if value in _SERVICES else int(value)


def _elements(data: Any, sets: Sets, table: Table) -> list[tuple[Any, Any]]:
    if isinstance(data, str):
        named = sets[table[0], table[1], data.removeprefix("@")]
        return [(key, verdict) for key, verdict in named.get("elem", ())]
    return [(key, verdict) for key, verdict in data["set"]]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
