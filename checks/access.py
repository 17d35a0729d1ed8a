r"""Effective access: what a user or group can really do in a share, through all nested groups.

It is the share's rights and the files' rights together, each decided by the algorithm of MS-DTYP 2.5.3.2 for the whole
token, and the entry that decides is named. Assumed of a member server: its built-in groups have their usual members
(Domain Users in Users, Domain Admins in Administrators). An entry for a local group of the server could let anybody in:
where that would decide, the finding is unknown. Administrators may take ownership; their privileges to back up and
restore are left out, since they need programs that ask for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from checks.core import Expectation, FailureKind, Outcome, Scope, check, failed, kind, passed, unknown
from checks.facts.principals import NETWORK, THIS_ORGANIZATION, Principals
from checks.facts.shares import FileRights, Shares
from checks.formats import access, sddl
from checks.formats.security_descriptor import Ace, Descriptor
from checks.formats.sid import AUTHENTICATED, BUILTIN, EVERYONE
from checks.shares import listed

Right = Literal[
    "read", "list", "write", "create", "modify", "execute", "delete", "change_permissions", "take_ownership"
]  # fmt: skip
_FOLDER = {"list": 0x1, "write": 0x2, "create": 0x6, "change_permissions": 0x40000, "take_ownership": 0x80000}
_FILES = {"read": 0x1, "modify": 0x2, "execute": 0x20, "delete": 0x10000}
_ON_FILE = {**_FILES, "write": 0x2, "change_permissions": 0x40000, "take_ownership": 0x80000}
_DELETE, _DELETE_CHILD = 0x10000, 0x40


@kind("access", Scope.HOST)
class Access(Expectation):
    """What a user or group can and cannot do in a share (or a folder or file in it)."""

    share: str
    """Name of the share."""
    path: str = ""
    r"""Folder below the share, such as INF1\\Taken."""
    file: bool = False
    """Whether the path is a file."""
    who: str
    """User or group; for a group: any member that is in no other group."""
    can: tuple[Right, ...] = ()
    """What must be possible: list the folder; write (put new files in it); create (files and folders); read, modify,
    execute or delete files that others put in it; change_permissions or take_ownership of the folder."""
    cannot: tuple[Right, ...] = ()
    """What must be impossible, in whole and in part."""

    def __post_init__(self) -> None:
        """Refuse what says nothing, or contradicts itself."""
        if not self.can and not self.cannot:
            raise ValueError("give `can`, `cannot`, or both")
        if both := sorted(set(self.can) & set(self.cannot)):
            raise ValueError(f"{', '.join(both)}: both can and cannot")
        if self.file and (wrong := sorted(({*self.can, *self.cannot}) - set(_ON_FILE))):
            raise ValueError(f"{', '.join(wrong)}: only of a folder")

    @property
    def place(self) -> tuple[str, str]:
        """Where the rights are read."""
        return self.share, self.path.replace("/", "\\").strip("\\")

    @property
    def subject(self) -> str:
        """Who, and where."""
        share, path = self.place
        return f"{self.who} @ {share}" + (f"\\{path}" if path else "")


@check("can")
def access_is_granted(shares: Shares, rights: FileRights, principals: Principals, want: Access) -> Iterator[Outcome]:
    """Whether who was named can really do all of this."""
    yield from _judge(shares, rights, principals, want, want.can, granted=True)


@check("cannot")
def access_is_refused(shares: Shares, rights: FileRights, principals: Principals, want: Access) -> Iterator[Outcome]:
    """Whether who was named can really do nothing of this."""
    yield from _judge(shares, rights, principals, want, want.cannot, granted=False)


def _judge(
    shares: Shares,
    rights: FileRights,
    principals: Principals,
    want: Access,
    words: tuple[str, ...],
    *,
    granted: bool,
) -> Iterator[Outcome]:
    if rights.descriptor is None:
        for word in words:
            yield failed({"exists": False}, {"access": word}, subject=f"{want.subject}: {word}")
        return
    of_share = listed(shares, want.share).rights
    token = token_of(shares, principals, want.who, of_share, rights.descriptor)
    case = _Case(principals, token, of_share, rights.descriptor, want.file)
    for word in words:
        subject = f"{want.subject}: {word}"
        can, note, doubt = case.decide(word, every=granted)
        if can is None:
            yield unknown(FailureKind.UNREADABLE, doubt, subject=subject, expected={"access": granted})
        else:
            yield (passed if can == granted else failed)(
                {"access": can}, {"access": granted}, subject=subject, note=note
            )


class _Case:
    """One token against one share and one folder."""

    def __init__(
        self, principals: Principals, token: access.Token, share: Descriptor, files: Descriptor, file: bool
    ) -> None:
        self.principals = principals
        self.share = access.check(share, token)
        self.folder = access.check(files, token)
        new = access.child(files, folder=False, owner=None, group=f"{principals.domain}-513")
        self.files = self.folder if file else access.check(new, token)
        self.bits = _ON_FILE if file else _FOLDER | _FILES
        self.file = file

    def decide(self, word: str, *, every: bool) -> tuple[bool | None, str, str]:
        """Tell whether every bit (or else any bit) of a right is granted, what decides, and what is in doubt."""
        mask = self.bits[word]
        there = self.files if self.file or word in _FILES else self.folder
        results = [
            (bit, self._both(self.share.all(bit), self._granted(there, bit)))
            for i in range(32)
            if (bit := mask & 1 << i)
        ]
        found = [r for _, r in results]
        if every:
            result = False if False in found else None if None in found else True
        else:
            result = True if True in found else None if None in found else False
        bit = next((b for b, r in results if r == result), mask)
        note = f"share {self._ace(self.share.deciding(bit))} & files {self._ace(self._deciding(there, bit))}"
        return result, note, note

    def _granted(self, there: access.Access, bit: int) -> bool | None:
        """Tell of one bit; a file can also be deleted by who may delete children of its folder."""
        result = there.all(bit)
        if bit != _DELETE or self.file:
            return result
        folder = self.folder.all(_DELETE_CHILD)
        return True if True in (result, folder) else None if None in (result, folder) else False

    def _deciding(self, there: access.Access, bit: int) -> Ace | None:
        if bit == _DELETE and not self.file and not there.all(bit) and self.folder.all(_DELETE_CHILD) is not False:
            return self.folder.deciding(_DELETE_CHILD)
        return there.deciding(bit)

    @staticmethod
    def _both(one: bool | None, other: bool | None) -> bool | None:
        if one is False or other is False:
            return False
        return None if one is None or other is None else True

    def _ace(self, ace: Ace | None) -> str:
        return sddl.ace_text(ace, self.principals.name) if ace else "-"


def token_of(shares: Shares, principals: Principals, who: str, *descriptors: Descriptor) -> access.Token:
    """Give every SID of somebody who logs on over the network, and those of the descriptors that may be among them.

    A group stands for a member of it that is in no other group but Domain Users. On a domain controller the domain's
    built-in groups count; a member server has its own, with their usual members.
    """
    sid = principals.require(who)
    more = {NETWORK} if sid == EVERYONE else {NETWORK, THIS_ORGANIZATION}
    if principals.is_group(sid):
        more.add(f"{principals.domain}-513")
    sids = principals.logged_on(sid, *more)
    if not shares.of_domain_controller:
        sids = frozenset(s for s in sids if not s.startswith(BUILTIN) or s == sid)
        usual = {513: 545, 512: 544, 514: 546}
        sids |= {f"{BUILTIN}{alias}" for rid, alias in usual.items() if f"{principals.domain}-{rid}" in sids}
        if AUTHENTICATED in sids:
            sids |= {f"{BUILTIN}545"}
    doubtful = {ace.sid for d in descriptors for ace in d.dacl or () if _local(ace.sid, principals)}
    return access.Token(sids, frozenset(doubtful - sids), takes_ownership=f"{BUILTIN}544" in sids)


def _local(sid: str, principals: Principals) -> bool:
    """Tell whether a SID is of a machine's own (or another domain's) group, or a Unix group other than root."""
    if sid.startswith("S-1-5-21-"):
        return not sid.startswith(principals.domain + "-")
    return sid.startswith("S-1-22-2-") and sid != "S-1-22-2-0"
