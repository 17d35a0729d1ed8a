"""What the tables of the directory say in the cases that a plain fault does not show: what may not be seen, scale."""

from __future__ import annotations

import time
from typing import Any

import pytest

from audits import schema
from audits.evaluate import Finding
from checks.core import KINDS, Failure, FailureKind, Outcome, Scope, Verdict
from checks.facts.directory_accounts import Accounts
from checks.formats import filetime
from checks.passwords import compare
from tests.checks.directory.conftest import CHECKS, each, judge
from tests.checks.directory.double import BASE, CONFIG, DOMAIN_SID, NOW, Directory, ago, stamp

CONTAINER = f"CN=Password Settings Container,CN=System,{BASE}"
PSO = f"CN=PSO_Docenten,{CONTAINER}"
UNKNOWN, PASS, FAIL = Verdict.UNKNOWN, Verdict.PASS, Verdict.FAIL


def verdicts(section: dict[str, Any], d: Directory, check: str, **others: Directory) -> list[Verdict]:
    return [f.verdict for f in each(judge(section, d, others=others or None, checks=CHECKS), check)]


def only(section: dict[str, Any], d: Directory, check: str) -> Finding:
    (found,) = each(judge(section, d, checks=CHECKS), check)
    return found


# -- what may not be seen ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "section", "check"),
    [
        ("userAccountControl", {"users": [{"name": "sara", "enabled": True}]}, "people.user_is_enabled_as_declared"),
        ("userAccountControl", {"health": {}}, "hygiene.passwords_are_required"),
        ("logonCount", {"stale": {"users_days": 60}}, "hygiene.users_are_in_use"),
        ("logonCount", {"health": {}}, "privileged.admins_are_in_use"),
        ("pwdLastSet", {"health": {}}, "privileged.krbtgt_password_is_fresh"),
        ("primaryGroupID", {"health": {}}, "hygiene.primary_groups_are_default"),
        ("nTSecurityDescriptor", {"organisation": {"units_protected": True}}, "organisation.every_unit_is_protected"),
        ("minPwdLength", {"password_policy": {"min_length": 8}}, "passwords.passwords_are_long_enough"),
        ("ms-DS-MachineAccountQuota", {"properties": {"quota": 0}}, "domain.users_cannot_join_computers"),
        ("fSMORoleOwner", {"roles": {"pdc": "dc1"}}, "domain.pdc_emulator_is_right"),
        ("groupType", {"groups": [{"name": "G_INF1", "group_scope": "global"}]}, "groups.group_has_scope"),
        ("nTSecurityDescriptor", {"health": {}}, "delegation.secrets_go_to_controllers_only"),
        ("nTSecurityDescriptor", {"health": {}}, "delegation.everybody_has_no_power"),
        ("objectGUID", {"replication": {}}, "replication.controllers_agree"),
        ("msDS-LockoutDuration", {"fine_grained": [{"name": "P"}]}, "passwords.fine_grained_policy_exists"),
    ],
)  # fmt: skip
def test_an_attribute_that_is_kept_from_us_is_unknown(
    school: Directory, attribute: str, section: dict[str, Any], check: str
) -> None:
    school.hidden.add(attribute.lower())
    found = only(section, school, check)
    assert (found.verdict, found.failure and found.failure.kind) == (UNKNOWN, FailureKind.DENIED)


@pytest.mark.parametrize(
    ("rights", "token", "verdict"),
    [
        ("delegated", ["1110"], FAIL),  # we were given the right to list and read: there is none
        ("delegated", ["1109"], UNKNOWN),
        ("admins", ["512"], FAIL),
        ("admins", ["1109"], UNKNOWN),
        ("listed", ["1109"], UNKNOWN),  # names may be listed, contents not read
        ("admins", [], UNKNOWN),
        (None, ["1110"], UNKNOWN),
    ],
)
def test_no_policy_seen_is_only_none_where_one_would_be_shown(
    school: Directory, rights: str | None, token: list[str], verdict: Verdict
) -> None:
    school.remove(PSO)
    if rights:
        school.change(CONTAINER, nTSecurityDescriptor=rights)
    else:
        school.remove(CONTAINER)
    extra = ["S-1-5-32-554"] if rights == "listed" else []
    school.change("", tokenGroups=[f"{DOMAIN_SID}-{rid}" for rid in token] + extra or None)
    found = only({"fine_grained": [{"name": "PSO_Docenten"}]}, school, "passwords.fine_grained_policy_exists")
    assert found.verdict is verdict


