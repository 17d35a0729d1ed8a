"""Checks of group policies in the directory: existence, links, order, filters; pass, fail and unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic
import pytest

from checks.core import FailureKind
from checks.facts.group_policy import Containers, Policies, WmiFilters

NAME = "School - Werkstations"


@pytest.fixture(autouse=True)
def school(world: Any) -> None:
    world.policy(NAME, 1)
    world.policy("School - Studenten beperkingen", 2, flags=1)
    world.unit("")
    world.unit("Werkstations", (2, 0), (1, 0))
    world.unit("Studenten", (1, 1))
    world.unit("Studenten/INF1", (2, 2), blocked=True)
    world.unit("Docenten")


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("policy_exists", {}, {"name": "Nergens"}),
        ("policy_exists", {"name": "Nergens", "exists": False}, {"exists": False}),
        ("policy_exists", {"name": "{00000001-0000-0000-0000-000000000000}"}, {"name": "school"}),
        ("policy_is_enabled", {"enabled": "all"}, {"enabled": "computer"}),
        ("policy_is_linked", {"linked_to": ["Werkstations"]}, {"linked_to": ["Docenten"]}),
        ("policy_is_linked", {"linked_to": ["OU=Werkstations,DC=school,DC=test"]}, {"linked_to": ["Studenten"]}),
        ("policy_is_linked", {"linked_to": ["/Werkstations"]}, {"linked_to": [""]}),
        ("policy_is_not_linked", {"not_linked_to": ["Docenten", "", "Studenten"]}, {"not_linked_to": ["Werkstations"]}),
        ("link_order_is_right", {"linked_to": ["Werkstations"], "order": 2}, {"linked_to": ["Docenten"], "order": 1}),
        ("policy_has_wmi_filter", {"wmi_filter": ""}, {"wmi_filter": "Laptops"}),
    ],
)  # fmt: skip
def test_pass_and_fail(world: Any, check: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert set(world.verdicts("policies", check, **({"name": NAME} | good))) == {"pass"}
    assert world.verdicts("policies", check, **({"name": NAME} | bad)) == ["fail"]


@pytest.mark.parametrize(
    ("check", "given"),
    [
        ("policy_exists", {}),
        ("policy_is_enabled", {"enabled": "all"}),
        ("policy_is_linked", {"linked_to": ["Werkstations"]}),
        ("policy_is_not_linked", {"not_linked_to": ["Docenten"]}),
        ("link_is_enforced", {"enforced_on": ["Werkstations"]}),
        ("link_order_is_right", {"linked_to": ["Werkstations"], "order": 2}),
        ("policy_applies_to_filter", {"filter": ["Authenticated Users"]}),
        ("computers_can_read_policy", {"filter": ["Authenticated Users"]}),
        ("policy_has_wmi_filter", {"wmi_filter": ""}),
    ],
)
def test_unknown_when_the_directory_does_not_answer(world: Any, check: str, given: dict[str, Any]) -> None:
    world.failures[Policies.question] = FailureKind.TIMED_OUT
    (found,) = world.judge("policies", check, name=NAME, **given)
    assert (found.verdict, found.failure.kind) == ("unknown", FailureKind.TIMED_OUT)


def test_no_policy_at_all_means_that_none_may_be_seen(world: Any) -> None:
    world.policies["dc1"] = []
    (found,) = world.judge("policies", "policy_exists", name=NAME)
    assert (found.verdict, found.failure.kind) == ("unknown", FailureKind.DENIED)


def test_a_missing_policy_fails_once(world: Any) -> None:
    found = world.judge("policies", name="Nergens", linked_to=["Docenten"], enabled="all", filter=["G_Docenten"])
    assert [(f.check.partition(".")[2], f.verdict) for f in found if f.verdict != "not_applicable"] == [
        ("policy_exists", "fail")
    ]
    assert len(found) == 5


def test_two_policies_of_one_name_are_told_apart_by_nobody(world: Any) -> None:
    world.policy(NAME, 9)
    assert world.verdicts("policies", "policy_is_enabled", name=NAME, enabled="all") == ["unknown"]
    assert world.verdicts("policies", "policy_exists", name=NAME) == ["pass"]


def test_a_link_that_is_disabled_links_nothing(world: Any) -> None:
    (found,) = world.judge("policies", "policy_is_linked", name=NAME, linked_to=["Studenten"])
    assert found.verdict == "fail"
    assert found.observed == {"linked_to": ["Werkstations"]}
    assert found.subject == f"{NAME} @ Studenten"


def test_a_unit_that_is_not_there_is_unknown_also_for_what_must_not_be(world: Any) -> None:
    for field, check in (("linked_to", "policy_is_linked"), ("not_linked_to", "policy_is_not_linked")):
        (found,) = world.judge("policies", check, name=NAME, **{field: ["Studnten"]})
        assert (found.verdict, found.failure.kind) == ("unknown", FailureKind.UNREADABLE)


def test_enforced(world: Any) -> None:
    name = "School - Studenten beperkingen"
    assert world.verdicts("policies", "link_is_enforced", name=name, enforced_on=["Studenten/INF1"]) == ["pass"]
    assert world.verdicts("policies", "link_is_enforced", name=name, enforced_on=["INF1", "Werkstations"]) == [
        "pass",
        "fail",
    ]


def test_sites(world: Any) -> None:
    world.sites[0]["attributes"]["gplink"] = [
        "[LDAP://cn={00000001-0000-0000-0000-000000000000},cn=policies,cn=system,DC=school,DC=test;0]"
    ]
    assert world.verdicts("policies", "policy_is_linked", name=NAME, linked_to=["site:gent"]) == ["pass"]
    assert world.verdicts("policies", "policy_is_linked", name=NAME, linked_to=["site:Brugge"]) == ["unknown"]


def test_a_link_that_is_garbled_is_unknown(world: Any) -> None:
    world.units[-1]["attributes"]["gplink"] = ["rubbish"]
    assert world.verdicts("policies", "policy_is_linked", name=NAME, linked_to=["Docenten"]) == ["unknown"]


def test_containers_without_the_domain_are_unknown(world: Any) -> None:
    world.units = [u for u in world.units if not u["dn"].startswith("DC=")]
    assert world.verdicts("policies", "policy_is_linked", name=NAME, linked_to=["Docenten"]) == ["unknown"]


def test_wmi_filter(world: Any) -> None:
    which = "{AAAAAAAA-0000-0000-0000-000000000000}"
    world.policy("Laptops", 3, wmi=which.lower())
    world.filters = [
        {"dn": "x", "attributes": {"mswmi-id": [which], "mswmi-name": ["Alleen laptops"], "mswmi-parm2": ["1;3;q;"]}}
    ]
    (found,) = world.judge("policies", "policy_has_wmi_filter", name="Laptops", wmi_filter="Alleen laptops")
    assert (found.verdict, found.note) == ("pass", "1;3;q;")
    assert world.verdicts("policies", "policy_has_wmi_filter", name="Laptops", wmi_filter="") == ["fail"]
    world.failures[WmiFilters.question] = FailureKind.DENIED
    assert world.verdicts("policies", "policy_has_wmi_filter", name="Laptops", wmi_filter="") == ["unknown"]


def test_filter(world: Any, rights: Mapping[str, str]) -> None:
    world.policy("Drives", 4, rights["apply"].format("S-1-5-21-1-2-3-1105") + rights["read"].format("AU"))
    (found,) = world.judge("policies", "policy_applies_to_filter", name="Drives", filter=["g_docenten"])
    assert (found.verdict, found.observed) == ("pass", {"members": ["G_Docenten"]})
    (found,) = world.judge("policies", "policy_applies_to_filter", name="Drives", filter=["G_Studenten"])
    assert found.observed == {"members": ["G_Docenten"], "missing": ["G_Studenten"], "extra": ["G_Docenten"]}
    assert world.verdicts("policies", "policy_applies_to_filter", name="Drives", filter=[]) == ["fail"]
    assert world.verdicts("policies", "policy_applies_to_filter", name=NAME, filter=["Geverifieerde gebruikers"]) == [
        "pass"
    ]


def test_somebody_who_is_denied_is_told(world: Any, rights: Mapping[str, str]) -> None:
    deny = "(OD;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;S-1-5-21-1-2-3-1106)"
    world.policy("Drives", 4, deny + rights["apply"].format("AU"))
    (found,) = world.judge("policies", "policy_applies_to_filter", name="Drives", filter=["Authenticated Users"])
    assert found.verdict == "fail"
    assert found.observed["denied"] == ["G_Studenten"]


def test_computers_must_read_a_policy_for_users(world: Any, rights: Mapping[str, str]) -> None:
    only = rights["apply"].format("S-1-5-21-1-2-3-1105")
    world.policy("Dicht", 4, only, version=0x10000)
    world.policy("Open", 5, only + rights["read"].format("S-1-5-21-1-2-3-515"), version=0x10000)
    world.policy("Computers", 6, only, version=1)
    for name, verdict in (("Dicht", "fail"), ("Open", "pass"), ("Computers", "pass")):
        assert world.verdicts("policies", "computers_can_read_policy", name=name, filter=["G_Docenten"]) == [verdict]


def test_rights_that_cannot_be_read_are_unknown(world: Any) -> None:
    for told in world.policies["dc1"]:
        told["attributes"].pop("ntsecuritydescriptor")
    for check in ("policy_applies_to_filter", "computers_can_read_policy"):
        (found,) = world.judge("policies", check, name=NAME, filter=["G_Docenten"])
        assert (found.verdict, found.failure.kind) == ("unknown", FailureKind.DENIED)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"unit": "Werkstations", "policies": ["School - Studenten beperkingen", NAME]}, "pass"),
        ({"unit": "Werkstations", "policies": [NAME, "School - Studenten beperkingen"]}, "fail"),
        ({"unit": "Werkstations", "policies": [NAME]}, "fail"),
        ({"unit": "Werkstations", "policies": [NAME], "exact": False}, "pass"),
        ({"unit": "Werkstations", "policies": ["Nergens"], "exact": False}, "fail"),
        ({"unit": "Docenten", "policies": []}, "pass"),
        ({"unit": "Studenten", "policies": []}, "pass"),
        ({"unit": "", "policies": [NAME]}, "fail"),
        ({"unit": "Nergens", "policies": []}, "fail"),
    ],
)
def test_links_of_a_unit(world: Any, given: dict[str, Any], verdict: str) -> None:
    assert world.verdicts("links", "unit_has_links", **given) == [verdict]


@pytest.mark.parametrize(
    ("unit", "blocked", "verdict"),
    [("INF1", True, "pass"), ("INF1", False, "fail"), ("Docenten", False, "pass"), ("Docenten", True, "fail"),
     ("Nergens", False, "fail")],
)  # fmt: skip
def test_inheritance(world: Any, unit: str, blocked: bool, verdict: str) -> None:
    assert world.verdicts("links", "inheritance_is_right", unit=unit, blocked=blocked) == [verdict]
    world.failures[Containers.question[0]] = FailureKind.DENIED
    assert world.verdicts("links", "inheritance_is_right", unit=unit, blocked=blocked) == ["unknown"]
    assert world.verdicts("links", "unit_has_links", unit=unit, policies=[]) == ["unknown"]


@pytest.mark.parametrize(
    "given",
    [
        {"rights": {"DenyLogon": ["x"]}},
        {"audit": {"Nothing": ["success"]}},
        {"audit": {"Logon": ["both"]}},
        {"security": {"MinimumPasswordLength": 1}},
        {"security": {"A/B": {}}},
        {"drives": [{"letter": "HH", "path": "x"}]},
        {"registry": [{"key": "k", "type": "DWORD"}]},
        {"unknown": 1},
    ],
)
def test_what_could_never_be_judged_is_refused(world: Any, given: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        world.judge("policies", name=NAME, **given)
