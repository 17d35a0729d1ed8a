"""The directory as an ordinary account reads it, against what Samba itself says on the controller."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from audits import evidence
from checks.facts.directory import DomainObject, Partitions, Roles, RootDse, Sites
from checks.facts.directory_accounts import Accounts
from checks.facts.directory_units import OrganisationalUnits
from checks.facts.password_settings import FineGrained
from checks.facts.replication import InboundLinks, Replica
from checks.formats import filetime
from checks.passwords import observed

from .conftest import Ran, on_host

DOMAIN = "school.test"
# Samba follows memberships by itself to make a token (source4/dsdb/common/dsdb_access.c, tokenGroups)
ORACLE = r"""
import json
from samba import dsdb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB
import ldb
lp = LoadParm(); lp.load_default()
db = SamDB(session_info=system_session(lp), lp=lp)
sid = lambda v: str(ndr_unpack(security.dom_sid, v))
out = {}
for m in db.search(expression="(|(sAMAccountType=805306368)(sAMAccountType=805306369))", attrs=["sAMAccountName"]):
    (t,) = db.search(base=m.dn, scope=ldb.SCOPE_BASE, attrs=["tokenGroups"])
    out[str(m["sAMAccountName"])] = sorted(sid(v) for v in t["tokenGroups"])
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def answers(clean: Ran) -> dict[Any, Any]:
    """Give what the audit was answered, by target and question."""
    records = evidence.read(clean.path / evidence.FILE).records
    return {key: record.answer.value for key, record in records.items() if record.answer.failure is None}


def fact(cls: Any, answers: dict[Any, Any], target: str = DOMAIN) -> Any:
    questions = cls.question if isinstance(cls.question, tuple) else (cls.question,)
    return cls.read(*(answers[target, question] for question in questions))


@pytest.fixture(scope="module")
def accounts(answers: dict[Any, Any]) -> Accounts:
    found = fact(Accounts, answers)
    assert isinstance(found, Accounts)
    return found


def tool(words: str) -> list[str]:
    """Give the lines that samba-tool writes on dc1."""
    return [line.strip() for line in on_host("dc1", f"samba-tool {words}").splitlines() if line.strip()]


def test_users_computers_and_groups(accounts: Accounts) -> None:
    assert sorted(a.name for a in accounts.users.values()) == sorted(tool("user list"))
    assert sorted(a.name for a in accounts.computers.values()) == sorted(tool("computer list"))
    assert sorted(a.name for a in accounts.groups.values()) == sorted(tool("group list"))


def test_nested_membership_of_everybody(accounts: Accounts) -> None:
    said = json.loads(on_host("dc1", f"python3 - <<'END'\n{ORACLE}\nEND"))
    assert len(said) > 20
    for name, sids in said.items():
        account = accounts.users.get(name.casefold()) or accounts.computers[name.casefold()]
        # a token holds security groups; the well-known ones that logging on adds are no groups of the directory
        ours = {g.sid for g in accounts.groups_of(account) if g.type == "security"}
        theirs = {s for s in sids if s in accounts.by_sid and accounts.by_sid[s].kind == "group"}
        implied = {g.sid for s in ("S-1-5-11", "S-1-5-9", "S-1-1-0") if s in accounts.by_sid
                   for g in accounts.groups_of(accounts.by_sid[s])}  # fmt: skip
        assert theirs - implied <= ours <= theirs, name


@pytest.mark.parametrize(
    "name", ["G_Docenten", "G_Studenten", "DL_Examens_W", "Domain Admins", "Administrators", "Domain Users"]
)
def test_members(accounts: Accounts, name: str) -> None:
    group = accounts.group(name)
    assert group
    assert sorted(a.name for a in accounts.direct(group).accounts) == sorted(tool(f"group listmembers '{name}'"))
    assert not accounts.nested(group).unseen


def test_units(answers: dict[Any, Any]) -> None:
    units = fact(OrganisationalUnits, answers)
    dns = sorted(u.dn.removesuffix(",DC=school,DC=test") for u in units.units.values())
    assert dns == sorted(tool("ou list"))


def test_protected_units(answers: dict[Any, Any]) -> None:
    for unit in fact(OrganisationalUnits, answers).units.values():
        said = "".join(tool(f"dsacl get --objectdn='{unit.dn}'"))
        assert unit.protected == bool(re.search(r"\(D;;(?:SDDT|DTSD);;;WD\)", said)), unit.path


