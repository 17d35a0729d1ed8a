"""Organisational units: where they stand, and whether they are protected against being deleted by accident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.core import Fact
from checks.facts.directory import RootDse, Said
from checks.facts.entries import Entry, entries
from checks.formats import distinguished_name, security_descriptor, sid
from checks.questions import LdapSearch

DELETE, DELETE_TREE = 0x10000, 0x40  # MS-ADTS 5.1.3.2: RIGHT_DELETE, RIGHT_DS_DELETE_TREE
_DACL = 4  # SD_FLAGS


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """An organisational unit: its distinguished name, and its path from the domain down (Studenten/INF1)."""

    dn: str
    path: str
    entry: Entry

    @property
    def protected(self) -> bool:
        """Whether Everyone is denied to delete it: what consoles call protected from accidental deletion.

        Unreadable (denied) when its rights may not be seen.
        """
        descriptor = security_descriptor.parse(sid.decode(self.entry.must("ntsecuritydescriptor")))
        denied = 0
        for ace in descriptor.dacl or ():
            if ace.denies and ace.applies_here and not ace.conditional and not ace.object_type:
                denied |= ace.mask if ace.sid == sid.EVERYONE else 0
        return denied & (DELETE | DELETE_TREE) == DELETE | DELETE_TREE


@dataclass(frozen=True, slots=True)
class OrganisationalUnits(Fact):
    """All organisational units of the domain."""

    question = (
        RootDse.question,
        LdapSearch(
            filter="(objectClass=organizationalUnit)",
            attributes=("ou", "nTSecurityDescriptor"),
            binary=("nTSecurityDescriptor",),
            sd_flags=_DACL,
        ),
    )

    domain: str  # distinguished name
    units: dict[str, Unit]  # by comparable distinguished name

    @classmethod
    def read(cls, root: Said, answer: Said) -> Self:
        """Read the units. Every domain has one, Domain Controllers, but an account may be kept from seeing it."""
        domain = RootDse.read(root).domain
        found = [Unit(e.dn, distinguished_name.path_of(e.dn, domain), e) for e in entries(answer)]
        return cls(domain, {u.entry.key: u for u in found})

    def find(self, path: str) -> Unit | None:
        """Give the unit of a path or distinguished name."""
        return self.units.get(distinguished_name.key(distinguished_name.of_path(path, self.domain)))
