"""What name servers answer, and how a host of the installation resolves names.

Data is compared in one shape: names in lower case without the last dot, addresses in their shortest form, the strings
of a TXT record joined.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from checks.core import Fact, FailureKind, Output, Unreadable
from checks.facts.sections import sections
from checks.formats import dns_message
from checks.questions import DnsQuery, Shell, quote

Type = Literal[
    "A", "AAAA", "CAA", "CNAME", "DNAME", "DNSKEY", "DS", "MX", "NS", "PTR", "SOA", "SRV", "SSHFP", "TLSA", "TXT"
]
HostType = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]
NOTHING = ("NOERROR", "NXDOMAIN")
"""Codes with which a server says for certain what there is, also when that is nothing."""

_STRINGS = re.compile(r'"((?:[^"\\]|\\.)*)"')


class _Record(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def type(self) -> Type: ...

    @property
    def ptr(self) -> bool | None: ...

    @property
    def wanted(self) -> tuple[str, ...]: ...


class _Zone(Protocol):
    @property
    def name(self) -> str: ...


class _Recursion(Protocol):
    @property
    def name(self) -> str: ...


class _Lookup(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def type(self) -> HostType: ...


def normal(type_: str, data: str) -> str:
    """Give a record's data in the shape in which it is compared."""
    words = " ".join(data.split())
    if type_ == "TXT":
        parts = _STRINGS.findall(data) if data.strip().startswith('"') else [data]
        return "".join(re.sub(r"\\(.)", r"\1", p) for p in parts)
    if type_ in ("A", "AAAA"):
        try:
            return str(ipaddress.ip_address(words))
        except ValueError:
            return words
    return " ".join(w.rstrip(".") or "." for w in words.lower().split())


def name_of(name: str) -> str:
    """Give a name in the shape in which it is compared; a space in it (a site's name) as zone files write it."""
    return name.strip().rstrip(".").lower().replace(" ", "\\032")


def reverse_of(address: str) -> str:
    """Give the name under which an address's pointer stands (RFC 1035 3.5, RFC 3596 2.5); other names as they are."""
    try:
        return ipaddress.ip_address(address).reverse_pointer
    except ValueError:
        return name_of(address)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a name server. `records`: (owner, type, ttl, data), compared shape."""

    rcode: str
    flags: tuple[str, ...]
    records: tuple[tuple[str, str, int, str], ...]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read the answer of a DnsQuery."""
        records = tuple(
            (name_of(r["name"]), str(r["type"]), int(r["ttl"]), normal(r["type"], r["data"])) for r in answer["answers"]
        )
        return cls(str(answer["rcode"]), tuple(answer["flags"]), records)

    @property
    def authoritative(self) -> bool:
        """Whether the server speaks for the zone itself."""
        return "AA" in self.flags

    def of_type(self, name: str, type_: str) -> tuple[tuple[int, str], ...]:
        """Give (ttl, data) of the records of a type that belong to a name, over aliases (CNAME)."""
        owner = name_of(name)
        for _ in range(len(self.records) + 1):
            alias = next((d for o, t, _, d in self.records if o == owner and t == "CNAME"), None)
            if alias is None or type_ == "CNAME":
                break
            owner = alias
        return tuple((ttl, data) for o, t, ttl, data in self.records if o == owner and t == type_)

    def data(self, name: str, type_: str) -> tuple[str, ...]:
        """Give the data of the records of a type that belong to a name, over aliases, sorted."""
        return tuple(sorted({data for _, data in self.of_type(name, type_)}))