def test_a_policy_shown_without_contents_is_unknown_not_wrong(school: Directory) -> None:
    school.entries[PSO] = {}
    section = {"fine_grained": [{"name": "PSO_Docenten", "min_length": 16, "precedence": 10, "applies_to": []}]}
    found = judge(section, school, checks=CHECKS)
    assert {f.verdict for f in found} == {UNKNOWN}
    assert all(f.failure and "read CN=Password Settings Container" in f.failure.detail for f in found)


def test_a_member_that_cannot_be_seen_is_unknown_unless_it_fails_anyway(school: Directory) -> None:
    hidden = "CN=geheim,DC=other,DC=test"
    school.append("G_Docenten", "member", hidden)

    def judged(**entry: Any) -> Verdict:
        return only({"groups": [{"name": "G_Docenten", **entry}]}, school, "groups.group_has_members").verdict

    assert judged(members=["jan.peeters"]) is UNKNOWN
    assert judged(members=["jan.peeters"], exact=False) is PASS
    assert judged(members=["sara"]) is FAIL  # jan.peeters is too many, whoever the other is
    assert judged(members=["jan.peeters", "sara"], exact=False) is UNKNOWN  # the other may be sara
    school.append("Domeinadministrators", "member", hidden)
    privileged = {"privileged": {"domain_admins": ["Administrator", "beheer.jan"]}, "health": {}}
    found = judge(privileged, school, checks=CHECKS)
    assert [f.verdict for f in each(found, "privileged.privileged_groups_hold_only_declared")] == [UNKNOWN]
    assert [f.verdict for f in each(found, "privileged.admins_have_no_service_name")] == [UNKNOWN]
    school.change("beheer.jan", servicePrincipalName="HTTP/x")
    assert verdicts(privileged, school, "privileged.admins_have_no_service_name") == [FAIL]


def test_who_may_have_such_rights_is_left_out_by_name_or_sid(school: Directory) -> None:
    school.change(BASE, nTSecurityDescriptor="sync")
    check = "delegation.secrets_go_to_controllers_only"
    assert only({"health": {}}, school, check).observed == {"members": ["jan.peeters"]}
    assert verdicts({"health": {"allowed": ["jan.peeters"]}}, school, check) == [PASS]
    assert verdicts({"health": {"allowed": [f"{DOMAIN_SID}-1101"]}}, school, check) == [PASS]


@pytest.mark.parametrize(
    ("attributes", "direction", "kind", "verdict"),
    [(4, 2, 2, PASS), (0, 1, 2, PASS), (0, 3, 3, PASS), (0x20, 3, 2, PASS), (8, 3, 2, PASS), (0, 3, 2, FAIL)],
)
def test_which_trusts_must_filter(
    school: Directory, attributes: int, direction: int, kind: int, verdict: Verdict
) -> None:
    trust = f"CN=school.be,CN=System,{BASE}"
    school.change(trust, trustAttributes=attributes, trustDirection=direction, trustType=kind)
    assert verdicts({"health": {}}, school, "delegation.trusts_filter_foreign_sids") == [verdict]


def test_trusts_and_backups_that_are_not_told_are_unknown(school: Directory) -> None:
    school.change(BASE, msDS__ReplAttributeMetaData=None)
    found = only({"properties": {"backup_days": 7}}, school, "domain.directory_was_backed_up")
    assert found.failure is not None
    assert found.failure.kind is FailureKind.NOT_INSTALLED
    for name in ("RID Manager$", "school.be"):
        school.remove(f"CN={name},CN=System,{BASE}")
    assert verdicts({"properties": {"trusts": []}}, school, "domain.trusts_are_the_declared_ones") == [UNKNOWN]


# -- names, nesting, numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Domain Admins",
        "Domeinadministrators",
        "Admins du domaine",
        r"SCHOOL\Domain Admins",
        f"{DOMAIN_SID}-512",
        f"cn=domeinadministrators,cn=users,{BASE}",
    ],
)
def test_a_built_in_group_by_any_name(school: Directory, name: str) -> None:
    section = {"groups": [{"name": name, "members": ["Administrator", "Beheer.Jan"]}]}
    assert [f.verdict for f in judge(section, school, checks=CHECKS)] == [PASS, PASS]


