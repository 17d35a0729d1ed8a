"""Whatever a host or a name server says, reading it ends in a value or in a failure that the engine knows."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audits.evaluate import READ_ERRORS
from audits.transports import probe_tls
from checks.core import Fact, Output
from checks.facts.flows import Paths, PortSeen
from checks.facts.locator import GuidRecords, Locator
from checks.facts.resolvers import Answered, Resolved, Transfer, ZoneServed, normal, reverse_of
from checks.facts.web import Certificate, PageProtocols, PageShown
from checks.formats import dns_message, dns_record

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("status", "headers", "body", "state", "rcode", "flags", "answers", "name", "type", "ttl", "data", "at", "names",
        "not_before", "not_after", "accepts", "alpn", "dn", "attributes", "trusted")  # fmt: skip
SHAPED = st.dictionaries(st.sampled_from(KEYS), JSON) | st.lists(
    st.dictionaries(st.sampled_from(KEYS), JSON), max_size=3
)
FACTS: tuple[type[Fact], ...] = (
    Answered, Certificate, GuidRecords, Locator, PageProtocols, PageShown, PortSeen, Transfer, ZoneServed,
)  # fmt: skip
KNOWN = contextlib.suppress(*READ_ERRORS)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FACTS), st.lists(JSON | SHAPED, min_size=1, max_size=3))
def test_facts(fact: type[Fact], answers: list[Any]) -> None:
    with KNOWN:
        fact.read(*answers)


LINES = st.sampled_from(
    ["22 0", "22 124", "22 1 Connection refused", "PING x", "@@ ahostsv4", "@@ hosts", "@@ status", "0", "2",
     "@@ answer", "10.0.0.1 STREAM x", "QUJD", "@@ server", "@@ toolless", "usage:", "99999 1 x"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 255), st.lists(LINES | st.text(max_size=30), max_size=12), st.text(max_size=30))
def test_what_scripts_print(status: int, lines: list[str], stderr: str) -> None:
    output = Output(status, "\n".join(lines), stderr)
    with KNOWN:
        Paths.read(output)
    with KNOWN:
        Resolved.read(output).data("A")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_wires(raw: bytes, begins: bool) -> None:
    header = dns_message.IDENT.to_bytes(2, "big") + b"\x81\x80\0\1\0\3\0\0\0\0" if begins else b""
    with contextlib.suppress(ValueError):
        dns_message.parse(header + raw)
    with contextlib.suppress(ValueError):
        dns_record.parse(raw)
    with contextlib.suppress(ValueError):
        probe_tls.certificate(raw)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["A", "TXT", "SRV", "MX", "PTR"]), st.text(max_size=60))
def test_shapes_are_stable(type_: str, data: str) -> None:
    once = normal(type_, data)
    if type_ != "TXT":
        assert normal(type_, once) == once
    assert reverse_of(reverse_of(data)) == reverse_of(data)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.sampled_from(sorted(dns_message.TYPES)))
def test_queries(name: str, type_: str) -> None:
    with contextlib.suppress(ValueError):
        assert len(base64.b64encode(dns_message.query(name, type_))) < 500
