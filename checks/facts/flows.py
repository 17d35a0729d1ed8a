"""Which paths through the network are open, seen from the auditor and from a host of the installation.

From a host a constant script knocks, with what is there: bash and timeout, else python3, else nc. What it prints is one
line per port: the port, the exit status, and the tool's own words (English: the transport sets LC_ALL=C).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from checks.core import Fact, FailureKind, Output, Unreadable
from checks.questions import Shell, TcpProbe, quote

State = Literal["open", "refused", "filtered"]
WAIT, WAIT_REFUSED = 4, 2  # seconds for what must answer, and for what must not; ports are tried at the same time
MOST_PORTS = 64

_PYTHON_TCP = (
    "import socket,sys\n"
    "try: socket.create_connection((sys.argv[1],int(sys.argv[2])),float(sys.argv[3])).close()\n"
    "except Exception as e: sys.exit(str(e))"
)
_TCP = """set -f; to={to}; seconds={wait}
knock() {{
  case $tool in
    bash) said=$(timeout "$seconds" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$to" "$1" 2>&1 </dev/null);;
    python3) said=$(python3 -c {python} "$to" "$1" "$seconds" 2>&1 </dev/null);;
    nc) said=$(nc -v -z -w "$seconds" "$to" "$1" 2>&1 >/dev/null </dev/null);;
  esac
  status=$?
  case $said in *sage:*)  # the nc of busybox knows no -z: when it must be stopped, it was connected
    said=$(timeout "$((seconds + 3))" nc -w "$seconds" "$to" "$1" 2>&1 >/dev/null </dev/null)
    status=$?; case $status in 124|143) status=0;; esac;;
  esac
  echo "$1 $status" $said
}}
there() {{ command -v "$1" >/dev/null 2>&1; }}
if there bash && there timeout; then tool=bash; elif there python3; then tool=python3; else tool=nc; fi
there "$tool" || exit 127
for port in {ports}; do knock "$port" & done
wait"""
_ICMP = "command -v ping >/dev/null 2>&1 || exit 127; ping -n -c 2 -W {wait} {to} 2>&1 </dev/null"
# A query for the root's name servers: any name server answers it, if only to refuse. Its id is the text "Ke".
_DNS = r"""set -f; to={to}; port={port}
command -v bash >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1 || exit 127
said=$(timeout {wait} bash -c 'exec 3<>"/dev/udp/$0/$1" || exit 3
printf "Ke\1\0\0\1\0\0\0\0\0\0\0\0\2\0\1" >&3; dd bs=2 count=1 2>&1 <&3' "$to" "$port" 2>&1 </dev/null)
case $said in Ke*) echo "$port 0";; *) echo "$port 1" $said;; esac"""


class _Flow(Protocol):
    @property
    def to(self) -> str: ...

    @property
    def port(self) -> int | tuple[int, ...] | None: ...

    @property
    def protocol(self) -> str: ...

    @property
    def allowed(self) -> bool: ...


class _Port(Protocol):
    @property
    def port(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PortSeen(Fact):
    """How a port of the host answers the auditor. `alive`: whether the host answers at all."""

    state: State
    alive: bool | None

    @classmethod
    def ask(cls, want: _Port) -> TcpProbe:
        """Knock at the requirement's port."""
        return TcpProbe(want.port)

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Read what the probe saw."""
        return cls(answer["state"], answer.get("alive"))


def ports_of(want: _Flow) -> tuple[int, ...]:
    """Give the ports of a path; none for ICMP."""
    if want.protocol == "icmp":
        return ()
    if want.port is None:
        return (53,)
    return want.port if isinstance(want.port, tuple) else (want.port,)


@dataclass(frozen=True, slots=True)
class Paths(Fact):
    """How another place answers this host, by port; by 0 for ICMP."""

    states: Mapping[int, State]

    @classmethod
    def ask(cls, want: _Flow) -> Shell:
        """Knock from the requirement's host."""
        to, wait = quote(want.to), WAIT if want.allowed else WAIT_REFUSED
        if want.protocol == "icmp":
            return Shell(_ICMP.format(to=to, wait=wait), timeout=20, limit=16_384, patient=True)
        ports = ports_of(want)
        if want.protocol == "dns":
            return Shell(_DNS.format(to=to, port=int(ports[0]), wait=wait), timeout=15, limit=16_384, patient=True)
        listed = " ".join(str(int(port)) for port in ports)
        command = _TCP.format(to=to, wait=wait, ports=listed, python=quote(_PYTHON_TCP))
        return Shell(command, timeout=20, limit=32 * 1024, patient=True)

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read what the script, or ping, printed."""
        if answer.status == 127:  # noqa: PLR2004 - POSIX: command not found
            raise Unreadable("neither bash, python3, nc nor ping is there to knock with", FailureKind.NOT_INSTALLED)
        if answer.stdout.startswith("PING ") or not re.search(r"^\d+ \d+", answer.stdout, re.MULTILINE):
            return cls({0: _ping(answer)})
        states: dict[int, State] = {}
        for line in answer.stdout.splitlines():
            found = re.match(r"(\d{1,5}) (\d{1,3})(?: (.*))?$", line)
            if found:
                states[int(found[1])] = _state(int(found[2]), found[3] or "")
        return cls(states)


def _state(status: int, said: str) -> State:
    """Judge by the exit status and the tool's words. 124 and 143 are those of a `timeout` that ran out."""
    words = said.lower()
    if "usage:" in words or re.search(r"sh: .*not found", words):
        raise Unreadable(said[:200], FailureKind.NOT_INSTALLED)
    if "refused" in words or "reset by peer" in words:
        return "refused"
    if re.search(
        r"name or service|name resolution|no address|bad address|not known|unknown host|could not resolve|getaddrinfo",
        words,
    ):
        raise Unreadable(said[:200], FailureKind.NAME_NOT_FOUND)
    if re.search(
        r"timed out|ncat: timeout|no route|unreachable|prohibited|not permitted|permission denied|host is down", words
    ):
        return "filtered"
    if status == 0:
        return "open"
    if status in (124, 143) or not words:
        return "filtered"
    raise Unreadable(said[:200])


def _ping(answer: Output) -> State:
    words = (answer.stdout + answer.stderr).lower()
    if answer.status == 0:
        return "open"
    if re.search(r"name or service|name resolution|bad address|unknown host|not known", words):
        raise Unreadable(words.strip()[-200:], FailureKind.NAME_NOT_FOUND)
    if re.search(r"operation not permitted|permission denied|lacking privilege", words) and " 0 received" not in words:
        raise Unreadable(words.strip()[-200:], FailureKind.DENIED)
    if re.search(r"unreachable|100% packet loss| 0 (packets )?received|filtered|prohibited", words):
        return "filtered"
    raise Unreadable(words.strip()[-200:] or f"exit status {answer.status}")
