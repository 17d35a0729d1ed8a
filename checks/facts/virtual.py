"""Facts about virtual machines and containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import first_line, sections
from checks.questions import FailureKind, Shell, Unreadable


@dataclass(frozen=True, slots=True)
class Virtualisation(Fact):
    """What the host runs on, in systemd-detect-virt(1)'s words: kvm, vmware, microsoft, oracle, lxc …, none: hardware.

    `vendor` and `product` as the firmware tells them (SMBIOS), empty in containers.
    """

    question = Shell(
        "echo '@@ type'; systemd-detect-virt; echo '@@ vendor'; cat /sys/class/dmi/id/sys_vendor 2>/dev/null; "
        "echo '@@ product'; cat /sys/class/dmi/id/product_name 2>/dev/null; true"
    )

    type: str
    vendor: str
    product: str

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the three sections."""
        told = sections(answer.text())
        type_ = first_line(told["type"])
        if not type_:
            raise Unreadable("systemd-detect-virt is not installed", FailureKind.NOT_INSTALLED)
        return cls(type_, first_line(told["vendor"]), first_line(told["product"]))
