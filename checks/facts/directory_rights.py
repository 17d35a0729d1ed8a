"""Rights in the directory that decide over the whole domain: on its head, guarded accounts, controllers, units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.core import Fact, FailureKind, Unreadable
from checks.facts.directory import RootDse, Said
from checks.facts.entries import Entry, entries, only
from checks.formats import distinguished_name, security_descriptor, sid
from checks.formats.security_descriptor import Descriptor
from checks.questions import LdapSearch

_SD = ("nTSecurityDescriptor",)
_OWNER_GROUP_DACL = 7  # SD_FLAGS (MS-ADTS 3.1.1.3.4.1.11)


@dataclass(frozen=True, slots=True)
class DirectoryRights(Fact):
    """Security descriptors by what people call the object: its path, or the controller's name."""

    question = (
        RootDse.question,
        LdapSearch(attributes=_SD, scope="base", binary=_SD, sd_flags=_OWNER_GROUP_DACL),
        LdapSearch(
            attributes=_SD, rdn="CN=AdminSDHolder,CN=System", scope="base", binary=_SD, sd_flags=_OWNER_GROUP_DACL
        ),
        LdapSearch(
            filter="(|(primaryGroupID=516)(primaryGroupID=521))",  # controllers, also read-only ones
            attributes=_SD,
            binary=_SD,
            sd_flags=_OWNER_GROUP_DACL,
        ),
        LdapSearch(
            filter="(|(objectClass=organizationalUnit)(objectClass=container))",
            attributes=_SD,
            scope="one",
            binary=_SD,
            sd_flags=_OWNER_GROUP_DACL,
        ),
        LdapSearch(
            filter="(objectClass=organizationalUnit)",
            attributes=_SD,
            binary=_SD,
            sd_flags=_OWNER_GROUP_DACL,
        ),
    )

    head: Descriptor
    guard: Descriptor  # AdminSDHolder, whose rights are copied to all accounts with power (MS-ADTS 3.1.1.6.1)
    controllers: dict[str, Descriptor]
    places: dict[str, Descriptor]  # units and the containers at the top, by path

    @classmethod
    def read(cls, root: Said, head: Said, guard: Said, controllers: Said, top: Said, units: Said) -> Self:
        """Read the descriptors; Unreadable (denied) when one may not be seen."""
        domain = RootDse.read(root).domain
        if not controllers:
            raise Unreadable("the account may not see the controllers' accounts", FailureKind.DENIED)
        places = {e.key: e for e in (*entries(top), *entries(units))}
        return cls(
            _descriptor(only(head, "the head of the domain")),
            _descriptor(only(guard, "CN=AdminSDHolder,CN=System")),
            {distinguished_name.name(e.dn): _descriptor(e) for e in entries(controllers)},
            {distinguished_name.path_of(e.dn, domain): _descriptor(e) for e in places.values()},
        )


def _descriptor(entry: Entry) -> Descriptor:
    return security_descriptor.parse(sid.decode(entry.must("ntsecuritydescriptor")))
