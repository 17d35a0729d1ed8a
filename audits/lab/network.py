"""The segments: bridges in a network name space of ours, a name space per host, and no link to the machine's own."""

from __future__ import annotations

from pathlib import Path

from audits.lab import paths
from audits.lab.tools import run, succeeds
from audits.lab.topology import AUDITOR_ADDRESS, HOSTS, SEGMENTS, Host

_ROUTER = HOSTS["router1"].address


def _exists(place: str) -> bool:
    return Path("/run/netns", paths.netns(place)).exists()


def _batch(place: str, lines: list[str]) -> None:
    """Run `ip` commands in one process in a place's name space."""
    run(["ip", "-n", paths.netns(place), "-batch", "-"], stdin="\n".join(lines) + "\n")


def up() -> None:
    """Make the switch with a bridge per segment, and the auditor's place with its address and default route."""
    if not _exists("sw"):
        run(["ip", "netns", "add", paths.netns("sw")])
        lines = ["link set lo up"]
        for segment in SEGMENTS:
            lines += [f"link add br-{segment} type bridge", f"link set br-{segment} up"]
        _batch("sw", lines)
    if not _exists("auditor"):
        _connect("auditor", ["servers"], ["02:77:00:00:00:0f"])
        _batch("auditor", [
            f"addr add {AUDITOR_ADDRESS}/24 dev eth0", "link set eth0 up", f"route add default via {_ROUTER}",
        ])  # fmt: skip


def connect(host: Host) -> None:
    """Make the host's name space with its interfaces on their bridges; addresses are the host's own business."""
    if not _exists(host.name):
        _connect(host.name, list(host.segments), [host.mac(number) for number in range(len(host.segments))])


def disconnect(host: Host) -> None:
    """Drop the host's name space and with it its interfaces."""
    if _exists(host.name):
        run(["ip", "netns", "del", paths.netns(host.name)])
        for number in range(len(host.segments)):  # the kernel drops the pair later: do not wait for it
            succeeds(["ip", "-n", paths.netns("sw"), "link", "del", f"p{number}-{host.name}"])


def _connect(place: str, segments: list[str], macs: list[str]) -> None:
    run(["ip", "netns", "add", paths.netns(place)])
    lines = []
    for number, (segment, mac) in enumerate(zip(segments, macs, strict=True)):
        port = f"p{number}-{place}"
        lines += [
            f"link add {port} type veth peer name eth{number} address {mac} netns {paths.netns(place)}",
            f"link set {port} master br-{segment} up",
        ]
    _batch("sw", lines)
    _batch(place, ["link set lo up"])


def address(host: Host, interface: int = 0) -> str | None:
    """Give the IPv4 address that a host has now on an interface, or None."""
    argv = ["ip", "-n", paths.netns(host.name), "-4", "-o", "addr", "show", "dev", f"eth{interface}", "scope", "global"]
    for line in run(argv).splitlines():
        return line.split()[3].partition("/")[0]
    return None


def down() -> list[str]:
    """Delete every name space of this instance, also those of a crashed start; gives their names."""
    prefix = f"k{paths.instance_name()}-"
    folder = Path("/run/netns")
    names = sorted(entry.name for entry in folder.glob(f"{prefix}*")) if folder.exists() else []
    for name in names:
        if not succeeds(["ip", "netns", "del", name]):  # a crash between making the file and mounting on it
            (folder / name).unlink(missing_ok=True)
    return names
