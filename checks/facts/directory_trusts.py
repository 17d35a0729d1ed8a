"""What lies outside the domain and yet decides over it: trusts with other domains, and the last backup."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Self

from checks.core import Fact, FailureKind, Unreadable
from checks.facts.directory import RootDse, Said
from checks.facts.entries import Entry, entries, only
from checks.questions import LdapSearch

# trustAttributes, trustDirection, trustType (MS-ADTS 6.1.6.7.9, 6.1.6.7.12, 6.1.6.7.15)
_QUARANTINED, _FOREST, _WITHIN_FOREST, _AS_EXTERNAL, _DELEGATES = 0x4, 0x8, 0x20, 0x40, 0x800
_OUTBOUND, _MIT = 2, 3


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust with another domain, by its DNS name (a very old one: its NetBIOS name)."""

    name: str
    outbound: bool  # we trust its accounts
    filters: bool  # SIDs that the other domain cannot vouch for are dropped from its users' tickets


@dataclass(frozen=True, slots=True)
class Trusts(Fact):
    """All trusts of the domain."""

    question = LdapSearch(
        filter="(|(objectClass=trustedDomain)(objectClass=rIDManager))",
        attributes=("objectClass", "trustPartner", "trustAttributes", "trustDirection", "trustType"),
        rdn="CN=System",
        scope="one",
    )

    all: tuple[Trust, ...]

    @classmethod
    def read(cls, answer: Said) -> Self:
        """Read the trusts. Every domain has a RID manager beside them: not seeing it means not seeing trusts."""
        found = entries(answer)
        if not any("ridmanager" in e.classes() for e in found):
            raise Unreadable("the account may not list CN=System", FailureKind.DENIED)
        return cls(tuple(_trust(e) for e in found if "trusteddomain" in e.classes()))


def _trust(entry: Entry) -> Trust:
    bits, direction = int(entry.must("trustattributes")), int(entry.must("trustdirection"))
    if bits & _WITHIN_FOREST or int(entry.must("trusttype")) == _MIT:
        filters = True  # within a forest there is nothing to filter, a Kerberos realm has no SIDs
    elif bits & _FOREST:
        filters = not bits & (_AS_EXTERNAL | _DELEGATES)
    else:
        filters = bool(bits & _QUARANTINED)
    return Trust(entry.must("trustpartner").casefold(), bool(direction & _OUTBOUND), filters)


_SIGNATURE = re.compile(
    r"<pszAttributeName>dSASignature</pszAttributeName>.{0,400}?"
    r"<ftimeLastOriginatingChange>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z</ftimeLastOriginatingChange>",
    re.DOTALL | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class BackupMark(Fact):
    """When the domain was last backed up: backing up a controller renews dSASignature (MS-ADA1), as metadata tell.

    Samba keeps no such mark: then it is not installed, so to say.
    """

    question = (
        RootDse.question,
        LdapSearch(attributes=("msDS-ReplAttributeMetaData",), scope="base"),
    )

    now: float
    at: float | None  # None: never

    @classmethod
    def read(cls, root: Said, answer: Said) -> Self:
        """Find the mark among the metadata of the head (DS_REPL_ATTR_META_DATA as XML, MS-DRSR 4.1.13)."""
        metadata = only(answer, "the head of the domain").texts("msds-replattributemetadata")
        if not metadata:
            raise Unreadable("this directory does not tell when it was backed up", FailureKind.NOT_INSTALLED)
        found = next((m for text in metadata if (m := _SIGNATURE.search(text))), None)
        at = datetime.datetime.fromisoformat(f"{found[1]}+00:00").timestamp() if found else None
        return cls(RootDse.read(root).now, at)
