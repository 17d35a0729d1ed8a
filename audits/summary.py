"""The summary of a run: verdict, counts, coverage, bullets, score. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from audits.evaluate import Finding
from checks.core import Verdict

EXIT = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 2}
"""0 all pass, 1 failures, 2 something could not be assessed and nothing failed; 3 (no run) is the command line's."""


def decimal(value: Fraction) -> str:
    """Give an exact fraction as decimal text: at most four places, rounded half up, no needless zeros."""
    rounded = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return f"{rounded.normalize():f}"


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Give the verdict of a whole run; a run in which nothing was judged is unknown, never a pass."""
    finals = {f.final for f in findings}
    if Verdict.FAIL in finals:
        return Verdict.FAIL
    if Verdict.UNKNOWN in finals or Verdict.PASS not in finals:
        return Verdict.UNKNOWN
    return Verdict.PASS


def bullet_status(findings: Sequence[Finding]) -> str:
    """Say how a bullet stands.

    failed: something failed; not_assessed: nothing passed; waived: it only passes by a waiver; partly: something
    passed, but something else could not be seen, was skipped, or waits for a person's answer; attested: only people's
    answers; verified: all was measured and passed.
    """
    finals = {f.final for f in findings}
    passed = [f for f in findings if f.final == Verdict.PASS]
    if Verdict.FAIL in finals:
        return "failed"
    if not passed:
        return "not_assessed"
    if any(f.decision and f.decision["kind"] == "waiver" for f in passed):
        return "waived"
    skipped = any(f.final == Verdict.NOT_APPLICABLE and (f.note or "").startswith("needs:") for f in findings)
    if skipped or finals & {Verdict.UNKNOWN, Verdict.MANUAL}:
        return "partly"
    return "attested" if all(f.verdict == Verdict.MANUAL for f in passed) else "verified"


def summarise(
    findings: Sequence[Finding],
    bullets: Mapping[str, Sequence[str]],
    times: Mapping[str, float],
    minimum_coverage: float,
) -> dict[str, Any]:
    """Give summary.json's content. `bullets`: the bullets of each competence; `times` in seconds by stage."""
    by_bullet: dict[str, list[Finding]] = {}
    for finding in findings:
        for bullet in finding.competences:
            by_bullet.setdefault(bullet, []).append(finding)
    assessed = sum(f.final in (Verdict.PASS, Verdict.FAIL) for f in findings)
    total = sum(f.final != Verdict.NOT_APPLICABLE for f in findings)
    percent = round(100 * assessed / total, 1) if total else 0.0
    possible = sum((f.possible for f in findings if f.possible is not None), Fraction(0))
    earned = sum((f.earned for f in findings if f.earned is not None), Fraction(0))
    verdict = verdict_of(findings)
    targets: dict[str, Counter[str]] = {}
    for finding in findings:
        targets.setdefault(finding.target, Counter())[str(finding.final)] += 1
    return {
        "verdict": str(verdict),
        "exit_code": EXIT[verdict],
        "counts": _counts(f.verdict for f in findings),
        "final_counts": _counts(f.final for f in findings),
        "by_severity": dict(Counter(str(f.severity) for f in findings if f.final == Verdict.FAIL)),
        "by_competence": {
            competence: {
                "bullets": {
                    b: {
                        "status": bullet_status(by_bullet.get(b, ())),
                        "counts": _counts(f.final for f in by_bullet.get(b, ())),
                    }
                    for b in its
                }
            }
            for competence, its in bullets.items()
        },
        "coverage": {"assessed": assessed, "total": total, "percent": percent, "minimum": minimum_coverage},
        "score": {"earned": decimal(earned), "possible": decimal(possible)} if possible else None,
        "targets": {name: dict(counts) for name, counts in targets.items()},
        "times": {stage: round(seconds, 3) for stage, seconds in times.items()},
    }


def _counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    counted = Counter(verdicts)
    return {str(v): counted.get(v, 0) for v in Verdict}
