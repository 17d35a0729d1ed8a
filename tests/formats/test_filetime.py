"""Times of the directory, with the values that mean never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.formats import filetime as ft
from checks.questions import Unreadable


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", None), ("9223372036854775807", None), ("116444736000000000", 0.0), ("133485408000000000", 1704067200.0)],
)
def test_filetime(text: str, expected: float | None) -> None:
    assert ft.seconds(text) == expected


@given(st.integers(1, 4_000_000_000))
def test_filetime_there_and_back(at: int) -> None:
    assert ft.seconds(ft.filetime(at)) == at


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", None), ("-9223372036854775808", None), ("-36288000000000", 42 * ft.DAY), ("-18000000000", 30 * ft.MINUTE)],
)
def test_interval(text: str, expected: float | None) -> None:
    assert ft.interval(text) == expected


def test_generalized_time() -> None:
    assert ft.generalized("20240101000000.0Z") == ft.generalized("20240101000000Z") == 1704067200


@pytest.mark.parametrize("text", ["", "20241301000000.0Z", "20240101000000", "2024-01-01", "\u06620240101000000.0Z"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Unreadable):
        ft.generalized(text)


@pytest.mark.parametrize("text", ["", "x", "1e9", "-", "9" * 50, "\u0661"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(Unreadable):
        ft.seconds(text)


def test_for_people() -> None:
    assert ft.iso(1704067200) == "2024-01-01T00:00:00Z"
    assert ft.iso(None) is None
    assert ft.iso(1e30) is None
    assert (ft.days(10 * ft.DAY + 5, 0), ft.days(0, 50), ft.days(0, None)) == (10, 0, None)
