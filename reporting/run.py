"""A recorded run, read from its directory, typed; what an interrupted run has not written yet may be missing.

These models are the interface of the run directory's files: `reporting/schemas/` holds their JSON Schemas.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import pydantic

from audits.errors import EvidenceError
from checks.core import Severity, Verdict

MANIFEST, FINDINGS, SUMMARY, EVIDENCE = "manifest.json", "findings.jsonl", "summary.json", "evidence.jsonl"
JSON = Any
M = TypeVar("M", bound=pydantic.BaseModel)
_CONFIG = pydantic.ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Party(pydantic.BaseModel):
    """Somebody who signs."""

    model_config = _CONFIG
    name: str = ""
    contact: str | None = None
    address: str | None = None
    email: str | None = None
    phone: str | None = None
    number: str | None = None
    """Enterprise or student number."""


class Parties(pydantic.BaseModel):
    """Who hands over to whom, and what."""

    model_config = _CONFIG
    customer: Party | None = None
    installer: Party | None = None
    assessor: Party | None = None
    site: str | None = None
    contract: str | None = None


class Target(pydantic.BaseModel):
    """Something that was asked: a host, a domain, or the name servers."""

    model_config = _CONFIG
    name: str
    kind: str = "host"
    address: str | None = ""
    servers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Source(pydantic.BaseModel):
    """The definition that was run."""

    model_config = _CONFIG
    path: str = ""
    digest: str = ""
    """SHA-256 of the file."""
    title: str = ""


class Inventory(pydantic.BaseModel):
    """The inventory that was used."""

    model_config = _CONFIG
    paths: tuple[str, ...] = ()
    digest: str = ""


class Manifest(pydantic.BaseModel):
    """manifest.json: what was run, on what, by which version, when, with which options."""

    model_config = _CONFIG
    keuring: str = ""
    """Version of keuring."""
    run: str = ""
    """Name of the run."""
    definition: Source = Source()
    inventory: Inventory = Inventory()
    started: str | None = ""
    """UTC, ISO 8601."""
    finished: str | None = None
    state: str = ""
    """collecting, interrupted, collected or evaluated."""
    options: dict[str, JSON] = {}
    language: Literal["nl", "en", "fr"] = "nl"
    evidence_head: str | None = ""
    """Digest of the last line of evidence."""
    parties: Parties = Parties()
    scope: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    auditor: dict[str, str] = {}
    """Who ran it, on which machine."""


class Points(pydantic.BaseModel):
    """Points as decimal text: no floats in a mark."""

    model_config = _CONFIG
    possible: str
    earned: str


class RecordedFailure(pydantic.BaseModel):
    """Why something could not be seen."""

    model_config = _CONFIG
    kind: str
    detail: str = ""


class Decision(pydantic.BaseModel):
    """What a person decided about a finding; the measured verdict stays in `verdict`."""

    model_config = _CONFIG
    kind: Literal["waiver", "override", "attestation"]
    who: str = ""
    reason: str | None = None
    until: str | None = None
    """Last day of a waiver."""
    expired: bool = False
    verdict: str | None = None
    answer: bool | None = None
    when: str | None = None
    note: str | None = None


class Finding(pydantic.BaseModel):
    """A line of findings.jsonl: one check on one subject of one target."""

    model_config = _CONFIG
    check: str
    """Id of the check, `module.function`, or `attestation.ID`."""
    target: str = ""
    subject: str = ""
    """What of the target it is about; empty for the target itself."""
    requirement: str = ""
    verdict: Verdict
    """As measured."""
    final: Verdict
    """After decisions."""
    severity: Severity
    competences: tuple[str, ...] = ()
    """Bullets of the qualification that it serves."""
    title: str = ""
    """In the language of the run."""
    expected: JSON = None
    observed: JSON = None
    remedy: str = ""
    """In the language of the run."""
    note: str | None = None
    failure: RecordedFailure | None = None
    hint: str | None = None
    evidence: tuple[int, ...] = ()
    """`seq` of the lines of evidence.jsonl that it follows from."""
    points: Points | None = None
    decision: Decision | None = None
    params: dict[str, JSON] = {}
    """The requirement's fields, for the texts."""


class BulletSummary(pydantic.BaseModel):
    """How a bullet of the qualification stands."""

    model_config = _CONFIG
    status: str = "not_assessed"
    """verified, failed, partly, waived, attested or not_assessed."""
    counts: dict[str, int] = {}
    """Findings by final verdict."""


class CompetenceSummary(pydantic.BaseModel):
    """The bullets of a competence, by number."""

    model_config = _CONFIG
    bullets: dict[str, BulletSummary] = {}


class Coverage(pydantic.BaseModel):
    """How much of what was asked could be judged."""

    model_config = _CONFIG
    assessed: int = 0
    total: int = 0
    percent: float = 0
    minimum: float | None = None
    """Least percentage at which the installation may be accepted."""


class Score(pydantic.BaseModel):
    """Points of the whole run, as decimal text."""

    model_config = _CONFIG
    earned: str
    possible: str


class Summary(pydantic.BaseModel):
    """summary.json: the run in figures."""

    model_config = _CONFIG
    verdict: Literal["pass", "fail", "unknown"] = "unknown"
    exit_code: int = 2
    counts: dict[str, int] = {}
    """Findings by measured verdict."""
    final_counts: dict[str, int] = {}
    """Findings by final verdict."""
    by_severity: dict[str, int] = {}
    """Final failures by severity."""
    by_competence: dict[str, CompetenceSummary] = {}
    coverage: Coverage = Coverage()
    score: Score | None = None
    targets: dict[str, dict[str, int]] = {}
    """Findings by target and final verdict."""
    times: dict[str, float] = {}
    """Seconds by stage."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """Everything a report is made of. `complete` is false when the run was interrupted before it was judged."""

    path: Path
    manifest: Manifest
    summary: Summary
    findings: tuple[Finding, ...]
    complete: bool = True

    @classmethod
    def load(cls, path: Path) -> RecordedRun:
        """Read a run directory; EvidenceError when it is none or cannot be read. Findings and summary may be absent."""
        manifest = _model(Manifest, path / MANIFEST)
        if manifest is None:
            raise EvidenceError(f"{path}: is not a run directory (no {MANIFEST})", "Name one, such as `runs/latest`.")
        summary = _model(Summary, path / SUMMARY)
        findings = tuple(_findings(path / FINDINGS))
        complete = summary is not None and manifest.state not in ("collecting", "interrupted")
        return cls(path, manifest, summary or Summary(), findings, complete)

    @property
    def evidence(self) -> Path:
        """The file of evidence, which may be absent."""
        return self.path / EVIDENCE


def _model(model: type[M], path: Path) -> M | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as e:
        raise EvidenceError(f"{path}: {_why(e)}", "The run directory was changed, or is of another version.") from None


def _findings(path: Path) -> Iterator[Finding]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as e:
        raise EvidenceError(f"{path}: {_why(e)}", "The run directory was changed.") from None
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield Finding.model_validate(json.loads(line))
        except (ValueError, RecursionError) as e:
            advice = "Judge the run again with `keuring evaluate`."
            raise EvidenceError(f"{path}:{number}: {_why(e)}", advice) from None


def _why(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, OSError):
        return error.strerror or "cannot be read"
    return "is not JSON"
