"""Versions of packages, compared as dpkg and rpm themselves do, and the constraints that a definition puts on them.

Sources: deb-version(7) (the algorithm of dpkg's `verrevcmp`) and rpm's `rpmvercmp` (rpm-version(7)).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

Scheme = Literal["dpkg", "rpm"]
_CONSTRAINT = re.compile(r"^(>=|<=|==|!=|>>|<<|>|<|=)?\s*([0-9A-Za-z][0-9A-Za-z.+~^:_-]*)$")
_DIGITS = re.compile(r"([0-9]+)")
_RPM_PART = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")


@dataclass(frozen=True, slots=True)
class Version:
    """A version in its three parts; epoch and revision None when they are not told."""

    epoch: int | None
    upstream: str
    revision: str | None

    @classmethod
    def parse(cls, text: str) -> Version:
        """Split `[epoch:]upstream[-revision]`; ValueError for an epoch that is no number."""
        epoch, colon, rest = text.partition(":")
        if not colon:
            epoch, rest = "", text
        upstream, dash, revision = rest.rpartition("-")
        return cls(int(epoch) if epoch else None, upstream if dash else rest, revision if dash else None)


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _dpkg_key(text: str) -> list[tuple[list[int], int]]:
    """Split in pairs of a word (its characters' order; its end is 0, after a tilde) and the number behind it."""
    parts = _DIGITS.split(text)
    return [
        ([*map(_order, word), 0], int(number)) for word, number in zip(parts[::2], [*parts[1::2], "0"], strict=True)
    ]


def compare_dpkg(a: str, b: str) -> int:
    """Compare two upstream versions or revisions as dpkg does: -1, 0 or 1."""
    for x, y in zip_longest(_dpkg_key(a), _dpkg_key(b), fillvalue=([0], 0)):
        if x != y:
            return 1 if x > y else -1
    return 0


def compare_rpm(a: str, b: str) -> int:  # noqa: PLR0911 - one rule of rpmvercmp each
    """Compare two versions or releases as rpm does: -1, 0 or 1."""
    for x, y in zip_longest(_RPM_PART.findall(a), _RPM_PART.findall(b)):
        if x == y:
            continue
        if "~" in (x, y):  # sorts before everything, even the end
            return -1 if x == "~" else 1
        if "^" in (x, y):  # sorts after the end, before everything else
            if x is None or y is None:
                return 1 if y is None else -1
            return -1 if x == "^" else 1
        if x is None or y is None:
            return 1 if y is None else -1
        if x.isdigit() != y.isdigit():  # a number is newer than a word
            return 1 if x.isdigit() else -1
        if x.isdigit():
            if int(x) != int(y):
                return 1 if int(x) > int(y) else -1
        else:
            return 1 if x > y else -1
    return 0


def compare(a: Version, b: Version, scheme: Scheme) -> int:
    """Compare two versions: -1, 0 or 1. A part that one of them does not tell is not compared."""
    parts = compare_dpkg if scheme == "dpkg" else compare_rpm
    if a.epoch is not None and b.epoch is not None and a.epoch != b.epoch:
        return 1 if a.epoch > b.epoch else -1
    upstream = parts(a.upstream, b.upstream)
    if upstream or a.revision is None or b.revision is None:
        return upstream
    return parts(a.revision, b.revision)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One condition, such as `>=1.24`. Without an operator: this version or a more precise one (1.24 holds 1.24.3)."""

    operator: str
    version: Version

    def holds(self, installed: str, scheme: Scheme) -> bool:
        """Tell whether an installed version satisfies it."""
        have = Version.parse(installed)
        order = compare(have, self.version, scheme)
        if self.operator == "":
            longer = have.upstream.startswith(self.version.upstream) and self.version.revision is None
            cut = have.upstream[len(self.version.upstream) :][:1] if longer else "x"
            return order == 0 or (cut not in ("", "~") and not cut.isalnum())
        return {
            ">=": order >= 0, "<=": order <= 0, ">": order > 0, ">>": order > 0, "<": order < 0, "<<": order < 0,
            "=": order == 0, "==": order == 0, "!=": order != 0,
        }[self.operator]  # fmt: skip


def constraints(text: str) -> tuple[Constraint, ...]:
    """Read constraints with commas between them; ValueError says which cannot be read."""
    found = []
    for part in text.split(","):
        match = _CONSTRAINT.match(part.strip())
        if not match:
            raise ValueError(f"'{part.strip()}' is no version constraint; write for example '>=1.24' or '>=1.24,<2'")
        found.append(Constraint(match[1] or "", Version.parse(match[2])))
    return tuple(found)
