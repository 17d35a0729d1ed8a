"""What each controller knows of the domain, so that controllers can be compared with one another.

Every controller counts its own changes (uSNChanged) and keeps its own whenChanged, so neither can be compared. What
must be equal is the content: which objects there are (by GUID), where they stand, and their replicated attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from checks.core import Fact, FailureKind, Unreadable
from checks.facts.directory import RootDse, Said
from checks.facts.entries import Entry, entries
from checks.formats import distinguished_name, reps_from, sid
from checks.formats.reps_from import Link
from checks.questions import LdapSearch

# Replicated attributes whose change matters; memberships by `member`
_COMPARED = (
    "sAMAccountName",
    "userAccountControl",
    "pwdLastSet",
    "member",
    "description",
    "gPLink",
    "gPOptions",
    "versionNumber",
    "flags",
)
_HEAD = ("minPwdLength", "maxPwdAge", "lockoutThreshold", "pwdProperties", "fSMORoleOwner", "gPLink")


@dataclass(frozen=True, slots=True)
class Copy:
    """One object as a controller has it: where, a digest of its compared attributes, and when it last changed there."""

    dn: str
    digest: bytes
    changed: float


@dataclass(frozen=True, slots=True)
class Replica(Fact):
    """All users, groups, computers, units and group policies, as one controller has them."""

    question = (
        RootDse.question,
        LdapSearch(
            filter="(|(sAMAccountType=805306368)(sAMAccountType=805306369)(objectClass=group)"
            "(objectClass=organizationalUnit)(objectClass=groupPolicyContainer))",
            attributes=("objectGUID", "whenChanged", *_COMPARED),
            binary=("objectGUID",),
        ),
        LdapSearch(attributes=("objectGUID", "whenChanged", *_HEAD), scope="base", binary=("objectGUID",)),
    )

    now: float
    usn: int
    objects: Mapping[str, Copy]  # by GUID

    @classmethod
    def read(cls, root: Said, answer: Said, head: Said) -> Self:
        """Read the objects, and the head of the domain with its rules for passwords."""
        dse = RootDse.read(root)
        if not answer:
            raise Unreadable("the account may not see the objects of the domain", FailureKind.DENIED)
        objects = {}
        for said, names in ((answer, _COMPARED), (head, _HEAD)):
            lowered = tuple(n.lower() for n in names)
            for e in entries(said):
                guid = e.guid()
                if guid is None:
                    raise Unreadable(f"the account may not read objectGUID of {e.dn}", FailureKind.DENIED)
                objects[guid] = _copy(e, lowered)
        return cls(dse.now, dse.usn, objects)


def _copy(entry: Entry, names: tuple[str, ...]) -> Copy:
    """Digest an object; the order of several values is each controller's own, and so is the form of names."""
    digest = hashlib.blake2b(entry.key.encode("utf-8", "replace"), digest_size=16)
    for name in names:
        values = entry.texts(name)
        told = sorted(map(distinguished_name.key, values)) if name in ("member", "fsmoroleowner") else sorted(values)
        digest.update(f"\0{name}\0{len(told)}\0".encode())
        digest.update("\0".join(told).encode("utf-8", "replace"))
    return Copy(entry.dn, digest.digest(), entry.time("whenchanged") or 0.0)


def _links(nc: Literal["default", "configuration", "schema", "domaindns", "forestdns"]) -> LdapSearch:
    return LdapSearch(attributes=("repsFrom",), nc=nc, scope="base", binary=("repsFrom",))


@dataclass(frozen=True, slots=True)
class InboundLinks(Fact):
    """From whom a controller replicates, and how that went: the partitions it holds, each with its links."""

    question = (
        RootDse.question,
        LdapSearch(
            filter="(objectClass=nTDSDSA)",
            attributes=("objectGUID",),
            nc="configuration",
            rdn="CN=Sites",
            binary=("objectGUID",),
        ),
        _links("default"),
        _links("configuration"),
        _links("schema"),
        _links("domaindns"),
        _links("forestdns"),
    )

    now: float
    controllers: Mapping[str, str]  # of the forest: GUID of the directory service -> host name
    links: Mapping[str, tuple[Link, ...]]  # by the partition's distinguished name

    @classmethod
    def read(cls, root: Said, services: Said, *heads: Said) -> Self:
        """Read the heads of the partitions; those of the DNS may not exist."""
        names = {}
        for e in entries(services):
            server = distinguished_name.name(distinguished_name.parent(e.dn))
            names[sid.guid_text(sid.decode(e.must("objectguid")))] = server
        if not names:
            raise Unreadable("the account may not see the controllers under CN=Sites", FailureKind.DENIED)
        links = {
            e.dn: tuple(reps_from.parse(sid.decode(value)) for value in e.texts("repsfrom"))
            for head in heads
            for e in entries(head)
        }
        return cls(RootDse.read(root).now, names, links)
