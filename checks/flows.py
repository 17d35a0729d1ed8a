"""Paths through the network: ports as the auditor sees them, and what a host of the installation can reach.

Half of a good network is what must not work. That a path is closed is only said when somebody there answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from checks.core import Expectation, FailureKind, Outcome, Scope, check, failed, kind, passed, unknown
from checks.facts.flows import MOST_PORTS, Paths, PortSeen, State, ports_of

_LAST_PORT = 65_535


@kind("ports", Scope.HOST)
class Port(Expectation):
    """A TCP port of this host, as the auditor sees it."""

    port: int
    """Number of the TCP port."""
    state: Literal["open", "closed"] = "open"
    """Whether it must accept connections; closed: refused, or filtered by a firewall."""

    def __post_init__(self) -> None:
        _check_port(self.port)

    def leaves_out(self, check_id: str) -> bool:
        """Leave out the check of the other state."""
        return check_id == f"flows.port_is_{'closed' if self.state == 'open' else 'open'}"

    @property
    def subject(self) -> str:
        """The port."""
        return f"{self.port}/tcp"


@kind("reaches", Scope.HOST)
class Flow(Expectation):
    """What this host can reach, or must not reach; it is tried from the host itself."""

    to: str
    """Name or address of the other side."""
    port: int | tuple[int, ...] | None = None
    """TCP port or list of ports; for `dns` the UDP port of the name server (default 53)."""
    protocol: Literal["tcp", "icmp", "dns"] = "tcp"
    """How to try: a TCP connection, a ping, or a DNS query over UDP."""
    allowed: bool = True
    """Whether it must be reached; false: it must not."""

    def __post_init__(self) -> None:
        several = self.port if isinstance(self.port, tuple) else () if self.port is None else (self.port,)
        for port in several:
            _check_port(port)
        if self.protocol == "tcp" and not several:
            raise ValueError("give a `port`, or `protocol: icmp`")
        if self.protocol == "icmp" and several:
            raise ValueError("icmp has no ports")
        if len(several) > (MOST_PORTS if self.protocol == "tcp" else 1):
            raise ValueError(f"at most {MOST_PORTS} ports, and one for dns")
        if "{{" in self.to:
            return  # not expanded yet
        if not self.to or self.to.startswith("-") or any(c.isspace() for c in self.to):
            raise ValueError(f"to: '{self.to}' is neither a name nor an address")

    def leaves_out(self, check_id: str) -> bool:
        """Leave out the check of the opposite."""
        return check_id == ("flows.refused_path_is_closed" if self.allowed else "flows.allowed_path_is_open")

    @property
    def subject(self) -> str:
        """The other side, its ports and the protocol."""
        ports = ",".join(str(p) for p in ports_of(self))
        return f"{self.to}:{ports}/{self.protocol}" if ports else f"{self.to} {self.protocol}"


def _check_port(port: int) -> None:
    if not 0 < port <= _LAST_PORT:
        raise ValueError(f"{port} is not a port (1 to {_LAST_PORT})")


@check
def port_is_open(seen: PortSeen, want: Port) -> Outcome:  # noqa: ARG001 - the port is in the question
    """Whether the port that must be open accepts a connection."""
    return _judged(seen.state, expected=True)


@check
def port_is_closed(seen: PortSeen, want: Port) -> Outcome:  # noqa: ARG001
    """Whether the port that must be closed is. Silence of a host that answers nowhere says nothing: then unknown."""
    if seen.state == "filtered" and seen.alive is False:
        words = "the host does not answer on any port that was tried"
        return unknown(FailureKind.UNREACHABLE, words, expected={"open": False})
    return _judged(seen.state, expected=False)


def _judged(state: State, *, expected: bool, subject: str | None = None) -> Outcome:
    """Compare whether it is open; how it is closed (refused, filtered) goes along as the note."""
    is_open = state == "open"
    outcome = passed if is_open == expected else failed
    return outcome({"open": is_open}, {"open": expected}, subject=subject, note=None if is_open else state)


def _subject(want: Flow, port: int) -> str:
    return f"{want.to}:{port}/{want.protocol}" if port else f"{want.to} {want.protocol}"


@check
def allowed_path_is_open(paths: Paths, want: Flow) -> Iterator[Outcome]:
    """Whether the host reaches what it must reach: one finding for each port."""
    for port in ports_of(want) or (0,):
        yield _judged(paths.states[port], expected=True, subject=_subject(want, port))


@check
def refused_path_is_closed(paths: Paths, want: Flow) -> Iterator[Outcome]:
    """Whether the host does not reach what it must not reach: one finding for each port."""
    for port in ports_of(want) or (0,):
        yield _judged(paths.states[port], expected=False, subject=_subject(want, port))
