"""Writes `run-rich/` anew: a made run with every verdict, decision and failure, and with hostile answers.

Its manifest.json and decisions.yml are written by hand; evidence, findings and summary are made from what stands here.
Run it from the repository: `python tests/reporting/data/make_run_rich.py`. Then accept the golden files.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from audits import competences, evidence, summary, texts
from audits.decisions import apply, load
from audits.evaluate import Finding
from audits.run import as_json
from audits.transports.base import Answer
from checks.core import Severity, Verdict
from checks.questions import DnsQuery, Failure, FailureKind, LdapSearch, Question, Shell, SmbRead, SmbSecurity, TlsProbe

HERE = Path(__file__).parent
RUN = HERE / "run-rich"
WORDS = texts.read(HERE / "texts")
KNOWN = competences.load()
START = dt.datetime(2026, 11, 24, 9, 15, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 11, 24)

ANSWERS = HERE / "answers"
SSHD, UNITS = ((ANSWERS / name).read_text("utf-8") for name in ("sshd.txt", "units.txt"))
HOSTILE = (
    "<script>alert('xss')</script><img src=x onerror=alert(1)>"
    "\x1b[31mROOD\x1b[0m \u202egnp.exe\u202c\u200b '\"`&{{7*7}}"
)
GROUP = "CN=G_Docenten,OU=Groepen,DC=school,DC=test"


P, F, U, N, M = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE, Verdict.MANUAL


class Maker:
    """Collects evidence and findings."""

    def __init__(self) -> None:
        RUN.mkdir(exist_ok=True)
        (RUN / evidence.FILE).unlink(missing_ok=True)
        self.evidence = evidence.Evidence(RUN / evidence.FILE)
        self.findings: list[Finding] = []
        self.clock = START

    def ask(
        self, target: str, question: Question, value: Any = None, failure: Failure | None = None, via: str = ""
    ) -> int:
        """Record an answer and give its number."""
        self.clock += dt.timedelta(milliseconds=340)
        took = 0.04 + len(self.evidence.records) * 0.013
        at = self.clock.isoformat(timespec="milliseconds")
        return self.evidence.append(target, question, Answer(value, failure, at, round(took, 4), via)).seq

    def shell(
        self, target: str, command: str, stdout: str, *, root: bool = False, status: int = 0, stderr: str = ""
    ) -> int:
        """Record the answer of a command."""
        return self.ask(target, Shell(command, root=root), {"status": status, "stdout": stdout, "stderr": stderr})

    def find(
        self,
        check: str,
        target: str,
        verdict: Verdict,
        *seqs: int,
        of: str = "",
        want: Any = None,
        seen: Any = None,
        **more: Any,
    ) -> None:
        """Add a finding of something, with what is wanted and what was seen."""
        made = Finding(
            check,
            target,
            of,
            more.pop("requirement", f"{check.partition('.')[0]}-{of or target}"[:40]),
            verdict,
            verdict,
            Severity(WORDS.severity(check)),
            KNOWN.bullets_of(check),
            want,
            seen,
            evidence=seqs,
            **more,
        )
        self.findings.append(made)


def hosts(m: Maker) -> None:
    """Record what the hosts say."""
    for name in ("dc1", "dc2", "files1", "web1", "router1"):
        root = password = "yes" if name == "web1" else "no"
        sshd = m.shell(name, "sshd -T", SSHD.format(root=root, password=password), root=True)
        units = m.shell(name, "systemctl list-units --type=service --all --plain --no-legend", UNITS)
        system = m.shell(name, "cat /etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\n')
        good = root == "no"
        for check, seen in (("root_cannot_log_in", root), ("passwords_are_refused", password)):
            verdict = P if good else F
            key = "permit_root_login" if check.startswith("root") else "password_authentication"
            m.find(f"openssh.{check}", name, verdict, sshd, want={key: "no"}, seen={key: seen})
        m.find(
            "hosts.system_is_declared",
            name,
            P,
            system,
            want={"name": "Debian GNU/Linux", "version": {"at_least": "13"}},
            seen={"name": "Debian GNU/Linux", "version": "13"},
        )
        for service in ("chrony", "ssh"):
            state = {"running": True, "enabled": True}
            m.find("units.service_runs", name, P, units, of=service, want=state, seen=state, params={"name": service})
        if name == "web1":
            m.find(
                "units.service_runs",
                name,
                F,
                units,
                of="nginx",
                want={"running": True, "enabled": True},
                seen={"running": False, "enabled": True, "state": "failed"},
                params={"name": "nginx"},
                hint="Wat zegt `systemctl status nginx` over het configuratiebestand?",
                possible=2,
                earned=0,
            )
    rules = m.shell(
        "router1",
        "nft list ruleset",
        "table inet filter {\n  chain forward {\n    type filter hook forward priority 0; policy accept;\n  }\n}\n",
        root=True,
    )
    m.find(
        "firewall.refuses_by_default",
        "router1",
        F,
        rules,
        of="forward",
        want={"policy": "drop"},
        seen={"policy": "accept"},
    )
    refused = m.ask(
        "router1",
        Shell("vtysh -c 'show ip route json'", root=True),
        failure=Failure(FailureKind.NOT_INSTALLED, "vtysh: command not found"),
    )
    m.find(
        "network.routes_are_declared",
        "router1",
        U,
        refused,
        want={"routes": ["10.77.20.0/24", "10.77.30.0/24"]},
        failure=Failure(FailureKind.NOT_INSTALLED, "vtysh: command not found"),
    )
    timer = m.shell(
        "files1",
        "systemctl list-timers --all --output=json",
        '[{"next":1795500000,"unit":"back-up.timer","last":1794500000}]',
    )
    m.find(
        "backups.are_recent",
        "files1",
        F,
        timer,
        of="back-up",
        want={"age_in_hours": {"at_most": 26}},
        seen={"age_in_hours": 213},
        params={"name": "back-up", "hours": 26},
    )
    packages = m.shell(
        "files1", "dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'", "samba 2:4.22.4 ii\nacl 2.3.2 ii\n"
    )
    m.find(
        "software.package_is_installed",
        "files1",
        P,
        packages,
        of="samba",
        want={"installed": True},
        seen={"installed": True, "version": "2:4.22.4"},
    )
    m.find(
        "software.package_is_installed",
        "files1",
        F,
        packages,
        of="clamav",
        want={"installed": True},
        seen={"installed": False},
    )
    dead = m.ask(
        "client1",
        Shell("realm list"),
        failure=Failure(FailureKind.UNREACHABLE, "connect to 10.77.20.50 port 22: No route to host"),
    )
    for check in ("membership.is_joined", "hosts.system_is_declared"):
        m.find(
            check,
            "client1",
            U,
            dead,
            failure=Failure(FailureKind.UNREACHABLE, "connect to 10.77.20.50 port 22: No route to host"),
            want={"domain": "school.test"},
        )
    m.find("web.certificate_is_valid", "web1", N, of="intranet", note="needs: units-nginx")
    tls = m.ask(
        "web1",
        TlsProbe(443, server_name="www.school.test"),
        json.loads((ANSWERS / "tls.json").read_text("utf-8")),
    )
    m.find(
        "web.certificate_is_valid",
        "web1",
        F,
        tls,
        of="www.school.test",
        want={"days_left": {"at_least": 30}, "names": ["school.test", "www.school.test"]},
        seen={"days_left": 6, "names": ["www.school.test"]},
        note="CN=School CA",
    )


def directory(m: Maker) -> None:
    """Record what the directory, the shares and the DNS say."""
    entries = [
        {"dn": f"CN=user{i:03},OU=Docenten,DC=school,DC=test", "attributes": {"samaccountname": [f"user{i:03}"]}}
        for i in range(60)
    ]
    entries.append(
        {
            "dn": GROUP,
            "attributes": {
                "member": [
                    "CN=An Peeters,OU=Docenten,DC=school,DC=test",
                    "CN=stagiair1,OU=Studenten,DC=school,DC=test",
                ],
                "grouptype": ["-2147483646"],
            },
        }
    )
    groups = m.ask("school.test", LdapSearch("(objectClass=group)", ("member", "groupType")), entries, via="dc1")
    m.find(
        "groups.members_are_declared",
        "school.test",
        F,
        groups,
        of="G_Docenten",
        want={"exactly": ["an.peeters", "bo.janssens", "els.maes"]},
        seen={"members": ["an.peeters", "els.maes", "stagiair1"], "missing": ["bo.janssens"], "extra": ["stagiair1"]},
        params={"name": "G_Docenten"},
    )
    many = [f"leerling{i:04}" for i in range(250)]
    m.find(
        "groups.members_are_declared",
        "school.test",
        P,
        groups,
        of="G_Studenten",
        want={"at_least": many},
        seen={"members": many},
    )
    policy = m.ask(
        "school.test",
        LdapSearch("(objectClass=domainDNS)", ("minPwdLength", "lockoutThreshold"), scope="base"),
        [{"dn": "DC=school,DC=test", "attributes": {"minpwdlength": ["8"], "lockoutthreshold": ["5"]}}],
        via="dc1",
    )
    m.find(
        "passwords.policy_is_declared",
        "school.test",
        F,
        policy,
        want={"minimum_length": {"at_least": 12}, "lockout_threshold": {"at_most": 5}},
        seen={"minimum_length": 8, "lockout_threshold": 5},
        possible=3,
        earned=0,
    )
    link = m.ask(
        "school.test",
        LdapSearch("(gPLink=*)", ("gPLink",), nc="default"),
        [{"dn": "OU=Werkstations,DC=school,DC=test", "attributes": {"gplink": ["[LDAP://CN={31B2F340}…;0]"]}}],
        via="dc2",
    )
    m.find(
        "group_policy.is_linked_where_declared",
        "school.test",
        P,
        link,
        of="School - Werkstations",
        want=["OU=Werkstations"],
        seen=["OU=Werkstations"],
    )
    m.find(
        "group_policy.is_linked_where_declared",
        "school.test",
        F,
        link,
        of="School - Drives docenten",
        want=["OU=Docenten"],
        seen=["OU=Docenten", "OU=Studenten"],
    )
    denied = m.ask(
        "school.test",
        SmbRead("SYSVOL", "{domain}\\Policies\\{31B2F340-016D-11D2-945F-00C04FB984F9}\\GPT.INI"),
        failure=Failure(FailureKind.DENIED, "STATUS_ACCESS_DENIED"),
        via="dc1",
    )
    m.find(
        "group_policy.versions_agree",
        "school.test",
        U,
        denied,
        of="School - Wachtwoordbeleid",
        failure=Failure(FailureKind.DENIED, "STATUS_ACCESS_DENIED"),
    )
    m.find("replication.is_healthy", "school.test", P, link, of="dc1 → dc2", want={"errors": 0}, seen={"errors": 0})
    security = m.ask("files1", SmbSecurity("examens"), "AQAEgBQAAAAkAAAAAAAAADQAAAABAgAAAAAABSAAAAAgAgAA")
    m.find(
        "shares.access_is_declared",
        "files1",
        F,
        security,
        of="examens",
        want={"G_Studenten": {"read": False, "write": True}, "G_Docenten": {"read": True, "write": True}},
        seen={"G_Studenten": {"read": True, "write": True}, "G_Docenten": {"read": True, "write": True}},
        note="(A;OICI;0x1301bf;;;G_Studenten)",
    )
    for name, good in (("dc1.school.test", True), ("files1.school.test", True), ("intranet.school.test", False)):
        seq = m.ask(
            "dns",
            DnsQuery(name),
            {
                "rcode": "NOERROR" if good else "NXDOMAIN",
                "flags": ["AA", "RA"],
                "answers": [{"name": name, "type": "A", "ttl": 900, "data": "10.77.10.20"}] if good else [],
            },
            via="dc1",
        )
        m.find(
            "resolvers.record_answers",
            "dns",
            P if good else F,
            seq,
            of=name,
            want={"exactly": ["10.77.10.20"]},
            seen={"members": ["10.77.10.20"]} if good else {"members": [], "missing": ["10.77.10.20"]},
            params={"name": name},
        )


def hostile(m: Maker) -> None:
    """Record a student's machine that answers anything."""
    long = "A" * 100_000
    seq = m.shell(
        "student7", "hostnamectl --json=short", f"{HOSTILE}\n{long}\n" + "regel\n" * 3000 + HOSTILE, stderr="\x07\x00"
    )
    m.find(
        "hosts.system_is_declared",
        "student7",
        F,
        seq,
        of=HOSTILE,
        want={"name": "Debian GNU/Linux"},
        seen={"name": HOSTILE, HOSTILE: [HOSTILE, long], "version": "Z̸̢̛͎̬͔̰̦͙̯̣͖̊̈́͋͌̓̕͠ąl̷go", "lines": "één\ntwee\tdrie"},
        note=HOSTILE,
    )
    m.find(
        "hosts.system_is_declared",
        "student7",
        F,
        9999,
        of="=cmd|' /C calc'!A0",
        want=["-1+1", "@SUM(1)"],
        seen=["=1+1"],
    )
    for kind in FailureKind:
        m.find(
            "units.service_runs",
            "student7",
            U,
            seq,
            of=str(kind),
            failure=Failure(kind, f"{kind}: {HOSTILE}"),
            want={"running": True},
        )
    nested: Any = "diep"
    for _ in range(40):
        nested = {"value": [nested]}
    m.find("units.service_runs", "student7", P, seq, of="diep", want=nested, seen=nested)
    m.find("old.check_that_is_gone", "student7", F, seq, want=1.5, seen=None)


def people(m: Maker) -> None:
    """Add the questions, and what people decided."""
    for asked in KNOWN.attestations:
        m.find(f"attestation.{asked.id}", "", M, of=asked.bullet, requirement=f"attestation.{asked.id}")
    apply(m.findings, load(RUN / "decisions.yml"), TODAY)


def main() -> None:
    """Write the run."""
    m = Maker()
    for part in (hosts, directory, hostile, people):
        part(m)
    m.evidence.close()
    times = {"collect": 7.412, "evaluate": 0.091}
    total = summary.summarise(m.findings, KNOWN.bullets_by_competence(), times, 80.0)
    manifest = json.loads((RUN / "manifest.json").read_text("utf-8")) | {
        "times": times,
        "evidence_head": m.evidence.head,
    }
    for name, data in (("manifest.json", manifest), ("summary.json", total)):
        (RUN / name).write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", "utf-8")
    lines = (json.dumps(as_json(f, "nl", WORDS), ensure_ascii=False) + "\n" for f in m.findings)
    (RUN / "findings.jsonl").write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
