"""Facts about the kernel: its parameters, and the security modules that are active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import first_line, sections
from checks.questions import FailureKind, Shell, Unreadable


@dataclass(frozen=True, slots=True)
class Sysctl(Fact):
    """All kernel parameters that may be read, white space made single (sysctl(8)); those for root only are missing."""

    question = Shell("sysctl -a 2>/dev/null; true")

    values: Mapping[str, str]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read `key = value` lines; sysctl's exit status tells of keys that are for root, so it does not count."""
        found: dict[str, str] = {}
        for line in answer.stdout.splitlines():
            key, equals, value = line.partition("=")
            if equals and " " not in key.strip():
                found[key.strip()] = " ".join(value.split())
        if "kernel.ostype" not in found:
            raise Unreadable("sysctl did not print the kernel's parameters", FailureKind.NOT_INSTALLED)
        return cls(found)

    def value(self, key: str) -> str:
        """Give a parameter; Unreadable when the kernel has none of this name or does not show it."""
        name = key.replace("/", ".")
        if name not in self.values:
            raise Unreadable(f"{key}: not among the parameters that this account may read")
        return self.values[name]


@dataclass(frozen=True, slots=True)
class SecurityModules(Fact):
    """Mandatory access control: active security modules, whether AppArmor has profiles loaded and SELinux enforces.

    Sources: /sys/kernel/security/lsm (securityfs, root only on some), /sys/module/apparmor/parameters/enabled,
    /sys/fs/selinux/enforce (selinux(8)).
    """

    question = Shell(
        "echo '@@ lsm'; cat /sys/kernel/security/lsm 2>/dev/null; "
        "echo '@@ apparmor'; cat /sys/module/apparmor/parameters/enabled 2>/dev/null; "
        "echo '@@ enforce'; cat /sys/fs/selinux/enforce 2>/dev/null; true"
    )

    apparmor: bool
    selinux: str  # enforcing, permissive or disabled

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the three files; one that is absent belongs to a module that is not there."""
        told = sections(answer.text())
        modules = told["lsm"].strip().split(",")
        enforce = first_line(told["enforce"])
        return cls(
            apparmor=first_line(told["apparmor"]) == "Y" and ("apparmor" in modules or modules == [""]),
            selinux={"1": "enforcing", "0": "permissive"}.get(enforce, "disabled"),
        )
