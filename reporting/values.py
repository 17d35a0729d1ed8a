"""Expected and observed values as something to show: bounded, cleaned, in words, with what differs marked.

`compare` gives a `Shown` tree for each side, which the HTML draws; `plain` gives one line of text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reporting.clean import LONGEST, clean, number, one_line
from reporting.words import Words

Mark = Literal["", "missing", "extra", "differs"]
MOST = 60  # elements of a list or mapping
DEEPEST = 6  # levels
SHORT = 300  # characters of a value on one line
_MEMBERSHIP = ("missing", "extra")
_BOUNDS = ("exactly", "at_least", "at_most", "one_of", "contains")


@dataclass(slots=True)
class Shown:
    """A value to show. `items` of a list, `pairs` (word, value) of a mapping, else `text` (`lead`: words before it)."""

    kind: Literal["none", "text", "list", "map"]
    text: str = ""
    lead: str = ""
    items: list[Shown] = dataclasses.field(default_factory=list)
    pairs: list[tuple[str, Shown]] = dataclasses.field(default_factory=list)
    more: int = 0
    mark: Mark = ""

    def marked(self) -> Iterator[Shown]:
        """Give every part that carries a mark."""
        if self.mark:
            yield self
        for part in (*self.items, *(value for _, value in self.pairs)):
            yield from part.marked()


def show(value: Any, words: Words, depth: int = 0) -> Shown:
    """Make a JSON value something to show."""
    if value is None:
        return Shown("none", words("value.none"))
    if isinstance(value, Mapping | list) and depth >= DEEPEST:
        return Shown("text", "…")
    if isinstance(value, Mapping):
        return _show_map(value, words, depth)
    if isinstance(value, list):
        if not value:
            return Shown("none", words("value.empty"))
        items = [show(v, words, depth + 1) for v in value[:MOST]]
        return Shown("list", items=items, more=len(value) - len(items))
    return Shown("text", _text(value, words))


def _show_map(value: Mapping[str, Any], words: Words, depth: int) -> Shown:
    if not value:
        return Shown("none", words("value.empty"))
    if all(k in _BOUNDS and not isinstance(v, Mapping | list) for k, v in value.items()):
        *before, (last, bound) = value.items()
        parts = [f"{words.key(k)} {_text(v, words)}," for k, v in before]
        return Shown("text", _text(bound, words), " ".join([*parts, words.key(last)]))
    pairs = [(one_line(words.key(str(k)), SHORT), show(v, words, depth + 1)) for k, v in list(value.items())[:MOST]]
    return Shown("map", pairs=pairs, more=max(0, len(value) - MOST))


def _text(value: Any, words: Words, limit: int = LONGEST) -> str:
    if isinstance(value, bool):
        return words("value.true" if value else "value.false")
    if isinstance(value, int | float):
        return number(value)
    if value == "":
        return words("value.empty")
    text = str(value)
    if len(text) > limit:
        return clean(text[:limit], limit) + words("value.cut", n=len(text) - limit)
    return clean(text, limit)


def compare(expected: Any, observed: Any, words: Words, *, failed: bool) -> tuple[Shown, Shown]:
    """Show both sides; when it failed, what is missing, extra or different is marked."""
    left, right = show(expected, words), show(observed, words)
    if failed:
        if left.kind not in ("text", "none"):
            _mark(expected, observed, left, right, words)
        if right.kind != "none" and not any(left.marked()) and not any(right.marked()):
            right.mark = "differs"
    return left, right


def _mark(expected: Any, observed: Any, left: Shown, right: Shown, words: Words) -> None:
    if isinstance(observed, Mapping) and any(isinstance(observed.get(k), list) for k in _MEMBERSHIP):
        _mark_membership(expected, observed, left, right, words)
    elif isinstance(expected, Mapping) and isinstance(observed, Mapping):
        for (key, wanted), (_, side) in zip(expected.items(), left.pairs, strict=False):
            if key not in observed:
                side.mark = "missing"
            elif not _meets(wanted, observed[key]):
                other = _pair(right, list(observed).index(key))
                if other is not None:
                    _mark_part(wanted, observed[key], side, other, words)
    elif isinstance(expected, list) and isinstance(observed, list):
        _mark_lists(expected, observed, left, right)


def _mark_part(wanted: Any, seen: Any, side: Shown, other: Shown, words: Words) -> None:
    _mark(wanted, seen, side, other, words)
    if not any(side.marked()) and not any(other.marked()):
        other.mark = "differs"


def _mark_membership(expected: Any, observed: Mapping[str, Any], left: Shown, right: Shown, words: Words) -> None:
    """Mark what `missing` and `extra` name, where it stands in the lists beside them."""
    missing, extra = ({_key(v) for v in _list(observed.get(k))} for k in _MEMBERSHIP)
    for (name, value), (_, side) in zip(observed.items(), right.pairs, strict=False):
        if name in _MEMBERSHIP:
            for item in side.items:
                item.mark = "missing" if name == "missing" else "extra"
        else:
            _mark_items(value, side, extra, "extra")
    sources = expected.values() if isinstance(expected, Mapping) else [expected]
    sides = [side for _, side in left.pairs] if isinstance(expected, Mapping) else [left]
    for value, side in zip(sources, sides, strict=False):
        _mark_items(value, side, missing, "missing")
    # an extra that already stands marked among its fellows needs no line of its own
    beside = [
        side for (name, _), (_, side) in zip(observed.items(), right.pairs, strict=False) if name not in _MEMBERSHIP
    ]
    shown = [item for side in beside for item in side.items if item.mark == "extra"]
    if len(shown) == len(extra):
        word = words.key("extra")
        right.pairs = [pair for pair in right.pairs if pair[0] != word]


def _mark_items(value: Any, side: Shown, named: set[str], mark: Mark) -> None:
    for element, item in zip(_list(value), side.items, strict=False):
        if _key(element) in named:
            item.mark = mark


def _mark_lists(expected: list[Any], observed: list[Any], left: Shown, right: Shown) -> None:
    wanted, seen = {_key(v) for v in expected}, {_key(v) for v in observed}
    _mark_items(expected, left, wanted - seen, "missing")
    _mark_items(observed, right, seen - wanted, "extra")


def _within(bounds: Mapping[str, Any], seen: Any) -> bool:
    try:
        return (
            ("at_least" not in bounds or seen >= bounds["at_least"])
            and ("at_most" not in bounds or seen <= bounds["at_most"])
            and ("one_of" not in bounds or seen in bounds["one_of"])
            and ("contains" not in bounds or bounds["contains"] in seen)
            and ("exactly" not in bounds or seen == bounds["exactly"])
        )
    except TypeError:
        return False


def _pair(shown: Shown, index: int) -> Shown | None:
    return shown.pairs[index][1] if index < len(shown.pairs) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _key(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def difference(expected: Any, observed: Any) -> tuple[Any, Any]:
    """Give only what differs of both sides: of a membership what is missing and extra, of mappings the unequal keys."""
    if isinstance(observed, Mapping):
        members = {k: observed[k] for k in _MEMBERSHIP if observed.get(k)}
        if members:
            return expected, members
        if isinstance(expected, Mapping):
            unequal = {k: v for k, v in expected.items() if k not in observed or not _meets(v, observed[k])}
            if unequal:
                return unequal, {k: observed[k] for k in unequal if k in observed} or None
    return expected, observed


def _meets(wanted: Any, seen: Any) -> bool:
    if isinstance(wanted, Mapping) and wanted.keys() & set(_BOUNDS) and not isinstance(seen, Mapping):
        return _within(wanted, seen)
    return bool(wanted == seen)


def plain(value: Any, words: Words, limit: int = SHORT) -> str:
    """Give a JSON value as one line of text, such as `draait: nee; leden: an, bo`."""
    text = _plain(show(value, words))
    return one_line(text, limit)


def _plain(shown: Shown) -> str:
    more = [f"… (+{shown.more})"] if shown.more else []
    if shown.kind == "list":
        return ", ".join([*(_plain(i) for i in shown.items), *more])
    if shown.kind == "map":
        return "; ".join([*(f"{word}{_after(v)}" for word, v in shown.pairs), *more])
    return f"{shown.lead} {shown.text}" if shown.lead else shown.text


def _after(shown: Shown) -> str:
    """Give a value as it stands behind its word: a mapping of one in words, a larger one in brackets."""
    if shown.kind != "map":
        return f": {_plain(shown)}"
    if len(shown.pairs) == 1 and shown.pairs[0][1].kind != "map":
        return f": {shown.pairs[0][0]} {_plain(shown.pairs[0][1])}"
    return f" ({_plain(shown)})"
