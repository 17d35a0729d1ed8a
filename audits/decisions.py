"""What people add to a run: overrides, waivers and attestations, each with who and why. The measured verdict stays.

`decisions.yml` lies beside the definition, or in a run directory:

    waivers:                       # a failure that is accepted for now
      - {check: openssh.*, target: web1, subject: "*", reason: …, who: …, until: 2027-06-30}
    overrides:                     # a verdict that a person knows better
      - {check: …, target: …, verdict: pass, reason: …, who: …}
    attestations:                  # answers to questions that no machine can judge
      - {id: 15.3-users, answer: true, who: …, when: 2026-11-24, note: …}
"""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pydantic

from audits import yamlfile
from audits.errors import DefinitionError
from audits.evaluate import Finding
from checks.core import Verdict

ATTESTATION = "attestation."
_CONFIG = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class _Decision(pydantic.BaseModel):
    """Which findings it is about, who decides and why."""

    model_config = _CONFIG
    check: str
    """Id of the check; `*` matches anything."""
    target: str = "*"
    subject: str = "*"
    reason: str = pydantic.Field(min_length=1)
    who: str = pydantic.Field(min_length=1)

    def matches(self, finding: Finding) -> bool:
        """Tell whether it is about this finding."""
        pairs = ((finding.check, self.check), (finding.target, self.target), (finding.subject, self.subject))
        return all(fnmatch.fnmatchcase(value, pattern) for value, pattern in pairs)


class Waiver(_Decision):
    """A failure that is accepted until a day."""

    until: dt.date


class Override(_Decision):
    """Another verdict than the measured one."""

    verdict: Literal["pass", "fail", "not_applicable"]


class Attestation(pydantic.BaseModel):
    """A person's answer to a question of the report."""

    model_config = _CONFIG
    id: str
    answer: bool
    who: str = pydantic.Field(min_length=1)
    when: dt.date
    note: str | None = None


class Decisions(pydantic.BaseModel):
    """A file of decisions."""

    model_config = _CONFIG
    waivers: tuple[Waiver, ...] = ()
    overrides: tuple[Override, ...] = ()
    attestations: tuple[Attestation, ...] = ()


def load(path: Path) -> Decisions:
    """Read a file of decisions; DefinitionError with every problem and its place."""
    document = yamlfile.load(path)
    try:
        return Decisions.model_validate(document.data or {})
    except pydantic.ValidationError as e:
        lines = sorted(
            {f"{document.where(er['loc'])}: {'.'.join(map(str, er['loc']))}: {er['msg']}" for er in e.errors()}
        )
        raise DefinitionError("\n".join(lines), "Each decision takes who and why; a waiver also until when.") from None


def apply(findings: Iterable[Finding], decisions: Decisions, today: dt.date) -> None:
    """Lay the decisions over the findings, changing their `final` and `decision`; an expired waiver counts no more."""
    for finding in findings:
        attested = next((a for a in decisions.attestations if finding.check == ATTESTATION + a.id), None)
        if attested:
            finding.final = Verdict.PASS if attested.answer else Verdict.FAIL
            finding.decision = {"kind": "attestation", **_plain(attested)}
            continue
        override = next((o for o in decisions.overrides if o.matches(finding)), None)
        if override:
            finding.final = Verdict(override.verdict)
            finding.decision = {"kind": "override", **_plain(override)}
            continue
        waiver = next((w for w in decisions.waivers if w.matches(finding)), None)
        if waiver and finding.verdict == Verdict.FAIL:
            expired = waiver.until < today
            finding.decision = {"kind": "waiver", "expired": expired, **_plain(waiver)}
            if not expired:
                finding.final = Verdict.PASS


def _plain(decision: pydantic.BaseModel) -> dict[str, Any]:
    return decision.model_dump(mode="json", exclude_none=True, exclude={"check", "target", "subject", "id"})