@dataclass(frozen=True, slots=True)
class Answered(Fact):
    """What a server says of a record."""

    reply: Reply

    @classmethod
    def ask(cls, want: _Record) -> DnsQuery:
        """Ask for the requirement's record."""
        return DnsQuery(reverse_of(want.name) if want.type == "PTR" else name_of(want.name), want.type)

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Read the answer."""
        return cls(Reply.of(answer))


@dataclass(frozen=True, slots=True)
class Pointers(Fact):
    """What a server says of the pointers of a record's addresses, in the order of the requirement."""

    replies: tuple[Reply, ...]

    @classmethod
    def ask(cls, want: _Record) -> tuple[DnsQuery, ...]:
        """Ask for the pointer of each address of the requirement."""
        return tuple(DnsQuery(reverse_of(address), "PTR") for address in want.wanted)

    @classmethod
    def read(cls, *answers: Mapping[str, Any]) -> Self:
        """Read the answers."""
        return cls(tuple(Reply.of(a) for a in answers))


@dataclass(frozen=True, slots=True)
class ZoneServed(Fact):
    """What a server says of a zone: its start of authority and its name servers."""

    authority: Reply
    servers: Reply

    @classmethod
    def ask(cls, want: _Zone) -> tuple[DnsQuery, DnsQuery]:
        """Ask without recursion: the server must know it by itself."""
        name = name_of(want.name)
        return DnsQuery(name, "SOA", recursion=False), DnsQuery(name, "NS", recursion=False)

    @classmethod
    def read(cls, *answers: Mapping[str, Any]) -> Self:
        """Read both answers."""
        authority, servers = answers
        return cls(Reply.of(authority), Reply.of(servers))

    def soa(self, zone: str) -> tuple[str, int] | None:
        """Give the primary server and the serial number of a zone that this server serves itself; else None."""
        data = self.authority.data(zone, "SOA")
        if not data or not self.authority.authoritative:
            return None
        words = data[0].split()
        return words[0], int(words[2])


@dataclass(frozen=True, slots=True)
class Transfer(Fact):
    """Whether a server gives a whole zone to the auditor."""

    reply: Reply

    @classmethod
    def ask(cls, want: _Zone) -> DnsQuery:
        """Ask for the requirement's zone."""
        return DnsQuery(name_of(want.name), "AXFR")

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Read the answer."""
        return cls(Reply.of(answer))


@dataclass(frozen=True, slots=True)
class Recursed(Fact):
    """What a server does with a name that is not its own."""

    reply: Reply

    @classmethod
    def ask(cls, want: _Recursion) -> DnsQuery:
        """Ask for the address of the requirement's name."""
        return DnsQuery(name_of(want.name), "A", timeout=6)

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Read the answer."""
        return cls(Reply.of(answer))


# -- how a host resolves ----------------------------------------------------------------------------------------------

_TOLD = ("0", "2", "124", "143")  # found, not found (getent(1)), and nothing within the time that a person would wait
_GETENT = {"A": "ahostsv4", "AAAA": "ahostsv6", "PTR": "hosts"}
_PYTHON_UDP = (
    "import socket,sys,base64\n"
    "s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.settimeout(3); s.connect((sys.argv[1],53)); s.send(base64.b64decode(sys.argv[2]))\n"
    "sys.stdout.buffer.write(s.recv(4096))"
)
# The host's own way first (files, mDNS, DNS: nsswitch.conf). When that finds nothing, or does not know the type, the
# name servers of resolv.conf are asked a query that was made here; `dd` sends it in one piece, and reads one datagram.
_LOOKUP = """name={name}; there() {{ command -v "$1" >/dev/null 2>&1; }}
for database in {databases}; do
  there getent || break
  echo "@@ $database"
  if there timeout; then timeout 8 getent "$database" "$name" </dev/null; else getent "$database" "$name"; fi
  status=$?
  echo "@@ status"; echo "$status"
  case $status in 0|124|143) exit 0;; esac
done
ask() {{
  if there bash && there timeout; then
    timeout 3 bash -c 'exec 3<>"/dev/udp/$0/53" || exit
    printf "$1" | dd obs=4096 >&3 2>/dev/null; dd bs=4096 count=1 <&3 2>/dev/null' "$1" {octal} 2>/dev/null </dev/null
  elif there python3; then
    python3 -c {python} "$1" {base64} 2>/dev/null </dev/null
  fi
}}
there bash && there timeout || there python3 || {{ echo "@@ toolless"; exit 0; }}
for server in $(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf | head -n 3); do
  answer=$(ask "$server" | base64 | tr -d '\\n')
  [ -n "$answer" ] && {{ echo "@@ server"; echo "$server"; echo "@@ answer"; echo "$answer"; exit 0; }}
