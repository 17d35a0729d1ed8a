"""Facts about a host as such: what it is called and runs, and whether its clock is right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import first_line, key_values, now, sections
from checks.questions import FailureKind, Shell, Unreadable

_ZONE = re.compile(r"zoneinfo/(?:posix/|right/)?(.+)$")


@dataclass(frozen=True, slots=True)
class Identity(Fact):
    """Name, operating system, time zone and language of a host.

    os-release(5), hostname(7), localtime(5), locale.conf(5). Names are in lower case. `fqdn` is what the host itself
    resolves its name to; empty when it cannot. `version` is VERSION_ID, empty on a rolling release.
    """

    question = Shell(
        "echo '@@ hostname'; cat /proc/sys/kernel/hostname; "
        "echo '@@ fqdn'; timeout 3 hostname -f 2>/dev/null; "
        "echo '@@ os'; cat /etc/os-release; "
        "echo '@@ zone'; readlink /etc/localtime; "
        "echo '@@ zone_name'; cat /etc/timezone 2>/dev/null; "
        "echo '@@ locale'; cat /etc/locale.conf /etc/default/locale 2>/dev/null; "
        "echo '@@ kernel'; uname -r"
    )

    hostname: str
    fqdn: str
    os_id: str
    version: str
    pretty_name: str
    time_zone: str
    locale: str
    kernel: str

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the sections; a host without os-release cannot be read."""
        told = sections(answer.stdout)
        os = key_values(told["os"])
        zone = _ZONE.search(first_line(told["zone"]))
        return cls(
            hostname=first_line(told["hostname"]).lower(),
            fqdn=first_line(told["fqdn"]).lower(),
            os_id=os["ID"].lower(),
            version=os.get("VERSION_ID", ""),
            pretty_name=os.get("PRETTY_NAME", os["ID"]),
            time_zone=zone[1] if zone else first_line(told["zone_name"]) or "UTC",  # no link: UTC, localtime(5)
            locale=key_values(told["locale"]).get("LANG", ""),
            kernel=first_line(told["kernel"]),
        )


@dataclass(frozen=True, slots=True)
class Clock(Fact):
    """Whether the clock follows a time source, as chronyd, systemd-timesyncd or ntpd tells.

    Sources: chronyc(1) `-c`, timedatectl(1) `show` and `show-timesync`, ntpq(8) `-pn`. `servers` are names and
    addresses that are really in use; `offset` in seconds, None where the daemon does not tell it (systemd-timesyncd).
    A clock that chronyd only compares with itself (`local`) is not synchronised.
    """

    question = Shell(
        "echo '@@ tracking'; chronyc -c tracking 2>/dev/null; "
        "echo '@@ addresses'; chronyc -c -n sources 2>/dev/null; "
        "echo '@@ names'; chronyc -c -N sources 2>/dev/null; "
        "echo '@@ peers'; ntpq -pn 2>/dev/null; "
        "echo '@@ timedate'; timedatectl show 2>/dev/null; "
        "echo '@@ timesync'; timedatectl show-timesync 2>/dev/null; "
        "echo '@@ now'; date +%s"
    )

    synchronised: bool
    daemon: str
    servers: tuple[str, ...]
    offset: float | None
    at: float

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the first daemon that answers: chronyd, ntpd, else what systemd tells."""
        told = sections(answer.stdout)
        at = now(told["now"])
        if "," in told["tracking"]:
            return cls._chrony(told, at)
        if any(line.startswith("=") for line in told["peers"].splitlines()):
            return cls._ntp(told["peers"], at)
        timedate, timesync = key_values(told["timedate"]), key_values(told["timesync"])
        if "NTPSynchronized" not in timedate:
            raise Unreadable("neither chronyd, ntpd nor systemd tells about the clock", FailureKind.NOT_INSTALLED)
        server = [timesync[k] for k in ("ServerName", "ServerAddress") if timesync.get(k)]
        return cls(
            synchronised=timedate["NTPSynchronized"] == "yes",
            daemon="systemd-timesyncd" if timesync else "systemd",
            servers=tuple(dict.fromkeys(s.lower() for s in server)),
            offset=None,
            at=at,
        )

    @classmethod
    def _chrony(cls, told: dict[str, str], at: float) -> Self:
        # reference id, its name, stratum, reference time, system time, last offset, … , leap status
        tracking = first_line(told["tracking"]).split(",")
        local = tracking[0].upper() in ("00000000", "7F7F0101")  # none; the host itself (chrony.conf(5) `local`)
        used = []
        for line in told["addresses"].splitlines() + told["names"].splitlines():
            fields = line.split(",")
            if len(fields) > 5 and fields[1] in "*+" and int(fields[5], 8):  # noqa: PLR2004 - selected, and reached
                used.append(fields[2].lower())
        return cls(
            synchronised=not local and tracking[13].strip() in ("Normal", "Insert second", "Delete second"),
            daemon="chronyd",
            servers=tuple(dict.fromkeys(used)),
            offset=float(tracking[4]),
            at=at,
        )

    @classmethod
    def _ntp(cls, text: str, at: float) -> Self:
        # remote, refid, st, t, when, poll, reach, delay, offset (ms), jitter; `*` before the peer that is followed
        peers = [line for line in text.splitlines() if line[:1] in ("*", "o", "+")]
        followed = next((line for line in peers if line[0] in "*o"), None)
        return cls(
            synchronised=followed is not None,
            daemon="ntpd",
            servers=tuple(dict.fromkeys(line[1:].split()[0].lower() for line in peers)),
            offset=float(followed.split()[8]) / 1000 if followed else None,
            at=at,
        )
