"""Helpers for reading what a shell printed: sections, key=value blocks, times, and programs that are not there.

A question that runs several commands prints a line `@@ name` before each; `sections` takes them apart again.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from checks.core import Output
from checks.questions import Unreadable

_MARK = re.compile(r"^@@ ([a-z0-9_]+)$", re.MULTILINE)
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? UTC")
COMMAND_NOT_FOUND = 127  # POSIX


def sections(text: str) -> dict[str, str]:
    """Split text at its `@@ name` lines; what stands before the first is dropped, the first of a name counts."""
    parts = _MARK.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        found.setdefault(name, body.strip("\n"))
    return found


def key_values(text: str) -> dict[str, str]:
    """Read `KEY=value` lines (systemctl show, os-release), quotes around the value taken off; other lines dropped."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip():
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            found[key.strip()] = value[1:-1] if quoted else value
    return found


def blocks(text: str) -> Iterator[dict[str, str]]:
    """Read blocks of `KEY=value` lines with empty lines between them. A key that stands twice: the values, in lines."""
    for block in re.split(r"\n[ \t]*\n", text):
        found: dict[str, str] = {}
        for line in block.splitlines():
            key, equals, value = line.partition("=")
            if equals:
                found[key] = f"{found[key]}\n{value}" if key in found else value
        if found:
            yield found


def is_missing(output: Output) -> bool:
    """Tell whether the program that was asked for is not installed."""
    return output.status == COMMAND_NOT_FOUND


def epoch(text: str) -> float | None:
    """Read a time as systemd prints it with TZ=UTC (`Fri 2025-01-03 02:00:11 UTC`): seconds; None for no time."""
    match = _STAMP.search(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(n) for n in match.groups())
    return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC).timestamp()


def now(text: str) -> float:
    """Read the output of `date +%s`."""
    seconds = text.strip()
    if not re.fullmatch(r"\d{9,11}", seconds):
        raise Unreadable("the host does not tell its time")
    return float(seconds)


def first_line(text: str) -> str:
    """Give the first line that holds something, without white space around it; empty when there is none."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
