"""What a report says, worked out once for all renderers: order, reasons, remaining items, bullets, in one language."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from audits import competences, texts
from audits.competences import ATTESTATION
from audits.texts import Part
from checks.core import Severity, Verdict
from reporting.clean import one_line
from reporting.excerpts import Evidence, Excerpt
from reporting.run import BulletSummary, Finding, RecordedRun, Target
from reporting.values import Shown, compare, difference, plain
from reporting.words import Words

SEVERITIES = tuple(Severity)
ATTENTION = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.MANUAL)
_ORDER = {v: i for i, v in enumerate((*ATTENTION, Verdict.PASS, Verdict.NOT_APPLICABLE))}
EXCERPTS = 1_500  # findings whose evidence is quoted in a report, those that need attention first
GAP = 110  # characters of either side of a remaining item
QUOTED_TEXT = 300  # characters of a note or detail
NEEDS = "needs: "  # how the engine's note of a skipped requirement begins

Status = Literal["verified", "failed", "partly", "waived", "attested", "not_assessed"]


@dataclass(frozen=True, slots=True)
class Result:
    """A finding with its place in the report (`n` from 1)."""

    n: int
    finding: Finding
    view: View

    @property
    def title(self) -> str:
        """Its title in the report's language."""
        return self.view.text(self.finding, "title")

    @property
    def why(self) -> str:
        """Why it matters."""
        return self.view.text(self.finding, "why")

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.view.text(self.finding, "remedy")

    @property
    def target(self) -> str:
        """Its target, or the word for what belongs to none."""
        return self.finding.target or self.view.words("text.general")

    @property
    def sides(self) -> tuple[Shown, Shown]:
        """Expected and observed, with what differs marked."""
        f = self.finding
        return compare(f.expected, f.observed, self.view.words, failed=f.verdict == Verdict.FAIL)

    @property
    def note(self) -> str:
        """Its note, in words where the vocabulary has them."""
        words, note = self.view.words, self.finding.note or ""
        if note.startswith(NEEDS):
            return words("text.needs", names=one_line(note.removeprefix(NEEDS), QUOTED_TEXT))
        return words.key(note) if words.known(note) else one_line(note, QUOTED_TEXT)

    @property
    def waived(self) -> bool:
        """Whether a deviation is accepted for now, by a waiver that still holds."""
        f = self.finding
        return f.decision is not None and f.decision.kind == "waiver" and f.verdict != f.final

    @property
    def decision(self) -> str:
        """What a person decided, in a sentence."""
        return self.view.decision(self.finding)

    @property
    def evidence(self) -> list[Excerpt | int]:
        """The evidence it follows from; only the number of a line that is not quoted or cannot be read."""
        return self.view.quote(self)


@dataclass(slots=True)
class Item:
    """A remaining item: one deviation, on one target or on several."""

    number: int
    title: str
    severity: Severity
    check: str
    remedy: str
    results: list[Result] = field(default_factory=list)

    @property
    def targets(self) -> list[str]:
        """Where it was found."""
        return list(dict.fromkeys(r.target for r in self.results))

    @property
    def gap(self) -> tuple[str, str]:
        """What was expected and what was found, each on one line; empty for an item that is not about values."""
        f, w = self.results[0].finding, self.results[0].view.words
        if f.expected is None and f.observed is None:
            return "", ""
        expected, observed = difference(f.expected, f.observed)
        return plain(expected, w, GAP), plain(observed, w, GAP)


