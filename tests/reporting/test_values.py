"""Expected and observed, and what differs between them."""

from __future__ import annotations

from typing import Any

import pytest

from reporting.values import Shown, compare, difference, plain, show
from reporting.words import Words

NL = Words("nl")


def marks(shown: Shown) -> list[tuple[str, str]]:
    """Give text and mark of everything that is marked."""
    return [(s.text or plain_of(s), s.mark) for s in shown.marked()]


def plain_of(shown: Shown) -> str:
    return ", ".join(i.text for i in shown.items)


@pytest.mark.parametrize(
    ("expected", "observed", "left", "right"),
    [
        ("no", "yes", [], [("yes", "differs")]),
        (True, False, [], [("nee", "differs")]),
        ({"running": True, "enabled": True}, {"running": False, "enabled": True}, [], [("nee", "differs")]),
        ({"running": True}, {}, [("ja", "missing")], []),
        (["a", "b"], ["b", "c"], [("a", "missing")], [("c", "extra")]),
        (
            {"exactly": ["an", "bo"]},
            {"members": ["an", "cas"], "missing": ["bo"], "extra": ["cas"]},
            [("bo", "missing")],
            [("cas", "extra"), ("bo", "missing")],
        ),
        ({"at_least": ["an"]}, {"members": [], "missing": ["an"]}, [("an", "missing")], [("an", "missing")]),
        ({"length": {"at_least": 12}, "lockout": {"at_most": 5}}, {"length": 8, "lockout": 5}, [], [("8", "differs")]),
        ({"at_least": 12}, 8, [], [("8", "differs")]),
        ({"one_of": ["a", "b"]}, "c", [], [("c", "differs")]),
        ({"g": {"read": False}}, {"g": {"read": True}}, [], [("ja", "differs")]),
        ({"g": {"at_least": 3}}, {"g": "three"}, [], [("three", "differs")]),
        ("x", None, [], []),
        ({"a": 1, "b": [1]}, {"a": 1, "b": 1}, [], [("1", "differs")]),
    ],
)  # fmt: skip
def test_what_differs_is_marked(
    expected: Any, observed: Any, left: list[tuple[str, str]], right: list[tuple[str, str]]
) -> None:
    sides = compare(expected, observed, NL, failed=True)
    assert marks(sides[0]) == left
    assert marks(sides[1]) == right
    for side in compare(expected, observed, NL, failed=False):
        assert marks(side) == []


def test_an_extra_that_stands_among_its_fellows_needs_no_line_of_its_own() -> None:
    _, right = compare({"exactly": ["an"]}, {"members": ["an", "cas"], "extra": ["cas"]}, NL, failed=True)
    assert [word for word, _ in right.pairs] == ["leden"]
    many = [f"x{n:03}" for n in range(100)]
    _, right = compare({"exactly": []}, {"members": many, "extra": many}, NL, failed=True)
    assert [word for word, _ in right.pairs] == ["leden", "te veel"]
    assert right.pairs[0][1].more == 40


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "niets"),
        (True, "ja"),
        ("", "leeg"),
        ([], "leeg"),
        ({}, "leeg"),
        (22, "22"),
        ({"at_least": 12}, "minstens 12"),
        ({"at_least": 1, "at_most": 5}, "minstens 1, hoogstens 5"),
        ({"exactly": ["a", "b"]}, "precies: a, b"),
        ({"running": True, "owner": {"name": "root"}}, "draait: ja; eigenaar: naam root"),
        ({"a": {"b": 1, "c": [2, 3]}}, "a (b: 1; c: 2, 3)"),
        ({"kernel.kptr_restrict": {"one_of": [1, 2]}}, "kernel.kptr_restrict: een van 1, 2"),
        (["a\nb", 3], "a b, 3"),
        (list(range(100)), ", ".join(map(str, range(60))) + ", … (+40)"),
        ("\x1b]0;x\x07", "␛]0;x␇"),
    ],
)
def test_plain(value: Any, text: str) -> None:
    assert plain(value, NL) == text


def test_what_is_deep_or_long_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(2000):
        deep = [deep]
    assert plain(deep, NL) == "…"
    assert len(plain("y" * 10**6, NL)) < 400
    assert show("y" * 5000, NL).text.endswith("… (3.000 tekens weggelaten)")
    assert show({str(n): n for n in range(100)}, NL).more == 40


@pytest.mark.parametrize(
    ("expected", "observed", "shown"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ({"b": 2}, {"b": 3})),
        ({"a": 1}, {"b": 3}, ({"a": 1}, None)),
        (["x"], {"members": ["y"], "missing": ["x"], "extra": ["y"]}, (["x"], {"missing": ["x"], "extra": ["y"]})),
        ({"n": {"at_least": 2}, "m": {"at_most": 2}}, {"n": 3, "m": 3}, ({"m": {"at_most": 2}}, {"m": 3})),
        ("a", "b", ("a", "b")),
        ({"a": 1}, {"a": 1}, ({"a": 1}, {"a": 1})),
    ],
)  # fmt: skip
def test_difference(expected: Any, observed: Any, shown: tuple[Any, Any]) -> None:
    assert difference(expected, observed) == shown
