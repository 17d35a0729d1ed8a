# ruff: noqa: ARG001 - a check names its `want` even where it does not look at it
"""Evaluating: unknown is decided in one place and never passes; needs, points and evidence are laid right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from audits import plan, schema, summary
from audits.definition import Audit, Requirement
from audits.evaluate import Finding, Judge
from audits.evidence import Record
from audits.transports.base import Answer, Target
from checks.core import (
    Check,
    Each,
    Expectation,
    Fact,
    Need,
    Outcome,
    Output,
    Scope,
    Severity,
    Unreadable,
    Verdict,
    expect,
    failed,
    passed,
)
from checks.questions import Failure, FailureKind, LdapSearch, Shell


@dataclass(frozen=True, kw_only=True)
class Want(Expectation):
    """A requirement of these tests; not registered."""

    key: ClassVar[str] = "test"
    scope: ClassVar[Scope] = Scope.HOST
    many: ClassVar[bool] = True
    name: str = "thing"
    value: str | None = "yes"
    id: str | None = None
    points: Any = None
    partial: bool = False
    severity: Severity | None = None
    needs: tuple[str, ...] = ()
    hint: str | None = None
    competence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said(Fact):
    """What the command says."""

    question = Shell("say")
    text: str

    @classmethod
    def read(cls, answer: Output) -> "Said":
        """Read it."""
        if answer.stdout == "rubbish":
            raise Unreadable("rubbish")
        return cls({"yes": "yes", "no": "no"}[answer.text().strip()])


@dataclass(frozen=True, slots=True)
class Entries(Fact):
    """The directory."""

    question = LdapSearch()
    n: int

    @classmethod
    def read(cls, answer: list[Any]) -> "Entries":
        """Count."""
        return cls(len(answer))


def _says(said: Said, want: Want) -> Outcome:
    return expect(said.text, equals=want.value)


def _check(judge: Any, **needs: Need) -> Check:
    return Check("test.judge", judge, Want, MappingProxyType(needs), ("value",), "doc")


SAYS = _check(_says, said=Need(Said))


def _judge(
    answers: Mapping[Any, Answer],
    requirements: list[Requirement],
    checks: list[Check],
    targets: Mapping[str, Target] | None = None,
) -> list[Finding]:
    head = schema.Head(keuring=1, title="test")
    audit = Audit(head, targets or {"h1": Target("h1"), "h2": Target("h2")}, tuple(requirements), {}, {})
    records = {k: Record(i, k[0], k[1], a) for i, (k, a) in enumerate(answers.items(), 1)}
    judge = Judge(lambda t, q: records.get((t, q)), lambda _: Severity.MAJOR, lambda _: ("8.1",))
    return judge.findings(plan.make(audit, checks))


def _shell(text: str, status: int = 0) -> Answer:
    return Answer({"status": status, "stdout": text, "stderr": "words of the command"}, None, "2026", 0.1)


def _requirement(target: str = "h1", **fields: Any) -> Requirement:
    want = Want(**fields)
    return Requirement(want.id or f"hosts.{target}.test", target, want, "x:1:1")


@pytest.mark.parametrize(
    ("answer", "verdict", "failure"),
    [
        (_shell("yes"), Verdict.PASS, None),
        (_shell("no"), Verdict.FAIL, None),
        (_shell("rubbish"), Verdict.UNKNOWN, FailureKind.UNREADABLE),
        (_shell("something else"), Verdict.UNKNOWN, FailureKind.UNREADABLE),
        (_shell("", 127), Verdict.UNKNOWN, FailureKind.NOT_INSTALLED),
        (_shell("", 1), Verdict.UNKNOWN, FailureKind.UNREADABLE),
        (Answer(None, Failure(FailureKind.DENIED, "sudo"), "", 0), Verdict.UNKNOWN, FailureKind.DENIED),
        (None, Verdict.UNKNOWN, FailureKind.INTERRUPTED),
    ],
)
def test_each_verdict(answer: Answer | None, verdict: Verdict, failure: FailureKind | None) -> None:
    answers = {("h1", Shell("say")): answer} if answer else {}
    (finding,) = _judge(answers, [_requirement()], [SAYS])
    assert finding.verdict == finding.final == verdict
    assert (finding.failure.kind if finding.failure else None) == failure
    assert finding.evidence == ((1,) if answer else ())
    assert (finding.severity, finding.competences, finding.subject) == (Severity.MAJOR, ("8.1",), "thing")


def test_a_check_whose_field_is_not_given_does_not_count() -> None:
    assert _judge({}, [_requirement(value=None)], [SAYS]) == []


def test_a_defect_in_a_check_is_unknown_and_says_so() -> None:
    def broken(said: Said, want: Want) -> Outcome:
        return passed(said.text[99])

    (finding,) = _judge({("h1", Shell("say")): _shell("yes")}, [_requirement()], [_check(broken, said=Need(Said))])
    assert finding.verdict == Verdict.UNKNOWN
    assert finding.failure is not None
    assert "a defect in check test.judge: IndexError" in finding.failure.detail


def test_a_check_may_take_a_failure_itself() -> None:
    def closed(said: Said | Failure, want: Want) -> Outcome:
        return passed() if isinstance(said, Failure) and said.kind == FailureKind.REFUSED else failed()

    check = _check(closed, said=Need(Said, takes_failure=True))
    refused = Answer(None, Failure(FailureKind.REFUSED), "", 0)
    assert _judge({("h1", Shell("say")): refused}, [_requirement()], [check])[0].verdict == Verdict.PASS
    assert _judge({("h1", Shell("say")): _shell("yes")}, [_requirement()], [check])[0].verdict == Verdict.FAIL


def test_each_asks_every_server_and_is_unknown_when_one_is_silent() -> None:
    def agree(said: Each[Said], want: Want) -> Iterator[Outcome]:
        yield expect(sorted({s.text for s in said.values()}), equals=["yes"])

    servers = (Target("dc1"), Target("dc2"))
    targets = {"d.test": Target("d.test", "domain", {}, servers), "dc1": servers[0], "dc2": servers[1]}
    check = _check(agree, said=Need(Said, each=True))
    both = {("dc1", Shell("say")): _shell("yes"), ("dc2", Shell("say")): _shell("yes")}
    assert _judge(both, [_requirement("d.test")], [check], targets)[0].verdict == Verdict.PASS
    both["dc2", Shell("say")] = _shell("no")
    assert _judge(both, [_requirement("d.test")], [check], targets)[0].verdict == Verdict.FAIL
    both["dc2", Shell("say")] = Answer(None, Failure(FailureKind.TIMED_OUT, "8 s"), "", 0)
    (finding,) = _judge(both, [_requirement("d.test")], [check], targets)
    assert finding.failure == Failure(FailureKind.TIMED_OUT, "dc2: 8 s")


def test_a_host_asks_the_directory_where_the_directory_is() -> None:
    def counted(entries: Entries, want: Want) -> Outcome:
        return expect(entries.n, equals=2)

    targets = {"h1": Target("h1"), "d.test": Target("d.test", "domain", {}, (Target("dc1"),))}
    answers = {("d.test", LdapSearch()): Answer([{}, {}], None, "", 0)}
    (finding,) = _judge(answers, [_requirement()], [_check(counted, entries=Need(Entries))], targets)
    assert finding.verdict == Verdict.PASS


def test_needs_skip_what_is_pointless_transitively_but_not_what_is_unknown() -> None:
    def judged(first: Answer) -> list[Verdict]:
        answers = {("h1", Shell("say")): first}
        requirements = [
            _requirement(id="c", needs=("b",)),
            _requirement(id="b", needs=("a",)),
            _requirement(id="a"),
            _requirement(id="other"),
        ]
        return [f.verdict for f in _judge(answers, requirements, [SAYS])]

    skipped = Verdict.NOT_APPLICABLE
    assert judged(_shell("no")) == [skipped, skipped, Verdict.FAIL, Verdict.FAIL]
    assert judged(_shell("rubbish")) == [Verdict.UNKNOWN] * 4
    assert judged(_shell("yes")) == [Verdict.PASS] * 4


def test_points_are_all_or_nothing_or_partial_and_exact() -> None:
    def thrice(said: Said, want: Want) -> Iterator[Outcome]:
        yield passed(subject="1")
        yield passed(subject="2")
        yield expect(said.text, equals=want.value, subject="3")

    answers = {("h1", Shell("say")): _shell("no"), ("h2", Shell("say")): _shell("yes")}
    requirements = [
        _requirement(points=1),
        _requirement(points=1, partial=True, id="p"),
        _requirement("h2", points=0.1, id="q"),
    ]
    found = _judge(answers, requirements, [_check(thrice, said=Need(Said))])
    earned: dict[str, Fraction] = {}
    for f in found:
        earned[f.requirement] = earned.get(f.requirement, Fraction(0)) + (f.earned or 0)
    assert earned == {"hosts.h1.test": Fraction(0), "p": Fraction(2, 3), "q": Fraction(1, 10)}
    total = summary.summarise(found, {}, {}, 80)
    assert total["score"] == {"earned": "0.7667", "possible": "2.1"}


@pytest.mark.parametrize(
    ("finals", "verdict", "code"),
    [
        (["pass", "not_applicable", "manual"], "pass", 0),
        (["pass", "fail", "unknown"], "fail", 1),
        (["pass", "unknown"], "unknown", 2),
        ([], "unknown", 2),
        (["manual"], "unknown", 2),
    ],
)
def test_the_verdict_of_a_run(finals: list[str], verdict: str, code: int) -> None:
    found = [Finding("a.b", "h", "", "r", Verdict(v), Verdict(v), Severity.MINOR, ("8.1",), params={}) for v in finals]
    total = summary.summarise(found, {"8": ("8.1", "8.2")}, {"collect": 1.23456}, 80)
    assert (total["verdict"], total["exit_code"]) == (verdict, code)
    assert total["by_competence"]["8"]["bullets"]["8.2"]["status"] == "not_assessed"
    assert total["times"] == {"collect": 1.235}
