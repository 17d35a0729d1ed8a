"""Checks of the kernel: its parameters, and mandatory access control."""

from __future__ import annotations

from typing import Literal

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, passed
from checks.facts.kernel import SecurityModules, Sysctl


@kind("sysctl", Scope.HOST)
class KernelParameter(Expectation):
    """A parameter of the kernel and its value now."""

    name: str
    """Such as `net.ipv4.ip_forward`."""
    value: int | str | tuple[int | str, ...]
    """Its value; a list: one of these."""


@kind("mandatory_access_control", Scope.HOST, many=False)
class MandatoryAccessControl(Expectation):
    """AppArmor or SELinux confines programs."""

    system: Literal["apparmor", "selinux", "any"] = "any"
    """Which of the two."""
    enforcing: bool = True
    """true: what is forbidden is refused; false: SELinux only reports it."""


@check
def parameter_is_as_declared(sysctl: Sysctl, want: KernelParameter) -> Outcome:
    """Whether the kernel works with this value; white space between numbers does not count."""
    values = want.value if isinstance(want.value, tuple) else (want.value,)
    wanted = [" ".join(str(v).split()) for v in values]
    seen = sysctl.value(want.name)
    if len(wanted) == 1:
        return expect(seen, equals=wanted[0])
    return expect(seen, one_of=wanted)


@check
def programs_are_confined(modules: SecurityModules, want: MandatoryAccessControl) -> Outcome:
    """Whether AppArmor or SELinux is on, and SELinux enforces."""
    observed = {"apparmor": modules.apparmor, "selinux": modules.selinux}
    expected = {"system": want.system, "enforcing": want.enforcing}
    return (passed if is_confined(modules, want.system, enforcing=want.enforcing) else failed)(observed, expected)


def is_confined(modules: SecurityModules, system: str = "any", *, enforcing: bool = True) -> bool:
    """Tell whether one of the two confines programs."""
    selinux = modules.selinux == ("enforcing" if enforcing else "permissive")
    return (modules.apparmor and system != "selinux") or (selinux and system != "apparmor")
