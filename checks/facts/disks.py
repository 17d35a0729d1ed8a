"""Facts about mounted file systems: space, inodes and options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.facts.sections import sections
from checks.questions import Shell, Unreadable

REAL = frozenset({
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "vfat", "ntfs3", "fuseblk",
    "overlay",
})  # fmt: skip
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "ceph", "fuse.glusterfs", "fuse.rclone", "9p"})
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Filesystem:
    """A mounted file system. Sizes in bytes, None when it was not measured (network, or not allowed)."""

    path: str
    source: str
    type: str
    options: tuple[str, ...]
    size: int | None = None
    free: int | None = None
    inodes: int | None = None
    inodes_free: int | None = None

    @property
    def free_percent(self) -> float | None:
        """Space that users may still fill, in percent."""
        return round(100 * self.free / self.size, 1) if self.size and self.free is not None else None

    @property
    def inodes_free_percent(self) -> float | None:
        """Inodes that are left, in percent; None where there is no fixed number of them (btrfs)."""
        return round(100 * self.inodes_free / self.inodes, 1) if self.inodes and self.inodes_free is not None else None


@dataclass(frozen=True, slots=True)
class Filesystems(Fact):
    """All mounts by path (proc_pid_mounts(5)); space of local ones only: a dead file server would hang df(1)."""

    question = Shell(
        "echo '@@ mounts'; cat /proc/self/mounts; echo '@@ df'; "
        "df -l -B1 --output=size,avail,itotal,iavail,target 2>/dev/null; true"
    )

    by_path: Mapping[str, Filesystem]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the mounts (the last at a path is the one that is seen), then the sizes."""
        told = sections(answer.text())
        sizes: dict[str, list[int | None]] = {}
        for line in told["df"].splitlines()[1:]:
            *numbers, path = line.split(None, 4)
            sizes[path.strip()] = [int(n) if n.isdigit() else None for n in numbers]
        found: dict[str, Filesystem] = {}
        for line in told["mounts"].splitlines():
            source, path, type_, options = (_ESCAPE.sub(_character, w) for w in line.split(" ")[:4])
            size, free, inodes, inodes_free = sizes.get(path, [None] * 4)
            found[path] = Filesystem(path, source, type_, tuple(options.split(",")), size, free, inodes, inodes_free)
        if "/" not in found:
            raise Unreadable("/proc/self/mounts does not name the root file system")
        return cls(found)

    @property
    def real(self) -> tuple[Filesystem, ...]:
        """Those on disks of the host that can be written: each source once, without what is mounted in /run."""
        by_source: dict[str, Filesystem] = {}
        for fs in self.by_path.values():
            if fs.type in REAL and "ro" not in fs.options and fs.size and not fs.path.startswith("/run/"):
                by_source.setdefault(fs.source, fs)
        return tuple(by_source.values())

    def holding(self, path: str) -> Filesystem:
        """Give the file system that a path lies on."""
        parts = path.rstrip("/").split("/")
        for end in range(len(parts), 0, -1):
            if (fs := self.by_path.get("/".join(parts[:end]) or "/")) is not None:
                return fs
        return self.by_path["/"]


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
