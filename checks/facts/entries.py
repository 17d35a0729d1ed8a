"""Entries of LDAP answers, read by attribute: `{"dn": …, "attributes": {name: [value, …]}}` (see `LdapSearch`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.core import FailureKind, Unreadable
from checks.formats import distinguished_name, filetime, sid


class Entry:
    """One object of the directory. Attribute names in lower case; what is not there is None or ()."""

    __slots__ = ("_attributes", "dn", "key")

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.dn: str = said["dn"]
        self.key = distinguished_name.key(self.dn)
        self._attributes: Mapping[str, list[str]] = said["attributes"]

    def __repr__(self) -> str:
        return f"Entry({self.dn!r})"

    def has(self, name: str) -> bool:
        """Tell whether the attribute is there (and may be seen)."""
        return bool(self._attributes.get(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """Give all values."""
        return tuple(self._attributes.get(name) or ())

    def text(self, name: str) -> str | None:
        """Give the first value."""
        values = self._attributes.get(name)
        return values[0] if values else None

    def number(self, name: str) -> int | None:
        """Give the first value as a number."""
        value = self.text(name)
        return None if value is None else filetime.number(value)

    def filetime(self, name: str) -> float | None:
        """Give a FILETIME in seconds since 1970; None when it is absent or means never."""
        value = self.text(name)
        return None if value is None else filetime.seconds(value)

    def time(self, name: str) -> float | None:
        """Give a generalized time in seconds since 1970."""
        value = self.text(name)
        return None if value is None else filetime.generalized(value)

    def sid(self, name: str = "objectsid") -> str | None:
        """Give a SID as text."""
        value = self.text(name)
        return None if value is None else sid.sid_of(value)

    def guid(self, name: str = "objectguid") -> str | None:
        """Give a GUID as text."""
        value = self.text(name)
        return None if value is None else sid.guid_text(sid.decode(value))

    def flag(self, name: str) -> bool | None:
        """Give a boolean (RFC 4517 3.3.3)."""
        value = self.text(name)
        return None if value is None else value.upper() == "TRUE"

    def classes(self) -> frozenset[str]:
        """Give the object's classes, in lower case."""
        return frozenset(c.casefold() for c in self.texts("objectclass"))

    def must(self, name: str) -> str:
        """Give the first value of an attribute that the object surely has: absent means that it may not be seen."""
        value = self.text(name)
        if value is None:
            raise Unreadable(f"the account may not read {name} of {self.dn}", FailureKind.DENIED)
        return value


def entries(answer: list[Mapping[str, Any]]) -> list[Entry]:
    """Read a whole answer."""
    return [Entry(said) for said in answer]


def only(answer: list[Mapping[str, Any]], what: str) -> Entry:
    """Read the answer to a base search: the object, which is surely there. DENIED when it cannot be seen."""
    if len(answer) != 1:
        raise Unreadable(f"the account may not see {what}", FailureKind.DENIED)
    return Entry(answer[0])
