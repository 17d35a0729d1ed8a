"""The made run, with texts of its own so that a corrected sentence elsewhere changes no golden file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audits import texts
from reporting import RecordedRun, render
from reporting.view import View

DATA = Path(__file__).parent / "data"
Change = Callable[..., RecordedRun]


@pytest.fixture(scope="session")
def known() -> texts.Texts:
    return texts.read(DATA / "texts")


@pytest.fixture(scope="session")
def rich() -> RecordedRun:
    return RecordedRun.load(DATA / "run-rich")


@pytest.fixture
def view(rich: RecordedRun, known: texts.Texts) -> View:
    return View(rich, "nl", known)


@pytest.fixture(scope="session")
def made(rich: RecordedRun, known: texts.Texts) -> Callable[..., str]:
    """Render the rich run as text."""
    return lambda form, language="nl", **options: render(rich, form, language, texts=known, **options).decode()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the rich run, to be changed."""
    return Path(shutil.copytree(DATA / "run-rich", tmp_path / "run"))


@pytest.fixture
def with_findings(copy: Path) -> Change:
    """Make a run like the rich one, with other findings and parts of the summary and manifest."""

    def change(findings: list[dict[str, Any]], manifest: dict[str, Any] | None = None, **summary: Any) -> RecordedRun:
        lines = (json.dumps(FINDING | f) + "\n" for f in findings)
        (copy / "findings.jsonl").write_text("".join(lines), "utf-8")
        for name, more in (("summary.json", summary), ("manifest.json", manifest or {})):
            data = json.loads((copy / name).read_text("utf-8")) | more
            (copy / name).write_text(json.dumps(data), "utf-8")
        return RecordedRun.load(copy)

    return change


FINDING: dict[str, Any] = {
    "check": "units.service_runs", "target": "web1", "subject": "nginx", "requirement": "r1", "verdict": "pass",
    "final": "pass", "severity": "major", "competences": ["8.1"], "title": "nginx", "expected": None,
    "observed": None, "remedy": "", "evidence": [], "points": None, "note": None, "failure": None, "hint": None,
    "decision": None, "params": {},
}  # fmt: skip


@pytest.fixture
def golden() -> Callable[[str, bytes], None]:
    """Compare with a recorded file; KEURING_ACCEPT=1 records it anew."""

    def compare(name: str, content: bytes) -> None:
        file = DATA / "golden" / name
        if os.environ.get("KEURING_ACCEPT") == "1":
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        assert file.exists(), f"{file.name} was never accepted: run with KEURING_ACCEPT=1 and look at it"
        assert content.decode() == file.read_bytes().decode()

    return compare
