"""A directory to judge: a small school domain that answers LdapSearch questions, and can be changed or made to fail.

It filters as a server does, so that a question that asks for the wrong thing finds nothing here either.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from audits import catalogue, plan, schema
from audits.definition import Audit, Requirement
from audits.evaluate import Finding, Judge
from audits.evidence import Record
from audits.transports.base import Answer, Target
from checks.core import KINDS, Check, Failure, Scope, Severity
from checks.formats import distinguished_name, filetime, security_descriptor, sid
from checks.formats.security_descriptor import DENY, Ace, Descriptor
from checks.questions import LdapSearch, Question

NOW = filetime.generalized("20251124023000.0Z")
BASE, CONFIG = "DC=school,DC=test", "CN=Configuration,DC=school,DC=test"
SCHEMA = f"CN=Schema,{CONFIG}"
DOMAIN_SID = "S-1-5-21-1111-2222-3333"
HERE = Path(__file__).parent
_NCS = {"default": BASE, "configuration": CONFIG, "schema": SCHEMA, "root": "",
        "domaindns": f"DC=DomainDnsZones,{BASE}", "forestdns": f"DC=ForestDnsZones,{BASE}"}  # fmt: skip
_SIDS = {"objectsid", "sidhistory", "tokengroups"}
_GUIDS = {"objectguid", "msds-optionalfeatureguid"}
DC1, DC2 = "00000000-0000-4000-8005-000000000001", "00000000-0000-4000-8005-000000000002"

MODULES = (
    "computers", "domain", "groups", "hygiene", "organisation", "passwords", "people", "privileged", "replication",
)  # fmt: skip
CHECKS: dict[str, Check] = {i: c for i, c in catalogue.load().items() if i.partition(".")[0] in MODULES}
FULL = 0xF01FF
_ADMINS = (Ace(0, 2, FULL, f"{DOMAIN_SID}-512"), Ace(0, 2, FULL, "S-1-5-18"))


def _pack(*aces: Ace) -> str:
    descriptor = Descriptor(0x8004, f"{DOMAIN_SID}-512", f"{DOMAIN_SID}-512", aces)
    return base64.b64encode(security_descriptor.pack(descriptor)).decode()


DESCRIPTORS = {
    "protected": _pack(Ace(DENY, 0, 0x10040, sid.EVERYONE), *_ADMINS, Ace(0, 0, 0x20094, sid.AUTHENTICATED)),
    "half protected": _pack(Ace(DENY, 0, 0x10000, sid.EVERYONE), *_ADMINS, Ace(0, 0, 0x20094, sid.AUTHENTICATED)),
    "inherit only": _pack(Ace(DENY, 0xA, 0x10040, sid.EVERYONE), *_ADMINS),
    "open": _pack(*_ADMINS, Ace(0, 0, 0x20094, sid.AUTHENTICATED)),
    "admins": _pack(*_ADMINS),
    "delegated": _pack(*_ADMINS, Ace(0, 2, 0x20014, f"{DOMAIN_SID}-1110")),
    "listed": _pack(*_ADMINS, Ace(0, 2, 0x4, "S-1-5-32-554")),
}


def ago(days: float) -> str:
    """Give a FILETIME so many days before the directory's clock."""
    return filetime.filetime(NOW - days * filetime.DAY)


def stamp(days: float) -> str:
    """Give a generalized time so many days before the directory's clock."""
    return re.sub("[-:T]", "", filetime.iso(NOW - days * filetime.DAY) or "").replace("Z", ".0Z")