def test_a_group_of_ones_own_called_like_a_built_in_one_comes_first(school: Directory) -> None:
    school.group("Beheerders", 1300, member=[school.dn("sara")])
    section = {"groups": [{"name": "Beheerders", "members": ["sara"]}]}
    assert verdicts(section, school, "groups.group_has_members") == [PASS]


def test_escaped_and_differently_cased_members_are_found(school: Directory) -> None:
    school.user(r"Peeters\, An", 1301, "OU=Docenten", sAMAccountName="an.peeters")
    school.append("G_INF1", "member", rf"cn=peeters\2C an,ou=docenten,{BASE}")
    section = {"groups": [{"name": "G_INF1", "members": ["sara", "an.peeters"]}]}
    assert verdicts(section, school, "groups.group_has_members") == [PASS]


def test_a_contact_is_a_member_as_well(school: Directory) -> None:
    contact = school.add(
        f"CN=Drukkerij,OU=Docenten,{BASE}", objectClass=["top", "person", "contact"], memberOf=school.dn("Nieuws")
    )
    school.append("Nieuws", "member", contact)
    found = only({"groups": [{"name": "Nieuws", "members": ["jan.peeters"]}]}, school, "groups.group_has_members")
    assert (found.verdict, found.observed["extra"]) == (FAIL, ["Drukkerij"])


def test_properties_of_what_is_missing_are_not_failed_twice(school: Directory) -> None:
    section = {
        "users": [{"name": "niemand", "unit": "X", "department": "Y", "member_of": ["Z"], "attributes": {"info": "a"}}],
        "groups": [{"name": "niets", "members": ["x"], "group_scope": "global"}],
        "computers": [{"name": "geen", "unit": "X", "stale_days": 30}],
        "units": [{"path": "Nergens", "protected": True}],
        "fine_grained": [{"name": "geen", "precedence": 1, "min_length": 8, "applies_to": []}],
    }
    found = judge(section, school, checks=CHECKS)
    failed = [f.check for f in found if f.verdict is FAIL]
    assert sorted(failed) == [
        "computers.computer_exists", "groups.group_exists", "organisation.unit_exists",
        "passwords.fine_grained_policy_exists", "people.user_exists",
    ]  # fmt: skip
    assert {f.verdict for f in found} == {FAIL, Verdict.NOT_APPLICABLE}


def test_groups_of_the_forest_are_not_asked_of_a_child_domain(school: Directory) -> None:
    school.change("", rootDomainNamingContext="DC=test")
    school.remove("Ondernemingsadministrators")
    school.change("Administrators", member=[school.dn("Administrator"), school.dn("Domeinadministrators")])
    section = {"privileged": {"enterprise_admins": [], "domain_admins": ["Administrator", "beheer.jan"]}}
    found = verdicts(section, school, "privileged.privileged_groups_hold_only_declared")
    assert sorted(found) == [Verdict.NOT_APPLICABLE, PASS]


def test_a_dormant_threshold_that_the_directory_cannot_tell_is_refused() -> None:
    with pytest.raises(ValueError, match="14 days late"):
        schema.adapter(KINDS[Scope.DOMAIN, "stale"]).validate_python({"users_days": 10})


def test_attributes_that_may_be_secret_are_refused() -> None:
    for name in ("unicodePwd", "ms-Mcs-AdmPwd", "msLAPS-Password", "a)(b"):
        with pytest.raises(ValueError, match="no attribute"):
            schema.adapter(KINDS[Scope.DOMAIN, "users"]).validate_python({"name": "x", "attributes": {name: "y"}})


@pytest.mark.parametrize(
    ("field", "seen", "wanted", "exact", "good"),
    [
        ("min_length", 14, 12, False, True),
        ("min_length", 14, 12, True, False),
        ("min_length", 0, 0, False, True),
        ("max_age_days", 90, 90, False, True),
        ("max_age_days", 0, 90, False, False),  # never expires
        ("max_age_days", 0, 0, False, True),
        ("max_age_days", 42, 0, False, False),
        ("lockout_threshold", 3, 5, False, True),
        ("lockout_threshold", 0, 5, False, False),  # never locks
        ("lockout_threshold", 5, 0, False, False),
        ("lockout_minutes", 0, 30, False, True),  # until somebody unlocks
        ("lockout_minutes", 30, 0, False, False),
        ("lockout_minutes", 29.5, 30, False, False),
        ("complexity", False, True, False, False),
        ("reversible", False, False, False, True),
    ],
)
def test_as_strict_as_declared(field: str, seen: Any, wanted: Any, exact: bool, good: bool) -> None:
    outcome: Outcome = compare(field, seen, wanted, exact=exact)
    assert (outcome.verdict is PASS) is good


