"""Facts about systemd's units: one table of all that are loaded or installed, with their last runs and timers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import blocks, epoch, now, sections
from checks.questions import FailureKind, Shell, Unreadable

STARTS = frozenset({"enabled", "enabled-runtime"})
_CALENDAR = re.compile(r"OnCalendar=(.+?) ;")
_MONOTONIC = re.compile(r"(On[A-Za-z]+)USec=(.+?) ;")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of systemd. Times are seconds since 1970, None when it did not run since the host started.

    `load` loaded, masked, not-found … (`stub`: a file that is not in memory); `active` active, inactive, failed,
    activating …; `file` enabled, disabled, static, masked, generated … or empty; `result` success, exit-code ….
    For timers: `triggers` the unit it starts, `last` and `next` when, `schedule` its OnCalendar (or OnBootSec …) lines.
    """

    name: str
    names: frozenset[str]
    load: str
    active: str
    sub: str = ""
    file: str = ""
    result: str = ""
    exit_status: int | None = None
    exited: float | None = None
    wanted_by: tuple[str, ...] = ()
    triggers: str = ""
    last: float | None = None
    next: float | None = None
    schedule: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it is active (a service that runs, a timer that waits, a mount that is mounted)."""
        return self.active in ("active", "reloading", "refreshing")

    @property
    def masked(self) -> bool:
        """Whether it cannot be started at all."""
        return self.load == "masked" or self.file in ("masked", "masked-runtime")

    @property
    def enabled(self) -> bool:
        """Whether it starts with the host; a unit made from an old init script when something wants it."""
        return self.file in STARTS or (self.file == "generated" and bool(self.wanted_by))


@dataclass(frozen=True, slots=True)
class Units(Fact):
    """All units by name and alias (systemctl(1) `show` and `list-unit-files`; systemd.unit(5)).

    Only on hosts that run systemd; elsewhere it cannot be read. TZ=UTC because systemctl prints times in local time.
    """

    question = Shell(
        "TZ=UTC systemctl show --no-pager --property=Id,Names,LoadState,ActiveState,SubState,UnitFileState,Result,"
        "ExecMainStatus,ExecMainExitTimestamp,WantedBy,RequiredBy,Unit,LastTriggerUSec,NextElapseUSecRealtime,"
        "TimersCalendar,TimersMonotonic '*' && echo '@@ files' && "
        "systemctl list-unit-files --no-pager --no-legend --full && echo '@@ now' && date +%s"
    )

    units: Mapping[str, Unit]
    at: float

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the table of loaded units and add the unit files that are not loaded."""
        if "not been booted with systemd" in answer.stderr:
            raise Unreadable("this host does not run systemd", FailureKind.NOT_INSTALLED)
        text = answer.text()
        told = sections(text)
        found: dict[str, Unit] = {}
        for block in blocks(text.partition("@@ files")[0]):
            if block.get("Id"):
                unit = _unit(block)
                for name in unit.names:
                    found.setdefault(name, unit)
        if not found:
            raise Unreadable("systemctl told of no unit")
        for line in told["files"].splitlines():
            words = line.split()
            if len(words) > 1 and words[0] not in found:
                load = "masked" if words[1].startswith("masked") else "stub"
                found[words[0]] = Unit(words[0], frozenset({words[0]}), load, "inactive", file=words[1])
        return cls(found, now(told["now"]))

    def find(self, *names: str, suffix: str = ".service") -> Unit | None:
        """Give the first unit of these names that exists; a name without a type is one of `suffix`."""
        for name in names:
            full = name if "." in name and name.rpartition(".")[2] in _TYPES else name + suffix
            unit = self.units.get(full)
            if unit is not None and unit.load != "not-found":
                return unit
        return None

    @property
    def each(self) -> Iterable[Unit]:
        """Every unit once."""
        return {id(unit): unit for unit in self.units.values()}.values()


_TYPES = frozenset(
    {"service", "socket", "timer", "mount", "automount", "target", "path", "slice", "scope", "swap", "device"}
)


def _unit(block: Mapping[str, str]) -> Unit:
    wanted = f"{block.get('WantedBy', '')} {block.get('RequiredBy', '')}".split()
    status = block.get("ExecMainStatus", "")
    schedule = _CALENDAR.findall(block.get("TimersCalendar", ""))
    schedule += [f"{kind}={span}" for kind, span in _MONOTONIC.findall(block.get("TimersMonotonic", ""))]
    return Unit(
        name=block["Id"],
        names=frozenset({block["Id"], *block.get("Names", "").split()}),
        load=block["LoadState"],
        active=block["ActiveState"],
        sub=block.get("SubState", ""),
        file=block.get("UnitFileState", ""),
        result=block.get("Result", ""),
        exit_status=int(status) if status.isdigit() else None,
        exited=epoch(block.get("ExecMainExitTimestamp", "")),
        wanted_by=tuple(wanted),
        triggers=block.get("Unit", ""),
        last=epoch(block.get("LastTriggerUSec", "")),
        next=epoch(block.get("NextElapseUSecRealtime", "")),
        schedule=tuple(schedule),
    )
