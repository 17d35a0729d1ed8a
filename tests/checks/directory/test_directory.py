"""Every check of the directory passes on a school as it should be, fails on its own fault, and is else unknown."""

from __future__ import annotations

import pytest

from checks.core import FailureKind, Verdict
from tests.checks.directory.conftest import CHECKS, DEFINITION, each, judge
from tests.checks.directory.double import Directory
from tests.checks.directory.faults import FAULTS, Fault, fail


def test_every_check_has_its_faults() -> None:
    assert sorted(FAULTS) == sorted(CHECKS)


def test_a_good_school_passes(school: Directory) -> None:
    found = judge(DEFINITION, school, checks=CHECKS)
    bad = [(f.check, f.subject, f.verdict, f.observed, f.failure) for f in found if f.verdict is not Verdict.PASS]
    absent = {("people.user_exists", "oud.leerling"), ("computers.computer_exists", "weg")}
    assert bad == []
    assert {f.check for f in found} == set(CHECKS)
    assert absent <= {(f.check, f.subject) for f in found}


@pytest.mark.parametrize(
    ("check", "subject", "fault"),
    [pytest.param(c, s, f, id=f"{c}-{i}") for c, faults in FAULTS.items() for i, (s, f) in enumerate(faults)],
)
def test_a_fault_fails(school: Directory, check: str, subject: str, fault: Fault) -> None:
    other = Directory({dn: {k: list(v) for k, v in a.items()} for dn, a in school.entries.items()})
    fault(other)
    if check.startswith("replication."):
        found = judge({"replication": {}}, school, others={"dc2": other}, checks=CHECKS)
    else:
        found = judge(DEFINITION, other, checks=CHECKS)
    verdicts = [(f.subject, f.verdict, f.failure) for f in each(found, check)]
    assert any(v is Verdict.FAIL and s == subject for s, v, _ in verdicts), verdicts
    assert not any(f.failure and "a defect in check" in f.failure.detail for f in found)


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_without_evidence_it_is_unknown(school: Directory, check: str) -> None:
    fail(school, FailureKind.DENIED)
    found = list(each(judge(DEFINITION, school, checks={check: CHECKS[check]}), check))
    assert found
    assert {f.verdict for f in found} == {Verdict.UNKNOWN}
    assert {f.failure.kind for f in found if f.failure} == {FailureKind.DENIED}
