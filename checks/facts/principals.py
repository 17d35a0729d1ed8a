"""Principals: names, SIDs and nested groups, so that rights are compared by SID and shown by name.

One static question gives every object with a SID. `memberOf` holds all groups of the domain that an object is directly
in, also for foreign security principals (Authenticated Users in a built-in group); the primary group is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, FailureKind, Unreadable
from checks.formats import sid
from checks.formats.sid import AUTHENTICATED, EVERYONE, SYSTEM
from checks.questions import LdapSearch

NETWORK, THIS_ORGANIZATION = "S-1-5-2", "S-1-5-15"
_AUTHORITIES = ("builtin", "ingebouwd", "nt authority", "nt-autoriteit", "autorite nt", "autorité nt")
_FIRST = frozenset(sid.fold(sid.WELL_KNOWN[s][0]) for s in (EVERYONE, AUTHENTICATED, SYSTEM, "S-1-3-0", "S-1-3-4"))


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, group, computer or foreign principal: its SIDs, its name, the SIDs of its groups, and its place."""

    sid: str
    name: str
    dn: str
    groups: tuple[str, ...]  # direct, with the primary group
    is_group: bool


@dataclass(frozen=True, slots=True)
class Principals(Fact):
    """Everybody who can have rights in the domain."""

    question = LdapSearch(
        filter="(objectSid=*)",
        attributes=("objectClass", "objectSid", "sAMAccountName", "memberOf", "primaryGroupID"),
        binary=("objectSid",),
    )

    domain: str  # the domain's SID
    by_sid: dict[str, Principal]
    by_name: dict[str, str]

    @classmethod
    def read(cls, answer: list[dict[str, Any]]) -> Self:
        """Read the entries; the domain itself is among them."""
        sids = {e["dn"].casefold(): _sid(e) for e in answer}
        domain = next((_sid(e) for e in answer if "domaindns" in _classes(e)), None)
        if domain is None:
            raise Unreadable("the domain's own SID cannot be seen", FailureKind.DENIED)
        found: dict[str, Principal] = {}
        for entry in answer:
            attributes = entry["attributes"]
            groups = [sids[dn.casefold()] for dn in attributes.get("memberof", ()) if dn.casefold() in sids]
            if primary := attributes.get("primarygroupid"):
                groups.append(f"{domain}-{int(primary[0])}")
            own, name = _sid(entry), (attributes.get("samaccountname") or [""])[0]
            found[own] = Principal(own, name, entry["dn"], tuple(groups), "group" in _classes(entry))
        return cls(domain, found, {sid.fold(p.name): p.sid for p in found.values() if p.name})

    def find(self, name: str) -> str | None:
        r"""Give the SID of a name: `G_Docenten`, `SCHOOL\G_Docenten`, `Everyone` (in three languages), or a SID.

        The names that nobody else should bear come first; then the directory's own, since a school may well have a
        group Beheerders; then what the other well-known ones are called in other languages.
        """
        if sid.is_sid(name):
            return sid.normal(name)
        authority, slash, rest = name.rpartition("\\")
        folded = sid.fold(rest if slash else name)
        if (slash and sid.fold(authority) in _AUTHORITIES) or (not slash and folded in _FIRST):
            return sid.well_known(folded)
        found = self.by_name.get(folded) or (None if slash else sid.well_known(folded))
        if found is None and folded + "$" in self.by_name:  # a computer by its name
            return self.by_name[folded + "$"]
        if found is None and (number := sid.rid_of(folded)):
            return f"{self.domain}-{number}"
        return found

    def require(self, name: str) -> str:
        """Give the SID of a name; Unreadable when nobody bears it: then nothing can be said of its rights."""
        found = self.find(name)
        if found is None:
            raise Unreadable(f"nobody in the directory is called {name}")
        return found

    def name(self, who: str) -> str:
        """Give the name that people know of a SID; itself when it has none (a deleted account, another domain)."""
        if who in self.by_sid and self.by_sid[who].name:
            return self.by_sid[who].name
        return sid.WELL_KNOWN.get(who, (who,))[0]

    def names(self, sids: Iterable[str]) -> list[str]:
        """Give the names, sorted."""
        return sorted(map(self.name, sids), key=str.casefold)

    def nested(self, *start: str) -> frozenset[str]:
        """Give these SIDs and those of every group they are in, however deep; circles are no trouble."""
        found, todo = set(start), list(start)
        while todo:
            principal = self.by_sid.get(todo.pop())
            for group in principal.groups if principal else ():
                if group not in found:
                    found.add(group)
                    todo.append(group)
        return frozenset(found)


def _sid(entry: dict[str, Any]) -> str:
    return sid.sid_of(entry["attributes"]["objectsid"][0])


def _classes(entry: dict[str, Any]) -> set[str]:
    return {c.casefold() for c in entry["attributes"].get("objectclass", ())}
