"""How a service of systemd ended the last time, by the journal: unlike systemd's own memory it outlives a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Output
from checks.questions import Shell, Unreadable, quote

FINISHED = "39f53479d3a045ac8e11786248231fbf"  # SD_MESSAGE_UNIT_STARTED: a oneshot service is started when it is done
FAILED = ("be02cf6855d2428ba40df7e9d022f03d", "d9b373ed55a64feb8242e02dbe79a49c")  # a job failed; a unit failed


@dataclass(frozen=True, slots=True)
class LastRun(Fact):
    """The newest end of a oneshot service that the journal knows: when (epoch), and whether it was a success.

    Read by message ids (systemd's catalogue, sd-messages.h), which do not depend on the language of the host. `at`
    None: the journal knows of none.
    """

    at: float | None
    success: bool

    @classmethod
    def ask(cls, want: Any) -> Shell:
        """Ask for the unit that the requirement names (`unit`, else `name`), or the service of that timer."""
        name = str(getattr(want, "unit", None) or want.name)
        service = name.removesuffix(".timer").removesuffix(".service") + ".service"
        ids = " ".join(f"MESSAGE_ID={i}" for i in (FINISHED, *FAILED))
        return Shell(
            f"journalctl -q --no-pager --reverse --lines=1 --output=json --output-fields=MESSAGE_ID "
            f"{quote(f'UNIT={service}')} {ids}",
            root=True,
            limit=64 * 1024,
        )

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the one entry, a JSON object on a line (systemd.journal-fields(7))."""
        text = answer.text(0, 1).strip()
        if not text:
            return cls(None, success=False)
        entry = json.loads(text.splitlines()[0])
        if entry.get("MESSAGE_ID") not in (FINISHED, *FAILED):
            raise Unreadable("the journal tells of something else")
        return cls(int(entry["__REALTIME_TIMESTAMP"]) / 1_000_000, entry["MESSAGE_ID"] == FINISHED)