@dataclass(frozen=True, slots=True)
class BulletView:
    """A bullet of the qualification, and how it stands."""

    id: str
    text: str
    official: str
    status: Status
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class CompetenceView:
    """A competence with its bullets."""

    id: str
    title: str
    bullets: tuple[BulletView, ...]

    @property
    def verified(self) -> int:
        """How many bullets are verified or attested."""
        return sum(b.status in ("verified", "attested") for b in self.bullets)


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one target: what needs attention first."""

    name: str
    target: Target | None
    attention: tuple[Result, ...]
    rest: tuple[Result, ...]

    @property
    def counts(self) -> Counter[Verdict]:
        """Findings by final verdict."""
        return Counter(r.finding.final for r in (*self.attention, *self.rest))


def status_of(bullet: BulletSummary, findings: Iterable[Finding]) -> Status:
    """Say how a bullet stands. What could not be assessed makes it *partly* verified at best: unknown never passes."""
    finals = Counter(f.final for f in findings)
    passed = [f for f in findings if f.final == Verdict.PASS]
    if bullet.status == "failed" or finals[Verdict.FAIL]:
        return "failed"
    if not passed:
        return "not_assessed"
    if any(f.decision and f.decision.kind == "waiver" for f in passed):
        return "waived"
    skipped = any(f.final == Verdict.NOT_APPLICABLE and (f.note or "").startswith(NEEDS) for f in findings)
    if finals[Verdict.UNKNOWN] or finals[Verdict.MANUAL] or skipped:
        return "partly"
    return "attested" if all(f.verdict == Verdict.MANUAL for f in passed) else "verified"


class View:
    """A recorded run as a report says it."""

    def __init__(self, run: RecordedRun, language: str | None = None, known: texts.Texts | None = None) -> None:
        self.run = run
        self.words = Words(language or run.manifest.language)
        self.language = self.words.language
        self._texts = known if known is not None else texts.load()
        self.qualification = competences.load()
        ordered = sorted(run.findings, key=self._order)
        self.results = tuple(Result(n, f, self) for n, f in enumerate(ordered, 1))
        self._evidence = Evidence(run.evidence)
        ranked = sorted(self.results, key=lambda r: _ORDER[r.finding.final])[:EXCERPTS]
        self._quoted = {r.n for r in ranked}

    # -- order ----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _targets(self) -> dict[str, int]:
        return {t.name: i for i, t in enumerate(self.run.manifest.targets)}

    def _order(self, f: Finding) -> tuple[int, str, int, int]:
        place = -1 if not f.target else self._targets.get(f.target, len(self._targets))
        return place, f.target, _ORDER[f.final], SEVERITIES.index(f.severity)

    @functools.cached_property
    def groups(self) -> tuple[Group, ...]:
        """The findings by target; questions for people stand in a section of their own."""
        by_target: dict[str, list[Result]] = {}
        for result in self.results:
            if not result.finding.check.startswith(ATTESTATION):
                by_target.setdefault(result.finding.target, []).append(result)
        known = {t.name: t for t in self.run.manifest.targets}
        return tuple(
            Group(
                its[0].target,
                known.get(name),
                tuple(r for r in its if r.finding.final in ATTENTION),
                tuple(r for r in its if r.finding.final not in ATTENTION),
            )
            for name, its in by_target.items()
        )

    def by_final(self, *finals: Verdict) -> list[Result]:
        """Give the results with one of these final verdicts."""
        return [r for r in self.results if r.finding.final in finals]

    @property
    def attestations(self) -> list[Result]:
        """The questions for people, in the order of the qualification."""
        order = {ATTESTATION + a.id: i for i, a in enumerate(self.qualification.attestations)}
        asked = [r for r in self.results if r.finding.check.startswith(ATTESTATION)]
        return sorted(asked, key=lambda r: order.get(r.finding.check, len(order)))

    @property
    def decided(self) -> list[Result]:
        """Findings that a waiver or override changes."""
        return [r for r in self.results if r.finding.decision and r.finding.decision.kind != "attestation"]

    # -- what it comes to -----------------------------------------------------------------------------------------

    @functools.cached_property
    def finals(self) -> Counter[Verdict]:
        """Findings by final verdict."""
        return Counter(r.finding.final for r in self.results)

    @functools.cached_property
    def failures(self) -> Counter[Severity]:
        """Final failures by severity."""
        return Counter(r.finding.severity for r in self.by_final(Verdict.FAIL))

    @property
    def coverage_low(self) -> bool:
        """Whether less was assessed than was agreed."""
        c = self.run.summary.coverage
        return c.minimum is not None and c.percent < c.minimum

    @property
    def verdict(self) -> Literal["pass", "fail", "unknown"]:
        """The verdict of the whole; too little coverage is never a pass."""
        said = self.run.summary.verdict
        return "unknown" if said == "pass" and (self.coverage_low or not self.run.complete) else said

    @property
    def reasons(self) -> list[str]:
        """Why the verdict is what it is, weightiest first."""
        w, found = self.words, list[str]()
        if not self.run.complete:
            found.append(w("reason.interrupted"))
        if not self.results:
            return [*found, w("reason.nothing")]
        found += [w(f"reason.{s}", n=self.failures[s]) for s in SEVERITIES if self.failures[s]]
        if self.coverage_low:
            c = self.run.summary.coverage
            found.append(w("reason.coverage_low", percent=w.percent(c.percent), minimum=w.percent(c.minimum or 0)))
        waived = sum(r.waived for r in self.results)
        for key, n in (
            ("unknown", self.finals[Verdict.UNKNOWN]),
            ("manual", self.finals[Verdict.MANUAL]),
            ("waived", waived),
        ):
            if n:
                found.append(w(f"reason.{key}", n=n))
        return found or [w("reason.all_good")]

    @property
    def proposal(self) -> str:
        """What the customer is advised to decide."""
        if self.failures[Severity.BLOCKING]:
            return self.words("proposal.refuse")
        if not self.run.complete or self.coverage_low or not self.finals[Verdict.PASS]:
            return self.words("proposal.wait")
        if self.failures[Severity.MAJOR]:
            return self.words("proposal.reserve")
        if self.failures:
            return self.words("proposal.accept_minor")
        return self.words("proposal.wait" if self.finals[Verdict.UNKNOWN] else "proposal.accept")

    @functools.cached_property
    def items(self) -> tuple[Item, ...]:
        """The remaining items: failures, weightiest first; the same one on several targets is one item."""
        found: dict[tuple[str, str, str, Severity], Item] = {}
        failed = sorted(self.by_final(Verdict.FAIL), key=lambda r: SEVERITIES.index(r.finding.severity))
        for result in failed:
            f, title = result.finding, result.title
            key = (f.check, f.subject, title, f.severity)
            if key not in found:
                found[key] = Item(len(found) + 1, title, f.severity, f.check, result.remedy)
            found[key].results.append(result)
        return tuple(found.values())

    @functools.cached_property
    def competences(self) -> tuple[CompetenceView, ...]:
        """Every competence and bullet of the qualification, also those that nothing was found of."""
        by_bullet: dict[str, list[Finding]] = {}
        for finding in self.run.findings:
            for bullet in finding.competences:
                by_bullet.setdefault(bullet, []).append(finding)
        recorded = self.run.summary.by_competence
        return tuple(
            CompetenceView(
                c.id,
                c.title[self.language],
                tuple(
                    BulletView(
                        b.id,
                        b.text[self.language],
                        b.text["nl"],
                        status_of(
                            recorded[c.id].bullets.get(b.id, BulletSummary()) if c.id in recorded else BulletSummary(),
                            by_bullet.get(b.id, []),
                        ),
                        {str(v): n for v, n in Counter(f.final for f in by_bullet.get(b.id, ())).items()},
                    )
                    for b in c.bullets
                ),
            )
            for c in self.qualification.competences
        )

    @property
    def unseen(self) -> list[tuple[str, list[Result]]]:
        """What could not be assessed, by kind of failure, the most frequent first."""
        by_kind: dict[str, list[Result]] = {}
        for result in self.by_final(Verdict.UNKNOWN):
            by_kind.setdefault(result.finding.failure.kind if result.finding.failure else "", []).append(result)
        return sorted(by_kind.items(), key=lambda pair: -len(pair[1]))

    @property
    def evidence_lines(self) -> int:
        """How many questions were answered, or failed."""
        return len(self._evidence)

    # -- texts ----------------------------------------------------------------------------------------------------

    def text(self, finding: Finding, part: Part) -> str:
        """Give a text of a finding in the report's language; what the run recorded when the check is gone."""
        if part == "remedy" and finding.check.startswith(ATTESTATION) and finding.final == Verdict.FAIL:
            return self.words("text.attest_remedy")
        if finding.check in self._texts or finding.check.startswith(ATTESTATION):
            params: dict[str, Any] = {"subject": finding.subject or finding.target, "target": finding.target}
            return self._texts.text(finding.check, part, self.language, params | finding.params)
        recorded = {"title": finding.title or finding.check, "remedy": finding.remedy}
        return recorded.get(part, "")

    def decision(self, finding: Finding) -> str:
        """Say what a person decided about a finding; empty when nobody did."""
        made = finding.decision
        if made is None:
            return ""
        key = "decision.waiver_expired" if made.expired else f"decision.{made.kind}"
        return self.words(
            key,
            who=one_line(made.who, QUOTED_TEXT),
            reason=one_line(made.reason or "", QUOTED_TEXT),
            until=self.words.day(made.until or ""),
            when=self.words.day(made.when or ""),
        )

    def quote(self, result: Result) -> list[Excerpt | int]:
        """Give a finding's evidence, quoted as long as the report stays of a sane size."""
        seqs = result.finding.evidence
        if result.n not in self._quoted:
            return list(seqs)
        words = tuple(tokens(result.finding))
        most = 8 if result.finding.final in ATTENTION else 3
        return [self._evidence.excerpt(seq, words, most) or seq for seq in seqs[:4]] + list(seqs[4:])


def tokens(finding: Finding) -> Iterator[str]:
    """Give the words by which the lines that matter are found in an answer: the subject's first, even when empty."""
    yield finding.subject
    seen = finding.observed if isinstance(finding.observed, dict) else {}
    for source in (seen.get("missing"), seen.get("extra"), finding.params.get("name")):
        yield from _strings(source)
    for source in (finding.observed, finding.expected):
        if isinstance(source, dict):
            yield from (key.replace("_", "") for key in source)  # permit_root_login stands as PermitRootLogin
    for source in (finding.observed, finding.expected):
        yield from _strings(source)


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth < 3:  # noqa: PLR2004 - deeper ones are no names
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part, depth + 1)
