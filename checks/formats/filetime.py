"""Times and durations of the directory: FILETIME, intervals, and generalized time.

A FILETIME (MS-DTYP 2.3.3) counts 100 ns since 1601-01-01 UTC; 0 and 0x7FFFFFFFFFFFFFFF mean never (MS-ADTS 2.2.16
and the attributes' own pages). Intervals such as maxPwdAge are negative counts of 100 ns; 0 and -2^63 mean never or
for ever, as the attribute says. Generalized time (X.680 46, MS-ADTS 3.1.1.3.1.1.1) is what whenChanged and
currentTime hold. Everything here becomes seconds: since 1970-01-01 UTC for times.
"""

from __future__ import annotations

import datetime
import re

from checks.questions import Unreadable

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
NEVER = (0, 0x7FFFFFFFFFFFFFFF)
_FOREVER = (0, -0x8000000000000000)
_TICKS = 10_000_000  # a second
_EPOCH = 11_644_473_600  # seconds from 1601 to 1970
_GENERALIZED = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,]\d{1,9})?Z", re.ASCII)
_LONGEST = 20  # digits and sign of a 64-bit number


def number(text: str) -> int:
    """Read a 64-bit number of an LDAP answer (MS-ADTS 3.1.1.2.2.2, LargeInteger); Unreadable when it is none."""
    if len(text) > _LONGEST or not re.fullmatch(r"-?[0-9]+", text):
        raise Unreadable(f"{text[:40]!r} is no number")
    return int(text)


def seconds(text: str) -> float | None:
    """Read a FILETIME: seconds since 1970, None for never."""
    ticks = number(text)
    return None if ticks in NEVER else ticks / _TICKS - _EPOCH


def interval(text: str) -> float | None:
    """Read an interval: seconds, None for never or for ever (0 and -2^63)."""
    ticks = number(text)
    return None if ticks in _FOREVER else abs(ticks) / _TICKS


def generalized(text: str) -> float:
    """Read a generalized time in UTC: seconds since 1970."""
    match = _GENERALIZED.fullmatch(text)
    if not match:
        raise Unreadable(f"{text[:40]!r} is no time")
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC).timestamp()
    except ValueError:
        raise Unreadable(f"{text[:40]!r} is no time") from None


def filetime(at: float) -> str:
    """Write a time, in seconds since 1970, as a FILETIME: the inverse of `seconds`."""
    return str(round((at + _EPOCH) * _TICKS))


def iso(at: float | None) -> str | None:
    """Give a time as people read it in evidence: 2025-11-24T02:30:00Z; None for never or out of range."""
    if at is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def days(now: float, then: float | None) -> int | None:
    """Give the whole days between two times, at least 0; None when it never was."""
    return None if then is None else max(0, int((now - then) // DAY))
