"""repsFrom: from whom a controller replicates a partition, and how that went (an attribute of the partition's head).

The value is a replica link as the directory service stores it (MS-DRSR 5.170 REPS_FROM tells its fields; the layout is
that of `repsFromTo1` and `repsFromTo2` in Samba's librpc/idl/drsblobs.idl, which Windows shares). It is not replicated,
so each controller tells of itself, and ordinary accounts may read it, which the replication calls over RPC refuse them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from checks.formats import sid
from checks.questions import Unreadable

_HEAD = struct.Struct("<IIIIQQI")  # version, reserved, size, failures, last success, last attempt, last result
_SOURCE = 160  # offset of the GUID of the source's directory service (NTDS Settings)
_LEAST = _SOURCE + 16
_EPOCH = 11_644_473_600  # seconds from 1601 to 1970; times are whole seconds since 1601, 0 for never
_LATEST = 1 << 40


@dataclass(frozen=True, slots=True)
class Link:
    """An inbound link. Times in seconds since 1970, None: never; `result`: Win32 error of the last attempt, 0: well."""

    source: str  # objectGUID of the source's NTDS Settings
    failures: int  # attempts in a row that failed
    success: float | None
    attempt: float | None
    result: int


def parse(raw: bytes) -> Link:
    """Read one value; Unreadable when it is cut off or of another version."""
    if len(raw) < _LEAST:
        raise Unreadable("a replica link is cut off")
    version, _, size, failures, success, attempt, result = _HEAD.unpack_from(raw)
    if version not in (1, 2) or not _LEAST <= size <= len(raw):
        raise Unreadable(f"a replica link of version {version} and {size} bytes")
    return Link(sid.guid_text(raw, _SOURCE), failures, _time(success), _time(attempt), result)


def _time(seconds: int) -> float | None:
    if seconds > _LATEST:
        raise Unreadable("a replica link tells no time")
    return float(seconds - _EPOCH) if seconds else None
