"""Facts about files: what they are, whose, who may do what, and whether they hold a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Output
from checks.questions import FailureKind, Shell, Unreadable, quote

_FORMAT = "%f/%U/%G/%s"  # domain groups may have spaces and backslashes in their names, but no slash
_TYPE = {1: "fifo", 2: "character device", 4: "directory", 6: "block device", 8: "file", 10: "symlink", 12: "socket"}
_ESCAPE = re.compile(r"\\(?:([0-7]{3})|\\)")  # getfacl writes spaces and backslashes in names so
_ABSENT = ("No such file or directory", "Not a directory")


@dataclass(frozen=True, slots=True)
class FileState:
    """What stat(1) says of a path; symbolic links are not followed. `mode`: the permission bits (07777)."""

    type: str
    mode: int
    owner: str
    group: str
    size: int


def _state(text: str) -> FileState:
    raw, owner, group, size = text.split("/")
    bits = int(raw, 16)
    return FileState(_TYPE[bits >> 12], bits & 0o7777, owner, group, int(size))


@dataclass(frozen=True, slots=True)
class PathState(Fact):
    """One path of the definition; `state` None when there is no such file (stat(1) of coreutils)."""

    state: FileState | None

    @classmethod
    def ask(cls, want: Any) -> Shell:
        """Ask for `want.path`, as root when `want.root`."""
        return Shell(f"stat -c '{_FORMAT}' -- {quote(want.path)}", root=want.root)

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read one line; a path that is not there is an answer too."""
        if answer.status == 1 and any(word in answer.stderr for word in _ABSENT):
            return cls(None)
        return cls(_state(answer.text().strip("\n")))


@dataclass(frozen=True, slots=True)
class PathTexts(Fact):
    """How many lines of a file hold each text (grep(1) `-cF`); None for a file that is not there. No text is shown."""

    counts: tuple[int | None, ...]

    @classmethod
    def ask(cls, want: Any) -> tuple[Shell, ...]:
        """Ask once for each text of `want.contains` and then of `want.lacks`."""
        path = quote(want.path)
        return tuple(
            Shell(f"grep -cF -e {quote(text)} -- {path}", root=want.root) for text in (*want.contains, *want.lacks)
        )

    @classmethod
    def read(cls, *answers: Output) -> Self:
        """Read the counts; status 1 is a count of 0."""
        counts: list[int | None] = []
        for answer in answers:
            absent = answer.status == 2 and any(word in answer.stderr for word in _ABSENT)  # noqa: PLR2004 - grep(1)
            counts.append(None if absent else int(answer.text(0, 1).strip()))
        return cls(tuple(counts))


@dataclass(frozen=True, slots=True)
class PathAcl(Fact):
    """The POSIX access control list of a path, entries as `user:alice:rwx` and `default:group::r-x` (getfacl(1))."""

    entries: frozenset[str]

    @classmethod
    def ask(cls, want: Any) -> Shell:
        """Ask for `want.path`, as root when `want.root`."""
        return Shell(f"getfacl -cpE -- {quote(want.path)}", root=want.root)

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the entries; comments about effective rights are left out by -E."""
        lines = [line.strip() for line in answer.text().splitlines()]
        return cls(frozenset(_ESCAPE.sub(_character, e) for e in lines if e and not e.startswith("#")))


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 8)) if match[1] else "\\"


SECURITY_PATHS = (
    "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d",
    "/etc/ssh/sshd_config", "/etc/crontab", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly",
    "/etc/cron.monthly", "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/root",
)  # fmt: skip
SECURITY_FOLDERS = (
    "/etc/sudoers.d", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SecurityFiles(Fact):
    """The states of the files that guard a host (SECURITY_PATHS, and what lies in SECURITY_FOLDERS).

    Those that are not there are not in it; nor those in a folder that the auditing account may not list: what others
    cannot reach, they cannot change either.
    """

    question = Shell(
        f"stat -c '{_FORMAT}/%n' -- {' '.join(SECURITY_PATHS)} {' '.join(f + '/*' for f in SECURITY_FOLDERS)} "
        "2>/dev/null; true"
    )

    states: Mapping[str, FileState]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read a line per path."""
        found: dict[str, FileState] = {}
        for line in answer.text().splitlines():
            *state, path = line.split("/", 4)
            found["/" + path.lstrip("/")] = _state("/".join(state))
        if "/etc/passwd" not in found:
            raise Unreadable("stat told nothing", FailureKind.NOT_INSTALLED)
        return cls(found)


@dataclass(frozen=True, slots=True)
class WorldWritable(Fact):
    """Files and folders that anyone may change where programs and settings of the system live (find(1)).

    Folders with the sticky bit and symbolic links do not count. Only folders that hold the system: it stays quick.
    """

    question = Shell(
        "find /boot /etc /opt /usr/bin /usr/sbin /usr/local /usr/lib/systemd /var/spool/cron -xdev "
        "-perm -0002 -not -type l -not -type c -not -type p -not -type s -not -perm -1000",
        root=True,
        limit=256 * 1024,
    )

    paths: tuple[str, ...]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read a path per line; folders of the list that do not exist are no problem, others are."""
        complaints = [line for line in answer.stderr.splitlines() if line and not line.endswith(_ABSENT)]
        if complaints:
            denied = bool(re.search(r"ermission denied|not permitted|password", complaints[0]))
            raise Unreadable(complaints[0][:300], FailureKind.DENIED if denied else FailureKind.UNREADABLE)
        return cls(tuple(sorted(answer.text(0, 1).splitlines())))
