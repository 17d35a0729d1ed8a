"""A small school domain, and judging it through the definition's own validation and the engine."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from audits import catalogue, plan, schema
from audits.definition import Audit, Requirement
from audits.evaluate import Finding, Judge
from audits.evidence import Record
from audits.transports.base import Answer, Target
from checks.core import KINDS, Check, Scope, Severity
from checks.formats import distinguished_name, filetime
from checks.questions import Question
from tests.checks.directory.double import (
    BASE,
    CONFIG,
    DC1,
    DC2,
    DOMAIN_SID,
    NOW,
    SCHEMA,
    Directory,
    ago,
    stamp,
)  # fmt: skip

HERE = Path(__file__).parent
MODULES = (
    "computers", "delegation", "domain", "groups", "hygiene", "organisation", "passwords", "people", "privileged",
    "replication",
)  # fmt: skip
CHECKS: dict[str, Check] = {i: c for i, c in catalogue.load().items() if i.partition(".")[0] in MODULES}


# -- the school -------------------------------------------------------------------------------------------------------


def make_school() -> Directory:
    """Make a domain in which everything is as its definition (school.yml) says."""
    d = Directory()
    d.add(
        "",
        currentTime="20251124023000.0Z", defaultNamingContext=BASE, rootDomainNamingContext=BASE,
        configurationNamingContext=CONFIG, dnsHostName="dc1.school.test", domainFunctionality=7,
        forestFunctionality=7, highestCommittedUSN=4200, isSynchronized="TRUE", isGlobalCatalogReady="TRUE",
        tokenGroups=[f"{DOMAIN_SID}-1109", f"{DOMAIN_SID}-513", f"{DOMAIN_SID}-1110", "S-1-5-32-545"],
    )  # fmt: skip
    _make_configuration(d)
    d.add(
        BASE,
        objectClass=["top", "domain", "domainDNS"], objectSid=DOMAIN_SID, whenCreated=stamp(200),
        objectGUID="00000000-0000-4000-8003-000000000001", whenChanged=stamp(50),
        minPwdLength=14, pwdHistoryLength=24, maxPwdAge=-(180 * 864 * 10**9), minPwdAge=-(864 * 10**9), pwdProperties=1,
        lockoutThreshold=5, lockoutDuration=-(30 * 60 * 10**7), lockOutObservationWindow=-(15 * 60 * 10**7),
        ms__DS__MachineAccountQuota=0, fSMORoleOwner=_service("DC1"), repsFrom=f"{DC2} 0 {ago(0.01)}",
        nTSecurityDescriptor="head", msDS__ReplAttributeMetaData=[metadata("dc", 200), metadata("dSASignature", 2)],
    )  # fmt: skip
    d.add(f"CN=RID Manager$,CN=System,{BASE}", objectClass=["top", "rIDManager"], fSMORoleOwner=_service("DC1"))
    d.add(f"CN=AdminSDHolder,CN=System,{BASE}", objectClass=["top", "container"], nTSecurityDescriptor="open")
    for name in ("Users", "Computers", "System"):
        d.add(f"CN={name},{BASE}", objectClass=["top", "container"], nTSecurityDescriptor="inherited")
    d.add(f"CN=school.be,CN=System,{BASE}", objectClass=["top", "trustedDomain"], trustPartner="School.be",
          trustAttributes=8, trustDirection=3, trustType=2)  # fmt: skip
    d.add(f"CN=Infrastructure,{BASE}", fSMORoleOwner=_service("DC2"))
    for number, path in enumerate(
        ("Domain Controllers", "Docenten", "Studenten", "Studenten/INF1", "Servers", "Werkstations", "Groepen")
    ):
        d.add(
            distinguished_name.of_path(path, BASE),
            objectClass=["top", "organizationalUnit"], ou=path.rpartition("/")[2], whenChanged=stamp(50),
            nTSecurityDescriptor="open" if path == "Domain Controllers" else "protected",
            objectGUID=f"00000000-0000-4000-8004-{number:012d}",
        )  # fmt: skip
    _make_accounts(d)
    container = f"CN=Password Settings Container,CN=System,{BASE}"
    d.add(container, objectClass=["top", "msDS-PasswordSettingsContainer"], nTSecurityDescriptor="delegated")
    d.add(
        f"CN=PSO_Docenten,{container}",
        objectClass=["top", "msDS-PasswordSettings"], cn="PSO_Docenten", msDS__PasswordSettingsPrecedence=10,
        msDS__PSOAppliesTo=[d.dn("G_Docenten")], msDS__MinimumPasswordLength=16, msDS__PasswordHistoryLength=24,
        msDS__MaximumPasswordAge=-(90 * 864 * 10**9), msDS__MinimumPasswordAge=-(864 * 10**9),
        msDS__PasswordComplexityEnabled="TRUE", msDS__PasswordReversibleEncryptionEnabled="FALSE",
        msDS__LockoutThreshold=5, msDS__LockoutDuration="-9223372036854775808",
        msDS__LockoutObservationWindow=-(15 * 60 * 10**7),
    )  # fmt: skip
    return d


def metadata(attribute: str, days: float) -> str:
    """Make what msDS-ReplAttributeMetaData tells of one attribute (MS-DRSR 4.1.13.1.15)."""
    return (
        f"<DS_REPL_ATTR_META_DATA>\n\t<pszAttributeName>{attribute}</pszAttributeName>\n\t<dwVersion>3</dwVersion>\n"
        f"\t<ftimeLastOriginatingChange>{filetime.iso(NOW - days * filetime.DAY)}</ftimeLastOriginatingChange>\n"
        "</DS_REPL_ATTR_META_DATA>\n\0"
    )


def _service(host: str) -> str:
    return f"CN=NTDS Settings,CN={host},CN=Servers,CN=Hoofdsite,CN=Sites,{CONFIG}"


def _make_configuration(d: Directory) -> None:
    d.add(CONFIG, objectClass=["top", "configuration"], repsFrom=f"{DC2} 0 {ago(0.01)}")
    d.add(SCHEMA, objectClass=["top", "dMD"], fSMORoleOwner=_service("DC1"), repsFrom=f"{DC2} 0 {ago(0.01)}")
    partitions = d.add(
        f"CN=Partitions,{CONFIG}",
        objectClass=["top", "crossRefContainer"], fSMORoleOwner=_service("DC1"), uPNSuffixes=["school.be"],
    )  # fmt: skip
    d.add(f"CN=SCHOOL,{partitions}", objectClass=["top", "crossRef"], nCName=BASE, nETBIOSName="SCHOOL",
          dnsRoot="school.test", systemFlags=3)  # fmt: skip
    d.add(f"CN=Enterprise Configuration,{partitions}", objectClass=["top", "crossRef"], nCName=CONFIG,
          dnsRoot="school.test", systemFlags=1)  # fmt: skip
    top = f"CN=Sites,{CONFIG}"
    site = d.add(f"CN=Hoofdsite,{top}", objectClass=["top", "site"], cn="Hoofdsite")
    d.add(f"CN=10.77.10.0/24,CN=Subnets,{top}", objectClass=["top", "subnet"], cn="10.77.10.0/24", siteObject=site)
    for host in ("DC1", "DC2"):
        server = f"CN={host},CN=Servers,{site}"
        d.add(server, objectClass=["top", "server"], cn=host, dNSHostName=f"{host.lower()}.school.test",
              serverReference=f"CN={host},OU=Domain Controllers,{BASE}")  # fmt: skip
        d.add(f"CN=NTDS Settings,{server}", objectClass=["top", "applicationSettings", "nTDSDSA"], options=1,
              objectGUID=DC1 if host == "DC1" else DC2)  # fmt: skip
    service = f"CN=Directory Service,CN=Windows NT,CN=Services,{CONFIG}"
    d.add(service, objectClass=["top", "nTDSService"], tombstoneLifetime=180)
    d.add(
        f"CN=Recycle Bin Feature,CN=Optional Features,{service}",
        objectClass=["top", "msDS-OptionalFeature"], msDS__EnabledFeatureBL=[partitions],
        msDS__OptionalFeatureGUID="766ddcd8-acd0-445e-f3b9-a7f9b6744f2a",
    )  # fmt: skip


def _make_accounts(d: Directory) -> None:
    admin = d.user("Administrator", 500, adminCount=1, userAccountControl=0x100200)
    d.user("Gast", 501, userAccountControl=0x10222, primaryGroupID=514, pwdLastSet=0, lastLogonTimestamp=None)
    d.user("krbtgt", 502, userAccountControl=0x202, adminCount=1, servicePrincipalName="kadmin/changepw")
    people = "OU=Docenten"
    jan = d.user(
        "jan.peeters", 1101, people, givenName="Jan", sn="Peeters", displayName="Jan Peeters", department="IT",
        userPrincipalName="jan.peeters@school.be", homeDirectory=r"\\files1\homes\jan.peeters", homeDrive="H:",
        profilePath=r"\\files1\Profiles$\jan.peeters", scriptPath="aanmelden.cmd", employeeType="vast",
        otherTelephone=["2", "1"], accountExpires=filetime.filetime(filetime.generalized("20260630220000.0Z")),
    )  # fmt: skip
    beheer = d.user("beheer.jan", 1102, people, userAccountControl=0x100200, adminCount=1)
    student = d.user("sara", 1103, "OU=INF1,OU=Studenten", pwdLastSet=0)
    d.user("auditor", 1109, people)
    for rid, host in ((1000, "dc1"), (1001, "dc2")):
        d.computer(host, rid, "OU=Domain Controllers", userAccountControl=0x82000, primaryGroupID=516,
                   nTSecurityDescriptor="open")  # fmt: skip
    client = d.computer(
        "client1", 1105, operatingSystem="Windows 11 Pro", msLAPS__PasswordExpirationTime=ago(-20),
        msDS__SupportedEncryptionTypes=28,
    )  # fmt: skip
    d.computer("files1", 1106, "OU=Servers", operatingSystem="Windows Server 2022 Standard",
               msLAPS__PasswordExpirationTime=ago(-20))  # fmt: skip
    everyone = d.add(f"CN=S-1-5-11,CN=ForeignSecurityPrincipals,{BASE}",
                     objectClass=["top", "foreignSecurityPrincipal"], objectSid="S-1-5-11", cn="S-1-5-11")  # fmt: skip
    d.add(f"CN=S-1-5-7,CN=ForeignSecurityPrincipals,{BASE}",
          objectClass=["top", "foreignSecurityPrincipal"], objectSid="S-1-5-7", cn="S-1-5-7")  # fmt: skip
    users, builtin = "CN=Users", "CN=Builtin"
    admins = d.group("Domeinadministrators", 512, users, member=[admin, beheer], adminCount=1)
    d.group("Domeingebruikers", 513, users)
    d.group("Domeingasten", 514, users)
    d.group("Domeincomputers", 515, users)
    d.group("Domeincontrollers", 516, users, adminCount=1)
    d.group("Schema-administrators", 518, users, groupType=-2147483640, adminCount=1)
    forest = d.group("Ondernemingsadministrators", 519, users, groupType=-2147483640, adminCount=1)
    d.group("Beveiligde gebruikers", 525, users, member=[beheer])
    for name, number, members in (
        ("Administrators", 544, [admin, admins, forest]), ("Gebruikers", 545, [everyone]),
        ("Accountoperators", 548, []), ("Serveroperators", 549, []), ("Printeroperators", 550, []),
        ("Back-upoperators", 551, []), ("Replicator", 552, []), ("Pre-Windows 2000", 554, [everyone]),
    ):  # fmt: skip
        d.group(name, f"S-1-5-32-{number}", builtin, groupType=-2147483643, member=members,
                adminCount=1 if number in (544, 548, 549, 550, 551, 552) else None)  # fmt: skip
    d.group("DnsAdmins", 1107, users, groupType=-2147483644)
    teachers = d.group("G_Docenten", 1108, member=[jan])
    d.group("G_Auditors", 1110, member=[])
    d.group("G_INF1", 1111, member=[student])
    staff = d.group("DL_Personeel", 1112, groupType=-2147483644, member=[teachers])
    d.group("Nieuws", 1113, groupType=2, member=[jan])
    d.append("G_Auditors", "member", f"CN=auditor,OU=Docenten,{BASE}")
    d.group("Kring A", 1114, member=[])
    circle = d.group("Kring B", 1115, member=[d.dn("Kring A"), client])
    d.append("Kring A", "member", circle, staff)


@pytest.fixture
def school() -> Directory:
    """Give a school of one's own to change."""
    return copy.deepcopy(_SCHOOL)


