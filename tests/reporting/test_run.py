"""A run directory is read typed; what an interrupted run has not written may be missing, what is broken is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audits.errors import EvidenceError, UsageError
from checks.core import Verdict
from reporting import FORMATS, RecordedRun, render


def test_the_rich_run_has_everything(rich: RecordedRun) -> None:
    assert rich.complete
    assert rich.manifest.language == "nl"
    assert {f.verdict for f in rich.findings} == set(Verdict)
    assert {f.decision.kind for f in rich.findings if f.decision} == {"waiver", "override", "attestation"}
    assert rich.summary.coverage.minimum == 80
    assert rich.manifest.parties.customer
    assert rich.manifest.parties.customer.name == "Sint-Jozefscollege vzw"


@pytest.mark.parametrize("form", FORMATS)
def test_an_interrupted_run_still_gives_every_report(copy: Path, form: str) -> None:
    for name in ("findings.jsonl", "summary.json", "evidence.jsonl"):
        (copy / name).unlink()
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest |= {"state": "interrupted", "finished": None, "evidence_head": None}
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    run = RecordedRun.load(copy)
    assert not run.complete
    assert run.findings == ()
    text = render(run, form, "nl").decode()
    if form in ("html", "terminal", "markdown"):
        assert "De run werd onderbroken" in text


def test_a_manifest_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}", "utf-8")
    run = RecordedRun.load(tmp_path)
    assert b"keuring" in render(run, "html")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", None, "is not a run directory"),
        ("manifest.json", "{", "manifest.json: "),
        ("manifest.json", '{"language": "de"}', "language: "),
        ("summary.json", '{"verdict": "good"}', "verdict: "),
        ("findings.jsonl", "{}\n", "findings.jsonl:1: check: "),
        ("findings.jsonl", "\nnonsense\n", "findings.jsonl:2: is not JSON"),
        ("findings.jsonl", '{"check": "a.b", "verdict": "pass", "final": "great", "severity": "minor"}\n', "final: "),
        ("findings.jsonl", "[" * 100_000 + "\n", "findings.jsonl:1: is not JSON"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(copy: Path, name: str, content: str | None, message: str) -> None:
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_text(content, "utf-8")
    with pytest.raises(EvidenceError, match=message) as caught:
        RecordedRun.load(copy)
    assert caught.value.advice


def test_a_directory_in_the_place_of_a_file(copy: Path) -> None:
    (copy / "findings.jsonl").unlink()
    (copy / "findings.jsonl").mkdir()
    with pytest.raises(EvidenceError, match="directory"):
        RecordedRun.load(copy)


def test_unknown_formats_and_languages(rich: RecordedRun) -> None:
    with pytest.raises(UsageError, match="no report format docx"):
        render(rich, "docx")
    with pytest.raises(UsageError, match="no report in de"):
        render(rich, "html", "de")
