"""All words are there in three languages, and numbers and dates read as the language writes them."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path

import pytest

from audits import yamlfile
from checks.core import Severity, Verdict
from checks.questions import FailureKind
from reporting.words import LANGUAGES, Words, phrases, vocabulary

PACKAGE = Path(str(importlib.resources.files("reporting")))
SOURCES = "".join(p.read_text("utf-8") for p in (*PACKAGE.glob("*.py"), *(PACKAGE / "templates").glob("*.j2")))
BY_RUN_TIME = {  # groups whose keys are made at run time
    "verdict", "overall", "severity", "status", "status_meaning", "failure", "advice", "section", "label", "kind",
    "month", "reason", "decision", "count",
}  # fmt: skip


@pytest.mark.parametrize("name", ["words.yml", "vocabulary.yml"])
def test_no_key_stands_twice(name: str) -> None:
    yamlfile.load(PACKAGE / name)


@pytest.mark.parametrize("key", sorted(phrases()))
def test_every_phrase_is_there_in_three_languages_with_the_same_places(key: str) -> None:
    texts = phrases()[key]
    assert set(texts) == set(LANGUAGES)
    assert all(texts.values())
    places = {lang: set(re.findall(r"\{(\w+)\}", text)) for lang, text in texts.items()}
    assert places["nl"] == places["en"] == places["fr"]
    assert all(text.count("|") <= 1 for text in texts.values())


@pytest.mark.parametrize("key", sorted(vocabulary()))
def test_every_word_of_a_value_is_there_in_three_languages(key: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", key)
    assert set(vocabulary()[key]) == set(LANGUAGES)
    assert all(vocabulary()[key].values())


def test_every_verdict_severity_and_failure_has_its_words() -> None:
    keys = set(phrases())
    assert {f"verdict.{v}" for v in Verdict} <= keys
    assert {f"severity.{s}" for s in Severity} <= keys
    assert {f"reason.{s}" for s in Severity} <= keys
    assert {k.split(".")[1] for k in keys if k.startswith("failure.")} == set(FailureKind)
    assert {k.split(".")[1] for k in keys if k.startswith("advice.")} == set(FailureKind)


def test_no_phrase_is_left_over() -> None:
    keys = {k for k in phrases() if k.split(".")[0] not in BY_RUN_TIME}
    unused = {k for k in keys if f'"{k}"' not in SOURCES and f"'{k}'" not in SOURCES}
    made = {"text.accepted", "text.reserved", "text.refused", "value.missing", "value.extra", "value.differs"}
    made |= {f"text.{k}_meaning" for k in ("accepted", "reserved", "refused")}
    made |= {f"text.answer_{k}" for k in ("lines", "entries", "bytes")}
    assert unused - made == set()
    labels = {k.split(".")[1] for k in phrases() if k.startswith("label.")}
    assert {k for k in labels if f'"label.{k}"' not in SOURCES and f'"{k}"' not in SOURCES} == set()


def test_an_unknown_phrase_is_a_defect_and_an_unknown_word_is_shown_as_it_is() -> None:
    words = Words("nl")
    with pytest.raises(KeyError):
        words("section.nothing")
    assert words.key("owner") == "eigenaar"
    assert words.key("max_open_files") == "max open files"
    assert words.key("G_Docenten") == "G_Docenten"
    assert words.key("net.ipv4.ip_forward") == "net.ipv4.ip_forward"
    with pytest.raises(ValueError, match="nl, en, fr"):
        Words("de")


@pytest.mark.parametrize(
    ("language", "number", "half", "percent", "moment", "short", "long"),
    [
        ("nl", "12.345", "7,5", "58,3%", "24 november 2026 om 09:05 UTC", "0,13 s", "2 min 5 s"),
        ("en", "12,345", "7.5", "58.3%", "24 November 2026, 09:05 UTC", "0.13 s", "2 min 5 s"),
        ("fr", "12\u202f345", "7,5", "58,3\u00a0%", "24 novembre 2026 à 09:05 UTC", "0,13 s", "2 min 5 s"),
    ],
)
def test_numbers_and_dates(
    language: str, number: str, half: str, percent: str, moment: str, short: str, long: str
) -> None:
    words = Words(language)
    assert words.number(12345) == number
    assert words.decimal("7.50") == half
    assert words.percent(58.3) == percent
    assert words.moment("2026-11-24T09:05:59+00:00") == moment
    assert words.seconds(0.13) == short
    assert words.seconds(125) == long


def test_odd_numbers_and_dates() -> None:
    words = Words("nl")
    assert words.percent(100) == "100%"
    assert words.percent(99.99) == "99,9%"
    assert words.decimal("100") == "100"
    assert words.decimal("1/3") == "1/3"
    assert words.decimal("NaN") == "NaN"
    assert words.day("gisteren") == "gisteren"
    assert words.moment("") == ""
    assert words.clock("nu") == "nu"
    assert words.day("2026-12-01") == "1 december 2026"
    assert Words("fr").day("2026-12-01") == "1er décembre 2026"
    assert words("text.findings", n=1) == "1 vaststelling"
    assert words("text.findings", n=0) == "0 vaststellingen"
    assert Words("fr")("text.findings", n=2) == "2 constats"
