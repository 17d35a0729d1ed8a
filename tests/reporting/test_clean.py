"""Whatever a host says is made visible and bounded."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.clean import clean, number, one_line


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("gewoon\tén\nleesbaar", "gewoon\tén\nleesbaar"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("\x1b[31mrood\x1b[0m\x07\x00", "␛[31mrood␛[0m␇␀"),
        ("\x9b31m\x85", "⟨U+009B⟩31m⟨U+0085⟩"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("pay\u200bpal\ufeff", "pay⟨U+200B⟩pal⟨U+FEFF⟩"),
        ("\u2066x\u2069\u061c", "⟨U+2066⟩x⟨U+2069⟩⟨U+061C⟩"),
        ("\ud800\udfff", "\ufffd\ufffd"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("e\u0301", "e\u0301"),
        ("Z" + "\u0301" * 500, "Z" + "\u0301" * 3),
        ("שלום 日本 🎓", "שלום 日本 🎓"),
        ("\x7f", "␡"),
    ],
)
def test_clean(said: str, shown: str) -> None:
    assert clean(said) == shown


def test_what_is_too_long_is_cut_and_counted() -> None:
    assert clean("a" * 100_000, 10) == "a" * 10 + "… (+99990)"
    assert one_line("a \n\t b\x0b") == "a b␋"


@given(st.text())
def test_nothing_invisible_is_left_and_it_can_be_written(text: str) -> None:
    shown = clean(text)
    shown.encode()
    assert not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n" for c in shown)
    assert not any(
        unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") for c in shown
    )


def test_absurd_numbers() -> None:
    assert number(22) == "22"
    assert number(2.5) == "2.5"
    assert number(1 << 100_000) == "2^100000"
