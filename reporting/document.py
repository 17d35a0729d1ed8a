"""Everything as one JSON document with a stable shape: `reporting/schemas/report.json` describes it.

Values stand in it as they were recorded: whoever shows them escapes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pydantic

from reporting.run import Finding, Manifest, Summary
from reporting.view import View

SCHEMAS = "https://keuring.example/schemas/"
_CONFIG = pydantic.ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ReportedFinding(Finding):
    """A finding with its texts in the language of the document."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    why: str = ""
    """Why it matters."""


class ReportedBullet(pydantic.BaseModel):
    """A bullet of the qualification, and how it stands."""

    model_config = _CONFIG
    id: str
    text: str
    """In the language of the document."""
    official: str
    """The official Dutch text, word for word."""
    status: Literal["verified", "failed", "partly", "waived", "attested", "not_assessed"]
    counts: dict[str, int]
    """Findings by final verdict."""


class ReportedCompetence(pydantic.BaseModel):
    """A competence of the qualification."""

    model_config = _CONFIG
    id: str
    title: str
    bullets: tuple[ReportedBullet, ...]


class RemainingItem(pydantic.BaseModel):
    """A deviation that is open at hand-over."""

    model_config = _CONFIG
    number: int
    title: str
    severity: str
    check: str
    targets: tuple[str, ...]
    remedy: str


class Document(pydantic.BaseModel):
    """The acceptance report as data."""

    model_config = _CONFIG
    format: Literal[1]
    """Version of this shape; it only grows within a version."""
    language: Literal["nl", "en", "fr"]
    complete: bool
    """False when the run was interrupted before it was judged."""
    verdict: Literal["pass", "fail", "unknown"]
    """As the report says it: too little coverage is never a pass."""
    reasons: tuple[str, ...]
    proposal: str
    manifest: Manifest
    summary: Summary
    competences: tuple[ReportedCompetence, ...]
    items: tuple[RemainingItem, ...]
    findings: tuple[ReportedFinding, ...]


def document(view: View) -> Document:
    """Give a run as a document."""
    return Document(
        format=1,
        language=view.language,
        complete=view.run.complete,
        verdict=view.verdict,
        reasons=tuple(view.reasons),
        proposal=view.proposal,
        manifest=view.run.manifest,
        summary=view.run.summary,
        competences=tuple(
            ReportedCompetence(
                id=c.id,
                title=c.title,
                bullets=tuple(
                    ReportedBullet(id=b.id, text=b.text, official=b.official, status=b.status, counts=b.counts)
                    for b in c.bullets
                ),
            )
            for c in view.competences
        ),
        items=tuple(
            RemainingItem(
                number=i.number, title=i.title, severity=i.severity, check=i.check, targets=tuple(i.targets),
                remedy=i.remedy,
            )
            for i in view.items
        ),
        findings=tuple(
            ReportedFinding.model_construct(
                **dict(r.finding) | {"title": r.title, "remedy": r.remedy, "why": r.why},
            )
            for r in view.results
        ),
    )  # fmt: skip


def render(view: View) -> bytes:
    """Give the document as UTF-8 JSON."""
    return document(view).model_dump_json(indent=1).encode("utf-8", "replace") + b"\n"


def schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON Schemas (2020-12) of what is written, by name of their file in `reporting/schemas/`."""
    models: dict[str, type[pydantic.BaseModel]] = {
        "manifest": Manifest, "finding": Finding, "summary": Summary, "report": Document,
    }  # fmt: skip
    return {
        f"{name}.json": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{SCHEMAS}{name}-1.json",
            **model.model_json_schema(mode="serialization"),
        }
        for name, model in models.items()
    }


def write_schemas(folder: Path) -> None:
    """Write the schemas as files (`python -m reporting.document`, after a model changed)."""
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    write_schemas(Path(__file__).with_name("schemas"))
