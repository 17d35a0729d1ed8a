"""What the launcher must know before any host is configured: names, segments, first addresses, layers.

The rest of the truth about the hosts stands in `inventories/lab`.
"""

from __future__ import annotations

import dataclasses

DOMAIN = "school.test"
REALM = "SCHOOL.TEST"
SUITE = "trixie"
AUDITOR_ADDRESS = "10.77.10.250"
DNS_SERVERS = ("10.77.10.11", "10.77.10.12")

# The package layers, each on its parent; what is in them stands in playbooks/files/packages.json.
LAYER_PARENTS: dict[str, str | None] = {
    "base": None,
    "samba": "base",
    "files": "samba",
    "sssd": "base",
    "client": "sssd",
    "web": "sssd",
    "router": "base",
}
SEGMENTS = {"servers": "10.77.10", "clients": "10.77.20", "guests": "10.77.30"}


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """One host: the segments its interfaces eth0, eth1 … stand in, and its fixed address (None: by DHCP).

    `ports` are the TCP ports that answer from the auditor's place when the host is ready, `ready` a command that then
    succeeds in the host.
    """

    name: str
    layer: str
    segments: tuple[str, ...]
    address: str | None
    ports: tuple[int, ...] = (22,)
    ready: tuple[str, ...] = ()

    @property
    def fqdn(self) -> str:
        """The host's full name."""
        return f"{self.name}.{DOMAIN}"

    def mac(self, interface: int) -> str:
        """Give fixed hardware address of eth<interface>, so that DHCP reservations hold over rebuilds."""
        return f"02:77:{interface:02x}:00:00:{list(HOSTS).index(self.name) + 16:02x}"

    def layers(self) -> list[str]:
        """Give the host's package layers, topmost first."""
        chain: list[str] = []
        name: str | None = self.layer
        while name is not None:
            chain.append(name)
            name = LAYER_PARENTS[name]
        return chain


_DC_PORTS = (22, 53, 88, 389, 445, 636, 3268)
HOSTS: dict[str, Host] = {
    host.name: host
    for host in (
        Host("router1", "router", ("servers", "clients", "guests"), "10.77.10.1"),
        Host("dc1", "samba", ("servers",), "10.77.10.11", _DC_PORTS),
        Host("dc2", "samba", ("servers",), "10.77.10.12", _DC_PORTS),
        Host("files1", "files", ("servers",), "10.77.10.20", (22, 445), ("wbinfo", "--ping-dc")),
        Host("web1", "web", ("servers",), "10.77.10.30", (22, 80, 443)),
        Host("client1", "client", ("clients",), None, (22,), ("getent", "passwd", "auditor")),
        Host("guest1", "base", ("guests",), None),
    )
}
RESERVED_ADDRESSES = {"client1": "10.77.20.50"}  # DHCP reservations: known beforehand
DOMAIN_CONTROLLERS = ("dc1", "dc2")
# Members first, then the controllers, the router last: a member waits half a minute for a controller that is gone.
STOP_ORDER: tuple[tuple[str, ...], ...] = (("client1", "guest1", "files1", "web1"), ("dc2", "dc1"), ("router1",))
