"""Every check has its texts in every language, and putting values in them is safe."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from audits import catalogue, texts
from audits.competences import LANGUAGES
from audits.texts import PARTS, fill, placeholders
from checks.core import Severity

WORDS = texts.load()
CHECKS = catalogue.load()
SHORTEST = {"title": 8, "why": 40, "remedy": 30}  # characters; less says nothing
LONGEST_TITLE = 110


@pytest.mark.parametrize("check_id", sorted(CHECKS))
def test_every_check_has_severity_and_texts(check_id: str) -> None:
    entry = WORDS[check_id]
    assert set(entry) == {"severity", *LANGUAGES}
    assert entry["severity"] in set(Severity)
    for language in LANGUAGES:
        assert set(entry[language]) == set(PARTS), language
        for part in PARTS:
            text = entry[language][part]
            assert text == " ".join(text.split()), f"{language}.{part}: needless white space"
            assert len(text) >= SHORTEST[part], f"{language}.{part} says too little"
        title = entry[language]["title"]
        assert not title.endswith("."), f"{language}: a title is no sentence"
        assert len(title) <= LONGEST_TITLE, f"{language}: the title is too long"
        for part in ("why", "remedy"):
            assert entry[language][part].rstrip("»”\"' ").endswith((".", "!", "?", "`")), f"{language}.{part}"


@pytest.mark.parametrize("check_id", sorted(CHECKS))
def test_placeholders_are_equal_across_languages_and_known(check_id: str) -> None:
    want = CHECKS[check_id].want
    known = {"subject", "target"} | {f.name for f in dataclasses.fields(want)}  # type: ignore[arg-type]
    for part in PARTS:
        found = {lang: placeholders(WORDS[check_id][lang][part]) for lang in LANGUAGES}
        assert len(set(found.values())) == 1, f"{part}: {found}"
        assert found["nl"] <= known, f"{part}: {sorted(found['nl'] - known)} is no field of {want.__name__}"


@pytest.mark.parametrize("check_id", sorted(CHECKS))
def test_languages_are_not_copies(check_id: str) -> None:
    for part in ("why", "remedy"):
        assert len({WORDS[check_id][lang][part] for lang in LANGUAGES}) == len(LANGUAGES), part


def test_there_are_no_leftovers() -> None:
    assert sorted(set(WORDS) - set(CHECKS)) == []


@pytest.fixture
def made(tmp_path: Path) -> texts.Texts:
    (tmp_path / "web.yml").write_text(
        "site_answers:\n"
        "  severity: blocking\n"
        "  nl: {title: 'Site {subject} antwoordt', why: 'Op {port}.', remedy: 'Kijk naar {nothing} en {{braces}}.'}\n"
        "  en: {title: 'Site {subject} answers', why: 'On {port}.', remedy: 'Look at {nothing} and {{braces}}.'}\n",
        "utf-8",
    )
    (tmp_path / "empty.yml").write_text("", "utf-8")
    (tmp_path / "web.py").write_text("", "utf-8")
    return texts.read(tmp_path)


def test_read_names_entries_by_module_and_function(made: texts.Texts) -> None:
    assert list(made) == ["web.site_answers"]
    assert len(made) == 1
    assert made.severity("web.site_answers") == "blocking"
    assert made.text("web.site_answers", "title", "nl", {"subject": "intranet"}) == "Site intranet antwoordt"


def test_a_missing_value_leaves_the_text_readable(made: texts.Texts) -> None:
    assert made.text("web.site_answers", "remedy", "nl", {}) == "Kijk naar … en {braces}."


def test_a_missing_language_falls_back_to_english(made: texts.Texts) -> None:
    assert made.text("web.site_answers", "title", "fr", {"subject": "x"}) == "Site x answers"


def test_a_check_without_texts_shows_its_id(made: texts.Texts) -> None:
    assert made.text("old.gone", "title", "nl", {}) == "old.gone"
    assert made.text("old.gone", "why", "nl", {}) == ""
    assert made.severity("old.gone") == "major"


def test_an_attestation_has_its_question_as_title_and_the_official_line_as_reason() -> None:
    assert WORDS.text("attestation.15.3-users", "title", "en", {}).startswith("Were users asked")
    assert WORDS.text("attestation.15.3-users", "why", "nl", {}).startswith("Informeert op welke wijze")
    assert "decisions.yml" in WORDS.text("attestation.15.3-users", "remedy", "fr", {})
    assert WORDS.severity("attestation.15.3-users") == "minor"
    assert WORDS.text("attestation.none", "title", "nl", {}) == "attestation.none"
    assert WORDS.text("attestation.none", "remedy", "nl", {}) == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("{target}", "{target}"),
        ("{0.__class__}", "{0.__class__}"),
        ("%s {{x}} \\1", "%s {{x}} \\1"),
        ("a\n b\t c", "a b c"),
        (True, "ja"),
        (False, "nee"),
        (0, "0"),
        (None, "…"),
        ("", "…"),
        ([], "…"),
        (["a", ["b"]], "a, b"),
        ({"port": 22}, "port 22"),
        ([str(n) for n in range(20)], "0, 1, 2, 3, 4, 5, 6, 7, …"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_values_are_put_in_once_and_never_interpreted(value: object, shown: str) -> None:
    assert fill("<{subject}>", {"subject": value, "target": "secret"}, {"true": "ja", "false": "nee"}) == f"<{shown}>"
