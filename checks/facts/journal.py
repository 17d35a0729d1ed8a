"""Facts about the journal of systemd: whether it survives a restart, and the errors of the last day."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import sections
from checks.questions import FailureKind, Shell, Unreadable

MOST = 2000  # lines of the journal that are counted


@dataclass(frozen=True, slots=True)
class JournalStorage(Fact):
    """Where systemd-journald keeps the journal: on disk, or in memory only (systemd-journald.service(8))."""

    question = Shell(
        "echo '@@ disk'; ls -d /var/log/journal/$(cat /etc/machine-id)/system.journal 2>/dev/null; "
        "echo '@@ memory'; ls -d /run/log/journal/$(cat /etc/machine-id) 2>/dev/null; true"
    )

    persistent: bool

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read where a journal is being written; on disk counts."""
        told = sections(answer.text())
        if not told["disk"] and not told["memory"]:
            raise Unreadable("there is no journal of systemd", FailureKind.NOT_INSTALLED)
        return cls(bool(told["disk"]))


@dataclass(frozen=True, slots=True)
class JournalErrors(Fact):
    """How many errors (priority 3 and worse) each program logged in the last 24 hours; no message text is asked for.

    journalctl(1) `--output-fields`; at most MOST lines are counted: `complete` is false when there were more.
    """

    question = Shell(
        f"journalctl -q --no-pager -p err --since -24h -n {MOST} -o json --output-fields=SYSLOG_IDENTIFIER", root=True
    )

    by_program: Mapping[str, int]
    complete: bool

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Count the JSON objects, one a line."""
        lines = answer.text().splitlines()
        counted = Counter(str(json.loads(line).get("SYSLOG_IDENTIFIER", "?")) for line in lines if line.strip())
        return cls(dict(counted.most_common()), len(lines) < MOST)

    @property
    def total(self) -> int:
        """All of them together."""
        return sum(self.by_program.values())
