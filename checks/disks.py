"""Checks of file systems: space and inodes that are left, and how they are mounted."""

from __future__ import annotations

from collections.abc import Callable

from checks.core import Expectation, Outcome, Scope, check, expect_members, failed, kind, passed
from checks.facts.disks import Filesystem, Filesystems
from checks.questions import Unreadable

GONE = {"exists": False}


@kind("filesystems", Scope.HOST)
class MountedFilesystem(Expectation):
    """A mounted file system; `path: "*"` stands for every one on the host's own disks."""

    path: str
    """Where it is mounted, or `"*"`."""
    free_percent_at_least: float | None = None
    """Least space that is left, in percent."""
    free_gib_at_least: float | None = None
    """Least space that is left, in GiB."""
    inodes_free_percent_at_least: float | None = None
    """Least inodes that are left, in percent: without inodes no file can be made, however much space there is."""
    type: str | None = None
    """Such as `ext4`, `xfs`, `nfs4`."""
    source: str | None = None
    """Device or share that is mounted."""
    options: tuple[str, ...] = ()
    """Mount options that are set: `nodev`, `nosuid`, `noexec`, `ro` …."""

    @property
    def subject(self) -> str:
        """The path."""
        return "" if self.path == "*" else self.path


@check
def filesystem_is_mounted(filesystems: Filesystems, want: MountedFilesystem) -> list[Outcome]:
    """Whether something is mounted there, of the declared type and source."""
    if want.path == "*":
        return []
    fs = filesystems.by_path.get(want.path)
    wanted = {"exists": True} | {k: v for k, v in (("type", want.type), ("source", want.source)) if v}
    if fs is None:
        return [failed(GONE, wanted)]
    good = want.type in (None, fs.type) and want.source in (None, fs.source)
    return [(passed if good else failed)({"exists": True, "type": fs.type, "source": fs.source}, wanted)]


@check("free_percent_at_least")
def space_is_left(filesystems: Filesystems, want: MountedFilesystem) -> list[Outcome]:
    """Whether enough percent of the space is free for users."""
    return _each(filesystems, want, want.free_percent_at_least or 0, lambda fs: fs.free_percent)


@check("free_gib_at_least")
def gibibytes_are_left(filesystems: Filesystems, want: MountedFilesystem) -> list[Outcome]:
    """Whether enough GiB are free for users."""
    return _each(
        filesystems,
        want,
        want.free_gib_at_least or 0,
        lambda fs: None if fs.free is None else round(fs.free / 2**30, 1),
    )


@check("inodes_free_percent_at_least")
def inodes_are_left(filesystems: Filesystems, want: MountedFilesystem) -> list[Outcome]:
    """Whether enough inodes are free; file systems without a fixed number of them have enough."""
    least = want.inodes_free_percent_at_least or 0
    return _each(filesystems, want, least, lambda fs: 100.0 if fs.size and not fs.inodes else fs.inodes_free_percent)


@check("options")
def mount_options_are_set(filesystems: Filesystems, want: MountedFilesystem) -> list[Outcome]:
    """Whether all declared options are set."""
    return [
        failed(GONE, {"at_least": sorted(want.options)})
        if fs is None
        else expect_members(fs.options, want.options, exact=False, subject=path)
        for path, fs in _chosen(filesystems, want)
    ]


def _chosen(filesystems: Filesystems, want: MountedFilesystem) -> list[tuple[str, Filesystem | None]]:
    if want.path != "*":
        return [(want.path, filesystems.by_path.get(want.path))]
    if not filesystems.real:
        raise Unreadable("no file system on a disk of its own is to be seen")
    return [(fs.path, fs) for fs in filesystems.real]


def _each(
    filesystems: Filesystems, want: MountedFilesystem, least: float, measure: Callable[[Filesystem], float | None]
) -> list[Outcome]:
    outcomes = []
    for path, fs in _chosen(filesystems, want):
        if fs is None:
            outcomes.append(failed(GONE, {"at_least": least}, subject=path))
            continue
        value = measure(fs)
        if value is None:
            raise Unreadable(f"{path}: df does not tell its size")
        outcome = passed if value >= least else failed
        outcomes.append(outcome(value, {"at_least": least}, subject=path, note=f"{fs.source} {fs.type}"))
    return outcomes
