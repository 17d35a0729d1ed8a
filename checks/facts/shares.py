"""Shares of a file server: the table of shares with their rights, the rights on a folder, and what SMB demands."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Failure, FailureKind, Unreadable
from checks.formats import security_descriptor
from checks.formats.security_descriptor import DACL_PRESENT, Descriptor
from checks.questions import SmbNegotiate, SmbSecurity, SmbShares

_ACCESS_DENIED = 5
_KINDS = {0: "disk", 1: "printer", 2: "device", 3: "ipc"}
EVERYTHING = Descriptor(DACL_PRESENT, None, None, None)


@dataclass(frozen=True, slots=True)
class Share:
    """A share as the server lists it (MS-SRVS 2.2.4). `unseen` says why path and rights could not be seen, if so."""

    name: str
    kind: str  # disk, printer, device, ipc
    special: bool  # made by the system: C$, ADMIN$, IPC$
    remark: str
    path: str | None
    descriptor: Descriptor | None
    unseen: Failure | None

    @property
    def rights(self) -> Descriptor:
        """The share's rights; one without a descriptor lets everybody through. Unreadable when they were not seen."""
        if self.unseen:
            raise Unreadable(self.unseen.detail, self.unseen.kind)
        return self.descriptor or EVERYTHING


@dataclass(frozen=True, slots=True)
class Shares(Fact):
    """All shares by their name in lower case. A hidden one that is asked about is asked for by name."""

    question = SmbShares()

    all: dict[str, Share]

    @classmethod
    def ask(cls, want: Any) -> SmbShares:
        """Ask for the list; besides for a share that the server may leave out of it."""
        name, _ = want.place
        hidden = name.endswith("$") or getattr(want, "hidden", None)
        return SmbShares(also=(name,)) if hidden else cls.question

    @classmethod
    def read(cls, answer: list[dict[str, Any]]) -> Self:
        """Read the table."""
        return cls({str(row["name"]).casefold(): _share(row) for row in answer})

    @property
    def of_domain_controller(self) -> bool:
        """Whether this is a domain controller, whose built-in groups are the domain's (SYSVOL and NETLOGON)."""
        return "sysvol" in self.all and "netlogon" in self.all


@dataclass(frozen=True, slots=True)
class ListedShares(Shares):
    """Only what the server shows when it is asked for its shares, as a computer's list of shares has it."""

    @classmethod
    def ask(cls, want: Any) -> SmbShares:  # noqa: ARG003 - the same list for all
        """Ask for the list alone."""
        return cls.question


def _share(row: dict[str, Any]) -> Share:
    raw, error, unseen, descriptor = row.get("descriptor"), row.get("error") or 0, None, None
    if error:
        kind = FailureKind.DENIED if error == _ACCESS_DENIED else FailureKind.UNREADABLE
        unseen = Failure(kind, f"share {row['name']}: error {error}")
    elif raw is not None:
        descriptor = security_descriptor.parse(base64.b64decode(raw))
    number = int(row["type"])
    return Share(
        str(row["name"]),
        _KINDS.get(number & 0x0FFFFFFF, str(number)),
        bool(number & 0x80000000),
        str(row.get("remark") or ""),
        row.get("path"),
        descriptor,
        unseen,
    )


@dataclass(frozen=True, slots=True)
class FileRights(Fact):
    """The security descriptor of a folder or file below a share; None: there is no such path.

    The requirement tells which: its `place` is (share, path with backslashes).
    """

    descriptor: Descriptor | None

    @classmethod
    def ask(cls, want: Any) -> SmbSecurity:
        """Ask for the folder that the requirement is about."""
        share, path = want.place
        return SmbSecurity(share, path)

    @classmethod
    def read(cls, answer: str | None) -> Self:
        """Read the descriptor."""
        return cls(None if answer is None else security_descriptor.parse(base64.b64decode(answer)))


@dataclass(frozen=True, slots=True)
class Negotiated(Fact):
    """What the server demands before anybody logs on (MS-SMB2 2.2.4)."""

    question = SmbNegotiate()

    dialect: str
    signing_required: bool
    encryption: bool
    smb1: bool

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Self:
        """Read the answer; what is no boolean is not taken for one."""
        words = [answer[k] for k in ("signing_required", "encryption", "smb1")]
        if not all(isinstance(w, bool) for w in words):
            raise Unreadable("what the server negotiated cannot be read")
        return cls(str(answer["dialect"]), *words)
