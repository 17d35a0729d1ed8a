"""Shares of a file server: that they are there, who has which rights on the share and on the files, and SMB itself.

Principals are compared by SID and shown by name. What may not be read (a share that shuts the auditor out) is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from checks.core import (
    Expectation,
    Failure,
    FailureKind,
    Outcome,
    Scope,
    Unreadable,
    check,
    expect,
    failed,
    kind,
    not_applicable,
    passed,
)
from checks.facts.principals import Principals
from checks.facts.shares import FileRights, ListedShares, Negotiated, Shares
from checks.facts.shares import Share as Found
from checks.formats import file_rights, sddl
from checks.formats import security_descriptor as sd
from checks.formats.access import FILE
from checks.formats.file_rights import ShareWord, Word
from checks.formats.security_descriptor import Descriptor

Place = Literal["this", "subfolders", "files"]
_PLACES: tuple[Place, ...] = ("this", "subfolders", "files")


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What one user or group has on the shared folder."""

    principal: str
    """User or group, such as G_Docenten, SCHOOL\\\\G_Docenten, Everyone or CREATOR OWNER."""
    rights: Word | tuple[Word, ...]
    """The rights as the console calls them, or the single special rights."""
    deny: bool = False
    """Whether it is refused instead of given."""
    applies_to: tuple[Place, ...] | None = None
    """For what: this folder, subfolders, files; not given: not judged."""


@kind("shares", Scope.HOST)
class Share(Expectation):
    """A shared folder of this file server."""

    name: str
    """Name of the share, with the $ of a hidden one."""
    exists: bool = True
    """Whether it is there; false: there must be no such share."""
    path: str | None = None
    """Folder on the server, such as /srv/examens or D:\\\\Examens."""
    hidden: bool | None = None
    """Whether it is left out when a computer's shares are listed."""
    comment: str | None = None
    """Its description."""
    share_acl: dict[str, ShareWord] | None = None
    """Exactly who has which right on the share itself: full, change or read."""
    file_acl: tuple[FileEntry, ...] = ()
    """Who has which rights on the folder."""
    exact: bool = False
    """Whether nobody else may stand in the folder's list."""
    inherited: bool | None = None
    """Whether the folder inherits rights from the folder above; false: inheritance is broken off."""
    owner: str | None = None
    """Owner of the folder."""

    @property
    def place(self) -> tuple[str, str]:
        """Where its rights are read."""
        return self.name, ""


@kind("smb_server", Scope.HOST, many=False)
class SmbServer(Expectation):
    """What this server's SMB demands of its clients."""

    signing: Literal["required", "optional"] | None = None
    """Whether every message must be signed."""
    smb1: bool | None = None
    """Whether it still speaks SMB 1."""
    encryption: bool | None = None
    """Whether it can encrypt (SMB 3)."""


_ABSENT = not_applicable("missing")


def _exists(shares: ListedShares, rights: FileRights | Failure, name: str) -> tuple[bool, bool]:
    """Tell whether a share is listed, and whether it is there: one that is not listed may still answer."""
    listed = name.casefold() in shares.all
    if listed:
        return True, True
    if isinstance(rights, Failure):
        raise Unreadable(rights.detail, rights.kind)
    return False, rights.descriptor is not None


@check
def share_exists(shares: ListedShares, rights: FileRights | Failure, want: Share) -> Outcome:
    """Whether the share is there: in the server's list, or else because it answers by its name."""
    _, there = _exists(shares, rights, want.name)
    return expect({"exists": there}, equals={"exists": want.exists})


@check("hidden")
def share_visibility_is_right(shares: ListedShares, rights: FileRights | Failure, want: Share) -> Outcome:
    """Whether the share is hidden: its name ends in $, or the server leaves it out of its list."""
    listed, there = _exists(shares, rights, want.name)
    if not there:
        return _ABSENT
    return expect({"hidden": want.name.endswith("$") or not listed}, equals={"hidden": want.hidden})


def listed(shares: Shares, name: str) -> Found:
    """Give the share from the list; Unreadable when it is not there."""
    found = shares.all.get(name.casefold())
    if found is None:
        raise Unreadable(f"the server does not list a share {name}")
    return found


