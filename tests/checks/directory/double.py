"""A directory that answers LdapSearch questions from its entries, and can be changed or made to fail.

It filters as a server does, so that a question that asks for the wrong thing finds nothing here either.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from audits.transports.base import Answer
from checks.core import Failure
from checks.formats import distinguished_name, filetime, security_descriptor, sid
from checks.formats.security_descriptor import DENY, Ace, Descriptor
from checks.questions import LdapSearch, Question

NOW = filetime.generalized("20251124023000.0Z")
BASE, CONFIG = "DC=school,DC=test", "CN=Configuration,DC=school,DC=test"
SCHEMA = f"CN=Schema,{CONFIG}"
DOMAIN_SID = "S-1-5-21-1111-2222-3333"
_NCS = {"default": BASE, "configuration": CONFIG, "schema": SCHEMA, "root": "",
        "domaindns": f"DC=DomainDnsZones,{BASE}", "forestdns": f"DC=ForestDnsZones,{BASE}"}  # fmt: skip
_SIDS = {"objectsid", "sidhistory", "tokengroups"}
_GUIDS = {"objectguid", "msds-optionalfeatureguid"}
DC1, DC2 = "00000000-0000-4000-8005-000000000001", "00000000-0000-4000-8005-000000000002"

FULL = 0xF01FF
_ADMINS = (Ace(0, 2, FULL, f"{DOMAIN_SID}-512"), Ace(0, 2, FULL, "S-1-5-18"))


MEMBER, RESET_PASSWORD = "bf9679c0-0de6-11d0-a285-00aa003049e2", "00299570-246d-11d0-a768-00aa006e0529"
ALL_SECRETS = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2"


def _pack(*aces: Ace, owner: str = f"{DOMAIN_SID}-512") -> str:
    descriptor = Descriptor(0x8004, owner, f"{DOMAIN_SID}-512", aces)
    return base64.b64encode(security_descriptor.pack(descriptor)).decode()


DESCRIPTORS = {
    "protected": _pack(Ace(DENY, 0, 0x10040, sid.EVERYONE), *_ADMINS, Ace(0, 0, 0x20094, sid.AUTHENTICATED)),
    "half protected": _pack(Ace(DENY, 0, 0x10000, sid.EVERYONE), *_ADMINS, Ace(0, 0, 0x20094, sid.AUTHENTICATED)),
    "inherit only": _pack(Ace(DENY, 0xA, 0x10040, sid.EVERYONE), *_ADMINS),
    "open": _pack(*_ADMINS, Ace(0, 0, 0x20094, sid.AUTHENTICATED)),
    "admins": _pack(*_ADMINS),
    "delegated": _pack(*_ADMINS, Ace(0, 2, 0x20014, f"{DOMAIN_SID}-1110")),
    "everybody": _pack(*_ADMINS, Ace(0, 0, 0x20, sid.AUTHENTICATED)),
    "everybody below": _pack(*_ADMINS, Ace(5, 0xA, 0x20, f"{DOMAIN_SID}-513", MEMBER)),
    "everybody resets": _pack(*_ADMINS, Ace(5, 0, 0x100, sid.EVERYONE, RESET_PASSWORD)),
    "inherited": _pack(*_ADMINS, Ace(0, 0x10, 0xF01FF, sid.EVERYONE)),
    "sync": _pack(*_ADMINS, Ace(5, 0, 0x100, f"{DOMAIN_SID}-1101", ALL_SECRETS)),
    "all rights": _pack(*_ADMINS, Ace(0, 0, 0x100, f"{DOMAIN_SID}-1108")),
    "takes over": _pack(*_ADMINS, Ace(0, 0, 0x40000, f"{DOMAIN_SID}-1101")),
    "resets": _pack(*_ADMINS, Ace(5, 0, 0x100, f"{DOMAIN_SID}-1101", RESET_PASSWORD)),
    "members": _pack(*_ADMINS, Ace(5, 0, 0x20, f"{DOMAIN_SID}-1101", MEMBER)),
    "head": _pack(
        *_ADMINS,
        Ace(5, 0, 0x100, f"{DOMAIN_SID}-516", ALL_SECRETS),
        Ace(5, 0, 0x100, "S-1-5-9", "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"),
        Ace(5, 0, 0x100, sid.AUTHENTICATED, "280f369c-67c7-438e-ae98-1d46f3c6f541"),
        Ace(0, 0, 0xF01BD, "S-1-5-32-544"),
        Ace(0, 0, 0x20094, sid.AUTHENTICATED),
    ),
    "owned by jan": _pack(*_ADMINS, owner=f"{DOMAIN_SID}-1101"),
    "listed": _pack(*_ADMINS, Ace(0, 2, 0x4, "S-1-5-32-554")),
}


def ago(days: float) -> str:
    """Give a FILETIME so many days before the directory's clock."""
    return filetime.filetime(NOW - days * filetime.DAY)


