"""Registry.pol: the registry settings of a group policy (MS-GPREG 2.2.1).

Shape: the signature `PReg`, version 1, then entries `[key;value;type;size;data]` in UTF-16LE with binary type, size
and data. Value names that begin with `**` are commands (2.2.1.1): `**del.NAME` removes a value, `**delvals.` all values
of the key, `**deletevalues` and `**deletekeys` those that the data lists, `**soft.NAME` sets a value only if it is not
there, `**securekey` and `**comment:…` set nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from checks.questions import Unreadable

SIGNATURE = b"PReg\x01\x00\x00\x00"
TYPES = {
    0: "REG_NONE",
    1: "REG_SZ",
    2: "REG_EXPAND_SZ",
    3: "REG_BINARY",
    4: "REG_DWORD",
    5: "REG_DWORD_BIG_ENDIAN",
    6: "REG_LINK",
    7: "REG_MULTI_SZ",
    8: "REG_RESOURCE_LIST",
    9: "REG_FULL_RESOURCE_DESCRIPTOR",
    10: "REG_RESOURCE_REQUIREMENTS_LIST",
    11: "REG_QWORD",
}
_MOST = 200_000  # entries; a file of 4 MiB cannot hold more
_OPEN, _CLOSE, _SEMICOLON = "[".encode("utf-16-le"), "]".encode("utf-16-le"), ";".encode("utf-16-le")
_NUMBERS = {4: "<I", 5: ">I", 11: "<Q"}

Data = str | int | tuple[str, ...] | bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One instruction: the key below the hive, the value's name (empty: the default value), type and raw data."""

    key: str
    value: str
    type: int
    raw: bytes

    @property
    def type_name(self) -> str:
        """The type as it is called, such as REG_DWORD; a number for one that is unknown."""
        return TYPES.get(self.type, str(self.type))

    @property
    def data(self) -> Data:
        """The data by its type; the raw bytes when they do not fit the type."""
        layout = _NUMBERS.get(self.type)
        if layout:
            fits = len(self.raw) == struct.calcsize(layout)
            return int(struct.unpack(layout, self.raw)[0]) if fits else self.raw
        if self.type in (1, 2, 6, 7):
            if len(self.raw) % 2:
                return self.raw
            text = self.raw.decode("utf-16-le", "replace")
            if self.type != 7:  # noqa: PLR2004 - REG_MULTI_SZ
                return text.rstrip("\0")
            return tuple(part for part in text.split("\0") if part)
        return self.raw


def parse(raw: bytes) -> tuple[Entry, ...]:
    """Read a file; Unreadable when it is cut off or is none."""
    if raw[:8] != SIGNATURE:
        raise Unreadable("Registry.pol does not begin with PReg, version 1")
    position = 8
    entries: list[Entry] = []
    while position < len(raw):
        if len(entries) >= _MOST:
            raise Unreadable(f"Registry.pol holds more than {_MOST} entries")
        entry, position = _entry(raw, position)
        entries.append(entry)
    return tuple(entries)


def _entry(raw: bytes, position: int) -> tuple[Entry, int]:
    key, position = _text(raw, _expect(raw, position, _OPEN))
    value, position = _text(raw, _expect(raw, position, _SEMICOLON))
    kind, position = _number(raw, _expect(raw, position, _SEMICOLON))
    size, position = _number(raw, _expect(raw, position, _SEMICOLON))
    position = _expect(raw, position, _SEMICOLON)
    if size > len(raw) - position:
        raise Unreadable(f"Registry.pol is cut off in the data of {key[:100]}")
    data = raw[position : position + size]
    return Entry(key, value, kind, data), _expect(raw, position + size, _CLOSE)


def _expect(raw: bytes, position: int, mark: bytes) -> int:
    if raw[position : position + 2] != mark:
        raise Unreadable(f"Registry.pol: no {mark.decode('utf-16-le')} at byte {position}")
    return position + 2


def _text(raw: bytes, start: int) -> tuple[str, int]:
    """Read a string up to its null character, which stands at an even distance from the start."""
    end = raw.find(b"\0\0", start)
    while end >= 0 and (end - start) % 2:
        end = raw.find(b"\0\0", end + 1)
    if end < 0:
        raise Unreadable(f"Registry.pol: the text at byte {start} has no end")
    return raw[start:end].decode("utf-16-le", "replace"), end + 2


def _number(raw: bytes, position: int) -> tuple[int, int]:
    if position + 4 > len(raw):
        raise Unreadable("Registry.pol is cut off")
    return int(struct.unpack_from("<I", raw, position)[0]), position + 4


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file sets in the end, by key and value in lower case: the entry that sets it, or None: it is removed."""

    values: dict[tuple[str, str], Entry | None]
    cleared: frozenset[str]  # keys of which all values not set afterwards are removed

    def get(self, key: str, value: str) -> Entry | None:
        """Give the entry that sets this value, or None when it sets none."""
        return self.values.get((_key(key), value.casefold()))

    def removes(self, key: str, value: str) -> bool:
        """Tell whether the file takes this value away."""
        place = (_key(key), value.casefold())
        return self.values[place] is None if place in self.values else place[0] in self.cleared


def settings(entries: Iterable[Entry]) -> Settings:
    """Apply the entries in their order, commands included (MS-GPREG 3.2.5.1)."""
    values: dict[tuple[str, str], Entry | None] = {}
    cleared: set[str] = set()
    for entry in entries:
        key, name = _key(entry.key), entry.value.casefold()
        if not name.startswith("**"):
            values[key, name] = entry
        elif name.startswith("**del."):
            values[key, name.removeprefix("**del.")] = None
        elif name.startswith("**delvals"):
            cleared.add(key)
            values = {place: e for place, e in values.items() if place[0] != key}
        elif name == "**deletevalues":
            values.update({(key, part): None for part in _list(entry)})
        elif name == "**deletekeys":
            for part in _list(entry):
                below = f"{key}\\{part}" if key else part
                cleared.add(below)
                values = {p: e for p, e in values.items() if p[0] != below and not p[0].startswith(below + "\\")}
        elif name.startswith("**soft."):
            values.setdefault((key, name.removeprefix("**soft.")), entry)
    return Settings(values, frozenset(cleared))


def _key(key: str) -> str:
    return key.strip("\\").casefold()


def _list(entry: Entry) -> list[str]:
    data = entry.data
    return [part.strip().casefold() for part in data.split(";") if part.strip()] if isinstance(data, str) else []
