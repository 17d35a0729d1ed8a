"""Checks of backups: young enough, successful, not empty, and not on the machine that they are for."""

from __future__ import annotations

from dataclasses import dataclass

from checks.core import Expectation, Failure, Outcome, Scope, check, failed, kind, passed
from checks.facts.backups import NewestFile, ResticSnapshot
from checks.facts.disks import NETWORK, Filesystems
from checks.facts.last_runs import LastRun
from checks.facts.units import Unit, Units
from checks.questions import Unreadable

HOUR = 3600.0
FUTURE = 300.0  # seconds that a file may be newer than the host's clock says


@dataclass(frozen=True, kw_only=True)
class Restic:
    """A repository of restic, read with a password that stands on the host."""

    repository: str
    """Such as `sftp:backup@nas:/srv/restic` or a path."""
    password_file: str
    """File on the host that holds the repository's password; it is not read by keuring."""


@kind("backups", Scope.HOST)
class Backup(Expectation):
    """A backup that is made, or that lands, on this host. Give `unit`, `path`, `restic`, or more of them."""

    name: str
    """What it is called in the report."""
    max_age_hours: float = 26
    """Age that the newest backup may have: a day and some delay, if nothing is declared."""
    unit: str | None = None
    """The service or timer of systemd that makes it."""
    path: str | None = None
    """File, or directory with files, where it lands."""
    min_bytes: int = 1
    """Least size of its newest file."""
    depth: int = 3
    """How many directories deep below `path` to look."""
    root: bool = False
    """Look below `path` as root (sudo)."""
    off_host: bool | None = None
    """true: `path` lies on another machine (a network file system)."""
    restic: Restic | None = None
    """A repository of restic."""

    def __post_init__(self) -> None:
        """Refuse a backup that cannot be judged, while the definition is read."""
        if not (self.unit or self.path or self.restic):
            raise ValueError("a backup needs `unit`, `path` or `restic`, else there is nothing to judge")
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError(f"'{self.path}' is not an absolute path")
        if self.off_host is not None and not self.path:
            raise ValueError("`off_host` needs `path`")


@check("unit")
def backup_job_succeeded(units: Units, last: LastRun | Failure, want: Backup) -> Outcome:
    """Whether the last run ended well, and recently; after a restart of the host by what the journal still knows."""
    service, timer = job(units, str(want.unit))
    if service is None:
        return failed({"exists": False}, {"result": "success", "hours": {"at_most": want.max_age_hours}})
    return judge_run(units, service, timer, last, want.max_age_hours)


def job(units: Units, name: str) -> tuple[Unit | None, Unit | None]:
    """Give the service and the timer that a name of either means."""
    timer = units.find(name, suffix=".timer")
    if timer is not None and timer.name.endswith(".timer"):
        return units.find(timer.triggers or timer.name.removesuffix(".timer")), timer
    service = units.find(name)
    timers = (u for u in units.each if service and u.name.endswith(".timer") and u.triggers == service.name)
    return service, next(timers, None)


def judge_run(
    units: Units, service: Unit, timer: Unit | None, last: LastRun | Failure, most_hours: float | None
) -> Outcome:
    """Judge the last run of a service; `most_hours` None: whenever it was."""
    expected: dict[str, object] = {"result": "success"}
    if most_hours is not None:
        expected["hours"] = {"at_most": most_hours}
    observed: dict[str, object]
    ended = service.exited
    if ended is None and service.active != "failed":
        if isinstance(last, LastRun) and last.at is not None and _of_journal(timer, last.at):
            hours = (units.at - last.at) / HOUR
            observed = {"result": "success" if last.success else "failed", "hours": round(hours, 1)}
            late = most_hours is not None and hours > most_hours
            return (passed if last.success and not late else failed)(observed, expected, note=service.name)
        return _without_end(units, service, timer, most_hours, expected)
    observed = {"result": service.result}
    if ended is not None:
        observed["hours"] = round((units.at - ended) / HOUR, 1)
    if service.exit_status:
        observed["status"] = service.exit_status
    late = most_hours is not None and (ended is None or units.at - ended > most_hours * HOUR)
    return (failed if service.result != "success" or late else passed)(observed, expected, note=service.name)


def _of_journal(timer: Unit | None, at: float) -> bool:
    """Tell whether the journal's newest end belongs to the timer's newest start (else it runs now, or was lost)."""
    return timer is None or timer.last is None or at >= timer.last - 1


def _without_end(
    units: Units, service: Unit, timer: Unit | None, most_hours: float | None, expected: dict[str, object]
) -> Outcome:
    """Judge a service that systemd knows no end of: the timer may still prove that it never ran, or long ago."""
    if timer is not None:
        if timer.last is None:
            return failed({"result": "never"}, expected, note=service.name)
        hours = (units.at - timer.last) / HOUR
        if most_hours is not None and hours > most_hours:
            return failed({"hours": round(hours, 1)}, expected, note=service.name)
    raise Unreadable(f"systemd does not know how {service.name} ended: the host restarted since, or it still runs")


@check("path")
def backup_is_recent(newest: NewestFile, want: Backup) -> Outcome:
    """Whether the newest file is young enough, and not from the future (then the clock was wrong)."""
    expected = {"hours": {"at_most": want.max_age_hours}}
    if not newest.path:
        return failed({"exists": False}, expected)
    age = newest.at - newest.modified
    good = -FUTURE <= age <= want.max_age_hours * HOUR
    return (passed if good else failed)({"hours": round(age / HOUR, 1)}, expected, note=newest.path)


@check("path", "min_bytes")
def backup_is_not_too_small(newest: NewestFile, want: Backup) -> Outcome:
    """Whether the newest file is large enough: a backup of nothing succeeds too."""
    expected = {"bytes": {"at_least": want.min_bytes}}
    if not newest.path:
        return failed({"exists": False}, expected)
    return (passed if newest.size >= want.min_bytes else failed)({"bytes": newest.size}, expected, note=newest.path)


@check("path", "off_host")
def backup_lies_elsewhere(filesystems: Filesystems, want: Backup) -> Outcome:
    """Whether the path lies on a network file system: a backup beside the original burns with it."""
    fs = filesystems.holding(str(want.path))
    remote = fs.type in NETWORK
    observed = {"off_host": remote, "source": fs.source, "type": fs.type}
    return (passed if remote == want.off_host else failed)(observed, {"off_host": want.off_host})


@check("restic")
def snapshot_is_recent(snapshot: ResticSnapshot, want: Backup) -> Outcome:
    """Whether the newest snapshot of the repository is young enough."""
    expected = {"hours": {"at_most": want.max_age_hours}}
    if snapshot.made is None:
        return failed({"exists": False}, expected)
    age = snapshot.at - snapshot.made
    observed = {"hours": round(age / HOUR, 1), "source": snapshot.host}
    good = -FUTURE <= age <= want.max_age_hours * HOUR
    return (passed if good else failed)(observed, expected, note=", ".join(snapshot.paths)[:200] or None)
