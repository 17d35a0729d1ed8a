"""The last run of a service, by the journal when systemd itself no longer knows."""

import json

import pytest

from checks.backups import Backup, backup_job_succeeded
from checks.core import Failure, FailureKind, Output, Unreadable, Verdict
from checks.facts.last_runs import FAILED, FINISHED, LastRun
from checks.facts.units import Unit, Units
from checks.tasks import Task, last_run_succeeded

NOW = 1_795_000_000.0
HOUR = 3600
WANT = Backup(name="nightly", unit="nightly.timer")
DENIED = Failure(FailureKind.DENIED, "sudo")


def _entry(message: str, hours: float) -> Output:
    entry = {"MESSAGE_ID": message, "__REALTIME_TIMESTAMP": str(int((NOW - hours * HOUR) * 1_000_000))}
    return Output(0, json.dumps(entry) + "\n")


def _units(ran: float | None = None) -> Units:
    """Give a host that restarted: systemd knows it, not how it ended. `ran`: hours since the timer went off."""
    service = Unit("nightly.service", frozenset({"nightly.service"}), "loaded", "inactive", result="success")
    last = None if ran is None else NOW - ran * HOUR
    timer = Unit(
        "nightly.timer", frozenset({"nightly.timer"}), "loaded", "active", triggers="nightly.service", last=last
    )
    return Units({"nightly.service": service, "nightly.timer": timer}, NOW)


@pytest.mark.parametrize(
    ("message", "hours", "verdict"),
    [
        (FINISHED, 3, Verdict.PASS),
        (FINISHED, 30, Verdict.FAIL),
        (FAILED[0], 3, Verdict.FAIL),
        (FAILED[1], 3, Verdict.FAIL),
    ],
)
def test_the_journal_tells_after_a_restart(message: str, hours: float, verdict: Verdict) -> None:
    last = LastRun.read(_entry(message, hours))
    assert backup_job_succeeded(_units(), last, WANT).verdict == verdict
    task = Task(name="nightly.timer", last_result="success", max_age_hours=26)
    assert last_run_succeeded(_units(), last, task).verdict == verdict


def test_an_end_before_the_newest_start_is_not_its_end() -> None:
    last = LastRun.read(_entry(FINISHED, 20))
    with pytest.raises(Unreadable, match="does not know how nightly"):
        backup_job_succeeded(_units(ran=2), last, WANT)


@pytest.mark.parametrize("last", [DENIED, LastRun(None, success=False)])
def test_without_a_journal_it_is_unknown_or_never_ran(last: LastRun | Failure) -> None:
    with pytest.raises(Unreadable, match="restarted since"):
        backup_job_succeeded(_units(ran=2), last, WANT)
    assert backup_job_succeeded(_units(), last, WANT).verdict == Verdict.FAIL


def test_reading() -> None:
    assert LastRun.read(Output(1, "")) == LastRun(None, success=False)
    for bad in (Output(0, "{"), Output(0, '{"MESSAGE_ID": "x"}'), Output(0, "[]")):
        with pytest.raises((ValueError, AttributeError)):
            LastRun.read(bad)
    command = LastRun.ask(Backup(name="x", unit="a b;c.timer")).command
    assert "'UNIT=a b;c.service'" in command
