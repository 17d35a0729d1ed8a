"""DNS messages on the wire (RFC 1035): a query to send from a host, and the answer it got, for hosts without `dig`.

Only what the checks look at: the response code and the answers. Names come in lower case without the last dot. What
does not fit raises ValueError; compression pointers only lead backwards, so nothing loops.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_NAMES = {number: name for name, number in TYPES.items()}
_RD, _TC, _QR = 0x0100, 0x0200, 0x8000
_EDNS = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)  # OPT, UDP payload size (RFC 6891)
_LONGEST_LABEL, _LONGEST_NAME = 63, 255
IDENT = 0x4B65


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an answer; data as in a zone file."""

    name: str
    type: str
    ttl: int
    data: str


@dataclass(frozen=True, slots=True)
class Message:
    """An answer."""

    rcode: str
    truncated: bool
    answers: tuple[Record, ...]


def query(name: str, type_: str) -> bytes:
    """Make a query that asks for recursion; ValueError for what is no name, KeyError for another type."""
    header = struct.pack("!6H", IDENT, _RD, 1, 0, 0, 1)
    return header + _wire_name(name) + struct.pack("!HH", TYPES[type_], 1) + _EDNS


def _wire_name(name: str) -> bytes:
    wire = b""
    for label in name.rstrip(".").split(".") if name.rstrip(".") else ():
        encoded = label.encode("ascii") if label.isascii() else label.encode("idna")
        if not 0 < len(encoded) <= _LONGEST_LABEL:
            raise ValueError(f"{name} is not a DNS name")
        wire += bytes([len(encoded)]) + encoded
    if len(wire) >= _LONGEST_NAME:
        raise ValueError(f"{name} is too long for a DNS name")
    return wire + b"\0"


def parse(wire: bytes) -> Message:
    """Read an answer to `query`."""
    reader = _Reader(wire)
    ident, flags, questions, answers, _, _ = reader.unpack("!6H")
    if ident != IDENT or not flags & _QR or questions > 1:
        raise ValueError("this is no answer to the question")
    for _ in range(questions):
        reader.name()
        reader.unpack("!HH")
    found = [record for _ in range(answers) if (record := reader.record())]
    rcode = flags & 0xF
    return Message(RCODES.get(rcode, f"RCODE{rcode}"), bool(flags & _TC), tuple(found))


class _Reader:
    """Reads a message from its beginning on; ValueError at its end."""

    def __init__(self, wire: bytes) -> None:
        self.wire, self.at = wire, 0

    def unpack(self, layout: str) -> tuple[int, ...]:
        size = struct.calcsize(layout)
        return struct.unpack(layout, self.take(size))

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.wire):
            raise ValueError("the message ends early")
        self.at += size
        return self.wire[self.at - size : self.at]

    def name(self) -> str:
        name, self.at = _name_at(self.wire, self.at)
        return name

    def record(self) -> Record | None:
        """Read a record; None for a type that we do not know."""
        name = self.name()
        number, _, ttl, size = self.unpack("!HHIH")
        end = self.at + size
        if end > len(self.wire):
            raise ValueError("the message ends early")
        type_ = _NAMES.get(number)
        data = self._data(type_, size) if type_ else ""
        self.at = end
        return Record(name, type_, ttl, data) if type_ else None

    def _data(self, type_: str, size: int) -> str:
        if type_ in ("A", "AAAA"):
            return str(ipaddress.ip_address(self.take(4 if type_ == "A" else 16)))
        if type_ == "TXT":
            return _texts(self.take(size))
        numbers = {"MX": "!H", "SRV": "!HHH"}.get(type_)
        parts = [str(n) for n in self.unpack(numbers)] if numbers else []
        parts.append(self.name())
        if type_ == "SOA":
            parts += [self.name(), *(str(n) for n in self.unpack("!5I"))]
        return " ".join(parts)


def _name_at(wire: bytes, at: int) -> tuple[str, int]:
    """Give the name that begins at a place, and where it ends there; each pointer must lead to an earlier place."""
    labels: list[str] = []
    end: int | None = None
    limit = len(wire)
    size = 0
    while True:
        if at >= limit:
            raise ValueError("a name ends early, or leads forward")
        length = wire[at]
        if length & 0xC0 == 0xC0:  # noqa: PLR2004 - RFC 1035 4.1.4: a pointer
            if at + 1 >= len(wire):
                raise ValueError("a name ends early")
            end = at + 2 if end is None else end
            limit = at
            at = (length & 0x3F) << 8 | wire[at + 1]
        elif length > _LONGEST_LABEL:
            raise ValueError("a label is too long")
        elif length:
            label = wire[at + 1 : at + 1 + length]
            size += length + 1
            if len(label) < length or size > _LONGEST_NAME:
                raise ValueError("a name is too long")
            labels.append("".join(chr(c) if 0x20 < c < 0x7F else f"\\{c:03}" for c in label).lower())  # noqa: PLR2004
            at += length + 1
        else:
            return ".".join(labels) or ".", at + 1 if end is None else end


def _texts(raw: bytes) -> str:
    """Give character strings, each in quotes."""
    texts: list[str] = []
    while raw:
        part, raw = raw[1 : 1 + raw[0]], raw[1 + raw[0] :]
        texts.append('"' + part.decode("utf-8", "replace").replace("\\", "\\\\").replace('"', '\\"') + '"')
    return " ".join(texts)
