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

SSHD = """port 22
addressfamily any
listenaddress 0.0.0.0:22
permitrootlogin {root}
pubkeyauthentication yes
passwordauthentication {password}
kbdinteractiveauthentication no
x11forwarding no
maxauthtries 6
clientaliveinterval 300
allowgroups beheer
ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com
"""
UNITS = "".join(
    f"{name}.service loaded {active} {sub} enabled {text}\n"
    for name, active, sub, text in (
        ("chrony", "active", "running", "chrony, an NTP client/server"),
        ("cron", "active", "running", "Regular background program processing daemon"),
        ("nginx", "failed", "failed", "A high performance web server and a reverse proxy server"),
        ("rsyslog", "active", "running", "System Logging Service"),
        ("smbd", "active", "running", "Samba SMB Daemon"),
        ("ssh", "active", "running", "OpenBSD Secure Shell server"),
        ("unattended-upgrades", "inactive", "dead", "Unattended Upgrades Shutdown"),
    )
)
HOSTILE = (
    "<script>alert('xss')</script><img src=x onerror=alert(1)>"
    "\x1b[31mROOD\x1b[0m \u202egnp.exe\u202c\u200b '\"`&{{7*7}}"
)
GROUP = "CN=G_Docenten,OU=Groepen,DC=school,DC=test"


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

    def find(self, check: str, target: str, verdict: Verdict, *seqs: int, subject: str = "", **more: Any) -> Finding:
        """Add a finding."""
        made = Finding(
            check,
            target,
            subject,
            more.pop("requirement", f"{check.partition('.')[0]}-{subject or target}"[:40]),
            verdict,
            verdict,
            Severity(WORDS.severity(check)),
            KNOWN.bullets_of(check),
            evidence=seqs,
            **more,
        )
        self.findings.append(made)
        return made


