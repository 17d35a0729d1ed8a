"""For whom a policy is in force: links, blocked inheritance, enforced links, status, version, filter, WMI, sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from checks.core import FailureKind
from checks.facts.directory_accounts import USERS
from checks.facts.group_policy import Containers, Policies

BOTH = 0x10001  # versions of the user part and the computer part


@pytest.fixture(autouse=True)
def school(world: Any) -> None:
    world.policy("P", 1, version=BOTH)
    for who, unit in (("jan", "OU=Docenten"), ("an", "OU=INF1,OU=Studenten"), ("CLIENT1", "OU=Werkstations")):
        before, after = f"CN={who},DC=school,DC=test", f"CN={who},{unit},DC=school,DC=test"
        for told in (*world.users, *world.computers):
            told["dn"] = after if told["dn"] == before else told["dn"]
        for group in world.groups:
            group["attributes"]["member"] = [after if m == before else m for m in group["attributes"]["member"]]
    for unit in ("", "Docenten", "Studenten", "Studenten/INF1", "Werkstations"):
        world.unit(unit)


def plan(world: Any, who: str) -> tuple[str, str | None]:
    """Give yes, no or ? with the reason; both checks must say the same."""
    (applies,) = world.judge("policies", "policy_applies", name="P", applies_to=[who])
    (does_not,) = world.judge("policies", "policy_does_not_apply", name="P", not_applies_to=[who])
    verdicts = (str(applies.verdict), str(does_not.verdict))
    assert verdicts in {("pass", "fail"), ("fail", "pass"), ("unknown", "unknown")}
    assert applies.subject == f"P @ {who}"
    if applies.verdict == "unknown":
        return "?", applies.failure.detail
    return {"pass": "yes", "fail": "no"}[verdicts[0]], applies.note


@pytest.mark.parametrize(
    ("units", "jan", "an", "client"),
    [
        ({}, ("no", "no link"), ("no", "no link"), ("no", "no link")),
        ({"": (1, 0)}, ("yes", "link (/)"), ("yes", "link (/)"), ("yes", "link (/)")),
        ({"Studenten": (1, 0)}, ("no", "no link"), ("yes", "link (Studenten)"), ("no", "no link")),
        ({"Studenten": (1, 1)}, ("no", "no link"), ("no", "link disabled (Studenten)"), ("no", "no link")),
        ({"Studenten": (1, 1), "": (1, 0)}, ("yes", "link (/)"), ("yes", "link (/)"), ("yes", "link (/)")),
        ({"Werkstations": (1, 2)}, ("no", "no link"), ("no", "no link"), ("yes", "link enforced (Werkstations)")),
    ],
)
def test_links(world: Any, units: dict[str, Any], jan: Any, an: Any, client: Any) -> None:
    for unit, link in units.items():
        world.unit(unit, link)
    assert [plan(world, who) for who in ("jan", "an", "CLIENT1")] == [jan, an, client]


def test_blocked_inheritance(world: Any) -> None:
    world.unit("", (1, 0))
    world.unit("Studenten", blocked=True)
    assert plan(world, "an") == ("no", "inheritance blocked (Studenten)")
    assert plan(world, "jan") == ("yes", "link (/)")
    world.unit("", (1, 2))
    assert plan(world, "an") == ("yes", "link enforced (/)")
    world.unit("", (1, 3))
    assert plan(world, "an") == ("no", "link disabled (/)")
    world.unit("")
    world.unit("Studenten", (1, 0), blocked=True)  # what is linked to the blocking unit itself comes through
    assert plan(world, "an") == ("yes", "link (Studenten)")


@pytest.mark.parametrize(
    ("flags", "version", "jan", "client"),
    [
        (0, 0x10000, "yes", "no"),
        (0, 0x00001, "no", "yes"),
        (1, BOTH, "no", "yes"),
        (2, BOTH, "yes", "no"),
        (3, BOTH, "no", "no"),
    ],
)
def test_parts(world: Any, flags: int, version: int, jan: str, client: str) -> None:
    world.policies["dc1"] = []
    world.policy("P", 1, version=version, flags=flags)
    world.unit("", (1, 0))
    assert (plan(world, "jan")[0], plan(world, "CLIENT1")[0]) == (jan, client)


def test_a_version_that_no_client_understands(world: Any) -> None:
    world.unit("", (1, 0))
    world.policies["dc1"][0]["attributes"]["gpcfunctionalityversion"] = ["1"]
    assert plan(world, "jan") == ("no", "functionality version: 1")


def test_filter(world: Any, rights: Mapping[str, str]) -> None:
    world.unit("", (1, 0))
    world.policies["dc1"] = []
    world.policy("P", 1, rights["apply"].format("S-1-5-21-1-2-3-1106"), version=BOTH)  # an by way of G_INF1
    assert plan(world, "an") == ("yes", "link (/)")
    assert plan(world, "jan") == ("no", "no right: Read")
    world.policies["dc1"] = []
    deny = "(OD;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;S-1-5-21-1-2-3-1107)"
    world.policy("P", 1, deny + rights["apply"].format("AU"), version=BOTH)
    assert plan(world, "an") == ("no", "no right: Apply")
    assert plan(world, "jan")[0] == "yes"
    assert plan(world, "CLIENT1")[0] == "yes"
    del world.policies["dc1"][0]["attributes"]["ntsecuritydescriptor"]
    assert plan(world, "jan")[0] == "?"


def test_what_only_the_client_knows(world: Any) -> None:
    world.policies["dc1"] = []
    world.policy("P", 1, version=BOTH, wmi="{AAAAAAAA-0000-0000-0000-000000000000}")
    assert plan(world, "jan") == ("no", "no link")
    world.unit("", (1, 0))
    assert plan(world, "jan") == ("?", "WMI filter: {AAAAAAAA-0000-0000-0000-000000000000}")


@pytest.mark.parametrize(
    ("options", "blocked", "answer"), [(0, False, "?"), (0, True, "no"), (2, True, "?"), (1, False, "no")]
)
def test_sites(world: Any, options: int, blocked: bool, answer: str) -> None:
    world.unit("Docenten", blocked=blocked)
    world.sites[0]["attributes"]["gplink"] = [
        f"[LDAP://cn={{00000001-0000-0000-0000-000000000000}},cn=policies,cn=system,DC=school,DC=test;{options}]"
    ]
    assert plan(world, "jan")[0] == answer


def test_unknown(world: Any) -> None:
    world.unit("", (1, 0))
    assert plan(world, "niemand") == ("?", "no user or computer is called niemand")
    assert plan(world, "G_Docenten")[0] == "?"
    for question in (Policies.question, Containers.question[1], USERS):
        world.failures = {question: FailureKind.DENIED}
        assert plan_verdicts(world) == ["unknown", "unknown"]
    world.failures = {}
    assert world.verdicts("policies", "policy_applies", name="Nergens", applies_to=["jan"]) == ["not_applicable"]


def plan_verdicts(world: Any) -> list[str]:
    return [
        *world.verdicts("policies", "policy_applies", name="P", applies_to=["jan"]),
        *world.verdicts("policies", "policy_does_not_apply", name="P", not_applies_to=["jan"]),
    ]