# -- replication ------------------------------------------------------------------------------------------------------


def test_a_young_difference_does_not_count_and_an_old_one_does(school: Directory) -> None:
    other = Directory({dn: {k: list(v) for k, v in a.items()} for dn, a in school.entries.items()})
    other.change("sara", pwdLastSet=ago(0), whenChanged=stamp(30 / filetime.DAY))
    other.user("nieuw", 1300, "OU=Docenten", whenChanged=stamp(30 / filetime.DAY))
    check = "replication.controllers_agree"
    assert verdicts({"replication": {}}, school, check, dc2=other) == [PASS]
    assert verdicts({"replication": {"within_seconds": 10}}, school, check, dc2=other) == [FAIL]


def test_the_order_of_members_and_the_case_of_names_is_each_controllers_own(school: Directory) -> None:
    other = Directory({dn: {k: list(reversed(v)) for k, v in a.items()} for dn, a in school.entries.items()})
    other.change("G_INF1", member=[m.lower() for m in school.entries[school.dn("G_INF1")]["member"]])
    assert verdicts({"replication": {}}, school, "replication.controllers_agree", dc2=other) == [PASS]


def test_when_no_controller_answers_it_may_be_our_own_way(school: Directory) -> None:
    school.failure = Failure(FailureKind.UNREACHABLE, "no route")
    assert verdicts({"replication": {}}, school, "replication.controllers_answer") == [UNKNOWN, UNKNOWN]


def test_a_controller_that_refuses_our_logon_is_there_all_the_same(school: Directory) -> None:
    other = Directory(failure=Failure(FailureKind.AUTHENTICATION_FAILED, "wrong password"))
    assert verdicts({"replication": {}}, school, "replication.controllers_answer", dc2=other) == [PASS, UNKNOWN]


def test_links_that_nobody_shows_are_kept_from_us(school: Directory) -> None:
    school.hidden.add("repsfrom")
    check = "replication.replication_links_work"
    assert verdicts({"replication": {}}, school, check) == [UNKNOWN, UNKNOWN]
    school.remove(f"CN=NTDS Settings,CN=DC2,CN=Servers,CN=Hoofdsite,CN=Sites,{CONFIG}")
    assert verdicts({"replication": {}}, school, check) == [PASS, PASS]  # a controller alone needs no links


# -- scale ------------------------------------------------------------------------------------------------------------


def test_twenty_thousand_users_are_quick(school: Directory) -> None:
    members = []
    for n in range(20_000):
        members.append(f"CN=leerling{n},OU=INF1,OU=Studenten,{BASE}")
        school.user(f"leerling{n}", 10_000 + n, "OU=INF1,OU=Studenten")
    school.change("G_INF1", member=[*members, school.dn("sara")])
    answers = [school.answer(q).value for q in Accounts.question]
    start = time.perf_counter()
    accounts = Accounts.read(*answers)
    group = accounts.group("G_INF1")
    assert group
    assert len(accounts.nested(group).accounts) == 20_001
    assert all(len(accounts.groups_of(u)) >= 1 for u in accounts.users.values())
    assert accounts.now == NOW
    assert time.perf_counter() - start < 5


def test_hostile_answers_are_unreadable_and_never_loop(school: Directory) -> None:
    for dn, attribute, value in (
        ("", "currentTime", "soon"),
        ("", "domainFunctionality", "x"),
        (BASE, "maxPwdAge", "9" * 40),
        (f"CN=Partitions,{CONFIG}", "fSMORoleOwner", "nobody"),
    ):
        bad = Directory({d: {k: list(v) for k, v in a.items()} for d, a in school.entries.items()})
        bad.change(dn, **{attribute: value})
        section = {"roles": {"naming": "dc1"}, "properties": {"functional_level": 2016},
                   "password_policy": {"max_age_days": 9}, "stale": {"users_days": 60}}  # fmt: skip
        found = judge(section, bad, checks=CHECKS)
        assert UNKNOWN in {f.verdict for f in found}, attribute
        assert not [f for f in found if f.failure and "a defect" in f.failure.detail]