def test_roles_levels_and_names(answers: dict[Any, Any]) -> None:
    roles: Roles = fact(Roles, answers)
    said = " ".join(tool("fsmo show"))
    for words, ours in (("Schema", roles.schema), ("DomainNaming", roles.naming), ("Pdc", roles.pdc),
                        ("Rid", roles.rid), ("Infrastructure", roles.infrastructure)):  # fmt: skip
        assert re.search(rf"{words}\w*Role owner: CN=NTDS Settings,CN={ours},", said), words
    root: RootDse = fact(RootDse, answers)
    level = " ".join(tool("domain level show"))
    assert (root.domain_level, root.forest_level) == (7, 7)
    assert level.count("2016") >= 2
    info = dict(line.split(":", 1) for line in tool("domain info 127.0.0.1"))
    names: Partitions = fact(Partitions, answers)
    assert {k.strip(): v.strip() for k, v in info.items()}.items() >= {
        "Domain": names.dns, "Netbios domain": names.netbios, "Forest": names.forest_dns,
    }.items()  # fmt: skip
    assert {c.name for c in fact(Sites, answers).controllers} == {"DC1", "DC2"}


def test_rules_for_passwords(answers: dict[Any, Any]) -> None:
    domain: DomainObject = fact(DomainObject, answers)
    assert observed(domain.rules) == _rules(tool("domain passwordsettings show"))
    policies: FineGrained = fact(FineGrained, answers)
    for policy in policies.policies.values():
        assert observed(policy.rules) == _rules(tool(f"domain passwordsettings pso show {policy.name}"))
    names = [line.split("|") for line in tool("domain passwordsettings pso list") if "|" in line][1:]
    assert {(n[1].strip(), int(n[0])) for n in names} == {(p.name, p.precedence) for p in policies.policies.values()}


def _rules(lines: list[str]) -> dict[str, Any]:
    """Read what samba-tool says of passwords, in the fields of a definition."""
    words = (
        ("min_length", "minimum password length"), ("history", "password history length"),
        ("max_age_days", "maximum password age"), ("min_age_days", "minimum password age"),
        ("complexity", "password complexity"), ("reversible", "store plaintext passwords"),
        ("lockout_threshold", "account lockout threshold"), ("lockout_minutes", "account lockout duration"),
        ("lockout_window_minutes", "reset account lockout after"),
    )  # fmt: skip
    found: dict[str, Any] = {}
    for line in lines:
        for field, text in words:
            if line.lower().startswith(text):
                value = line.rpartition(":")[2].strip()
                found[field] = value == "on" if value in ("on", "off") else int(float(value))
    return found


@pytest.mark.parametrize("controller", ["dc1", "dc2"])
def test_replication_links(answers: dict[Any, Any], controller: str) -> None:
    links: InboundLinks = fact(InboundLinks, answers, controller)
    said = json.loads(on_host(controller, "samba-tool drs showrepl --json"))["repsFrom"]
    ours = {(dn, link.source) for dn, several in links.links.items() for link in several}
    assert ours == {(s["NC dn"], s["DSA objectGUID"]) for s in said}
    for several in links.links.values():
        assert all(link.success and abs(links.now - link.success) < filetime.HOUR for link in several)


def test_both_controllers_hold_the_same(answers: dict[Any, Any]) -> None:
    one, other = (fact(Replica, answers, name) for name in ("dc1", "dc2"))
    assert one.objects.keys() == other.objects.keys()
    urls = "ldap://dc1.school.test ldap://dc2.school.test"
    assert "SUCCESS" in on_host("dc1", f"samba-tool ldapcmp {urls} domain -P --filter=whenChanged")


def test_the_audit_saw_everything(clean: Ran) -> None:
    ours = ("domain.", "organisation.", "people.", "groups.", "computers.", "passwords.", "privileged.", "hygiene.",
            "replication.")  # fmt: skip
    bad = [(f["check"], f["subject"], f["verdict"]) for f in clean.findings
           if f["check"].startswith(ours) and f["verdict"] not in ("pass", "not_applicable")]  # fmt: skip
    assert bad == []
