"""Facts about installed packages and pending updates, from dpkg, rpm and apt's own lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import key_values, now, sections
from checks.formats.versions import Scheme
from checks.questions import FailureKind, Shell, Unreadable

DAY = 86_400.0
_INST = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ([^)]*?) \[\S+\]\)")


@dataclass(frozen=True, slots=True)
class Packages(Fact):
    """Installed packages: name to version, and whose rules compare versions (dpkg-query(1), rpm(8)).

    A package that is installed for two architectures counts once, with its first version. What was removed but left its
    configuration is not installed.
    """

    question = Shell(
        "if command -v dpkg-query >/dev/null 2>&1 && [ -s /var/lib/dpkg/status ]; then echo '@@ dpkg'; "
        "dpkg-query -W -f='${db:Status-Abbrev}\\t${Package}\\t${Version}\\n'; "
        "elif command -v rpm >/dev/null 2>&1; then echo '@@ rpm'; "
        "rpm -qa --qf 'ii\\t%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n'; else exit 127; fi"
    )

    versions: Mapping[str, str]
    scheme: Scheme

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read `status TAB name TAB version` lines."""
        if answer.status == 127:  # noqa: PLR2004 - POSIX: command not found
            raise Unreadable("neither dpkg nor rpm is installed", FailureKind.NOT_INSTALLED)
        told = sections(answer.text())
        scheme: Scheme = "dpkg" if "dpkg" in told else "rpm"
        found: dict[str, str] = {}
        for line in told[scheme].splitlines():
            status, name, version = line.split("\t")
            if status.strip()[1:2] == "i":
                found.setdefault(name, version)
        if not found:
            raise Unreadable("the list of packages is empty")
        return cls(found, scheme)

    def first(self, *names: str) -> str | None:
        """Give the first of these names that is installed."""
        return next((n for n in names if n in self.versions), None)


@dataclass(frozen=True, slots=True)
class Updates(Fact):
    """Updates that apt would install, by its own lists; nothing is fetched (apt-get(8) `--simulate`).

    `security`: those that come from a security archive. `age`: days since the archive made the lists (Date of the
    security archive's Release, else of the newest); not when they were fetched, since an `apt-get update` that fails
    touches its files too. None without lists. `lists`: how many there are: without any, nothing can be said.
    """

    question = Shell(
        "command -v apt-get >/dev/null 2>&1 || exit 127; "
        "apt-get -qq -s -o Debug::NoLocking=true dist-upgrade </dev/null && "
        "echo '@@ lists' && ls /var/lib/apt/lists | grep -c 'InRelease$\\|Release$'; "
        "echo '@@ releases'; grep -H -s -E '^(Date|Label|Suite|Codename):' /var/lib/apt/lists/*Release; "
        "echo '@@ now'; date +%s",
        timeout=60,
    )

    pending: tuple[str, ...]
    security: tuple[str, ...]
    lists: int
    age: float | None

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the `Inst name [old] (new archives [architecture])` lines."""
        if answer.status == 127:  # noqa: PLR2004 - POSIX: command not found
            raise Unreadable("only apt's lists can be read without a network", FailureKind.NOT_INSTALLED)
        text = answer.text()
        told = sections(text)
        if "lists" not in told:
            raise Unreadable((answer.stderr.strip().splitlines() or ["apt-get failed"])[0][:300])
        pending, security = [], []
        for line in text.partition("@@ lists")[0].splitlines():
            if match := _INST.match(line):
                pending.append(match[1])
                if "security" in match[3].lower():
                    security.append(match[1])
        made = _made(told["releases"])
        age = (now(told["now"]) - made) / DAY if made else None
        return cls(tuple(sorted(pending)), tuple(sorted(security)), int(told["lists"] or 0), age)


def _made(text: str) -> float | None:
    """Give when the newest security list was made (else the newest of all), from `file:Field: value` lines."""
    fields: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        path, _, rest = line.partition(":")
        name, _, value = rest.partition(":")
        fields.setdefault(path, {})[name] = value.strip()
    dated = [
        ("security" in f"{path} {' '.join(f.values())}".lower(), parsedate_to_datetime(f["Date"]).timestamp())
        for path, f in fields.items()
        if "Date" in f
    ]
    of_security = [when for is_security, when in dated if is_security]
    return max(of_security or [when for _, when in dated], default=None)


@dataclass(frozen=True, slots=True)
class AutomaticUpdates(Fact):
    """What apt does by itself (apt.conf.d: APT::Periodic, read by apt.systemd.daily), and whether a restart waits.

    `lists` and `upgrades`: every how many days ("1", "always"); "0" or empty is never. `kernel` is the running one,
    `kernels` those in /boot; `restart` when a package asked for one.
    """

    question = Shell(
        "echo '@@ apt'; apt-config shell LISTS APT::Periodic::Update-Package-Lists "
        "UPGRADES APT::Periodic::Unattended-Upgrade ENABLE APT::Periodic::Enable 2>/dev/null; "
        "echo '@@ restart'; ls /run/reboot-required 2>/dev/null; echo '@@ kernel'; uname -r; "
        "echo '@@ kernels'; ls /boot 2>/dev/null; true"
    )

    lists: str
    upgrades: str
    restart: bool
    kernel: str
    kernels: tuple[str, ...]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the sections; a host without apt has empty periods."""
        told = sections(answer.text())
        apt = key_values(told["apt"])
        off = apt.get("ENABLE") == "0"
        kernels = [name.removeprefix("vmlinuz-") for name in told["kernels"].split() if name.startswith("vmlinuz-")]
        return cls(
            lists="" if off else apt.get("LISTS", ""),
            upgrades="" if off else apt.get("UPGRADES", ""),
            restart=bool(told["restart"]),
            kernel=told["kernel"].strip(),
            kernels=tuple(k for k in kernels if "rescue" not in k),
        )