@check("path")
def share_path_is_right(shares: Shares, want: Share) -> Outcome:
    """Whether the share leads to the folder on the server that was agreed."""
    found = listed(shares, want.name)
    if found.path is None:
        raise Unreadable(
            found.unseen.detail if found.unseen else "the server does not tell the folder",
            found.unseen.kind if found.unseen else FailureKind.DENIED,
        )
    good = _same_path(found.path, want.path or "")
    return (passed if good else failed)({"path": found.path}, {"path": want.path})


def _same_path(seen: str, wanted: str) -> bool:
    r"""Compare paths: those of Windows without regard to case; Samba tells /srv/x as C:\srv\x."""
    there, here = (path.replace("\\", "/").rstrip("/") for path in (seen, wanted))
    return there.removeprefix("C:") == here if wanted.startswith("/") else there.casefold() == here.casefold()


@check("comment")
def share_comment_is_right(shares: Shares, want: Share) -> Outcome:
    """Whether the share has this description."""
    return expect(listed(shares, want.name).remark, equals=want.comment)


def _refuse_conditions(descriptor: Descriptor, principals: Principals) -> None:
    """Raise Unreadable for an entry that depends on claims: whether it counts cannot be told."""
    for ace in descriptor.dacl or ():
        if ace.conditional:
            raise Unreadable(f"a conditional entry: {sddl.ace_text(ace, principals.name)}")


@check("share_acl")
def share_permissions_are_right(shares: Shares, principals: Principals, want: Share) -> Outcome:
    """Whether exactly these have these rights on the share itself; entries that deny are always too much."""
    descriptor = listed(shares, want.name).rights
    _refuse_conditions(descriptor, principals)
    wanted = {principals.find(n) or n: str(word) for n, word in (want.share_acl or {}).items()}
    there: dict[str, str] = {}
    masks: dict[str, int] = {}
    if descriptor.dacl is None:
        there["S-1-1-0"] = "full"  # no list: everybody may do everything
    for ace in descriptor.dacl or ():
        if ace.denies:
            there[f"{ace.sid} deny"] = file_rights.share_word(ace.mask)
        elif ace.allows:
            masks[ace.sid] = masks.get(ace.sid, 0) | ace.mask
    there |= {sid: file_rights.share_word(mask) for sid, mask in masks.items()}
    seen: dict[str, Any] = {"entries": _told(principals, there)}
    for word, entries in (
        ("missing", {s: w for s, w in wanted.items() if there.get(s) != w}),
        ("extra", {s: w for s, w in there.items() if wanted.get(s) != w}),
    ):
        if entries:
            seen[word] = _told(principals, entries)
    return (passed if there == wanted else failed)(seen, {"exactly": _told(principals, wanted)})


def _told(principals: Principals, entries: dict[str, str]) -> list[dict[str, str]]:
    told = []
    for key, word in entries.items():
        sid, _, deny = key.partition(" ")
        told.append({"principal": principals.name(sid), "deny" if deny else "rights": word})
    return sorted(told, key=lambda e: e["principal"].casefold())


_NOTHING = {"exists": False}  # the share, or the folder behind it


Masks = dict[tuple[str, bool], dict[Place, int]]


def _masks(descriptor: Descriptor) -> Masks:
    """Give what each principal is given, and is refused, for this folder, subfolders and files."""
    found: Masks = {}
    for ace in descriptor.dacl or ():
        if not (ace.allows or ace.denies):
            continue
        places = found.setdefault((ace.sid, ace.denies), dict.fromkeys(_PLACES, 0))
        reaches = {
            "this": ace.applies_here,
            "subfolders": bool(ace.flags & sd.CONTAINER_INHERIT),
            "files": bool(ace.flags & sd.OBJECT_INHERIT),
        }
        for place in _PLACES:
            if reaches[place]:
                places[place] |= FILE.apply(ace.mask)
    return found


