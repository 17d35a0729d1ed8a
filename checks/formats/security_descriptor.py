"""Security descriptors: owner, group, access control lists (MS-DTYP 2.4.4 to 2.4.6, self-relative form).

Every offset and size comes from the peer, so each is held against the bytes that are there. A descriptor is at most
64 KiB of control lists, so the work is bounded by the bytes.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

from checks.formats import sid
from checks.questions import Unreadable

# Control bits (MS-DTYP 2.4.6)
DACL_PRESENT, DACL_PROTECTED, SACL_PRESENT, SACL_PROTECTED = 0x0004, 0x1000, 0x0010, 0x2000
DACL_AUTO_INHERITED, DACL_AUTO_INHERIT_REQ = 0x0400, 0x0100
# ACE flags (2.4.4.1)
OBJECT_INHERIT, CONTAINER_INHERIT, NO_PROPAGATE, INHERIT_ONLY, INHERITED = 0x01, 0x02, 0x04, 0x08, 0x10
# ACE types (2.4.4.1)
ALLOW, DENY, AUDIT = 0, 1, 2
ALLOW_OBJECT, DENY_OBJECT, AUDIT_OBJECT = 5, 6, 7
ALLOW_CALLBACK, DENY_CALLBACK, ALLOW_CALLBACK_OBJECT, DENY_CALLBACK_OBJECT = 9, 10, 11, 12
_OBJECT_TYPES = frozenset({5, 6, 7, 8, 11, 12, 15, 16})
_PLAIN_TYPES = frozenset({0, 1, 2, 3, 9, 10, 13, 14, 17, 18, 19})
_HEADER, _ACL_HEADER, _ACE_HEADER = 20, 8, 8


@dataclass(frozen=True, slots=True)
class Ace:
    """An access control entry; `sid` is empty for a type that is unknown. GUIDs in lower case without braces.

    `object_type` is what an object ACE is about (a property, an extended right, a class of children), and
    `inherited_type` the class of objects that inherit it. `condition`: it depends on a condition (a callback ACE).
    """

    type: int
    flags: int
    mask: int
    sid: str
    object_type: str | None = None
    inherited_type: str | None = None
    condition: bytes = b""

    @property
    def allows(self) -> bool:
        """Whether it grants."""
        return self.type in (ALLOW, ALLOW_OBJECT, ALLOW_CALLBACK, ALLOW_CALLBACK_OBJECT)

    @property
    def denies(self) -> bool:
        """Whether it denies."""
        return self.type in (DENY, DENY_OBJECT, DENY_CALLBACK, DENY_CALLBACK_OBJECT)

    @property
    def conditional(self) -> bool:
        """Whether it only counts when a condition on claims holds."""
        return self.type in (ALLOW_CALLBACK, DENY_CALLBACK, ALLOW_CALLBACK_OBJECT, DENY_CALLBACK_OBJECT)

    @property
    def applies_here(self) -> bool:
        """Whether it counts for the object itself, not only for what is made in it."""
        return not self.flags & INHERIT_ONLY


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A security descriptor. `dacl` None: there is none, so everybody may do everything; () refuses everybody."""

    control: int
    owner: str | None
    group: str | None
    dacl: tuple[Ace, ...] | None
    sacl: tuple[Ace, ...] | None = None

    @property
    def protected(self) -> bool:
        """Whether the DACL does not inherit from the parent."""
        return bool(self.control & DACL_PROTECTED)


def parse(raw: bytes) -> Descriptor:
    """Read a self-relative descriptor; Unreadable when something in it points outside or is cut off."""
    if len(raw) < _HEADER:
        raise Unreadable("the security descriptor is cut off")
    revision, _, control, owner, group, sacl, dacl = struct.unpack_from("<BBHIIII", raw)
    if revision != 1:
        raise Unreadable(f"a security descriptor of revision {revision}")
    return Descriptor(
        control,
        sid.sid_text(raw, owner)[0] if owner else None,
        sid.sid_text(raw, group)[0] if group else None,
        _acl(raw, dacl) if control & DACL_PRESENT and dacl else None,
        _acl(raw, sacl) if control & SACL_PRESENT and sacl else None,
    )


def _acl(raw: bytes, offset: int) -> tuple[Ace, ...]:
    if offset + _ACL_HEADER > len(raw):
        raise Unreadable("an access control list lies outside the security descriptor")
    size, count = struct.unpack_from("<HH", raw, offset + 2)
    end = offset + size
    if size < _ACL_HEADER or end > len(raw):
        raise Unreadable("an access control list is cut off")
    position, found = offset + _ACL_HEADER, []
    for _ in range(count):
        if position + _ACE_HEADER > end:
            raise Unreadable("an access control list holds fewer entries than it says")
        length = struct.unpack_from("<H", raw, position + 2)[0]
        if length < _ACE_HEADER or position + length > end:
            raise Unreadable("an access control entry is cut off")
        found.append(_ace(raw, position, position + length))
        position += length
    return tuple(found)


def _ace(raw: bytes, start: int, end: int) -> Ace:
    kind, flags, _, mask = struct.unpack_from("<BBHI", raw, start)
    position = start + _ACE_HEADER
    if kind in _PLAIN_TYPES:
        name, length = sid.sid_text(raw[position:end])
        return Ace(kind, flags, mask, name, condition=raw[position + length : end])
    if kind not in _OBJECT_TYPES:
        return Ace(kind, flags, mask, "")
    if position + 4 > end:
        raise Unreadable("an object entry is cut off")
    present = struct.unpack_from("<I", raw, position)[0]
    position += 4
    guids: list[str | None] = [None, None]
    for i in (0, 1):
        if present & (i + 1):
            if position + 16 > end:
                raise Unreadable("an object entry is cut off")
            guids[i] = str(uuid.UUID(bytes_le=raw[position : position + 16]))
            position += 16
    name, length = sid.sid_text(raw[position:end])
    return Ace(kind, flags, mask, name, guids[0], guids[1], raw[position + length : end])


def pack(descriptor: Descriptor) -> bytes:
    """Write a descriptor in the self-relative form: the inverse of `parse`, for tests and for comparing."""
    body, offsets = b"", []
    for part in (
        sid.sid_bytes(descriptor.owner) if descriptor.owner else b"",
        sid.sid_bytes(descriptor.group) if descriptor.group else b"",
        _pack_acl(descriptor.sacl) if descriptor.sacl is not None else b"",
        _pack_acl(descriptor.dacl) if descriptor.dacl is not None else b"",
    ):
        offsets.append(_HEADER + len(body) if part else 0)
        body += part
    return struct.pack("<BBHIIII", 1, 0, descriptor.control, *offsets) + body


def _pack_acl(aces: tuple[Ace, ...]) -> bytes:
    body = b""
    for ace in aces:
        said = b""
        if ace.type in _OBJECT_TYPES:
            present = (1 if ace.object_type else 0) | (2 if ace.inherited_type else 0)
            said = struct.pack("<I", present)
            said += b"".join(uuid.UUID(g).bytes_le for g in (ace.object_type, ace.inherited_type) if g)
        said += sid.sid_bytes(ace.sid) + ace.condition
        body += struct.pack("<BBHI", ace.type, ace.flags, _ACE_HEADER + len(said), ace.mask) + said
    revision = 4 if any(a.type in _OBJECT_TYPES for a in aces) else 2
    return struct.pack("<BBHHH", revision, 0, _ACL_HEADER + len(body), len(aces), 0) + body
