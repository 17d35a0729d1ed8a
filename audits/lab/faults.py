"""The catalogue of faults: how each is made in the lab, what it must turn to fail, and how it is undone.

A fault is data in `tests/faults/*.yml`, one file a subject, a mapping of names to:

    what: one line
    make: [{HOST: command}, …]          shell commands, run as root in the host, in this order
    undo: [{HOST: command}, …]          likewise; or
    reset: [HOST, …]                    hosts that go back to their golden state
    fails: ["check@target[subject]", …] findings that must turn to fail (globs; `[subject]` may be left out)
    unknown: […]                        findings that may turn unknown, not applicable, or fail along with it
    keeps: […]                          findings that must not change, though `unknown` covers them
    alone: true                         it cannot be made together with others
    settle: seconds                     how long the change needs to show everywhere (default 0)

A fault without `fails` is missing evidence: its `unknown` findings must turn unknown.
"""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits import yamlfile
from audits.errors import LabError

CATALOGUE = Path(__file__).resolve().parents[2] / "tests" / "faults"
_KEYS = {"what", "make", "undo", "reset", "fails", "unknown", "settle", "keeps", "alone"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    name: str
    what: str
    make: tuple[tuple[str, str], ...]
    undo: tuple[tuple[str, str], ...]
    reset: tuple[str, ...]
    fails: tuple[str, ...]
    unknown: tuple[str, ...]
    settle: float
    keeps: tuple[str, ...]
    alone: bool
    where: str

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it touches."""
        return tuple(dict.fromkeys([h for h, _ in self.make] + list(self.reset)))


def load(folder: Path = CATALOGUE) -> dict[str, Fault]:
    """Read the catalogue; LabError or DefinitionError when it is not right."""
    if not folder.is_dir():
        raise LabError(f"{folder}: there is no catalogue of faults", "It comes with the source: work in a checkout.")
    found: dict[str, Fault] = {}
    for file in sorted(folder.glob("*.yml")):
        document = yamlfile.load(file, name=file.name)
        for name, raw in (document.data or {}).items():
            where = document.where((name,))
            if strange := set(raw) - _KEYS:
                raise LabError(f"{where}: unknown key {', '.join(sorted(strange))}")
            if name in found:
                raise LabError(f"{where}: fault {name} stands twice")
            if not (raw.get("undo") or raw.get("reset")) or not (raw.get("fails") or raw.get("unknown")):
                raise LabError(f"{where}: fault {name} needs `undo` or `reset`, and `fails` or `unknown`")
            found[name] = Fault(
                name,
                raw["what"],
                _commands(raw.get("make", [])),
                _commands(raw.get("undo", [])),
                tuple(raw.get("reset", ())),
                tuple(raw.get("fails", ())),
                tuple(raw.get("unknown", ())),
                float(raw.get("settle", 0)),
                tuple(raw.get("keeps", ())),
                bool(raw.get("alone", False)),
                where,
            )
    return found


def _commands(raw: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((host, command) for step in raw for host, command in step.items())


def find(name: str) -> Fault:
    """Give one fault; LabError when there is none of that name."""
    catalogue = load()
    if name not in catalogue:
        near = [n for n in catalogue if name in n]
        raise LabError(
            f"there is no fault {name}", f"Did you mean {', '.join(near)}?" if near else "See `keuring lab faults`."
        )
    return catalogue[name]


def make(fault: Fault) -> None:
    """Make a fault in the running lab; LabError when a command fails."""
    _run(fault, fault.make)
    time.sleep(fault.settle)


def undo(fault: Fault) -> None:
    """Undo a fault."""
    from audits.lab import commands  # noqa: PLC0415 - the catalogue can be read without the launcher

    _run(fault, fault.undo)
    for host in fault.reset:
        commands.reset(host)
    time.sleep(fault.settle)


def _run(fault: Fault, steps: tuple[tuple[str, str], ...]) -> None:
    from audits.lab import commands  # noqa: PLC0415

    for host, command in steps:
        code = commands.exec_(host, ["sh", "-ec", command])
        if code:
            raise LabError(f"{fault.where}: fault {fault.name}: `{command}` on {host} ended with {code}")


def matches(pattern: str, finding: dict[str, Any]) -> bool:
    """Tell whether a finding (findings.jsonl) is the one that a pattern `check@target[subject]` means."""
    rest, bracket, subject = pattern.partition("[")
    check, at, target = rest.partition("@")
    return (
        fnmatch.fnmatchcase(finding["check"], check)
        and (not at or fnmatch.fnmatchcase(finding["target"], target))
        and (not bracket or fnmatch.fnmatchcase(finding["subject"], subject.removesuffix("]")))
    )
