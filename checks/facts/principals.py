"""Principals: names, SIDs and nested groups, so that rights are compared by SID and shown by name.

One static question gives every object with a SID. `memberOf` holds all groups of the domain that an object is directly
in, also for foreign security principals (Authenticated Users in a built-in group); the primary group is not in it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, FailureKind, Unreadable
from checks.formats import security_descriptor
from checks.questions import LdapSearch

EVERYONE, AUTHENTICATED, NETWORK, THIS_ORGANIZATION = "S-1-1-0", "S-1-5-11", "S-1-5-2", "S-1-5-15"
BUILTIN = "S-1-5-32-"
_SID = re.compile(r"S-1-(?:0x[0-9a-f]{1,12}|[0-9]{1,15})(?:-[0-9]{1,10}){0,15}", re.IGNORECASE)
# What Windows and Samba call them in English, Dutch and French; the first name is shown.
_WELL_KNOWN = {
    EVERYONE: ("Everyone", "Iedereen", "Tout le monde"),
    AUTHENTICATED: ("Authenticated Users", "Geverifieerde gebruikers", "Utilisateurs authentifiés"),
    NETWORK: ("NETWORK", "NETWERK", "RESEAU", "RÉSEAU"),
    THIS_ORGANIZATION: ("This Organization", "Deze organisatie", "Cette organisation"),
    "S-1-3-0": ("CREATOR OWNER", "MAKER EIGENAAR", "CREATEUR PROPRIETAIRE", "CRÉATEUR PROPRIÉTAIRE"),
    "S-1-3-1": ("CREATOR GROUP", "MAKER GROEP", "GROUPE CREATEUR", "GROUPE CRÉATEUR"),
    "S-1-3-4": ("OWNER RIGHTS", "RECHTEN VAN EIGENAAR", "DROITS DU PROPRIETAIRE", "DROITS DU PROPRIÉTAIRE"),
    "S-1-5-4": ("INTERACTIVE", "INTERACTIEF", "INTERACTIF"),
    "S-1-5-6": ("SERVICE",),
    "S-1-5-7": ("ANONYMOUS LOGON", "ANONIEME AANMELDING", "ANONYMOUS"),
    "S-1-5-9": (
        "Enterprise Domain Controllers",
        "DOMEINCONTROLLERS VAN ONDERNEMING",
        "ENTERPRISE DOMAIN CONTROLLERS",
    ),
    "S-1-5-10": ("SELF", "ZELF"),
    "S-1-5-18": ("SYSTEM", "SYSTEEM", "Système", "LOCAL SYSTEM"),
    "S-1-5-19": ("LOCAL SERVICE", "LOKALE SERVICE", "SERVICE LOCAL"),
    "S-1-5-20": ("NETWORK SERVICE", "NETWERKSERVICE", "SERVICE RÉSEAU"),
    "S-1-5-32-544": ("Administrators", "Beheerders", "Administrateurs"),
    "S-1-5-32-545": ("Users", "Gebruikers", "Utilisateurs"),
    "S-1-5-32-546": ("Guests", "Gasten", "Invités"),
    "S-1-5-32-547": ("Power Users", "Hoofdgebruikers", "Utilisateurs avec pouvoir"),
    "S-1-5-32-548": ("Account Operators", "Accountoperators", "Opérateurs de compte"),
    "S-1-5-32-549": ("Server Operators", "Serveroperators", "Opérateurs de serveur"),
    "S-1-5-32-550": ("Print Operators", "Printeroperators", "Opérateurs d'impression"),
    "S-1-5-32-551": ("Backup Operators", "Back-upoperators", "Opérateurs de sauvegarde"),
    "S-1-5-32-555": (
        "Remote Desktop Users",
        "Gebruikers van extern bureaublad",
        "Utilisateurs du Bureau à distance",
    ),
    "S-1-5-113": ("Local account", "Lokaal account", "Compte local"),
    "S-1-5-114": ("Local account and member of Administrators group",),
}
_RIDS = {
    500: ("Administrator", "Administrateur"),
    501: ("Guest", "Gast", "Invité"),
    512: ("Domain Admins", "Domeinadministrators", "Admins du domaine"),
    513: ("Domain Users", "Domeingebruikers", "Utilisateurs du domaine"),
    514: ("Domain Guests", "Domeingasten", "Invités du domaine"),
    515: ("Domain Computers", "Domeincomputers", "Ordinateurs du domaine"),
    516: ("Domain Controllers", "Domeincontrollers", "Contrôleurs de domaine"),
    518: ("Schema Admins", "Schema-administrators", "Administrateurs du schéma"),
    519: ("Enterprise Admins", "Ondernemingsadministrators", "Administrateurs de l'entreprise"),
    520: ("Group Policy Creator Owners", "Maker Eigenaar van groepsbeleid", "Propriétaires créateurs de la stratégie"),
}
_AUTHORITIES = ("builtin", "ingebouwd", "nt authority", "nt-autoriteit", "autorite nt", "autorité nt")


def _fold(name: str) -> str:
    return name.strip().replace("\u2019", "'").casefold()


_SIDS = {_fold(name): sid for sid, names in _WELL_KNOWN.items() for name in names}
_FIRST = frozenset(_fold(_WELL_KNOWN[s][0]) for s in (EVERYONE, AUTHENTICATED, "S-1-3-0", "S-1-3-4", "S-1-5-18"))
_RID_OF = {_fold(name): rid for rid, names in _RIDS.items() for name in names}


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
            sid, name = _sid(entry), (attributes.get("samaccountname") or [""])[0]
            found[sid] = Principal(sid, name, entry["dn"], tuple(groups), "group" in _classes(entry))
        return cls(domain, found, {_fold(p.name): p.sid for p in found.values() if p.name})

    def sid(self, name: str) -> str | None:
        r"""Give the SID of a name: `G_Docenten`, `SCHOOL\G_Docenten`, `Everyone` (in three languages), or a SID.

        The names that nobody else should bear come first; then the directory's own, since a school may well have a
        group Beheerders; then what the other well-known ones are called in other languages.
        """
        if _SID.fullmatch(name.strip()):
            return "S" + name.strip()[1:].lower()
        authority, slash, rest = name.rpartition("\\")
        folded = _fold(rest if slash else name)
        if slash and _fold(authority) in _AUTHORITIES:
            return _SIDS.get(folded)
        if not slash and folded in _FIRST:
            return _SIDS[folded]
        found = self.by_name.get(folded) or (None if slash else _SIDS.get(folded))
        if found is None and folded + "$" in self.by_name:  # a computer by its name
            return self.by_name[folded + "$"]
        if found is None and folded in _RID_OF:
            return f"{self.domain}-{_RID_OF[folded]}"
        return found

    def require(self, name: str) -> str:
        """Give the SID of a name; Unreadable when nobody bears it: then nothing can be said of its rights."""
        sid = self.sid(name)
        if sid is None:
            raise Unreadable(f"nobody in the directory is called {name}")
        return sid

    def name(self, sid: str) -> str:
        """Give the name that people know; the SID itself when it has none (a deleted account, another domain)."""
        if sid in self.by_sid and self.by_sid[sid].name:
            return self.by_sid[sid].name
        if names := _WELL_KNOWN.get(sid):
            return names[0]
        return sid

    def names(self, sids: Iterable[str]) -> list[str]:
        """Give the names, sorted."""
        return sorted((self.name(sid) for sid in sids), key=str.casefold)

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

    def places(self, sid: str) -> bool:
        """Tell whether the directory knows who is in it: no local group of a machine, no other domain's."""
        return sid in self.by_sid or sid in _WELL_KNOWN or sid.startswith(self.domain + "-")


def _sid(entry: dict[str, Any]) -> str:
    return security_descriptor.sid_text(base64.b64decode(entry["attributes"]["objectsid"][0]))


def _classes(entry: dict[str, Any]) -> set[str]:
    return {c.casefold() for c in entry["attributes"].get("objectclass", ())}
