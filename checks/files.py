"""Checks of files and directories: whether they are there, whose, who may do what, and what they hold."""

from __future__ import annotations

import re
from typing import Literal

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, passed
from checks.facts.files import FileState, PathAcl, PathState, PathTexts

GONE = {"exists": False}


@kind("paths", Scope.HOST)
class Path(Expectation):
    """A file or directory on a host."""

    path: str
    """Absolute path."""
    exists: bool = True
    """false: there must be nothing."""
    type: Literal["file", "directory", "symlink", "socket", "fifo", "block device", "character device"] | None = None
    """What it is; symbolic links are not followed."""
    owner: str | None = None
    """User that it belongs to."""
    group: str | None = None
    """Group that it belongs to."""
    mode: str | None = None
    """Exactly these permission bits, octal in quotes: `"2770"`."""
    mode_at_most: str | None = None
    """No other permission bits than these, octal in quotes: `"0640"`."""
    acl: tuple[str, ...] = ()
    """Entries of its POSIX access control list that are there: `group:docenten:rwx`, `default:other::---`."""
    contains: tuple[str, ...] = ()
    """Texts, each of which stands somewhere in a line of the file."""
    lacks: tuple[str, ...] = ()
    """Texts that stand nowhere in the file."""
    root: bool = False
    """Look as root (sudo): for what the auditing account may not see."""

    def __post_init__(self) -> None:
        """Refuse relative paths and modes that are not octal, while the definition is read."""
        if not self.path.startswith("/"):
            raise ValueError(f"'{self.path}' is not an absolute path")
        for mode in (self.mode, self.mode_at_most):
            if mode is not None and not re.fullmatch(r"[0-7]{3,4}", mode):
                raise ValueError(f"'{mode}' is no mode; write three or four octal digits in quotes")

    @property
    def subject(self) -> str:
        """The path."""
        return self.path


@check
def path_exists_as_declared(path: PathState, want: Path) -> Outcome:
    """Whether there is something at this path."""
    return expect({"exists": path.state is not None}, equals={"exists": want.exists})


@check("type")
def path_is_of_its_type(path: PathState, want: Path) -> Outcome:
    """Whether it is a file, a directory …."""
    return _compare(path.state, path.state and path.state.type, want.type)


@check("owner")
def owner_is_as_declared(path: PathState, want: Path) -> Outcome:
    """Whether it belongs to this user."""
    return _compare(path.state, path.state and path.state.owner, want.owner)


@check("group")
def group_is_as_declared(path: PathState, want: Path) -> Outcome:
    """Whether it belongs to this group."""
    return _compare(path.state, path.state and path.state.group, want.group)


def _compare(state: FileState | None, observed: object, wanted: object) -> Outcome:
    return failed(GONE, wanted) if state is None else expect(observed, equals=wanted)


@check("mode")
def mode_is_as_declared(path: PathState, want: Path) -> Outcome:
    """Whether the permission bits are exactly these."""
    wanted = int(str(want.mode), 8)
    if path.state is None:
        return failed(GONE, _octal(wanted))
    return expect(_octal(path.state.mode), equals=_octal(wanted))


@check("mode_at_most")
def mode_allows_no_more(path: PathState, want: Path) -> Outcome:
    """Whether no other permission bits are set."""
    most = int(str(want.mode_at_most), 8)
    if path.state is None:
        return failed(GONE, {"at_most": _octal(most)})
    good = not path.state.mode & ~most
    return (passed if good else failed)(_octal(path.state.mode), {"at_most": _octal(most)})


def _octal(mode: int) -> str:
    return f"{mode:04o}"


@check("acl")
def acl_holds_its_entries(acl: PathAcl, want: Path) -> Outcome:
    """Whether each declared entry stands in the access control list, with exactly these rights."""
    missing = [entry for entry in want.acl if _entry(entry) not in acl.entries]
    observed: dict[str, object] = {"acl": sorted(acl.entries)}
    if missing:
        observed["missing"] = missing
    return (failed if missing else passed)(observed, {"acl": {"at_least": sorted(want.acl)}})


def _entry(text: str) -> str:
    """Write an entry as getfacl does: kinds in full."""
    parts = text.strip().split(":")
    short = {"u": "user", "g": "group", "o": "other", "m": "mask", "d": "default"}
    return ":".join([short.get(p, p) if i < 1 + (parts[0] in ("d", "default")) else p for i, p in enumerate(parts)])


@check("contains")
def file_contains_its_texts(texts: PathTexts, want: Path) -> Outcome:
    """Whether each text stands in some line."""
    counts = texts.counts[: len(want.contains)]
    if None in counts:
        return failed(GONE, {"contains": list(want.contains)})
    missing = [text for text, count in zip(want.contains, counts, strict=True) if not count]
    return (failed if missing else passed)({"missing": missing}, {"contains": list(want.contains)})


@check("lacks")
def file_lacks_its_texts(texts: PathTexts, want: Path) -> Outcome:
    """Whether none of the texts stands in the file; a file that is not there holds none."""
    counts = texts.counts[len(want.contains) :]
    found = [text for text, count in zip(want.lacks, counts, strict=True) if count]
    return (failed if found else passed)({"extra": found}, {"missing": list(want.lacks)})
