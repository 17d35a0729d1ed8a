"""Checks of scheduled tasks: timers of systemd and lines of cron."""

from __future__ import annotations

from typing import Literal

from checks.backups import job, judge_run
from checks.core import Expectation, Failure, Outcome, Scope, check, failed, kind, passed
from checks.facts.last_runs import LastRun
from checks.facts.tasks import CronJob, Crontabs
from checks.facts.units import Units

GONE = {"exists": False}
SHORTHANDS = {
    "minutely": "*-*-* *:*:00", "hourly": "*-*-* *:00:00", "daily": "*-*-* 00:00:00", "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00", "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00", "yearly": "*-01-01 00:00:00", "annually": "*-01-01 00:00:00",
}  # fmt: skip
"""systemd.time(7), as systemd writes them out itself."""


@kind("tasks", Scope.HOST)
class Task(Expectation):
    """Work that runs by itself: a timer of systemd (`name`), or a line of cron (`name` and `command`)."""

    name: str
    """Name of the timer; for cron: what it is called in the report."""
    command: str | None = None
    """Part of the command in a crontab; with it cron is searched, without it the timers of systemd."""
    user: str | None = None
    """User as whom the line of cron runs."""
    enabled: bool = True
    """Whether it is scheduled: the timer waits and starts with the host; the line stands in a crontab."""
    schedule: str | None = None
    """Its time: OnCalendar of the timer (`daily`, `*-*-* 02:00:00`), or the five fields of cron (`0 2 * * *`)."""
    last_result: Literal["success"] | None = None
    """`success`: its last run ended well (timers only; cron keeps no result)."""
    max_age_hours: float | None = None
    """Age that the last run may have, with `last_result`."""

    def __post_init__(self) -> None:
        """Refuse what cron cannot tell, while the definition is read."""
        if self.command and self.last_result:
            raise ValueError("cron keeps no results: give a timer of systemd, or watch what the task makes (`backups`)")
        if self.max_age_hours is not None and not self.last_result:
            raise ValueError("`max_age_hours` needs `last_result: success`")


@check
def task_is_scheduled(units: Units, crontabs: Crontabs, want: Task) -> Outcome:
    """Whether the timer waits and is enabled, or the line stands in a crontab."""
    if want.command:
        lines = _lines(crontabs, want)
        observed: dict[str, object] = {"exists": bool(lines)}
        if lines:
            observed |= {"path": lines[0].file, "owner": lines[0].user, "schedule": lines[0].schedule}
        return (passed if bool(lines) == want.enabled else failed)(observed, {"enabled": want.enabled})
    timer = job(units, want.name)[1]
    if timer is None:
        return (failed if want.enabled else passed)(GONE, {"enabled": want.enabled})
    scheduled = timer.running and (timer.enabled or timer.file == "static")
    observed = {"active": timer.running, "enabled": timer.enabled, "schedule": list(timer.schedule)}
    return (passed if scheduled == want.enabled else failed)(observed, {"enabled": want.enabled}, note=timer.name)


@check("schedule")
def task_has_its_schedule(units: Units, crontabs: Crontabs, want: Task) -> Outcome:
    """Whether it runs at the declared times; shorthands count as what they stand for."""
    wanted = _normal(str(want.schedule))
    if want.command:
        seen = [line.schedule for line in _lines(crontabs, want)]
    else:
        timer = job(units, want.name)[1]
        seen = list(timer.schedule) if timer else []
    good = wanted in {_normal(s) for s in seen}
    return (passed if good else failed)({"schedule": seen} if seen else GONE, {"schedule": want.schedule})


def _normal(schedule: str) -> str:
    words = " ".join(schedule.split()).removeprefix("OnCalendar=")
    return SHORTHANDS.get(words.lower().removeprefix("@"), words)


@check("last_result")
def last_run_succeeded(units: Units, last: LastRun | Failure, want: Task) -> Outcome:
    """Whether the service that the timer starts ended well the last time, and recently if that is declared."""
    service, timer = job(units, want.name)
    if service is None:
        return failed(GONE, {"result": want.last_result})
    return judge_run(units, service, timer, last, want.max_age_hours)


def _lines(crontabs: Crontabs, want: Task) -> list[CronJob]:
    return [j for j in crontabs.jobs if str(want.command) in j.command and want.user in (None, j.user)]
