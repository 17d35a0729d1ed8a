"""Every fault of the catalogue turns exactly its findings, and nothing else changes.

Each is made alone; KEURING_FAULTS=together makes those on different hosts together and looks at them with one audit. A
change that no fault explains is a false alarm.
"""

import functools
import os
import time
from collections.abc import Iterator

import pytest

from audits.errors import LabError
from audits.lab import commands, faults
from audits.lab.faults import Fault

from .conftest import Audit, Ran

TOGETHER = 6 if os.environ.get("KEURING_FAULTS") == "together" else 1
SHARED = {"dc1"}  # faults in the directory are all made there, and do not touch each other


def _overlap(one: Fault, other: Fault) -> bool:
    hosts = (set(one.hosts) & set(other.hosts)) - SHARED
    checks = {p.partition("@")[0] for p in (*one.fails, *one.unknown)} & {
        p.partition("@")[0] for p in (*other.fails, *other.unknown)
    }
    wide = any("*" in p.partition("@")[0] for f in (one, other) for p in f.unknown) and one.hosts == other.hosts
    return bool(hosts) or bool(checks) or wide


@functools.cache
def _batches() -> list[list[Fault]]:
    batches: list[list[Fault]] = []
    for fault in faults.load().values():
        for batch in batches:
            alone = fault.alone or any(f.alone for f in batch)
            if len(batch) < TOGETHER and not alone and not any(_overlap(f, fault) for f in batch):
                batch.append(fault)
                break
        else:
            batches.append([fault])
    return batches


ORDER = [(number, fault) for number, batch in enumerate(_batches()) for fault in batch]


class _Made:
    """The batch whose faults are in the lab now."""

    def __init__(self, audit: Audit) -> None:
        self.audit, self.number = audit, -1
        self.seen: Ran | None = None
        self.failed: dict[str, str] = {}

    def see(self, number: int) -> Ran:
        """Make a batch (undoing the one before) and audit; what cannot be made is noted, the others go on."""
        if number != self.number or self.seen is None:
            self.undo()
            self.number = number
            for fault in _batches()[number]:
                try:
                    faults.make(fault)
                except LabError as e:
                    self.failed[fault.name] = str(e)
            self.seen = self.audit()
        return self.seen

    def undo(self) -> None:
        """Undo what is made; where that does not work the whole lab goes back to its golden state."""
        batch = _batches()[self.number] if self.number >= 0 else []
        self.number, self.seen = -1, None
        clean = True
        for fault in reversed(batch):
            try:
                faults.undo(fault)
            except LabError as e:
                self.failed.setdefault(fault.name, str(e))
                clean = False
        if not clean:
            commands.reset(None)


@pytest.fixture(scope="module")
def made(audit: Audit, clean: Ran) -> Iterator[_Made]:
    """Give the faults, made batch by batch."""
    current = _Made(audit)
    yield current
    current.undo()
    after = audit()
    if _changes(clean, after):
        time.sleep(20)  # what was undone in the directory may still be on its way
        after = audit()
    assert _changes(clean, after) == {}, "the lab is not as it was after all faults were undone"


def _changes(before: Ran, after: Ran) -> dict[tuple[str, str, str, str], tuple[str | None, str | None]]:
    old, new = before.verdicts, after.verdicts
    return {k: (old.get(k), new.get(k)) for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)}


def _is(pattern: str, key: tuple[str, str, str, str]) -> bool:
    return faults.matches(pattern, {"check": key[0], "target": key[1], "subject": key[3]})


def test_the_clean_lab_passes(clean: Ran) -> None:
    bad = [
        (f["check"], f["target"], f["subject"], f["observed"], f["failure"])
        for f in clean.findings
        if f["verdict"] not in ("pass", "manual")
    ]
    assert not bad
    assert clean.code == 0, clean.err


def _problem(fault: Fault, number: int, made: _Made, clean: Ran) -> str:
    """Say what is not as the catalogue says; nothing when all is."""
    changes = _changes(clean, made.see(number))
    if fault.name in made.failed:
        return made.failed.pop(fault.name)
    for pattern in fault.fails:
        if not [k for k, (_, new) in changes.items() if _is(pattern, k) and new == "fail"]:
            return f"missed: nothing like {pattern} turned to fail; changed: {changes}"
    mine = {k: new for k, (_, new) in changes.items() if any(_is(p, k) for p in fault.unknown)}
    # where only evidence is missing; a finding per subject may give way to one for them all
    if not fault.fails and ("unknown" not in mine.values() or set(mine.values()) - {"unknown", None}):
        return f"should only turn unknown: {mine}"
    if kept := [k for k in changes if any(_is(p, k) for p in fault.keeps)]:
        return f"changed, but should stand: {kept}"
    batch = _batches()[number]
    strange = {k: v for k, v in changes.items() if not any(_is(p, k) for f in batch for p in (*f.fails, *f.unknown))}
    wrong = {
        k: v for k, v in changes.items() if v[1] != "fail" and not any(_is(p, k) for f in batch for p in f.unknown)
    }
    return f"false alarms: {strange}; changed, but not to fail: {wrong}" if strange or wrong else ""


@pytest.mark.parametrize(("number", "fault"), ORDER, ids=[f.name for _, f in ORDER])
def test_fault(number: int, fault: Fault, made: _Made, clean: Ran) -> None:
    problem = _problem(fault, number, made, clean)
    if problem:  # once more on a lab that is fresh: replication and boots take their time on a busy machine
        made.undo()
        commands.reset(None)
        first, problem = problem, _problem(fault, number, made, clean)
        print(f"first attempt: {first}")  # noqa: T201 - shown when it fails again
    assert not problem
