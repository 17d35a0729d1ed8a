"""Ansible's host patterns: `all`, `*`, globs, `a,b`, `a:b`, `!c`, `&d`, `~regex`, `g[0]`, `g[1:]`, `g[-1]`.

One departure: a word that matches nothing is an error, not a warning, since a typo would audit nothing. Only words to
leave out (`!c`) or to narrow with (`&d`) may match nothing: groups that happen to be empty are not in an inventory.
Source: Ansible user guide, "Patterns: targeting hosts and groups".
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from audits.errors import InventoryError

_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+):([0-9]*))\]")
_PARTS = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_ADDRESS = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
EVERYTHING = ("all", "*")


def match_pattern(
    pattern: str, hosts: Mapping[str, Any] | Sequence[str], groups: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Give the names of the hosts that a pattern stands for, in the order in which it names them.

    `groups` holds all hosts of a group, children included. InventoryError when a word of it, or all of it, matches
    nothing; its advice names what looks alike.
    """
    names = list(hosts)
    known = frozenset(names)
    words = _split(pattern)
    add = [w for w in words if w[0] not in "!&"] or ["all"]
    found: dict[str, None] = {}
    for word in add:
        matched = _match(word, names, known, groups)
        if not matched:
            raise InventoryError(_says(pattern, word), _advice(word, names, groups))
        found.update(dict.fromkeys(matched))
    for word in words:
        if word[0] == "&":
            found = dict.fromkeys(h for h in found if h in set(_match(word[1:], names, known, groups)))
    for word in words:
        if word[0] == "!":
            out = set(_match(word[1:], names, known, groups))
            found = dict.fromkeys(h for h in found if h not in out)
    if not found:
        raise InventoryError(f"the pattern '{pattern}' leaves no host of the inventory", _advice("", names, groups))
    return tuple(found)


def _split(pattern: str) -> list[str]:
    """Give the words of a pattern: by commas, else by colons that are not in brackets or in an IPv6 address."""
    if "," in pattern:
        words = pattern.split(",")
    elif pattern.startswith("~") or _ADDRESS.fullmatch(pattern):
        words = [pattern]
    else:
        words = _PARTS.findall(pattern)
    words = [w.strip() for w in words if w.strip()]
    if not words or any(w in ("!", "&", "~") for w in words):
        raise InventoryError(
            f"'{pattern}' is not a pattern of hosts", "For example: all, web*, dc1,dc2 or servers:!router1."
        )
    return words


def _match(
    word: str, hosts: Sequence[str], known: AbstractSet[str], groups: Mapping[str, Sequence[str]]
) -> Sequence[str]:
    if word in known:
        return (word,)
    subscript = None if word.startswith("~") else _SUBSCRIPT.fullmatch(word)
    if subscript is None:
        return list(dict.fromkeys(_enumerate(word, hosts, groups)))
    expression, index, start, end = subscript.groups()
    several = list(dict.fromkeys(_enumerate(expression, hosts, groups)))
    if index is not None:
        return several[int(index) :][:1] if -len(several) <= int(index) < len(several) else ()
    return several[int(start) : int(end) + 1 if end else None]


def _enumerate(word: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if word in EVERYTHING:
        yield from hosts
        return
    try:
        rule = re.compile(word[1:] if word.startswith("~") else fnmatch.translate(word))
    except re.error as e:
        raise InventoryError(f"the pattern '{word}' is not a regular expression: {e}") from None
    matching = [g for g in groups if rule.match(g)]
    for group in matching:
        yield from groups[group]
    if not matching or word[0] == "~" or any(c in word for c in ".?*["):
        yield from (h for h in hosts if rule.match(h))


def _says(pattern: str, word: str) -> str:
    within = f" (in '{pattern}')" if word != pattern else ""
    return f"no host or group of the inventory matches '{word}'{within}"


def _advice(word: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> str:
    names = [*hosts, *(g for g in groups if g not in ("all", "ungrouped"))]
    near = difflib.get_close_matches(word, names, 1, 0.6) if word else []
    if near:
        return f"Did you mean '{near[0]}'?"
    shown = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")  # noqa: PLR2004 - one line
    return f"The inventory has: {shown}."
