"""The other formats, held by golden files; KEURING_ACCEPT=1 accepts what changed."""

from __future__ import annotations

import csv
import importlib.resources
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from audits import texts
from reporting import FORMATS, RecordedRun, render
from reporting.document import schemas
from reporting.markdown import code, escape
from reporting.table import COLUMNS, harmless
from reporting.words import LANGUAGES

Made = Callable[..., str]
Golden = Callable[[str, bytes], None]
SCHEMAS = Path(str(importlib.resources.files("reporting"))) / "schemas"
RUN = Path(__file__).parent / "data" / "run-rich"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_golden(rich: RecordedRun, known: texts.Texts, golden: Golden, form: str, language: str) -> None:
    if language != "nl" and form in {"html", "json", "csv", "junit"}:
        assert render(rich, form, language, texts=known)  # the same with other words: one golden file is enough
    else:
        golden(f"{language}.{FORMATS[form].ending}", render(rich, form, language, texts=known))


def test_the_language_is_the_runs_own_when_none_is_asked_for(made: Made, rich: RecordedRun, known: texts.Texts) -> None:
    assert render(rich, "markdown", texts=known).decode() == made("markdown", "nl")


# -- JSON -------------------------------------------------------------------------------------------------------------


def test_the_schemas_are_what_the_models_say(golden: Golden) -> None:
    del golden
    for name, schema in schemas().items():
        jsonschema.Draft202012Validator.check_schema(schema)
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        assert (SCHEMAS / name).read_text("utf-8") == text, f"write it anew: python -m reporting.document ({name})"


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text("utf-8")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_document_fits_its_schema(made: Made, language: str) -> None:
    document = json.loads(made("json", language))
    validator("report.json").validate(document)
    assert document["language"] == language
    assert sum(len(c["bullets"]) for c in document["competences"]) == 25
    broken = document | {"verdict": "good"}
    assert not validator("report.json").is_valid(broken)


def test_the_run_directory_fits_its_schemas() -> None:
    validator("manifest.json").validate(json.loads((RUN / "manifest.json").read_text("utf-8")))
    validator("summary.json").validate(json.loads((RUN / "summary.json").read_text("utf-8")))
    for line in (RUN / "findings.jsonl").read_text("utf-8").splitlines():
        validator("finding.json").validate(json.loads(line))


def test_every_field_of_the_schemas_is_described_or_speaks_for_itself() -> None:
    for name in SCHEMAS.iterdir():
        schema = json.loads(name.read_text("utf-8"))
        for model in (schema, *schema.get("$defs", {}).values()):
            assert model.get("description") or "enum" in model, f"{name.name}: {model.get('title')}"


def test_values_stand_in_the_document_as_they_were_recorded(made: Made, rich: RecordedRun) -> None:
    def values(findings: Any) -> list[str]:
        return sorted(json.dumps([f["check"], f["target"], f["subject"], f["observed"]]) for f in findings)

    recorded = [json.loads(line) for line in (RUN / "findings.jsonl").read_text("utf-8").splitlines()]
    assert values(json.loads(made("json"))["findings"]) == values(recorded)
    assert len(recorded) == len(rich.findings)


# -- terminal ---------------------------------------------------------------------------------------------------------


def test_the_terminal_gets_colours_only_when_asked_for_and_never_a_hosts_control_characters(made: Made) -> None:
    plain, colored = made("terminal"), made("terminal", color=True)
    assert "\x1b" not in plain
    assert "\x1b[" in colored
    assert "\x1b[31mROOD" not in colored
    assert "␛[31mROOD" in colored
    assert all(len(line) <= 60 for line in made("terminal", width=60).splitlines() if " " in line)


def test_failures_come_first_with_what_to_do_and_passes_only_when_asked_for(made: Made) -> None:
    text = made("terminal")
    assert text.index("Restpunten") < text.index("Wat niet beoordeeld werd")
    assert "`systemctl enable --now nginx`" in " ".join(text.split())
    assert "Dienst chrony draait" not in text
    assert "Dienst chrony draait" in made("terminal", everything=True)


# -- Markdown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<script>@all #1 [x](y) ![z](w)", "\\<script\\>\\@all \\#1 \\[x\\](y) \\!\\[z\\](w)"),
        ("één_twee `x`\n# kop", "één\\_twee \\`x\\` \\# kop"),
    ],
)
def test_markdown_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "`a`"), ("`a", "`` `a ``"), ("a``b", "```a``b```"), ("a|b", "`a\uff5cb`"), ("", "")]
)
def test_code_spans_hold_anything(text: str, shown: str) -> None:
    assert code(text) == shown


# -- JUnit ------------------------------------------------------------------------------------------------------------


def test_junit_counts_what_it_holds(made: Made, rich: RecordedRun) -> None:
    root = ET.fromstring(made("junit"))  # noqa: S314 - our own
    cases = list(root.iter("testcase"))
    assert len(cases) == len(rich.findings) == int(root.get("tests", ""))
    for name, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert len(list(root.iter(name))) == int(root.get(attribute, "")) > 0
        assert sum(int(s.get(attribute, "")) for s in root.iter("testsuite")) == int(root.get(attribute, ""))


# -- CSV --------------------------------------------------------------------------------------------------------------


def test_csv_has_a_line_per_finding_and_no_formulas(made: Made, rich: RecordedRun) -> None:
    text = made("csv")
    assert text.startswith("\ufeff")
    header, *rows = csv.reader(io.StringIO(text[1:]), delimiter=";")
    assert tuple(header) == COLUMNS
    assert len(rows) == len(rich.findings)
    assert not [cell for row in rows for cell in row if cell[:1] in {"=", "+", "-", "@", "\t"}]
    assert any("'=cmd|" in cell for row in rows for cell in row)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("=1+1", "'=1+1"), ("-1", "'-1"), ("\t=1", "'=1"), ("a=1", "a=1"), ("", ""), ("\uff1d1", "'\uff1d1")],
)
def test_formulas_are_made_harmless(cell: str, shown: str) -> None:
    assert harmless(cell) == shown
