"""GPT.INI: the version of a group policy's files in SYSVOL (MS-GPOL 2.2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.formats import ini
from checks.questions import Unreadable


@dataclass(frozen=True, slots=True)
class Version:
    """A policy's version: it rises with every change, for the computer part and the user part apart (MS-GPOL 2.2.4)."""

    number: int

    @property
    def machine(self) -> int:
        """Number of changes of the computer part: the low half."""
        return self.number & 0xFFFF

    @property
    def user(self) -> int:
        """Number of changes of the user part: the high half."""
        return self.number >> 16 & 0xFFFF


def parse(raw: bytes) -> Version:
    """Read the file's version; Unreadable when it has none."""
    said = ini.pairs(ini.decode(raw), "General").get("version", "")
    if not re.fullmatch(r"\+?[0-9]{1,10}", said):
        raise Unreadable(f"GPT.INI has no version: {said[:60]!r}" if said else "GPT.INI has no version")
    return Version(int(said) & 0xFFFFFFFF)
