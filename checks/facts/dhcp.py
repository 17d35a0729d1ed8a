"""Facts about a DHCP server: what it leases, read from the configuration on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import is_missing
from checks.formats.dhcpd import Scope, read_dnsmasq, read_isc, read_kea
from checks.questions import FailureKind, Shell, Unreadable

UNITS = {
    "kea": ("kea-dhcp4-server.service", "kea-dhcp4.service"),
    "isc": ("isc-dhcp-server.service", "dhcpd.service"),
    "dnsmasq": ("dnsmasq.service",),
}
"""The units that run each server, on Debian and on the RHEL family."""

_NO_FILE = "No such file or directory"


@dataclass(frozen=True, slots=True)
class DhcpServer(Fact):
    """The scopes of the DHCP server, from the first configuration that holds any: Kea, ISC dhcpd, dnsmasq.

    Lines that speak of a password or secret are left out on the host itself, so that none comes into the evidence.
    """

    question = (
        Shell("grep -v -i -e password -e secret /etc/kea/kea-dhcp4.conf", root=True),
        Shell("grep -v -i -e secret /etc/dhcp/dhcpd.conf", root=True),
        Shell("grep -h -s -E '^ *dhcp-' /etc/dnsmasq.conf /etc/dnsmasq.d/* 2>/dev/null; true"),
    )

    server: str
    scopes: tuple[Scope, ...]

    @classmethod
    def read(cls, *answers: Output) -> Self:
        """Read the configurations that are there."""
        kea, isc, dnsmasq = answers
        for server, answer, reader in (
            ("kea", kea, read_kea),
            ("isc", isc, read_isc),
            ("dnsmasq", dnsmasq, read_dnsmasq),
        ):
            if is_missing(answer) or _NO_FILE in answer.stderr:
                continue
            text = answer.text(0, 1)
            scopes = reader(text) if text.strip() else []
            if scopes:
                return cls(server, tuple(scopes))
        raise Unreadable(
            "no configuration of Kea, ISC dhcpd or dnsmasq leases addresses here", FailureKind.NOT_INSTALLED
        )
