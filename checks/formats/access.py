"""Effective access: what a token may do with an object (MS-DTYP 2.5.3.2), and which entry decides it.

The answer has three values, since an auditor cannot see everything: a conditional entry, or an entry for a group whose
members are unknown (a local group of another machine), leaves the bits it could decide *doubtful*. Of the privileges
only that to take ownership counts; those to back up and restore need programs that ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from checks.formats import security_descriptor as sd
from checks.formats.security_descriptor import Ace, Descriptor

CREATOR_OWNER, CREATOR_GROUP, OWNER_RIGHTS = "S-1-3-0", "S-1-3-1", "S-1-3-4"
READ_CONTROL, WRITE_DAC, WRITE_OWNER = 0x20000, 0x40000, 0x80000
_GENERIC = 0xF0000000


@dataclass(frozen=True, slots=True)
class GenericMapping:
    """What the four generic rights mean for a kind of object (MS-DTYP 2.5.3.1.2)."""

    read: int
    write: int
    execute: int
    all: int

    def apply(self, mask: int) -> int:
        """Replace generic rights by what they mean."""
        specific = mask & ~_GENERIC & ~0x02000000  # MAXIMUM_ALLOWED means nothing in an entry
        for bit, rights in ((1 << 31, self.read), (1 << 30, self.write), (1 << 29, self.execute), (1 << 28, self.all)):
            if mask & bit:
                specific |= rights
        return specific


FILE = GenericMapping(0x120089, 0x120116, 0x1200A0, 0x1F01FF)
DIRECTORY_OBJECT = GenericMapping(0x20094, 0x20028, 0x20004, 0xF01FF)  # MS-ADTS 5.1.3.2


@dataclass(frozen=True, slots=True)
class Token:
    """Who asks: every SID of the user (groups, nested groups, well-known ones), and those that could be among them."""

    sids: frozenset[str]
    doubtful: frozenset[str] = frozenset()
    takes_ownership: bool = False
    """Whether it has SeTakeOwnershipPrivilege, which administrators have."""


@dataclass(frozen=True, slots=True)
class Access:
    """What is granted, what cannot be told, and per bit the entry that decides (none: no entry grants it).

    A bit that an owner or a privilege has without an entry, or that no DACL guards, has no entry either.
    """

    granted: int
    doubtful: int
    deciders: dict[int, Ace] = field(default_factory=dict)

    def all(self, mask: int) -> bool | None:
        """Tell whether every one of these rights is granted; None when that cannot be told."""
        if mask & ~(self.granted | self.doubtful):
            return False
        return None if mask & ~self.granted else True

    def any(self, mask: int) -> bool | None:
        """Tell whether at least one of these rights is granted; None when that cannot be told."""
        if mask & self.granted:
            return True
        return None if mask & self.doubtful else False

    def deciding(self, mask: int) -> Ace | None:
        """Give the entry that decides on these rights: the first that is in the way, else the first that grants."""
        for bits in (mask & ~self.granted & ~self.doubtful, mask & self.doubtful, mask & self.granted):
            for i in range(32):
                if bits >> i & 1:
                    return self.deciders.get(1 << i)
        return None


def check(
    descriptor: Descriptor, token: Token, mapping: GenericMapping = FILE, objects: frozenset[str] = frozenset()
) -> Access:
    """Give all that the token is granted (as with MAXIMUM_ALLOWED).

    `objects`: GUIDs (lower case) of the extended right or property asked about, and of its property set. Without
    them an entry that grants for an object type grants nothing, and one that denies denies everything, as Windows does.
    """
    if descriptor.dacl is None:
        return Access(mapping.all, 0)
    sids, owned = token.sids, descriptor.owner in token.sids
    granted = WRITE_OWNER if token.takes_ownership else 0
    if owned:
        sids |= {OWNER_RIGHTS}
        if not any(a.sid == OWNER_RIGHTS and a.applies_here for a in descriptor.dacl):
            granted |= READ_CONTROL | WRITE_DAC
    decided = granted
    hoped = feared = 0  # bits that a doubtful entry before may have granted, denied
    doubtful = 0
    deciders: dict[int, Ace] = {}
    for ace in descriptor.dacl:
        sure = ace.sid in sids and not ace.conditional
        if not (sure or ace.sid in sids or ace.sid in token.doubtful) or not _counts(ace, objects):
            continue
        bits = mapping.apply(ace.mask) & ~decided
        _note(deciders, bits & ~((hoped | feared) if not sure else feared if ace.allows else hoped), ace)
        if not sure:
            hoped, feared = hoped | (bits if ace.allows else 0), feared | (bits if ace.denies else 0)
            continue
        decided |= bits
        if ace.allows:
            granted |= bits & ~feared
            doubtful |= bits & feared
        else:
            doubtful |= bits & hoped
    return Access(granted, doubtful | (hoped & ~decided), deciders)


def _counts(ace: Ace, objects: frozenset[str]) -> bool:
    if not ace.applies_here or not (ace.allows or ace.denies):
        return False
    if ace.object_type is None:
        return True
    return ace.object_type in objects if objects else ace.denies


def _note(deciders: dict[int, Ace], bits: int, ace: Ace) -> None:
    for i in range(32):
        if bits >> i & 1:
            deciders[1 << i] = ace


def child(
    parent: Descriptor, *, folder: bool, owner: str | None, group: str | None, mapping: GenericMapping = FILE
) -> Descriptor:
    """Give the descriptor that a new file or folder inherits (MS-DTYP 2.5.3.4).

    `owner` and `group` take the place of CREATOR OWNER and CREATOR GROUP; None drops those entries. A parent without
    a DACL is inherited as such. Without any entry to inherit only the owner would have access: an empty DACL.
    """
    if parent.dacl is None:
        return replace(parent, owner=owner, group=group)
    found: list[Ace] = []
    for ace in parent.dacl:
        reaches = ace.flags & sd.CONTAINER_INHERIT if folder else ace.flags & sd.OBJECT_INHERIT
        further = folder and ace.flags & sd.OBJECT_INHERIT and not ace.flags & sd.NO_PROPAGATE
        if not reaches and not further:
            continue
        flags = sd.INHERITED
        if folder and not ace.flags & sd.NO_PROPAGATE:
            flags |= ace.flags & (sd.OBJECT_INHERIT | sd.CONTAINER_INHERIT)
        if not reaches:
            found.append(replace(ace, flags=flags | sd.INHERIT_ONLY))
            continue
        sid = {CREATOR_OWNER: owner, CREATOR_GROUP: group}.get(ace.sid, ace.sid)
        if sid is not None:
            found.append(replace(ace, sid=sid, mask=mapping.apply(ace.mask), flags=flags))
    return Descriptor(parent.control & ~sd.DACL_PROTECTED, owner, group, tuple(found))
