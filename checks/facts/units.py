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
    """All units by name and alias, with details of services and timers (systemctl(1)).

    Only on hosts that run systemd; elsewhere it cannot be read. TZ=UTC because systemctl prints times in local time.
    """

    question = Shell(
        "systemctl list-units --all --plain --full --no-legend --no-pager && echo '@@ details' && "
        "TZ=UTC systemctl show --all --no-pager --property=Id,Names,UnitFileState,Result,ExecMainStatus,"
        "ExecMainExitTimestamp,WantedBy,RequiredBy,Unit,LastTriggerUSec,NextElapseUSecRealtime,TimersCalendar,"
        "TimersMonotonic '*.service' '*.timer' && echo '@@ files' && "
        "systemctl list-unit-files --no-pager --no-legend --full && echo '@@ now' && date +%s"
    )

    units: Mapping[str, Unit]
    at: float

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the table of loaded units, the details of services and timers, and the unit files."""
        if "not been booted with systemd" in answer.stderr:
            raise Unreadable("this host does not run systemd", FailureKind.NOT_INSTALLED)
        text = answer.text()
        told = sections(text)
        files = dict(words[:2] for line in told["files"].splitlines() if len(words := line.split()) > 1)
        details = {block["Id"]: block for block in blocks(told["details"]) if block.get("Id")}
        found: dict[str, Unit] = {}
        for line in text.partition("@@ details")[0].splitlines():
            words = line.split(None, 4)
            if len(words) > 3:  # noqa: PLR2004 - unit, load, active, sub, description
                unit = _unit(words, details.get(words[0], {}), files)
                for name in unit.names:
                    found.setdefault(name, unit)
        if not found:
            raise Unreadable("systemctl told of no unit")
        for name, state in files.items():
            if name not in found:
                load = "masked" if state.startswith("masked") else "stub"
                found[name] = Unit(name, frozenset({name}), load, "inactive", file=state)
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


def _unit(words: list[str], block: Mapping[str, str], files: Mapping[str, str]) -> Unit:
    name, load, active, sub = words[:4]
    wanted = f"{block.get('WantedBy', '')} {block.get('RequiredBy', '')}".split()
    status = block.get("ExecMainStatus", "")
    schedule = _CALENDAR.findall(block.get("TimersCalendar", ""))
    schedule += [f"{kind}={span}" for kind, span in _MONOTONIC.findall(block.get("TimersMonotonic", ""))]
    return Unit(
        name=name,
        names=frozenset({name, *block.get("Names", "").split()}),
        load=load,
        active=active,
        sub=sub,
        file=block.get("UnitFileState") or files.get(name, ""),
        result=block.get("Result", ""),
        exit_status=int(status) if status.isdigit() else None,
        exited=epoch(block.get("ExecMainExitTimestamp", "")),
        wanted_by=tuple(wanted),
        triggers=block.get("Unit", ""),
        last=epoch(block.get("LastTriggerUSec", "")),
        next=epoch(block.get("NextElapseUSecRealtime", "")),
        schedule=tuple(schedule),
    )