def stamp(days: float) -> str:
    """Give a generalized time so many days before the directory's clock."""
    return re.sub("[-:T]", "", filetime.iso(NOW - days * filetime.DAY) or "").replace("Z", ".0Z")


@dataclasses.dataclass
class Directory:
    """Entries by distinguished name: attribute (as written in the schema) to values, all text."""

    entries: dict[str, dict[str, list[str]]] = dataclasses.field(default_factory=dict)
    hidden: set[str] = dataclasses.field(default_factory=set)
    failure: Failure | None = None

    def add(self, dn: str, **attributes: Any) -> str:
        """Add an object; underscores in names stand for hyphens, numbers become text, None leaves out."""
        told = {k.replace("__", "-"): v for k, v in attributes.items() if v is not None}
        self.entries[dn] = {k.lower(): [str(x) for x in (v if isinstance(v, list) else [v])] for k, v in told.items()}
        return dn

    def change(self, dn: str, **attributes: Any) -> None:
        """Change attributes of an object; None takes one away."""
        found = self.entries[self.dn(dn)]
        for name, value in attributes.items():
            key = name.replace("__", "-").lower()
            found.pop(key, None)
            if value is not None:
                found[key] = [str(x) for x in (value if isinstance(value, list) else [value])]

    def append(self, dn: str, attribute: str, *values: str) -> None:
        """Add values to an attribute."""
        self.entries[self.dn(dn)].setdefault(attribute.lower(), []).extend(values)

    def move(self, name: str, to: str) -> None:
        """Move an object, with the memberships that point at it."""
        old = self.dn(name)
        new = f"{old.partition(',')[0]},{to}"
        self.entries[new] = self.entries.pop(old)
        for attributes in self.entries.values():
            if "member" in attributes:
                attributes["member"] = [new if m == old else m for m in attributes["member"]]

    def remove(self, name: str) -> None:
        """Delete an object."""
        del self.entries[self.dn(name)]

    def dn(self, name: str) -> str:
        """Give the distinguished name of an account's logon name; a distinguished name stays what it is."""
        if name in self.entries:
            return name
        (found,) = (dn for dn, a in self.entries.items() if a.get("samaccountname") == [name])
        return found

    # -- accounts -----------------------------------------------------------------------------------------------------

    def user(self, name: str, rid: int, unit: str = "CN=Users", **attributes: Any) -> str:
        """Add a user with what every user has."""
        given = {
            "objectClass": ["top", "person", "organizationalPerson", "user"], "sAMAccountType": 805306368,
            "sAMAccountName": name, "objectSid": f"{DOMAIN_SID}-{rid}", "userAccountControl": 0x200,
            "primaryGroupID": 513, "whenCreated": stamp(100), "whenChanged": stamp(20), "pwdLastSet": ago(20),
            "lastLogonTimestamp": ago(5), "logonCount": 3, "accountExpires": 0x7FFFFFFFFFFFFFFF,
            "objectGUID": f"00000000-0000-4000-8000-{rid:012d}",
        }  # fmt: skip
        return self.add(f"CN={name},{unit},{BASE}", **(given | attributes))

    def group(self, name: str, number: str | int, unit: str = "OU=Groepen", **attributes: Any) -> str:
        """Add a group; `number` is a RID or a whole SID."""
        own = number if isinstance(number, str) else f"{DOMAIN_SID}-{number}"
        given = {
            "objectClass": ["top", "group"], "sAMAccountName": name, "objectSid": own, "groupType": -2147483646,
            "whenChanged": stamp(20), "objectGUID": f"00000000-0000-4000-8001-{sid.rid(own):012d}",
        }  # fmt: skip
        return self.add(f"CN={name},{unit},{BASE}", **(given | attributes))

    def computer(self, name: str, rid: int, unit: str = "OU=Werkstations", **attributes: Any) -> str:
        """Add a computer with what every computer has."""
        given = {
            "objectClass": ["top", "person", "organizationalPerson", "user", "computer"],
            "sAMAccountType": 805306369, "sAMAccountName": name.upper() + "$", "objectSid": f"{DOMAIN_SID}-{rid}",
            "userAccountControl": 0x1000, "primaryGroupID": 515, "whenCreated": stamp(100), "whenChanged": stamp(20),
            "pwdLastSet": ago(20), "lastLogonTimestamp": ago(5), "logonCount": 9, "dNSHostName": f"{name}.school.test",
            "operatingSystem": "Debian", "servicePrincipalName": [f"HOST/{name}", f"HOST/{name}.school.test"],
            "objectGUID": f"00000000-0000-4000-8002-{rid:012d}",
        }  # fmt: skip
        return self.add(f"CN={name.upper()},{unit},{BASE}", **(given | attributes))

    # -- answering ----------------------------------------------------------------------------------------------------

    def answer(self, question: Question) -> Answer:
        """Answer a question as the transport would."""
        if self.failure:
            return Answer(failure=self.failure)
        assert isinstance(question, LdapSearch)
        base = ",".join(p for p in (question.rdn, _NCS[question.nc]) if p)
        match = parse_filter(question.filter)
        wanted = {a.lower() for a in (*question.attributes, *question.binary)} - self.hidden
        binary = {b.lower() for b in question.binary}
        found = [
            {"dn": dn, "attributes": {n: _values(n, v, n in binary) for n, v in attributes.items() if n in wanted}}
            for dn, attributes in self.entries.items()
            if _in_scope(dn, base, question.scope) and match(attributes)
        ]
        return Answer(sorted(found, key=lambda e: str(e["dn"])))


