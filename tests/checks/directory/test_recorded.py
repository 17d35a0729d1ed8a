"""A whole domain of Samba 4.22 as an ordinary account was shown it, recorded in the lab: everything is as declared."""

from __future__ import annotations

import dataclasses
import gzip
import json
from typing import Any

import pytest
import yaml

from audits.transports.base import Answer
from checks.core import Verdict
from checks.facts.directory import RootDse
from checks.facts.directory_accounts import Accounts
from checks.questions import Question, from_json
from tests.checks.directory.conftest import CHECKS, HERE, judge
from tests.checks.directory.record import FILE

SECTION: dict[str, Any] = yaml.safe_load((HERE / "samba" / "definition.yml").read_text("utf-8"))


@dataclasses.dataclass
class Recorded:
    """What one target answered."""

    answers: dict[Question, Any]

    def answer(self, question: Question) -> Answer:
        """Give the recorded answer; KeyError for a question that was not asked then: record anew."""
        return Answer(self.answers[question])


@pytest.fixture(scope="module")
def recorded() -> dict[str, Recorded]:
    found: dict[str, Recorded] = {}
    for line in gzip.decompress(FILE.read_bytes()).decode().splitlines():
        said = json.loads(line)
        found.setdefault(said["target"], Recorded({})).answers[from_json(said["question"])] = said["value"]
    return found


def test_everything_is_as_declared(recorded: dict[str, Recorded]) -> None:
    servers = {name: recorded[name] for name in ("dc1", "dc2")}
    found = judge(SECTION, recorded["school.test"], others=servers, checks=CHECKS)
    assert [(f.check, f.subject, f.observed, f.failure) for f in found if f.verdict is not Verdict.PASS] == []
    assert len(found) > 300
    assert len({f.check for f in found}) > 80


def test_what_it_tells(recorded: dict[str, Recorded]) -> None:
    domain = recorded["school.test"]
    accounts = Accounts.read(*(domain.answer(q).value for q in Accounts.question))
    group = accounts.group("G_Studenten")
    assert group
    assert len(accounts.nested(group).accounts) == 16
    pupil = accounts.user("daan.claes")
    assert pupil
    assert {g.name for g in accounts.groups_of(pupil)} >= {"G_INF1", "G_Studenten", "DL_Examens_W", "Domain Users"}
    root = RootDse.read(domain.answer(RootDse.question).value)
    assert root.token >= {"S-1-5-11"}
    assert accounts.now == root.now