@dataclasses.dataclass
class Directory:
    """Entries by distinguished name: attribute (as written in the schema) to values, all text."""

    entries: dict[str, dict[str, list[str]]] = dataclasses.field(default_factory=dict)
    hidden: set[str] = dataclasses.field(default_factory=set)
    failure: Failure | None = None

    def add(self, dn: str, **attributes: Any) -> str:
        """Add an object; underscores in names stand for hyphens, numbers become text, None leaves out."""
        told = {k.replace("__", "-"): v for k, v in attributes.items() if v is not None}
        self.entries[dn] = {k.lower(): [str(x) for x in (v if isinstance(v, list) else [v])] for k, v in told.items()}
        return dn

    def change(self, dn: str, **attributes: Any) -> None:
        """Change attributes of an object; None takes one away."""
        found = self.entries[self.dn(dn)]
        for name, value in attributes.items():
            key = name.replace("__", "-").lower()
            found.pop(key, None)
            if value is not None:
                found[key] = [str(x) for x in (value if isinstance(value, list) else [value])]

    def append(self, dn: str, attribute: str, *values: str) -> None:
        """Add values to an attribute."""
        self.entries[self.dn(dn)].setdefault(attribute.lower(), []).extend(values)

    def move(self, name: str, to: str) -> None:
        """Move an object, with the memberships that point at it."""
        old = self.dn(name)
        new = f"{old.partition(',')[0]},{to}"
        self.entries[new] = self.entries.pop(old)
        for attributes in self.entries.values():
            if "member" in attributes:
                attributes["member"] = [new if m == old else m for m in attributes["member"]]

    def remove(self, name: str) -> None:
        """Delete an object."""
        del self.entries[self.dn(name)]

    def dn(self, name: str) -> str:
        """Give the distinguished name of an account's logon name; a distinguished name stays what it is."""
        if name in self.entries:
            return name
        (found,) = (dn for dn, a in self.entries.items() if a.get("samaccountname") == [name])
        return found

    # -- accounts -----------------------------------------------------------------------------------------------------

    def user(self, name: str, rid: int, unit: str = "CN=Users", **attributes: Any) -> str:
        """Add a user with what every user has."""
        given = {
            "objectClass": ["top", "person", "organizationalPerson", "user"], "sAMAccountType": 805306368,
            "sAMAccountName": name, "objectSid": f"{DOMAIN_SID}-{rid}", "userAccountControl": 0x200,
            "primaryGroupID": 513, "whenCreated": stamp(100), "whenChanged": stamp(20), "pwdLastSet": ago(20),
            "lastLogonTimestamp": ago(5), "logonCount": 3, "accountExpires": 0x7FFFFFFFFFFFFFFF,
            "objectGUID": f"00000000-0000-4000-8000-{rid:012d}",
        }  # fmt: skip
        return self.add(f"CN={name},{unit},{BASE}", **(given | attributes))

    def group(self, name: str, number: str | int, unit: str = "OU=Groepen", **attributes: Any) -> str:
        """Add a group; `number` is a RID or a whole SID."""
        own = number if isinstance(number, str) else f"{DOMAIN_SID}-{number}"
        given = {
            "objectClass": ["top", "group"], "sAMAccountName": name, "objectSid": own, "groupType": -2147483646,
            "whenChanged": stamp(20), "objectGUID": f"00000000-0000-4000-8001-{sid.rid(own):012d}",
        }  # fmt: skip
        return self.add(f"CN={name},{unit},{BASE}", **(given | attributes))

    def computer(self, name: str, rid: int, unit: str = "OU=Werkstations", **attributes: Any) -> str:
        """Add a computer with what every computer has."""
        given = {
            "objectClass": ["top", "person", "organizationalPerson", "user", "computer"],
            "sAMAccountType": 805306369, "sAMAccountName": name.upper() + "$", "objectSid": f"{DOMAIN_SID}-{rid}",
            "userAccountControl": 0x1000, "primaryGroupID": 515, "whenCreated": stamp(100), "whenChanged": stamp(20),
            "pwdLastSet": ago(20), "lastLogonTimestamp": ago(5), "logonCount": 9, "dNSHostName": f"{name}.school.test",
            "operatingSystem": "Debian", "servicePrincipalName": [f"HOST/{name}", f"HOST/{name}.school.test"],
            "objectGUID": f"00000000-0000-4000-8002-{rid:012d}",
        }  # fmt: skip
        return self.add(f"CN={name.upper()},{unit},{BASE}", **(given | attributes))

    # -- answering ----------------------------------------------------------------------------------------------------

    def answer(self, question: Question) -> Answer:
        """Answer a question as the transport would."""
        if self.failure:
            return Answer(failure=self.failure)
        assert isinstance(question, LdapSearch)
        base = ",".join(p for p in (question.rdn, _NCS[question.nc]) if p)
        match = parse_filter(question.filter)
        wanted = {a.lower() for a in (*question.attributes, *question.binary)} - self.hidden
        binary = {b.lower() for b in question.binary}
        found = [
            {"dn": dn, "attributes": {n: _values(n, v, n in binary) for n, v in attributes.items() if n in wanted}}
            for dn, attributes in self.entries.items()
            if _in_scope(dn, base, question.scope) and match(attributes)
        ]
        return Answer(sorted(found, key=lambda e: str(e["dn"])))


