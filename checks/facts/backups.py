"""Facts about backups: the newest file below a path, the newest snapshot of restic, and where a path really lies."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Output
from checks.facts.sections import now
from checks.questions import Shell, quote

_FRACTION = re.compile(r"\.\d+")


@dataclass(frozen=True, slots=True)
class NewestFile(Fact):
    """The newest file below `want.path` that is not empty (find(1)). Times in seconds since 1970, size in bytes.

    `path` is empty when there is none. At most `want.depth` folders deep, so that a large store stays quick to search.
    """

    path: str
    modified: float
    size: int
    at: float

    @classmethod
    def ask(cls, want: Any) -> tuple[Shell, ...]:
        """Ask for all files as root, or let the host choose the newest itself."""
        find = f"find {quote(want.path)} -maxdepth {int(want.depth)} -type f -size +0c -printf '%T@ %s %p\\n'"
        clock = Shell("date +%s")
        if want.root:
            return Shell(find, root=True, timeout=30), clock
        newest = f'out=$({find} 2>&1) || {{ echo "$out" | tail -n 1 >&2; exit 1; }}; echo "$out" | sort -rn | head -n 1'
        return Shell(newest, timeout=30), clock

    @classmethod
    def read(cls, *answers: Output) -> Self:
        """Read the lines of find and take the newest."""
        found, clock = answers
        if found.status == 1 and "No such file or directory" in found.stderr:
            return cls("", 0.0, 0, now(clock.text()))
        newest = (0.0, 0, "")
        for line in found.text().splitlines():
            if line:
                modified, size, path = line.split(" ", 2)
                newest = max(newest, (float(modified), int(size), path))
        return cls(newest[2], newest[0], newest[1], now(clock.text()))


@dataclass(frozen=True, slots=True)
class ResticSnapshot(Fact):
    """The newest snapshot in a repository of restic (`snapshots --json`); without lock and cache nothing is written."""

    made: float | None
    host: str
    paths: tuple[str, ...]
    at: float

    @classmethod
    def ask(cls, want: Any) -> tuple[Shell, ...]:
        """Ask for the repository and password file of `want.restic`."""
        restic = want.restic
        command = (
            f"restic --no-lock --no-cache --json -r {quote(restic.repository)} "
            f"--password-file {quote(restic.password_file)} snapshots --latest 1"
        )
        return Shell(command, root=True, timeout=30), Shell("date +%s")

    @classmethod
    def read(cls, *answers: Output) -> Self:
        """Read the list of snapshots and take the newest; none at all is an answer too."""
        found, clock = answers
        made: list[tuple[float, Any]] = []
        for snapshot in json.loads(found.text()) or []:
            stamp = datetime.datetime.fromisoformat(_FRACTION.sub("", snapshot["time"]))
            made.append((stamp.timestamp(), snapshot))
        at = now(clock.text())
        if not made:
            return cls(None, "", (), at)
        when, newest = max(made, key=lambda pair: pair[0])
        return cls(when, newest.get("hostname", ""), tuple(newest.get("paths") or ()), at)
