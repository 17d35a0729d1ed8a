"""Every check of Linux hosts, both ways and unknown, as a run judges them: recorded answers in, findings out.

The cases stand in `cases/MODULE.yml`.
`tests/facts/<module>.<Fact>/<case>.txt` holds the answers of one fact, each after a line `==== STATUS "stderr"`. The
cases router1, files1, client1 and dc1 are hosts of the lab (Debian trixie, recorded over SSH); other names say where
they come from in a `README` beside them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from audits import catalogue, plan, schema
from audits.definition import Audit, Requirement
from audits.evaluate import Finding, Judge
from audits.evidence import Record
from audits.transports.base import Answer, Target
from checks.core import Check, Fact, Severity, Verdict
from checks.questions import Failure, FailureKind, Question

DATA = Path(__file__).parents[2] / "facts"
_HEAD = re.compile(r"^==== (\d+) (.*)\n", re.MULTILINE)

Answers = Sequence[Mapping[str, Any]]


def fact_name(fact: type[Fact]) -> str:
    """Give `module.Fact`, as the data is called."""
    return f"{fact.__module__.rpartition('.')[2]}.{fact.__name__}"


def load(name: str, case: str) -> Answers:
    """Read the recorded answers of one fact."""
    parts = _HEAD.split((DATA / name / f"{case}.txt").read_text("utf-8"))
    return [
        {"status": int(status), "stderr": json.loads(stderr), "stdout": stdout}
        for status, stderr, stdout in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    ]


def outputs(several: Sequence[Any]) -> Answers:
    """Read inline answers: a text, or [status, stdout, stderr]."""
    return [
        {"status": 0, "stdout": a, "stderr": ""}
        if isinstance(a, str)
        else dict(zip(("status", "stdout", "stderr"), [*a, "", ""][:3], strict=True))
        for a in several
    ]


@dataclasses.dataclass
class Case:
    """One entry of the data: a check, its requirement, the answers, and what is to be found."""

    check: Check
    want: Mapping[str, Any]
    answers: Callable[[type[Fact]], Answers]


def findings(case: Case, *, failing: bool = False) -> list[Finding]:
    """Judge a case by the engine; `failing`: with a denied answer to every question."""
    want = schema.adapter(case.check.want).validate_python(case.want)
    assert case.check.applies(want), f"{case.check.id} is not asked for by {case.want}"
    requirement = Requirement("r", "host", want, "here:1:1")
    head, targets = schema.Head(keuring=1, title="t"), {"host": Target("host")}
    made = plan.make(
        Audit(head=head, targets=targets, requirements=(requirement,), tree={}, authorities={}), [case.check]
    )
    values: dict[Question, Any] = {}
    for need in case.check.needs.values():
        asked = need.fact.ask(want)
        questions = asked if isinstance(asked, tuple) else (asked,)
        answers = [None] * len(questions) if failing else case.answers(need.fact)
        values |= dict(zip(questions, answers, strict=True))

    def lookup(_: str, question: Question) -> Record | None:
        value = values[question]
        failure = Failure(FailureKind.DENIED, "not today") if value is None else None
        return Record(1, "host", question, Answer(value, failure))

    return Judge(lookup, lambda _: Severity.MAJOR, lambda _: ()).findings(made)


def read_case(entry: Mapping[str, Any], module: str) -> Case:
    """Make a case of its YAML: `from` a host, `use` other cases per fact, `answers` inline, `edit` replaces text."""
    inline, use, edit = entry.get("answers", {}), entry.get("use", {}), entry.get("edit", {})

    def answers(fact: type[Fact]) -> Answers:
        name = fact_name(fact)
        if name in inline:
            return outputs(inline[name])
        found = [dict(a) for a in load(name, use.get(name, entry.get("from", "files1")))]
        for old, new in edit.get(name, {}).items():
            assert any(old in a["stdout"] for a in found), f"{old!r} is not in {name}"
            for answer in found:
                answer["stdout"] = answer["stdout"].replace(old, new)
        return found

    return Case(catalogue.load()[f"{module}.{entry['check']}"], entry.get("want", {}), answers)


FOLDER = Path(__file__).parent / "cases"
ENTRIES: list[tuple[str, dict[str, Any]]] = [
    (file.stem, entry) for file in sorted(FOLDER.glob("*.yml")) for entry in yaml.safe_load(file.read_text("utf-8"))
]


def verdicts(entry: dict[str, Any]) -> list[str]:
    return entry["is"] if isinstance(entry["is"], list) else [entry["is"]]


IDS = [f"{module}.{e['check']}-{n}-{'+'.join(verdicts(e))}" for n, (module, e) in enumerate(ENTRIES)]


@pytest.mark.parametrize(("module", "entry"), ENTRIES, ids=IDS)
def test_case(module: str, entry: dict[str, Any]) -> None:
    found = findings(read_case(entry, module))
    told = [(str(f.verdict), f.observed, f.failure) for f in found]
    assert [t[0] for t in told] == verdicts(entry), told
    for key, value in entry.get("sees", {}).items():
        assert found[0].observed[key] == value, found[0].observed
    if "value" in entry:
        assert found[0].observed == entry["value"]
    if "because" in entry:
        assert entry["because"] in str(found[0].failure)


@pytest.mark.parametrize(("module", "entry"), [e for e in ENTRIES if verdicts(e[1])])
def test_without_answers_it_is_unknown(module: str, entry: dict[str, Any]) -> None:
    found = findings(read_case(entry, module), failing=True)
    assert {f.verdict for f in found} == {Verdict.UNKNOWN}


@pytest.mark.parametrize("module", sorted({m for m, _ in ENTRIES}))
def test_every_check_is_proved_both_ways(module: str) -> None:
    checks = {c.rpartition(".")[2] for c in catalogue.load() if c.startswith(f"{module}.")}
    for verdict in ("pass", "fail"):
        proved = {e["check"] for m, e in ENTRIES if m == module and verdict in verdicts(e)}
        assert checks - proved == set(), verdict