def _values(name: str, values: list[str], binary: bool) -> list[str]:
    if not binary:
        return values
    if name in _SIDS:
        return [base64.b64encode(sid.sid_bytes(v)).decode() for v in values]
    if name == "repsfrom":
        return [base64.b64encode(reps_from(*v.split())).decode() for v in values]
    if name in _GUIDS:
        return [base64.b64encode(sid.guid_bytes(v)).decode() for v in values]
    return [DESCRIPTORS[v] for v in values]


def reps_from(source: str, failures: str, success: str, result: str = "0") -> bytes:
    """Make a replica link: who, failed attempts in a row, FILETIME of the last success, Win32 error."""
    at = int(success) // 10**7
    head = struct.pack("<IIIIQQI", 2, 0, 232, int(failures), at, at, int(result))
    return head.ljust(160, b"\0") + sid.guid_bytes(source).ljust(72, b"\0")


def _in_scope(dn: str, base: str, scope: str) -> bool:
    if scope == "base":
        return distinguished_name.key(dn) == distinguished_name.key(base)
    if scope == "one":
        return dn != "" and distinguished_name.key(distinguished_name.parent(dn)) == distinguished_name.key(base)
    partition = dn.endswith(CONFIG) and base == BASE  # another naming context
    return not partition and (distinguished_name.key(dn) == distinguished_name.key(base)
                              or distinguished_name.is_below(dn, base))  # fmt: skip


Match = Callable[[Mapping[str, list[str]]], bool]


def parse_filter(text: str) -> Match:
    """Read the filters that keuring uses (RFC 4515): and, or, not, presence, equality."""
    match, rest = _filter(text)
    assert not rest, rest
    return match


def _filter(text: str) -> tuple[Match, str]:
    assert text[0] == "(", text
    if text[1] in "&|!":
        parts, rest = [], text[2:]
        while rest[0] == "(":
            part, rest = _filter(rest)
            parts.append(part)
        if text[1] == "!":
            return (lambda e: not parts[0](e)), rest[1:]
        together = all if text[1] == "&" else any
        return (lambda e: together(p(e) for p in parts)), rest[1:]
    inside, _, rest = text[1:].partition(")")
    name, _, value = inside.partition("=")
    key = name.lower()
    if value == "*":
        return (lambda e: key == "objectclass" or bool(e.get(key))), rest
    return (lambda e: any(v.casefold() == value.casefold() for v in e.get(key, ()))), rest


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
    )  # fmt: skip
    d.add(f"CN=RID Manager$,CN=System,{BASE}", fSMORoleOwner=_service("DC1"))
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
    d.computer("dc1", 1000, "OU=Domain Controllers", userAccountControl=0x82000, primaryGroupID=516)
    d.computer("dc2", 1001, "OU=Domain Controllers", userAccountControl=0x82000, primaryGroupID=516)
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


def judge(
    section: Mapping[str, Any], directory: Directory, *, others: Mapping[str, Directory] | None = None,
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
