"""A small school domain made of answers, judged by the real plan and engine: policies, SYSVOL, accounts, shares."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping
from typing import Any

import pytest

from audits import plan, schema
from audits.definition import Audit, Requirement
from audits.evaluate import Finding, Judge
from audits.evidence import Record
from audits.transports.base import Answer, Target
from checks import access, group_policy, policy_planning, policy_settings, shares, sysvol
from checks.core import CHECKS, KINDS, Scope, Severity
from checks.facts.directory_accounts import Accounts
from checks.facts.group_policy import Containers, Policies, PolicyFiles, WmiFilters
from checks.facts.shares import Negotiated
from checks.formats import sddl, sid
from checks.formats import security_descriptor as sd
from checks.questions import Failure, FailureKind, Question, SmbSecurity, SmbShares

MODULES = (
    access,
    group_policy,
    policy_planning,
    policy_settings,
    shares,
    sysvol,
)  # importing them registers their checks
DOMAIN, BASE = "S-1-5-21-1-2-3", "DC=school,DC=test"
DEFAULT_RIGHTS = (
    "O:DAG:DAD:PAI(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;CI;CCDCLCSWRPWPDTLOSDRCWDWO;;;SY)(A;CI;LCRPLORC;;;ED)"
)
APPLY = "(A;CI;LCRPLORC;;;{0})(OA;CI;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;{0})"
READ = "(A;CI;LCRPLORC;;;{0})"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def descriptor(text: str) -> str:
    return b64(sd.pack(sddl.parse(text, DOMAIN)))


def guid(number: int) -> str:
    return f"{{{number:08X}-0000-0000-0000-000000000000}}"


def entry(dn: str, **attributes: Any) -> dict[str, Any]:
    given = {k.replace("_", "-"): v if isinstance(v, list) else [str(v)] for k, v in attributes.items()}
    return {"dn": dn, "attributes": given}


_ROOT = [
    entry(
        "",
        currenttime="20260301120000.0Z",
        defaultnamingcontext=BASE,
        rootdomainnamingcontext=BASE,
        configurationnamingcontext="CN=Configuration," + BASE,
        dnshostname="dc1.school.test",
        domainfunctionality=7,
        forestfunctionality=7,
        highestcommittedusn=9,
        issynchronized="TRUE",
    )
]


class World:
    """Answers by target and question; tests change them before they judge."""

    def __init__(self) -> None:
        self.policies: dict[str, list[dict[str, Any]]] = {"dc1": [], "dc2": []}
        self.units = [entry(BASE)]
        self.sites = [entry("CN=Gent,CN=Sites,CN=Configuration," + BASE)]
        self.filters: list[dict[str, Any]] = []
        self.files: dict[str, dict[str, dict[str, Any]] | None] = {"dc1": {}, "dc2": {}}
        self.users: list[dict[str, Any]] = []
        self.groups: list[dict[str, Any]] = []
        self.computers: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []
        self.shares: list[dict[str, Any]] = []
        self.unlisted: list[dict[str, Any]] = []
        self.folders: dict[tuple[str, str], str | None] = {}
        self.negotiated: dict[str, Any] = {
            "dialect": "3.1.1", "signing_required": True, "encryption": True, "smb1": False
        }  # fmt: skip
        self.failures: dict[type | Question, FailureKind] = {}
        for name, rid, members in (
            ("Domain Admins", 512, ["Administrator"]),
            ("Domain Users", 513, []),
            ("Domain Computers", 515, []),
            ("G_Docenten", 1105, ["jan"]),
            ("G_Studenten", 1106, ["G_INF1"]),
            ("G_INF1", 1107, ["an"]),
            ("G_Lezers", 1108, ["G_Docenten"]),
        ):
            self.group(name, rid, members)
        self.group("Administrators", 544, ["Domain Admins"], builtin=True)
        self.group("Users", 545, ["Domain Users"], builtin=True)
        for name, rid in (("Administrator", 500), ("jan", 1104), ("an", 1103), ("piet", 1102)):
            self.users.append(
                entry(f"CN={name},{BASE}", samaccountname=name, objectsid=self.sid(rid), primarygroupid=513)
            )
        self.computers.append(
            entry(f"CN=CLIENT1,{BASE}", samaccountname="CLIENT1$", objectsid=self.sid(1201), primarygroupid=515)
        )

    @staticmethod
    def sid(rid: int, *, builtin: bool = False) -> str:
        return b64(sid.sid_bytes(f"{sid.BUILTIN}{rid}" if builtin else f"{DOMAIN}-{rid}"))

    def group(self, name: str, rid: int, members: list[str], *, builtin: bool = False, kind: int = -2147483646) -> None:
        self.groups.append(
            entry(
                f"CN={name},{BASE}",
                samaccountname=name,
                objectsid=self.sid(rid, builtin=builtin),
                grouptype=kind,
                member=[f"CN={m},{BASE}" for m in members],
            )
        )

    # -- policies -----------------------------------------------------------------------------------------------------

    def policy(
        self,
        name: str,
        number: int,
        rights: str = APPLY.format("AU"),
        *,
        version: int = 1,
        flags: int = 0,
        wmi: str = "",
    ) -> str:
        """Add a policy with its folder on both controllers."""
        told = entry(
            f"CN={guid(number)},CN=Policies,CN=System,{BASE}",
            cn=guid(number),
            displayname=name,
            flags=flags,
            versionnumber=version,
            gpcfunctionalityversion=2,
            ntsecuritydescriptor=descriptor(DEFAULT_RIGHTS + rights),
        )
        if wmi:
            told["attributes"]["gpcwqlfilter"] = [f"[school.test;{wmi};0]"]
        for server in ("dc1", "dc2"):
            self.policies[server].append(told)
            self.file(number, "", None, server)
        self.file(number, "GPT.INI", f"[General]\r\nVersion={version}\r\n".encode())
        return guid(number)

    def file(self, number: int, path: str, content: bytes | None, *servers: str) -> None:
        """Put a file (or with a backslash or nothing, a directory) in a policy's folder."""
        for server in servers or ("dc1", "dc2"):
            files = self.files[server]
            assert files is not None
            told = {"size": len(content or b""), "content": None if content is None else b64(content)}
            files[f"{guid(number)}\\{path}"] = told

    def unit(self, path: str, *links: tuple[int, int], blocked: bool = False) -> None:
        """Add a unit (or set the domain's links: "") with (policy, options), link order 1 first."""
        dn = ",".join([*(f"OU={p}" for p in reversed(path.split("/")) if p), BASE])
        said = "".join(
            f"[LDAP://cn={guid(n)},cn=policies,cn=system,{BASE};{options}]" for n, options in reversed(links)
        )
        told = entry(dn, gplink=said, gpoptions=int(blocked))
        self.units = [u for u in self.units if u["dn"] != dn] + [told]

    # -- shares -------------------------------------------------------------------------------------------------------

    def share(self, name: str, rights: str | None = "D:(A;;FA;;;WD)", **more: Any) -> None:
        """Add a share to the list, with its rights as SDDL (None: it has none)."""
        self.shares.append(
            {
                "name": name,
                "type": 0,
                "remark": "",
                "path": f"C:\\srv\\{name}",
                "descriptor": None if rights is None else descriptor(rights),
                "error": 0,
            }
            | more
        )

    def folder(self, share: str, rights: str | None, path: str = "") -> None:
        """Set the rights of a folder as SDDL; None: there is no such folder."""
        self.folders[share, path] = None if rights is None else descriptor(rights)

    # -- judging ------------------------------------------------------------------------------------------------------

    def value(self, target: str, question: Question) -> Any:
        """Give the answer; KeyError for a question that nobody asks here."""
        server = "dc1" if target == "school.test" else target
        tables: dict[Question, Any] = dict(
            zip(
                Accounts.question,
                (_ROOT, self.head, self.users, self.groups, self.computers, self.others),
                strict=True,
            )
        )
        if isinstance(question, SmbSecurity):
            return self.folders.get((question.share, question.path))
        if isinstance(question, SmbShares):
            return self.shares + [s for s in self.unlisted if s["name"] in question.also]
        answers: dict[Question, Any] = {
            Policies.question: self.policies.get(server),
            Containers.question[0]: self.units,
            Containers.question[1]: self.sites,
            WmiFilters.question: self.filters,
            PolicyFiles.question: self.files.get(server),
            Negotiated.question: self.negotiated,
            **tables,
        }
        return answers[question]

    @property
    def head(self) -> list[dict[str, Any]]:
        return [entry(BASE, objectsid=b64(sid.sid_bytes(DOMAIN)))]

    def judge(self, word: str, /, check: str | None = None, **raw: Any) -> list[Finding]:
        """Judge one requirement as a definition would hold it; only the findings of one check when it is named."""
        scope = next(s for s, key in KINDS if key == word)
        want = schema.adapter(KINDS[scope, word]).validate_python(raw)
        dcs = (Target("dc1"), Target("dc2"))
        targets = {
            "school.test": Target("school.test", "domain", {}, dcs, "school.test"),
            "files1": Target("files1", domain="school.test"),
            **{dc.name: dc for dc in dcs},
        }
        target = "school.test" if scope == Scope.DOMAIN else "files1"
        requirement = Requirement("r", target, want, "x:1:1")
        audit = Audit(schema.Head(keuring=1, title="test"), targets, (requirement,), {}, {})

        @functools.cache
        def lookup(where: str, question: Question) -> Record | None:
            for key in (question, type(question)):
                if key in self.failures:
                    return Record(1, where, question, Answer(None, Failure(self.failures[key], "no")))
            return Record(1, where, question, Answer(self.value(where, question)))

        found = Judge(lookup, lambda _: Severity.MAJOR, lambda _: ()).findings(plan.make(audit, CHECKS.values()))
        return [f for f in found if check is None or f.check.endswith("." + check)]

    def verdicts(self, word: str, /, check: str, **raw: Any) -> list[str]:
        """Give only the verdicts."""
        return [str(f.verdict) for f in self.judge(word, check, **raw)]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def rights() -> Mapping[str, str]:
    """Parts of a policy's rights: who may apply, who may only read."""
    return {"apply": APPLY, "read": READ}
