"""Group policy preferences: XML files of drives, printers, groups, registry, tasks and so on (MS-GPPREF 2.2).

Each file holds items; an item has `Properties` with an action (C create, R replace, U update, D delete) and may have
`Filters` (item-level targeting), which make it conditional. Passwords in them (`cpassword`) are encrypted with a key
that Microsoft published (MS14-025): that there is one is told, the value itself is never kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.formats import safe_xml
from checks.formats.safe_xml import Element
from checks.questions import Unreadable

ACTIONS = {"C": "create", "R": "replace", "U": "update", "D": "delete"}
_SECRETS = ("cpassword",)
_MOST_FILTERS = 500


_IN_TEXT = re.compile(rb"""(cpassword\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)
_IN_UTF16 = re.compile(  # with the NUL bytes between the letters, in either order
    rb"""(c\0p\0a\0s\0s\0w\0o\0r\0d\0(?:\s\0)*=\0(?:\s\0)*)("\0[^"]*"|'\0[^']*')""", re.IGNORECASE
)


def without_passwords(raw: bytes) -> bytes:
    """Blot out the passwords of a file, so that it can be kept as evidence; what is empty stays empty."""

    def blot(match: re.Match[bytes]) -> bytes:
        quote, wide = match[2][:1], b"\0" in match[2]
        if not match[2].strip(b"\"' \t\r\n\0"):
            return match[0]
        return match[1] + (quote + b"\0*\0*\0*\0" + quote if wide else quote + b"***" + quote)

    return _IN_UTF16.sub(blot, _IN_TEXT.sub(blot, raw))


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition of item-level targeting, such as FilterGroup, with its attributes."""

    kind: str
    attributes: dict[str, str]

    @property
    def negated(self) -> bool:
        """Whether it must not hold."""
        return self.attributes.get("not") == "1"


@dataclass(frozen=True, slots=True)
class Item:
    """An item: its element's name (Drive, SharedPrinter, Group, Registry, TaskV2 …), what it does, and for whom."""

    kind: str
    name: str
    action: str
    disabled: bool
    properties: dict[str, str]
    filters: tuple[Filter, ...]
    members: tuple[dict[str, str], ...] = ()  # of a local group: name, sid, action (ADD or REMOVE)

    @property
    def acts(self) -> bool:
        """Whether it makes or keeps something (neither disabled nor a deletion)."""
        return not self.disabled and self.action != "delete"


@dataclass(frozen=True, slots=True)
class Preferences:
    """A file: its root's name (Drives, Printers, Groups …), its items, and where passwords stand in it."""

    kind: str
    items: tuple[Item, ...]
    passwords: tuple[str, ...]  # names of the items, or of the elements


def parse(raw: bytes) -> Preferences:
    """Read a file; Unreadable when it is no XML."""
    root = safe_xml.parse(raw)
    items: list[Item] = []
    _collect(root, root.attributes.get("disabled") == "1", (), items)
    passwords = tuple(
        element.attributes.get("name") or element.name
        for element in root.every()
        if (element is root or element.name != "Properties")
        and any(_has_secret(e) for e in (element, *element.children) if e is element or e.name == "Properties")
    )
    return Preferences(root.name, tuple(items), passwords)


def _has_secret(element: Element) -> bool:
    return any(element.attributes.get(name, "").strip() for name in _SECRETS)


def _collect(parent: Element, off: bool, above: tuple[Filter, ...], items: list[Item]) -> None:
    """Take the items below; `Collection` only groups them (its own state and filters hold for all in it)."""
    for child in parent.children:
        disabled = off or child.attributes.get("disabled") == "1"
        filters = above + _filters(child)
        if len(filters) > _MOST_FILTERS:
            raise Unreadable(f"an item with more than {_MOST_FILTERS} filters")
        if child.name == "Collection":
            _collect(child, disabled, filters, items)
        elif properties := child.find("Properties"):
            items.append(_item(child, properties, filters, disabled=disabled))


def _item(element: Element, properties: Element, filters: tuple[Filter, ...], *, disabled: bool) -> Item:
    letter = properties.attributes.get("action", "U").upper()
    if letter not in ACTIONS:
        raise Unreadable(f"an item with the action {letter[:20]!r}")
    members = properties.find("Members")
    return Item(
        kind=element.name,
        name=element.attributes.get("name", ""),
        action=ACTIONS[letter],
        disabled=disabled,
        properties={k: v for k, v in properties.attributes.items() if k not in _SECRETS},
        filters=filters,
        members=tuple(m.attributes for m in members.children) if members else (),
    )


def _filters(element: Element) -> tuple[Filter, ...]:
    holder = element.find("Filters")
    return tuple(Filter(f.name, f.attributes) for f in holder.every()[1:]) if holder else ()