done
exit 0"""


@dataclass(frozen=True, slots=True)
class Resolved(Fact):
    """How a host resolves a name. `found`: by its own way (getent), None when that was not possible.

    `reply`: what the first of its name servers that answers says, None when none did or none was asked. `toolless`:
    nothing was there to ask them with.
    """

    found: tuple[str, ...] | None
    reply: dns_message.Message | None
    toolless: bool

    @classmethod
    def ask(cls, want: _Lookup) -> Shell:
        """Resolve the requirement's name on its host."""
        asked = want.name.strip()
        if want.type == "PTR":
            asked, wire = _address_of(asked), dns_message.query(reverse_of(asked), "PTR")
        else:
            wire = dns_message.query(asked, want.type)
        command = _LOOKUP.format(
            name=quote(asked),
            databases=_GETENT.get(want.type, ""),
            octal=quote("".join(f"\\{byte:03o}" for byte in wire)),
            python=quote(_PYTHON_UDP),
            base64=quote(base64.b64encode(wire).decode()),
        )
        return Shell(command, timeout=30, limit=64 * 1024)

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the sections that the script printed."""
        parts = sections(answer.text())
        found: tuple[str, ...] | None = None
        for database in _GETENT.values():
            if database in parts and parts.get("status", "").strip() in _TOLD:
                found = _getent(database, parts[database])
        reply = None
        if parts.get("answer"):
            reply = dns_message.parse(base64.b64decode(parts["answer"], validate=True))
            if reply.truncated:
                raise Unreadable("the answer does not fit in a datagram")
        return cls(found, reply, "toolless" in parts)

    def data(self, type_: str) -> tuple[str, ...]:
        """Give what the name resolves to, in compared shape; Unreadable when that cannot be told for certain."""
        if self.found:
            return self.found
        if self.reply is not None and self.reply.rcode in NOTHING:
            # By its own way it found nothing, whatever the name server says: that is how the host resolves. But a host
            # without IPv6 leaves AAAA records out (AI_ADDRCONFIG), which says nothing of the name.
            return () if self.found is not None and type_ != "AAAA" else self._of_type(type_)
        if self.reply is not None:
            raise Unreadable(f"its name server answers {self.reply.rcode}")
        if self.toolless:
            raise Unreadable("neither bash nor python3 is there to ask its name server with", FailureKind.NOT_INSTALLED)
        raise Unreadable("none of its name servers answers", FailureKind.TIMED_OUT)

    def _of_type(self, type_: str) -> tuple[str, ...]:
        answers = self.reply.answers if self.reply is not None else ()
        return tuple(sorted({normal(type_, r.data) for r in answers if r.type == type_}))


def _address_of(name: str) -> str:
    """Give the address of a pointer's name; what is none as it is."""
    words = name_of(name)
    try:
        if words.endswith(".in-addr.arpa"):
            return str(ipaddress.ip_address(".".join(reversed(words.removesuffix(".in-addr.arpa").split(".")))))
        if words.endswith(".ip6.arpa"):
            digits = "".join(reversed(words.removesuffix(".ip6.arpa").split(".")))
            return str(ipaddress.IPv6Address(int(digits, 16)))
    except ValueError:
        pass
    return words


def _getent(database: str, text: str) -> tuple[str, ...]:
    """Read getent(1): address and kind per line, or address and names."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if database == "hosts":
        names = {name_of(n) for row in rows for n in row[1:]}
        return tuple(sorted({n for n in names if "." in n} or names))  # without the short names of /etc/hosts
    addresses: Iterable[str] = {row[0].partition("%")[0] for row in rows}
    if database == "ahostsv6":
        addresses = {a for a in addresses if not a.startswith("::ffff:")}  # IPv4 in disguise
    return tuple(sorted(normal("A", a) for a in addresses))