def hosts(m: Maker) -> None:
    """Record what the hosts say."""
    for name, root, password in (
        ("dc1", "no", "no"),
        ("dc2", "no", "no"),
        ("files1", "no", "no"),
        ("web1", "yes", "yes"),
        ("router1", "no", "no"),
    ):
        sshd = m.shell(name, "sshd -T", SSHD.format(root=root, password=password), root=True)
        units = m.shell(name, "systemctl list-units --type=service --all --plain --no-legend", UNITS)
        system = m.shell(name, "cat /etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\n')
        good = root == "no"
        for check, seen in (("root_cannot_log_in", root), ("passwords_are_refused", password)):
            verdict = Verdict.PASS if good else Verdict.FAIL
            key = "permit_root_login" if check.startswith("root") else "password_authentication"
            m.find(f"openssh.{check}", name, verdict, sshd, expected={key: "no"}, observed={key: seen})
        m.find(
            "hosts.system_is_declared",
            name,
            Verdict.PASS,
            system,
            expected={"name": "Debian GNU/Linux", "version": {"at_least": "13"}},
            observed={"name": "Debian GNU/Linux", "version": "13"},
        )
        for service in ("chrony", "ssh"):
            state = {"running": True, "enabled": True}
            m.find(
                "units.service_runs",
                name,
                Verdict.PASS,
                units,
                subject=service,
                expected=state,
                observed=state,
                params={"name": service},
            )
        if name == "web1":
            m.find(
                "units.service_runs",
                name,
                Verdict.FAIL,
                units,
                subject="nginx",
                expected={"running": True, "enabled": True},
                observed={"running": False, "enabled": True, "state": "failed"},
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
        Verdict.FAIL,
        rules,
        subject="forward",
        expected={"policy": "drop"},
        observed={"policy": "accept"},
    )
    refused = m.ask(
        "router1",
        Shell("vtysh -c 'show ip route json'", root=True),
        failure=Failure(FailureKind.NOT_INSTALLED, "vtysh: command not found"),
    )
    m.find(
        "network.routes_are_declared",
        "router1",
        Verdict.UNKNOWN,
        refused,
        expected={"routes": ["10.77.20.0/24", "10.77.30.0/24"]},
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
        Verdict.FAIL,
        timer,
        subject="back-up",
        expected={"age_in_hours": {"at_most": 26}},
        observed={"age_in_hours": 213},
        params={"name": "back-up", "hours": 26},
    )
    packages = m.shell(
        "files1", "dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'", "samba 2:4.22.4 ii\nacl 2.3.2 ii\n"
    )
    m.find(
        "software.package_is_installed",
        "files1",
        Verdict.PASS,
        packages,
        subject="samba",
        expected={"installed": True},
        observed={"installed": True, "version": "2:4.22.4"},
    )
    m.find(
        "software.package_is_installed",
        "files1",
        Verdict.FAIL,
        packages,
        subject="clamav",
        expected={"installed": True},
        observed={"installed": False},
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
            Verdict.UNKNOWN,
            dead,
            failure=Failure(FailureKind.UNREACHABLE, "connect to 10.77.20.50 port 22: No route to host"),
            expected={"domain": "school.test"},
        )
    m.find("web.certificate_is_valid", "web1", Verdict.NOT_APPLICABLE, subject="intranet", note="needs: units-nginx")
    tls = m.ask(
        "web1",
        TlsProbe(443, server_name="www.school.test"),
        {
            "at": "2026-11-24T09:15:30Z",
            "version": "TLSv1.2",
            "alpn": None,
            "trusted": True,
            "trust_error": None,
            "subject": "CN=www.school.test",
            "issuer": "CN=School CA",
            "names": ["www.school.test"],
            "not_before": "2025-12-01T00:00:00Z",
            "not_after": "2026-12-01T00:00:00Z",
            "key": "rsa2048",
            "signature": "sha256",
            "chain": ["CN=School CA"],
            "accepts": {"TLSv1.2": True},
        },
    )
    m.find(
        "web.certificate_is_valid",
        "web1",
        Verdict.FAIL,
        tls,
        subject="www.school.test",
        expected={"days_left": {"at_least": 30}, "names": ["school.test", "www.school.test"]},
        observed={"days_left": 6, "names": ["www.school.test"]},
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
        Verdict.FAIL,
        groups,
        subject="G_Docenten",
        expected={"exactly": ["an.peeters", "bo.janssens", "els.maes"]},
        observed={
            "members": ["an.peeters", "els.maes", "stagiair1"],
            "missing": ["bo.janssens"],
            "extra": ["stagiair1"],
        },
        params={"name": "G_Docenten"},
    )
    many = [f"leerling{i:04}" for i in range(250)]
    m.find(
        "groups.members_are_declared",
        "school.test",
        Verdict.PASS,
        groups,
        subject="G_Studenten",
        expected={"at_least": many},
        observed={"members": many},
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
        Verdict.FAIL,
        policy,
        expected={"minimum_length": {"at_least": 12}, "lockout_threshold": {"at_most": 5}},
        observed={"minimum_length": 8, "lockout_threshold": 5},
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
        Verdict.PASS,
        link,
        subject="School - Werkstations",
        expected=["OU=Werkstations"],
        observed=["OU=Werkstations"],
    )
    m.find(
        "group_policy.is_linked_where_declared",
        "school.test",
        Verdict.FAIL,
        link,
        subject="School - Drives docenten",
        expected=["OU=Docenten"],
        observed=["OU=Docenten", "OU=Studenten"],
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
        Verdict.UNKNOWN,
        denied,
        subject="School - Wachtwoordbeleid",
        failure=Failure(FailureKind.DENIED, "STATUS_ACCESS_DENIED"),
    )
    m.find(
        "replication.is_healthy",
        "school.test",
        Verdict.PASS,
        link,
        subject="dc1 → dc2",
        expected={"errors": 0},
        observed={"errors": 0},
    )
    security = m.ask("files1", SmbSecurity("examens"), "AQAEgBQAAAAkAAAAAAAAADQAAAABAgAAAAAABSAAAAAgAgAA")
    m.find(
        "shares.access_is_declared",
        "files1",
        Verdict.FAIL,
        security,
        subject="examens",
        expected={"G_Studenten": {"read": False, "write": True}, "G_Docenten": {"read": True, "write": True}},
        observed={"G_Studenten": {"read": True, "write": True}, "G_Docenten": {"read": True, "write": True}},
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
            Verdict.PASS if good else Verdict.FAIL,
            seq,
            subject=name,
            expected={"exactly": ["10.77.10.20"]},
            observed={"members": ["10.77.10.20"]} if good else {"members": [], "missing": ["10.77.10.20"]},
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
        Verdict.FAIL,
        seq,
        subject=HOSTILE,
        expected={"name": "Debian GNU/Linux"},
        observed={"name": HOSTILE, HOSTILE: [HOSTILE, long], "version": "Z̸̢̛͎̬͔̰̦͙̯̣͖̊̈́͋͌̓̕͠ąl̷go", "lines": "één\ntwee\tdrie"},
        note=HOSTILE,
    )
    m.find(
        "hosts.system_is_declared",
        "student7",
        Verdict.FAIL,
        9999,
        subject="=cmd|' /C calc'!A0",
        expected=["-1+1", "@SUM(1)"],
        observed=["=1+1"],
    )
    for kind in FailureKind:
        m.find(
            "units.service_runs",
            "student7",
            Verdict.UNKNOWN,
            seq,
            subject=str(kind),
            failure=Failure(kind, f"{kind}: {HOSTILE}"),
            expected={"running": True},
        )
    nested: Any = "diep"
    for _ in range(40):
        nested = {"value": [nested]}
    m.find("units.service_runs", "student7", Verdict.PASS, seq, subject="diep", expected=nested, observed=nested)
    m.find("old.check_that_is_gone", "student7", Verdict.FAIL, seq, expected=1.5, observed=None)


def people(m: Maker) -> None:
    """Add the questions, and what people decided."""
    for asked in KNOWN.attestations:
        m.find(
            f"attestation.{asked.id}", "", Verdict.MANUAL, subject=asked.bullet, requirement=f"attestation.{asked.id}"
        )
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