_SCHOOL = make_school()
DEFINITION: dict[str, Any] = yaml.safe_load((HERE / "school.yml").read_text("utf-8"))


class Source(Protocol):
    """Whatever answers questions as a target does."""

    def answer(self, question: Question) -> Answer:
        """Answer one."""
        ...


def judge(
    section: Mapping[str, Any], directory: Source, *, others: Mapping[str, Source] | None = None,
    checks: Mapping[str, Check],
) -> list[Finding]:  # fmt: skip
    """Judge a `directory` section of a definition, through the definition's own validation and the engine."""
    servers = {"dc1": directory, **(others or {"dc2": directory})}
    target = Target("school.test", "domain", {}, tuple(Target(name) for name in servers))
    requirements = []
    for word, raw in section.items():
        kind = KINDS[Scope.DOMAIN, word]
        for number, entry in enumerate(raw if kind.many else [raw]):
            want = schema.adapter(kind).validate_python(entry)
            requirements.append(Requirement(want.id or f"directory.{word}[{number}]", target.name, want, "school.yml"))
    answers: dict[tuple[str, Question], Record] = {}

    def lookup(name: str, question: Question) -> Record:
        key = (name, question)
        if key not in answers:
            source = servers.get(name, directory)
            answers[key] = Record(len(answers) + 1, name, question, source.answer(question))
        return answers[key]

    head = schema.Head(keuring=1, title="test")
    audit = Audit(head, {target.name: target} | {t.name: t for t in target.servers}, tuple(requirements), {}, {})
    return Judge(lookup, lambda _: Severity.MAJOR, lambda _: ()).findings(plan.make(audit, checks.values()))


def each(findings: list[Finding], check: str, subject: str | None = None) -> Iterator[Finding]:
    """Give the findings of one check, about one subject."""
    return (f for f in findings if f.check == check and subject in (None, f.subject))