@check("file_acl")
def file_permissions_are_right(rights: FileRights, principals: Principals, want: Share) -> Outcome:
    """Whether these users and groups have exactly these rights on the folder; with `exact`, and nobody else."""
    told = [
        _entry(principals, (principals.find(e.principal) or e.principal, e.deny), _words(e), e.applies_to)
        for e in want.file_acl
    ]
    expected = {"exactly" if want.exact else "at_least": told}
    descriptor = rights.descriptor
    if descriptor is None:
        return failed(_NOTHING, expected)
    _refuse_conditions(descriptor, principals)
    masks = _masks(descriptor)
    missing, known = [], set()
    for entry in want.file_acl:
        key = (principals.find(entry.principal) or entry.principal, entry.deny)
        known.add(key)
        if not _matches(masks.get(key), entry):
            missing.append(_entry(principals, key, _words(entry), entry.applies_to))
    everything = [_seen(principals, key, places) for key, places in masks.items()]
    if descriptor.dacl is None:
        everything = [{"principal": principals.name("S-1-1-0"), "rights": "full"}]
    extra = [_seen(principals, key, places) for key, places in masks.items() if key not in known]
    seen: dict[str, Any] = {"entries": everything}
    if missing:
        seen["missing"] = missing
    if want.exact and extra:
        seen["extra"] = extra
    bad = missing or (want.exact and (extra or descriptor.dacl is None))
    return (failed if bad else passed)(seen, expected)


def _words(entry: FileEntry) -> tuple[str, ...]:
    return (entry.rights,) if isinstance(entry.rights, str) else entry.rights


def _matches(places: dict[Place, int] | None, entry: FileEntry) -> bool:
    if places is None:
        return False
    if entry.applies_to is None:
        return file_rights.fits(places["this"] | places["subfolders"] | places["files"], _words(entry))
    return all(
        file_rights.fits(mask, _words(entry)) if place in entry.applies_to else not mask
        for place, mask in places.items()
    )


def _entry(
    principals: Principals, key: tuple[str, bool], words: tuple[str, ...], places: tuple[Place, ...] | None
) -> dict[str, Any]:
    sid, deny = key
    told: dict[str, Any] = {"principal": principals.name(sid), "deny" if deny else "rights": ", ".join(words)}
    if places:
        told["applies_to"] = ", ".join(places)
    return told


def _seen(principals: Principals, key: tuple[str, bool], places: dict[Place, int]) -> dict[str, Any]:
    mask = places["this"] | places["subfolders"] | places["files"]
    here = tuple(place for place in _PLACES if places[place])
    return _entry(principals, key, tuple(file_rights.words(mask)), here)


@check("inherited")
def inheritance_is_right(rights: FileRights, want: Share) -> Outcome:
    """Whether the folder's list inherits from above, or is protected from it (MS-DTYP 2.4.6, PD)."""
    seen = _NOTHING if rights.descriptor is None else {"inherited": not rights.descriptor.protected}
    return expect(seen, equals={"inherited": want.inherited})


@check("owner")
def owner_is_right(rights: FileRights, principals: Principals, want: Share) -> Outcome:
    """Whether the folder has this owner, who may always change its rights."""
    wanted = principals.find(want.owner or "") or want.owner or ""
    expected = {"owner": principals.name(wanted)}
    if rights.descriptor is None:
        return failed(_NOTHING, expected)
    owner = rights.descriptor.owner
    told = {"owner": principals.name(owner) if owner else None}
    return (passed if owner == wanted else failed)(told, expected)


@check("signing")
def smb_signing_is_right(negotiated: Negotiated, want: SmbServer) -> Outcome:
    """Whether the server demands signed messages, without which a man in the middle can relay a logon."""
    seen = "required" if negotiated.signing_required else "optional"
    return expect({"signing": seen}, equals={"signing": want.signing})


@check("smb1")
def smb1_is_right(negotiated: Negotiated, want: SmbServer) -> Outcome:
    """Whether the server speaks SMB 1."""
    return expect({"smb1": negotiated.smb1}, equals={"smb1": want.smb1}, note=negotiated.dialect)


@check("encryption")
def smb_encryption_is_right(negotiated: Negotiated, want: SmbServer) -> Outcome:
    """Whether the server can encrypt sessions."""
    return expect(
        {"encryption": negotiated.encryption}, equals={"encryption": want.encryption}, note=negotiated.dialect
    )
