"""Evaluate: evidence and definition in, findings out. Pure; the one place where missing evidence becomes *unknown*."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from audits.definition import Requirement
from audits.evidence import Record
from audits.plan import Asked, Plan, Step
from audits.transports.base import JSON
from checks.core import Each, Fact, Failure, FailureKind, Need, Outcome, Output, Severity, Unreadable, Verdict
from checks.questions import Question, Shell

Lookup = Callable[[str, Question], Record | None]
READ_ERRORS = (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, RecursionError)


@dataclass(slots=True)
class Finding:
    """One check on one subject: what was found, before and after people's decisions. `record` turns it into JSON."""

    check: str
    target: str
    subject: str
    requirement: str
    verdict: Verdict
    final: Verdict
    severity: Severity
    competences: tuple[str, ...] = ()
    expected: JSON = None
    observed: JSON = None
    note: str | None = None
    failure: Failure | None = None
    evidence: tuple[int, ...] = ()
    possible: Fraction | None = None
    earned: Fraction | None = None
    hint: str | None = None
    decision: dict[str, Any] | None = None
    params: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(slots=True)
class Judge:
    """Judges the steps of a plan against the evidence. Facts are read once."""

    lookup: Lookup
    severity_of: Callable[[str], Severity]
    bullets_of: Callable[[str], tuple[str, ...]]
    _facts: dict[tuple[type[Fact], Asked], Fact | Failure] = dataclasses.field(default_factory=dict)

    def findings(self, plan: Plan) -> list[Finding]:
        """Give every finding, in the order of the definition."""
        found: list[Finding] = []
        for step in plan.steps:
            found += self._step(step)
        _skip_pointless(found, plan.audit.requirements)
        _give_points(found, {(r.target, r.id): r for r in plan.audit.requirements})
        return found

    def _step(self, step: Step) -> Iterator[Finding]:
        want, check = step.requirement.want, step.check
        given: dict[str, Any] = {"want": want}
        failure: Failure | None = None
        for name, need in check.needs.items():
            value = self._need(need, step.facts[name])
            if isinstance(value, Failure) and not need.takes_failure:
                failure = failure or value
            given[name] = value
        outcomes = [Outcome(Verdict.UNKNOWN, failure=failure)] if failure else self._outcomes(step, given)
        evidence = tuple(sorted(self._seqs(step)))
        bullets = tuple(want.competence) or self.bullets_of(check.id)
        for outcome in outcomes:
            yield Finding(
                check=check.id,
                target=step.requirement.target,
                subject=outcome.subject if outcome.subject is not None else want.subject,
                requirement=step.requirement.id,
                verdict=outcome.verdict,
                final=outcome.verdict,
                severity=want.severity or self.severity_of(check.id),
                competences=bullets,
                expected=_json(outcome.expected),
                observed=_json(outcome.observed),
                note=outcome.note,
                failure=outcome.failure,
                evidence=evidence,
                hint=want.hint,
                params=_params(want),
            )

    @staticmethod
    def _outcomes(step: Step, given: Mapping[str, Any]) -> list[Outcome]:
        try:
            result = step.check.judge(**given)
            return [result] if isinstance(result, Outcome) else list(result)
        except Unreadable as e:
            return [Outcome(Verdict.UNKNOWN, failure=e.failure)]
        except READ_ERRORS as e:
            detail = f"a defect in check {step.check.id}: {type(e).__name__}: {e}"
            return [Outcome(Verdict.UNKNOWN, failure=Failure(FailureKind.UNREADABLE, detail))]

    def _need(self, need: Need, asked: Asked | Mapping[str, Asked]) -> Any:
        if not isinstance(asked, Mapping):
            return self._fact(need.fact, asked)
        several: Each[Any] = Each()
        for server, one in asked.items():
            value = self._fact(need.fact, one)
            if isinstance(value, Failure) and not need.takes_failure:
                return Failure(value.kind, f"{server}: {value.detail}" if value.detail else server)
            several[server] = value
        return several

    def _fact(self, fact: type[Fact], asked: Asked) -> Fact | Failure:
        key = (fact, asked)
        if key not in self._facts:
            self._facts[key] = self._read(fact, asked)
        return self._facts[key]

    def _read(self, fact: type[Fact], asked: Asked) -> Fact | Failure:
        values: list[Any] = []
        for target, question in asked:
            record = self.lookup(target, question)
            if record is None:
                return Failure(FailureKind.INTERRUPTED, "this was never asked")
            if record.answer.failure is not None:
                return record.answer.failure
            values.append(_as_read(question, record.answer.value))
        try:
            return fact.read(*values)
        except Unreadable as e:
            return e.failure
        except READ_ERRORS as e:
            return Failure(FailureKind.UNREADABLE, f"{fact.__name__}: {type(e).__name__}: {e}"[:300])

    def _seqs(self, step: Step) -> set[int]:
        found: set[int] = set()
        for asked in step.facts.values():
            for one in asked.values() if isinstance(asked, Mapping) else (asked,):
                found |= {r.seq for target, question in one if (r := self.lookup(target, question))}
        return found


