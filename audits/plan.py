"""The plan: which questions go to which target. Nothing is asked that no check needs, and nothing twice.

The same walk serves collecting (what to ask) and evaluating (where the answers of a check lie).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from audits.definition import Audit, Requirement
from audits.transports.base import Target
from checks.core import Check
from checks.questions import LdapSearch, Question

Asked = tuple[tuple[str, Question], ...]
"""The (target name, question) pairs that one fact is read from."""


@dataclass(frozen=True, slots=True)
class Step:
    """One check for one requirement, and where each of its facts comes from."""

    requirement: Requirement
    check: Check
    facts: Mapping[str, Asked | Mapping[str, Asked]]  # by parameter; for Each[…] by server


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps, in the order of the definition."""

    audit: Audit
    steps: tuple[Step, ...]

    def questions(self) -> dict[str, list[Question]]:
        """Give the questions of each target, each once, in the order in which they are first needed."""
        found: dict[str, dict[Question, None]] = {}
        for step in self.steps:
            for asked in step.facts.values():
                for one in asked.values() if isinstance(asked, Mapping) else (asked,):
                    for target, question in one:
                        found.setdefault(target, {})[question] = None
        return {target: list(questions) for target, questions in found.items()}


def make(audit: Audit, checks: Iterable[Check]) -> Plan:
    """Lay out the steps: every check that a requirement calls for."""
    by_kind: dict[type, list[Check]] = {}
    for check in checks:
        by_kind.setdefault(check.want, []).append(check)
    domain = next((t for t in audit.targets.values() if t.kind == "domain"), None)
    steps = [
        Step(requirement, check, dict(_facts(check, requirement, audit.targets[requirement.target], domain)))
        for requirement in audit.requirements
        for check in by_kind.get(type(requirement.want), ())
        if check.applies(requirement.want)
    ]
    return Plan(audit, tuple(steps))


def _facts(
    check: Check, requirement: Requirement, target: Target, domain: Target | None
) -> Iterator[tuple[str, Asked | Mapping[str, Asked]]]:
    for name, need in check.needs.items():
        questions = need.fact.ask(requirement.want)
        several = questions if isinstance(questions, tuple) else (questions,)
        if need.each:
            servers = target.servers or (target,)
            yield name, {server.name: tuple((server.name, q) for q in several) for server in servers}
        else:
            yield name, tuple((_route(q, target, domain), q) for q in several)


def _route(question: Question, target: Target, domain: Target | None) -> str:
    """Tell which target a question goes to: the directory for LDAP, else the requirement's own."""
    if isinstance(question, LdapSearch) and target.kind != "domain" and domain is not None:
        return domain.name
    return target.name
