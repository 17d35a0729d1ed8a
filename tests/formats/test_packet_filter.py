"""What a packet filter does with a new connection; rules that jump in circles and rubbish are refused."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.formats.iptables import generated_by_legacy, read_iptables
from checks.formats.nftables import read_nftables
from checks.formats.packet_filter import (
    OTHER,
    Chain,
    Condition,
    Packet,
    PacketFilter,
    Rule,
    ports,
)

SSH = Packet("tcp", 22)


def _input(*rules: Rule, policy: str = "drop", family: str = "inet", table: str = "t") -> Chain:
    return Chain(family, table, "input", rules, "input", "filter", policy)


def _chain(name: str, *rules: Rule) -> Chain:
    return Chain("inet", "t", name, rules)


def _said(*chains: Chain, packet: Packet = SSH) -> set[str]:
    return set(PacketFilter(chains).verdicts(packet))


TCP22 = (Condition("protocol", frozenset({"tcp"})), ports([(22, 22)]))


def test_without_a_chain_everything_is_accepted() -> None:
    assert _said() == {"accept"}
    assert _said(Chain("inet", "t", "forward", (), "forward", "filter", "drop")) == {"accept"}
    assert _said(_input(policy="drop", family="ip6")) == {"accept"}


def test_every_chain_of_the_hook_must_accept() -> None:
    open_ = _input(policy="accept")
    assert _said(open_, _input(policy="drop", table="u")) == {"drop"}
    assert _said(open_, _input(Rule((OTHER,), "drop"), policy="accept", table="u")) == {"accept", "drop"}


@pytest.mark.parametrize(
    ("conditions", "verdict"),
    [
        (TCP22, {"accept"}),
        ((*TCP22, OTHER), {"accept", "drop"}),
        ((Condition("protocol", frozenset({"udp"})),), {"drop"}),
        ((Condition("state", frozenset({"established", "related"})),), {"drop"}),
        ((Condition("state", frozenset({"invalid"}), negated=True),), {"accept"}),
        ((Condition("in", frozenset({"lo"})),), {"drop"}),
        ((Condition("in", frozenset({"eth0"})),), {"accept", "drop"}),
        ((Condition("source", frozenset({"0.0.0.0/0"})),), {"accept"}),
        ((Condition("source", frozenset({"192.0.2.0/24"})),), {"accept", "drop"}),
        ((Condition("family", frozenset({"6"})),), {"drop"}),
        ((Condition("never"),), {"drop"}),
    ],
)
def test_conditions(conditions: tuple[Condition, ...], verdict: set[str]) -> None:
    assert _said(_input(Rule(conditions, "accept"))) == verdict


def test_jumps_return_and_gotos_do_not() -> None:
    accept, back = Rule((), "accept"), Rule((), "return")
    assert _said(_input(Rule((), "jump", "a"), accept), _chain("a", back, Rule((), "drop"))) == {"accept"}
    assert _said(_input(Rule((), "goto", "a"), accept), _chain("a", back)) == {"drop"}  # the policy
    assert _said(_input(Rule((), "jump", "a"), Rule((), "drop")), _chain("a", accept)) == {"accept"}
    assert _said(_input(Rule((OTHER,), "jump", "a")), _chain("a", accept)) == {"accept", "drop"}
    assert _said(_input(Rule((), "jump", "gone"), accept)) == {"accept"}


def test_circles_are_refused() -> None:
    with pytest.raises(ValueError, match="jumps to itself"):
        _said(_input(Rule((), "jump", "a")), _chain("a", Rule((), "jump", "b")), _chain("b", Rule((), "jump", "a")))


def test_many_jumps_take_no_time() -> None:
    """Each chain jumps twice to the next: 2^40 ways, 40 chains."""
    chains = [_chain(f"c{i}", Rule((), "jump", f"c{i + 1}"), Rule((), "jump", f"c{i + 1}")) for i in range(40)]
    start = time.monotonic()
    assert _said(_input(Rule((), "jump", "c0")), *chains) == {"drop"}
    assert time.monotonic() - start < 1


def test_openings_are_joined() -> None:
    rules = [Rule((TCP22[0], ports([r])), "accept") for r in ((80, 80), (81, 90), (443, 443))]
    limited = Rule((TCP22[0], ports([(5432, 5432)]), OTHER), "accept")
    found = PacketFilter((_input(*rules, limited),)).openings("tcp", 4)
    assert [(str(o), o.limited) for o in found] == [("tcp/80-90", False), ("tcp/443", False), ("tcp/5432", True)]
    assert PacketFilter((_input(policy="accept"),)).openings("udp", 6)[0].high == 65_535


def test_too_many_ports_are_refused() -> None:
    rule = Rule((ports((p, p) for p in range(1, 60_000, 7)),), "accept")
    with pytest.raises(ValueError, match="more than"):
        PacketFilter((_input(rule),)).openings("tcp", 4)


def _nft(*objects: dict[str, Any]) -> str:
    return json.dumps({"nftables": [{"metainfo": {}}, *objects]})


TABLE = {"table": {"family": "inet", "name": "t"}}
INPUT = {
    "chain": {
        "family": "inet", "table": "t", "name": "i", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"
    }
}  # fmt: skip


def _rule(*expressions: dict[str, Any]) -> dict[str, Any]:
    return {"rule": {"family": "inet", "table": "t", "chain": "i", "expr": list(expressions)}}


def _dport(right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": right}}


@pytest.mark.parametrize(
    ("right", "op", "verdict"),
    [
        (22, "==", {"accept"}),
        ("ssh", "==", {"accept"}),
        ({"range": [20, 30]}, "==", {"accept"}),
        ({"set": [80, {"range": [20, 30]}]}, "==", {"accept"}),
        ({"set": [80, {"elem": {"val": 22, "comment": "x"}}]}, "==", {"accept"}),
        (22, "!=", {"drop"}),
        ("@web", "==", {"accept"}),
        ("@empty", "==", {"drop"}),
        ("@changing", "==", {"accept", "drop"}),
        ("@gone", "==", {"accept", "drop"}),
        (1024, ">", {"accept", "drop"}),
        ({"map": {}}, "==", {"accept", "drop"}),
    ],
)
def test_ports_of_nftables(right: Any, op: str, verdict: set[str]) -> None:
    sets: list[dict[str, Any]] = [
        {"set": {"family": "inet", "table": "t", "name": "web", "elem": [22, 80]}},
        {"set": {"family": "inet", "table": "t", "name": "empty"}},
        {"set": {"family": "inet", "table": "t", "name": "changing", "flags": ["dynamic"], "elem": [80]}},
    ]
    text = _nft(TABLE, *sets, INPUT, _rule(_dport(right, op), {"counter": {}}, {"accept": None}))
    assert _said(*read_nftables(text)) == verdict


def test_a_dormant_table_filters_nothing() -> None:
    sleeping = {"table": {"family": "inet", "name": "t", "flags": ["dormant"]}}
    assert _said(*read_nftables(_nft(sleeping, INPUT))) == {"accept"}


def test_a_named_verdict_map() -> None:
    named = {
        "map": {"family": "inet", "table": "t", "name": "m", "elem": [[22, {"accept": None}], [23, {"drop": None}]]}
    }
    key = {"payload": {"protocol": "tcp", "field": "dport"}}
    text = _nft(TABLE, named, INPUT, _rule({"vmap": {"key": key, "data": "@m"}}))
    assert _said(*read_nftables(text)) == {"accept"}
    assert _said(*read_nftables(text), packet=Packet("tcp", 23)) == {"drop"}


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("-p tcp -m tcp --dport 22 -j ACCEPT", {"accept"}),
        ("-p tcp -m tcp --dport 20:30 -j ACCEPT", {"accept"}),
        ("-p tcp -m tcp ! --dport 22 -j ACCEPT", {"drop"}),
        ("! -i lo -p tcp -j ACCEPT", {"accept"}),
        ("-i eth+ -j ACCEPT", {"accept", "drop"}),
        ("-m addrtype --dst-type LOCAL -j ACCEPT", {"accept"}),
        ("-m addrtype --dst-type BROADCAST -j ACCEPT", {"drop"}),
        ("-d 224.0.0.251/32 -j ACCEPT", {"drop"}),
        ("-p tcp -m recent --rcheck --seconds 60 -j ACCEPT", {"accept", "drop"}),
        ('-m conntrack --ctstate NEW -j LOG --log-prefix "a -j ACCEPT"', {"drop"}),
        ("-p tcp -g safe", {"accept"}),
    ],
)
def test_iptables(line: str, verdict: set[str]) -> None:
    text = f"*filter\n:INPUT DROP [0:0]\n:safe - [0:0]\n-A INPUT {line}\n-A safe -j ACCEPT\nCOMMIT\n"
    assert _said(*read_iptables(text, "ip")) == verdict
    assert not generated_by_legacy(text)
    assert generated_by_legacy("# Generated by iptables-save v1.8.9 (legacy) on …\n")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["tcp", "dport", "@a", "input", "accept", "drop"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["rule", "chain", "set", "match", "left", "right", "op", "expr", "payload", "jump", "vmap"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(VALUES, max_size=6))
def test_rubbish_is_refused_or_read(objects: list[Any]) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # the engine makes unknown of them
        PacketFilter(read_nftables(json.dumps({"nftables": objects}))).openings("tcp", 4)


@given(st.text("-AIpjm!: *\n\"'INPUTCEDRO0129.,/", max_size=200))
def test_rubbish_of_iptables_is_refused_or_read(text: str) -> None:
    with contextlib.suppress(ValueError, KeyError, IndexError):
        PacketFilter(read_iptables("*filter\n" + text, "ip")).openings("tcp", 4)