def _as_read(question: Question, value: JSON) -> Any:
    if isinstance(question, Shell):
        return Output(value["status"], value["stdout"], value.get("stderr", ""))
    return value


def _params(want: Any) -> dict[str, Any]:
    """Give the requirement's plain fields, for the texts."""
    modifiers = {"id", "points", "partial", "severity", "needs", "hint", "competence"}
    return {
        f.name: _json(value)
        for f in dataclasses.fields(want)
        if f.name not in modifiers and (value := getattr(want, f.name)) not in (None, (), {})
    }


def _json(value: Any) -> JSON:
    """Make JSON of what a check says: enums, tuples, sets and dataclasses become plain."""
    if isinstance(value, Mapping):
        return {str(k): _json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_json(v) for v in value]
    if isinstance(value, set | frozenset):
        return [_json(v) for v in sorted(value, key=str)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {k: _json(v) for k, v in dataclasses.asdict(value).items() if v not in (None, ())}
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def _skip_pointless(findings: list[Finding], requirements: Iterable[Requirement]) -> None:
    """Skip requirements whose `needs` failed (or were skipped): they are not failed twice.

    An id is looked for on the finding's own target first, then anywhere. What is merely unknown skips nothing:
    what can be seen is judged.
    """
    needs = {(r.target, r.id): r.want.needs for r in requirements if r.want.needs}
    if not needs:
        return
    here = {(f.target, f.requirement) for f in findings}
    bad = {(f.target, f.requirement) for f in findings if f.verdict == Verdict.FAIL}
    while True:
        names = {requirement for _, requirement in bad}
        size = len(bad)
        for finding in findings:
            key = (finding.target, finding.requirement)
            lacking = [
                n
                for n in needs.get(key, ())
                if (finding.target, n) in bad or (n in names and (finding.target, n) not in here)
            ]
            if lacking:
                finding.verdict = finding.final = Verdict.NOT_APPLICABLE
                finding.note = f"needs: {', '.join(lacking)}"
                finding.failure = finding.observed = None
                bad.add(key)
        if len(bad) == size:
            return


def _give_points(findings: list[Finding], requirements: Mapping[tuple[str, str], Requirement]) -> None:
    """Spread a requirement's points over its findings: all or nothing, or in part when it says `partial`."""
    by_requirement: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_requirement.setdefault((finding.target, finding.requirement), []).append(finding)
    for key, several in by_requirement.items():
        requirement = requirements.get(key)
        if requirement is None or requirement.want.points is None:
            continue
        share = Fraction(str(requirement.want.points)) / len(several)
        whole = all(f.final == Verdict.PASS for f in several)
        for finding in several:
            finding.possible = share
            good = finding.final == Verdict.PASS if requirement.want.partial else whole
            finding.earned = share if good else Fraction(0)


def score_again(findings: list[Finding], plan: Plan) -> None:
    """Give the points anew after decisions changed final verdicts."""
    _give_points(findings, {(r.target, r.id): r for r in plan.audit.requirements})
