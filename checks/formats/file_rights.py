"""Rights on files, folders and shares by the words that people use (MS-DTYP 2.4.3, MS-SMB2 2.2.13.1).

A word stands for the bits that it needs. What an entry may have besides without being more: SYNCHRONIZE, reading
attributes and permissions, and for `read` also traversing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from checks.formats.access import FILE

Word = Literal[
    "full", "modify", "read_and_execute", "list", "read", "write",
    "create_files", "create_folders", "traverse", "delete", "delete_children", "read_attributes", "write_attributes",
    "read_extended_attributes", "write_extended_attributes", "read_permissions", "change_permissions",
    "take_ownership",
]  # fmt: skip
ShareWord = Literal["full", "change", "read"]

_SYNCHRONIZE = 0x100000
_HARMLESS = 0x20000 | 0x80 | 0x08  # read permissions, attributes, extended attributes
_SPECIAL: dict[str, int] = {
    "list": 0x1,
    "create_files": 0x2,
    "create_folders": 0x4,
    "read_extended_attributes": 0x8,
    "write_extended_attributes": 0x10,
    "traverse": 0x20,
    "delete_children": 0x40,
    "read_attributes": 0x80,
    "write_attributes": 0x100,
    "delete": 0x10000,
    "read_permissions": 0x20000,
    "change_permissions": 0x40000,
    "take_ownership": 0x80000,
}
_BASIC: dict[str, int] = {
    "full": 0xF01FF,
    "modify": 0x301BF,
    "read_and_execute": 0x200A9,
    "read": 0x20089,
    "write": 0x116,
}
_BITS = _SPECIAL | _BASIC
_SHARE: dict[str, int] = {"full": 0xF01FF, "change": 0x301BF, "read": 0x200A9}


def plain(mask: int) -> int:
    """Give the mask without generic rights (replaced by what they mean) and without SYNCHRONIZE."""
    return FILE.apply(mask) & 0xF01FF & ~_SYNCHRONIZE


def fits(mask: int, words: Iterable[str]) -> bool:
    """Tell whether a mask is what these words say: no less, and no more."""
    needed = allowed = 0
    for word in words:
        needed |= _BITS[word]
        allowed |= _BITS[word] | (_BITS["traverse"] if word in ("read", "list") else 0)
    return plain(mask) & needed == needed and not plain(mask) & ~(allowed | _HARMLESS)


def words(mask: int) -> list[str]:
    """Give the words for a mask: one of the usual ones, or the single rights."""
    bits = plain(mask)
    for word, needed in _BASIC.items():
        if bits | _HARMLESS == needed | _HARMLESS and bits & needed == needed:
            return [word]
    if bits & (_BASIC["read"] | _BASIC["write"]) == _BASIC["read"] | _BASIC["write"]:
        rest = bits & ~(_BASIC["read_and_execute"] | _BASIC["write"])
        return ["read_and_execute" if bits & _BITS["traverse"] else "read", "write", *_single(rest)]
    return _single(bits)


def _single(bits: int) -> list[str]:
    return [word for word, bit in _SPECIAL.items() if bits & bit]


def share_word(mask: int) -> str:
    """Give the word for the rights on a share, or the mask in hexadecimal when it is none of the three."""
    for word, needed in _SHARE.items():
        if plain(mask) == needed:
            return word
    return f"0x{plain(mask):x}"
