"""One requirement, answers given by a function, judged by the real plan and engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from audits import catalogue, plan, schema
from audits.definition import Audit, Requirement
from audits.evaluate import Finding, Judge
from audits.evidence import Record
from audits.transports.base import Answer, Target
from checks.core import KINDS, Scope, Severity
from checks.questions import Failure, Question

Answers = Callable[[str, Question], Any]
"""Gives the answer of a target to a question: a JSON value, a Failure, or None for what was never asked."""


def judge(scope: Scope, word: str, entry: dict[str, Any], answers: Answers) -> dict[str, list[Finding]]:
    """Give the findings by the name of their check function."""
    checks = list(catalogue.load().values())
    want = schema.adapter(KINDS[scope, word]).validate_python(entry)
    servers = (Target("dc1"), Target("dc2"))
    targets = {
        "web1": Target("web1"),
        "school.test": Target("school.test", "domain", servers=servers, domain="school.test"),
        "dns": Target("dns", "dns", servers=servers),
    }
    requirement = Requirement("it", {Scope.HOST: "web1", Scope.DNS: "dns"}[scope], want, "test:1:1")
    planned = plan.make(Audit(None, targets, (requirement,), {}, {}), checks)  # type: ignore[arg-type]

    def lookup(target: str, question: Question) -> Record | None:
        value = answers(target, question)
        if value is None:
            return None
        return Record(1, target, question, Answer(None, value) if isinstance(value, Failure) else Answer(value))

    found: dict[str, list[Finding]] = {}
    for finding in Judge(lookup, lambda _: Severity.MAJOR, lambda _: ()).findings(planned):
        found.setdefault(finding.check.partition(".")[2], []).append(finding)
    return found


@pytest.fixture(name="judge")
def _judge() -> Callable[..., dict[str, list[Finding]]]:
    return judge