def _values(name: str, values: list[str], binary: bool) -> list[str]:
    if not binary:
        return values
    if name in _SIDS:
        return [base64.b64encode(sid.sid_bytes(v)).decode() for v in values]
    if name == "repsfrom":
        return [base64.b64encode(reps_from(*v.split())).decode() for v in values]
    if name in _GUIDS:
        return [base64.b64encode(sid.guid_bytes(v)).decode() for v in values]
    return [DESCRIPTORS[v] for v in values]


def reps_from(source: str, failures: str, success: str, result: str = "0") -> bytes:
    """Make a replica link: who, failed attempts in a row, FILETIME of the last success, Win32 error."""
    at = int(success) // 10**7
    head = struct.pack("<IIIIQQI", 2, 0, 232, int(failures), at, at, int(result))
    return head.ljust(160, b"\0") + sid.guid_bytes(source).ljust(72, b"\0")


def _in_scope(dn: str, base: str, scope: str) -> bool:
    if scope == "base":
        return distinguished_name.key(dn) == distinguished_name.key(base)
    if scope == "one":
        return dn != "" and distinguished_name.key(distinguished_name.parent(dn)) == distinguished_name.key(base)
    partition = dn.endswith(CONFIG) and base == BASE  # another naming context
    return not partition and (distinguished_name.key(dn) == distinguished_name.key(base)
                              or distinguished_name.is_below(dn, base))  # fmt: skip


Match = Callable[[Mapping[str, list[str]]], bool]


def parse_filter(text: str) -> Match:
    """Read the filters that keuring uses (RFC 4515): and, or, not, presence, equality."""
    match, rest = _filter(text)
    assert not rest, rest
    return match


def _filter(text: str) -> tuple[Match, str]:
    assert text[0] == "(", text
    if text[1] in "&|!":
        parts, rest = [], text[2:]
        while rest[0] == "(":
            part, rest = _filter(rest)
            parts.append(part)
        if text[1] == "!":
            return (lambda e: not parts[0](e)), rest[1:]
        together = all if text[1] == "&" else any
        return (lambda e: together(p(e) for p in parts)), rest[1:]
    inside, _, rest = text[1:].partition(")")
    name, _, value = inside.partition("=")
    key = name.lower()
    if value == "*":
        return (lambda e: key == "objectclass" or bool(e.get(key))), rest
    return (lambda e: any(v.casefold() == value.casefold() for v in e.get(key, ()))), rest
