"""Facts about scheduled tasks of cron; timers of systemd stand in `units`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import sections
from checks.questions import Shell, Unreadable


@dataclass(frozen=True, slots=True)
class CronJob:
    """A line of a crontab: where it stands, as whom it runs, its five fields (or `@daily` …) and its command."""

    file: str
    user: str
    schedule: str
    command: str


@dataclass(frozen=True, slots=True)
class Crontabs(Fact):
    """The lines of all crontabs that schedule something (crontab(5)): the system's and, as root, those of users.

    Files in cron.hourly, daily, weekly and monthly stand with `@hourly` and so on.
    """

    question = (
        Shell(
            "echo '@@ system'; grep -H -s -E '^[[:space:]]*(@|[0-9*])' /etc/crontab /etc/cron.d/* 2>/dev/null; "
            "echo '@@ parts'; ls -d /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/* "
            "2>/dev/null; "
            "echo '@@ spool'; ls -d /var/spool/cron 2>/dev/null; true"
        ),
        Shell("grep -r -H -s -E '^[[:space:]]*(@|[0-9*])' /var/spool/cron", root=True),
    )

    jobs: tuple[CronJob, ...]

    @classmethod
    def read(cls, *answers: Output) -> Self:
        """Read both; a host without cron has no jobs."""
        system, users = answers
        told = sections(system.text())
        jobs = [_job(line, user_field=True) for line in told["system"].splitlines()]
        for path in told["parts"].split():
            period = path.rpartition("/")[0].rpartition(".")[2]
            if not path.endswith((".placeholder", ".dpkg-dist", ".rpmsave")):
                jobs.append(CronJob(path, "root", f"@{period}", path))
        if told["spool"]:
            jobs += [_job(line, user_field=False) for line in users.text(0, 1).splitlines()]
        return cls(tuple(jobs))


def _job(line: str, *, user_field: bool) -> CronJob:
    path, _, entry = line.partition(":")
    fields = 1 if entry.lstrip().startswith("@") else 5
    words = entry.split(None, fields + user_field)
    if len(words) < fields + user_field + 1:
        raise Unreadable(f"{path}: a line of cron is too short")
    user = words[fields] if user_field else path.rpartition("/")[2]
    return CronJob(path, user, " ".join(words[:fields]), words[-1].strip())
