"""DNS records as the directory stores them: the attribute dnsRecord of a dnsNode (MS-DNSP 2.3.2.2, 2.2.2.2.4).

Numbers of the header are little-endian, those of the data big-endian. Names are counted: their length, how many
labels, then each label with its length (DNS_COUNT_NAME, 2.2.2.2.2).
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

TYPES = {0: "TOMBSTONE", 1: "A", 2: "NS", 5: "CNAME", 12: "PTR", 28: "AAAA", 33: "SRV"}
_HEADER = struct.Struct("<HHBBHI")
_HEADER_SIZE = 24


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record: its type, and its data as in a zone file (names in lower case, without the last dot)."""

    type: str
    data: str


def parse(raw: bytes) -> StoredRecord | None:
    """Read one value; None for a type that nobody asks for. ValueError when it is none."""
    if len(raw) < _HEADER_SIZE:
        raise ValueError("a dnsRecord ends early")
    size, number, *_ = _HEADER.unpack_from(raw)
    data = raw[_HEADER_SIZE : _HEADER_SIZE + size]
    if len(data) < size:
        raise ValueError("a dnsRecord ends early")
    type_ = TYPES.get(number)
    if type_ in ("A", "AAAA"):
        return StoredRecord(type_, str(ipaddress.ip_address(data)))
    if type_ in ("NS", "CNAME", "PTR"):
        return StoredRecord(type_, _name(data))
    if type_ == "SRV":
        if size < 6:  # noqa: PLR2004 - three numbers of two octets
            raise ValueError("a dnsRecord ends early")
        return StoredRecord(type_, " ".join([*(str(n) for n in struct.unpack_from(">HHH", data)), _name(data[6:])]))
    return None


def _name(data: bytes) -> str:
    if len(data) < 2:  # noqa: PLR2004 - both counts
        raise ValueError("a name ends early")
    labels: list[str] = []
    at = 2
    for _ in range(data[1]):
        if at >= len(data) or at + 1 + data[at] > len(data):
            raise ValueError("a name ends early")
        labels.append(data[at + 1 : at + 1 + data[at]].decode("utf-8", "replace").lower())
        at += 1 + data[at]
    return ".".join(labels)
