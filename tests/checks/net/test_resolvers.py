"""What name servers answer and how hosts resolve, judged both ways; the hosts' script run for real."""

from __future__ import annotations

import base64
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from audits import schema
from audits.evaluate import Finding
from checks.core import KINDS, Output, Scope, Unreadable, Verdict
from checks.facts.resolvers import Resolved, normal, reverse_of
from checks.formats import dns_message
from checks.questions import DnsQuery, Failure, FailureKind, Question

Judge = Callable[..., dict[str, list[Finding]]]
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
DOWN = Failure(FailureKind.TIMED_OUT, "no answer")
WWW = "www.school.test"


def reply(
    *data: str, name: str = WWW, of: str = "A", rcode: str = "NOERROR", flags: str = "QR AA RD RA", ttl: int = 300
) -> Any:
    answers = [{"name": name, "type": of, "ttl": ttl, "data": d} for d in data]
    return {"rcode": rcode, "flags": flags.split(), "answers": answers}


NX = reply(rcode="NXDOMAIN")
REFUSED = reply(rcode="REFUSED")


def records(judge: Judge, entry: dict[str, Any], one: Any, two: Any) -> dict[str, list[Finding]]:
    return judge(Scope.DNS, "records", {"name": WWW, **entry}, lambda target, _: {"dc1": one, "dc2": two}[target])


ALIAS = {
    "rcode": "NOERROR",
    "flags": ["AA"],
    "answers": [
        {"name": "web1.school.test", "type": "A", "ttl": 60, "data": "10.0.0.1"},
        {"name": "www.school.test", "type": "CNAME", "ttl": 60, "data": "web1.school.test"},
        {"name": "evil.test", "type": "A", "ttl": 60, "data": "6.6.6.6"},
    ],
}
LOOP = {
    "rcode": "NOERROR",
    "flags": ["AA"],
    "answers": [
        {"name": WWW, "type": "CNAME", "ttl": 60, "data": "b.test"},
        {"name": "b.test", "type": "CNAME", "ttl": 60, "data": WWW},
    ],
}
GOOD = reply("10.0.0.1")
DATA: list[tuple[dict[str, Any], Any, Any, Verdict]] = [
    ({"data": "10.0.0.1"}, GOOD, GOOD, PASS),
    ({"data": ["10.0.0.1"]}, GOOD, GOOD, PASS),
    ({"data": "10.0.0.2"}, GOOD, GOOD, FAIL),
    ({"data": "10.0.0.1"}, GOOD, NX, FAIL),
    ({"data": "10.0.0.1"}, DOWN, NX, FAIL),
    ({"data": "10.0.0.1"}, DOWN, GOOD, UNKNOWN),
    ({"data": "10.0.0.1"}, None, GOOD, UNKNOWN),
    ({"data": "10.0.0.1"}, GOOD, REFUSED, FAIL),
    ({"data": ["10.0.0.1", "10.0.0.2"]}, GOOD, GOOD, FAIL),
    ({"data": "10.0.0.1"}, reply("10.0.0.2", "10.0.0.1"), GOOD, FAIL),
    ({"data": "10.0.0.1", "exact": False}, reply("10.0.0.2", "10.0.0.1"), GOOD, PASS),
    ({"data": []}, NX, NX, PASS),
    ({"data": []}, reply(), NX, PASS),
    ({"data": []}, GOOD, NX, FAIL),
    ({"data": []}, REFUSED, NX, UNKNOWN),
    ({"data": []}, reply(rcode="SERVFAIL"), NX, UNKNOWN),
    ({"data": "10.0.0.1"}, ALIAS, ALIAS, PASS),
    ({"data": "Web1.School.Test.", "type": "CNAME"}, ALIAS, ALIAS, PASS),
    ({"data": "10.0.0.1"}, LOOP, GOOD, FAIL),
    ({"data": "10.0.0.1"}, reply("10.0.0.1", name="other.test"), GOOD, FAIL),
    ({"data": "FD00:0::1", "type": "AAAA"}, reply("fd00::1", of="AAAA"), reply("fd00::1", of="AAAA"), PASS),
    ({"data": "v=spf1  -all", "type": "TXT"}, *(2 * (reply('"v=spf1 " " -all"', of="TXT"),)), PASS),
    ({"data": '"V=spf1 -all"', "type": "TXT"}, *(2 * (reply('"v=spf1 -all"', of="TXT"),)), FAIL),
    ({"data": "10  Mail.school.test.", "type": "MX"}, *(2 * (reply("10 mail.school.test", of="MX"),)), PASS),
    ({"data": "0 100 389 dc1", "type": "SRV"}, *(2 * (reply("0 100 389 dc1.school.test", of="SRV"),)), FAIL),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "one", "two", "verdict"), DATA)
def test_data(judge: Judge, entry: dict[str, Any], one: Any, two: Any, verdict: Verdict) -> None:
    (finding,) = records(judge, entry, one, two)["record_has_data"]
    assert finding.verdict == verdict
    assert finding.subject == f"{WWW} {entry.get('type', 'A')}"


def test_the_note_names_the_server(judge: Judge) -> None:
    (finding,) = records(judge, {"data": "10.0.0.1"}, GOOD, NX)["record_has_data"]
    assert finding.note == "dc2: NXDOMAIN"
    assert (finding.expected, finding.observed) == (["10.0.0.1"], [])
    (finding,) = records(judge, {"data": "10.0.0.1"}, DOWN, GOOD)["record_has_data"]
    assert finding.note == "dc1"
    assert finding.failure == DOWN


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        (GOOD, GOOD, PASS),
        (GOOD, reply("10.0.0.1", ttl=5), PASS),
        (GOOD, NX, FAIL),
        (reply("10.0.0.1", "10.0.0.2"), reply("10.0.0.2", "10.0.0.1"), PASS),
        (GOOD, DOWN, UNKNOWN),
        (DOWN, DOWN, UNKNOWN),
    ],
)
def test_agreement(judge: Judge, one: Any, two: Any, verdict: Verdict) -> None:
    (finding,) = records(judge, {"data": "10.0.0.1"}, one, two)["resolvers_agree"]
    assert finding.verdict == verdict


@pytest.mark.parametrize(
    ("ttl", "answer", "verdict"),
    [
        (300, GOOD, PASS),
        (600, GOOD, FAIL),
        (600, reply("10.0.0.1", flags="QR RA"), PASS),
        (60, reply("10.0.0.1", flags="QR RA"), FAIL),
        (300, NX, FAIL),
        (300, DOWN, UNKNOWN),
    ],
)
def test_ttl(judge: Judge, ttl: int, answer: Any, verdict: Verdict) -> None:
    (finding,) = records(judge, {"data": "10.0.0.1", "ttl": ttl}, answer, answer)["record_has_ttl"]
    assert finding.verdict == verdict


def test_pointers(judge: Judge) -> None:
    def answers(_: str, question: Question) -> Any:
        assert isinstance(question, DnsQuery)
        if question.type == "PTR":
            name = {"1.0.0.10.in-addr.arpa": "www.school.test", "2.0.0.10.in-addr.arpa": "old.school.test"}
            return reply(name[question.name], name=question.name, of="PTR")
        return reply("10.0.0.1", "10.0.0.2")

    found = judge(
        Scope.DNS, "records", {"name": "WWW.school.test", "data": ["10.0.0.1", "10.0.0.2"], "ptr": True}, answers
    )
    assert [(f.subject, f.verdict) for f in found["address_has_pointer"]] == [("10.0.0.1", PASS), ("10.0.0.2", FAIL)]
    found = records(judge, {"data": "10.0.0.1", "ptr": True}, DOWN, DOWN)
    assert [f.verdict for f in found["address_has_pointer"]] == [UNKNOWN]
    assert "address_has_pointer" not in records(judge, {"data": "10.0.0.1", "ptr": False}, GOOD, GOOD)
    with pytest.raises(pydantic.ValidationError):
        schema.adapter(KINDS[Scope.DNS, "records"]).validate_python(
            {"name": "x", "type": "TXT", "data": "x", "ptr": True}
        )


def test_a_pointer_may_be_named_by_its_address(judge: Judge) -> None:
    def answers(_: str, question: Question) -> Any:
        assert question == DnsQuery("20.10.77.10.in-addr.arpa", "PTR")
        return reply("files1.school.test", name="20.10.77.10.in-addr.arpa", of="PTR")

    entry = {"name": "10.77.10.20", "type": "PTR", "data": "files1.school.test"}
    (finding,) = judge(Scope.DNS, "records", entry, answers)["record_has_data"]
    assert finding.verdict == PASS


# -- zones ------------------------------------------------------------------------------------------------------------


def soa(primary: str = "dc1.school.test", serial: int = 5, flags: str = "QR AA") -> Any:
    return reply(
        f"{primary} hostmaster.school.test {serial} 900 600 86400 300", name="school.test", of="SOA", flags=flags
    )


def names(*servers: str) -> Any:
    return reply(*servers, name="school.test", of="NS")


GIVEN = reply("10.0.0.1", name="a.school.test")
ZONES: list[tuple[str, dict[str, Any], Any, Any, Any, Verdict]] = [
    ("zone_is_served", {}, soa(), names(), REFUSED, PASS),
    ("zone_is_served", {}, soa(flags="QR RA"), names(), REFUSED, FAIL),
    ("zone_is_served", {}, NX, names(), REFUSED, FAIL),
    ("zone_is_served", {}, DOWN, names(), REFUSED, UNKNOWN),
    ("zone_primary_is_right", {"primary": "DC1.school.test"}, soa(), names(), REFUSED, PASS),
    ("zone_primary_is_right", {"primary": "ns.school.test"}, soa(), names(), REFUSED, FAIL),
    ("zone_primary_is_right", {"primary": "ns.school.test"}, NX, names(), REFUSED, FAIL),
    ("zone_primary_is_right", {"primary": "ns.school.test"}, DOWN, names(), REFUSED, UNKNOWN),
    ("name_servers_are_declared", {"name_servers": ["dc2.", "DC1"]}, soa(), names("dc1", "dc2"), REFUSED, PASS),
    ("name_servers_are_declared", {"name_servers": ["dc1"]}, soa(), names("dc1", "dc2"), REFUSED, FAIL),
    ("name_servers_are_declared", {"name_servers": ["dc1", "dc2"]}, soa(), names("dc1"), REFUSED, FAIL),
    ("name_servers_are_declared", {"name_servers": ["dc1"]}, soa(), DOWN, REFUSED, UNKNOWN),
    ("zone_serials_agree", {"same_serial": True}, soa(), names(), REFUSED, PASS),
    ("zone_serials_agree", {"same_serial": True}, NX, names(), REFUSED, FAIL),
    ("zone_serials_agree", {"same_serial": True}, DOWN, names(), REFUSED, UNKNOWN),
    ("zone_transfer_is_refused", {}, soa(), names(), REFUSED, PASS),
    ("zone_transfer_is_refused", {}, soa(), names(), reply(rcode="NOTAUTH"), PASS),
    ("zone_transfer_is_refused", {}, soa(), names(), reply(), PASS),
    ("zone_transfer_is_refused", {}, soa(), names(), GIVEN, FAIL),
    ("zone_transfer_is_refused", {}, NX, names(), GIVEN, FAIL),
    ("zone_transfer_is_refused", {}, NX, names(), REFUSED, UNKNOWN),
    ("zone_transfer_is_refused", {}, soa(), names(), reply(rcode="SERVFAIL"), UNKNOWN),
    ("zone_transfer_is_refused", {}, soa(), names(), DOWN, UNKNOWN),
    ("zone_transfer_is_refused", {}, DOWN, names(), REFUSED, UNKNOWN),
]  # fmt: skip


def zone_answers(authority: Any, servers: Any, transfer: Any) -> Callable[[str, Question], Any]:
    def answers(_: str, question: Question) -> Any:
        assert isinstance(question, DnsQuery)
        return {"SOA": authority, "NS": servers, "AXFR": transfer}[question.type]

    return answers


@pytest.mark.parametrize(("check", "entry", "authority", "servers", "transfer", "verdict"), ZONES)
def test_zones(
    judge: Judge, check: str, entry: dict[str, Any], authority: Any, servers: Any, transfer: Any, verdict: Verdict
) -> None:
    found = judge(Scope.DNS, "zones", {"name": "School.Test.", **entry}, zone_answers(authority, servers, transfer))
    assert [f.verdict for f in found[check]] == [verdict]


def test_serials_that_differ(judge: Judge) -> None:
    def answers(target: str, question: Question) -> Any:
        assert isinstance(question, DnsQuery)
        return names() if question.type == "NS" else soa(serial=5 if target == "dc1" else 6)

    (finding,) = judge(Scope.DNS, "zones", {"name": "school.test", "same_serial": True}, answers)["zone_serials_agree"]
    assert finding.verdict == FAIL
    assert finding.observed == {"dc1": 5, "dc2": 6}
    quiet = judge(Scope.DNS, "zones", {"name": "school.test", "transfer": "any"}, zone_answers(soa(), names(), GIVEN))
    assert "zone_transfer_is_refused" not in quiet


@pytest.mark.parametrize(
    ("allowed", "answer", "check", "verdict"),
    [
        (True, GOOD, "outside_names_resolve", PASS),
        (True, reply(rcode="SERVFAIL"), "outside_names_resolve", FAIL),
        (True, REFUSED, "outside_names_resolve", FAIL),
        (True, DOWN, "outside_names_resolve", UNKNOWN),
        (False, reply(rcode="REFUSED", flags="QR RD"), "recursion_is_refused", PASS),
        (False, reply(flags="QR RD"), "recursion_is_refused", PASS),
        (False, GOOD, "recursion_is_refused", FAIL),
        (False, reply(rcode="SERVFAIL", flags="QR RD RA"), "recursion_is_refused", FAIL),
        (False, DOWN, "recursion_is_refused", UNKNOWN),
    ],
)
def test_recursion(judge: Judge, allowed: bool, answer: Any, check: str, verdict: Verdict) -> None:
    found = judge(Scope.DNS, "recursion", {"allowed": allowed, "name": WWW}, lambda *_: answer)
    assert {c: [f.verdict for f in fs] for c, fs in found.items()} == {check: [verdict]}


# -- hosts ------------------------------------------------------------------------------------------------------------


def wire(rcode: int = 0, *answers: tuple[str, int, bytes]) -> str:
    """Make an answer as a name server sends it, in base64."""
    body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 60, len(data)) + data for _, number, data in answers)
    question = b"\x03www\x06school\x04test\0" + struct.pack("!HH", 1, 1)
    header = struct.pack("!6H", dns_message.IDENT, 0x8180 | rcode, 1, len(answers), 0, 0)
    return base64.b64encode(header + question + body).decode()


def host(judge: Judge, entry: dict[str, Any], stdout: str) -> Finding:
    answer = {"status": 0, "stdout": stdout, "stderr": ""}
    (finding,) = judge(Scope.HOST, "resolves", {"name": WWW, **entry}, lambda *_: answer)["name_resolves_from_here"]
    return finding


FOUND = "@@ ahostsv4\n10.0.0.1  STREAM www.school.test\n10.0.0.1  DGRAM\n10.0.0.1  RAW\n@@ status\n0\n"
NONE = "@@ ahostsv4\n@@ status\n2\n"
SERVER = "@@ server\n10.77.10.11\n@@ answer\n"
MAIL = ("", 15, struct.pack("!H", 10) + b"\x04MAIL\xc0\x10")
HOSTS: list[tuple[dict[str, Any], str, Verdict]] = [
    ({"data": "10.0.0.1"}, FOUND, PASS),
    ({"data": "10.0.0.2"}, FOUND, FAIL),
    ({"data": []}, FOUND, FAIL),
    ({"data": ["10.0.0.1", "10.0.0.2"]}, FOUND, FAIL),
    ({"data": "10.0.0.1"}, NONE + SERVER + wire(3), FAIL),
    ({"data": []}, NONE + SERVER + wire(3), PASS),
    ({"data": []}, NONE + SERVER + wire(0), PASS),
    ({"data": []}, NONE + SERVER + wire(2), UNKNOWN),
    ({"data": []}, NONE, UNKNOWN),
    ({"data": []}, NONE + "@@ toolless\n", UNKNOWN),
    ({"data": "10.0.0.1"}, NONE + SERVER + wire(2), FAIL),
    ({"data": "10.0.0.1"}, NONE, FAIL),
    ({"data": "10.0.0.1"}, "", UNKNOWN),
    ({"data": "10.0.0.1"}, "@@ toolless\n", UNKNOWN),
    ({"data": "10.0.0.1"}, "@@ ahostsv4\n@@ status\n124\n", FAIL),
    ({"data": []}, "@@ ahostsv4\n@@ status\n124\n", UNKNOWN),
    ({"data": "10.0.0.1"}, "@@ ahostsv4\n@@ status\n1\n", UNKNOWN),
    ({"data": "10.0.0.1"}, SERVER + wire(0, ("", 1, bytes([10, 0, 0, 1]))), PASS),
    ({"data": "10 mail.school.test", "type": "MX"}, SERVER + wire(0, MAIL), PASS),
    ({"data": "10 mail.school.test", "type": "MX"}, SERVER + wire(3), FAIL),
    ({"data": "10 mail.school.test", "type": "MX"}, "", UNKNOWN),
    ({"data": "x", "type": "MX"}, SERVER + "!!!", UNKNOWN),
    ({"data": "x", "type": "MX"}, SERVER + base64.b64encode(b"short").decode(), UNKNOWN),
    ({"data": "fd00::1", "type": "AAAA"}, "@@ ahostsv6\nfd00::1 STREAM x\n@@ status\n0\n", PASS),
    ({"data": [], "type": "AAAA"}, "@@ ahostsv6\n::ffff:10.0.0.1 STREAM x\n@@ status\n0\n" + SERVER + wire(0), PASS),
    ({"name": "10.0.0.1", "data": WWW, "type": "PTR"}, f"@@ hosts\n10.0.0.1  {WWW} www\n@@ status\n0\n", PASS),
    ({"name": "10.0.0.1", "data": WWW, "type": "PTR"}, "@@ hosts\n10.0.0.1  x.test\n@@ status\n0\n", FAIL),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "stdout", "verdict"), HOSTS)
def test_hosts(judge: Judge, entry: dict[str, Any], stdout: str, verdict: Verdict) -> None:
    assert host(judge, entry, stdout).verdict == verdict


def test_a_host_that_cannot_be_asked(judge: Judge) -> None:
    found = judge(Scope.HOST, "resolves", {"name": WWW, "data": "10.0.0.1"}, lambda *_: DOWN)
    assert [f.verdict for fs in found.values() for f in fs] == [UNKNOWN]


ZONE = """$TTL 60
@ SOA dc1 hostmaster 1 900 600 86400 300
@ NS dc1
@ MX 10 mail
dc1 A 10.0.0.1
dc1 AAAA fd00::1
www CNAME dc1
tenletters A 10.0.0.10
t TXT "one two"
_ldap._tcp SRV 0 100 389 dc1
"""
REVERSE = "$TTL 60\n@ SOA dc1.school.test. h 1 900 600 86400 300\n@ NS dc1.school.test.\n1 PTR dc1.school.test.\n"


@pytest.fixture(scope="module")
def on_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Resolved]]:
    """Give a function that runs the script where BIND is the name server: in a network of its own (root only)."""
    tools = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    named = shutil.which("named", path=tools)
    if os.geteuid() != 0 or named is None or not all(shutil.which(t, path=tools) for t in ("unshare", "ip", "nsenter")):
        pytest.skip("needs root, bind9, unshare and ip")
    folder = tmp_path_factory.mktemp("host")
    (folder / "zone").write_text(ZONE)
    (folder / "reverse").write_text(REVERSE)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n10.9.9.9 local.school.test local\n")
    (folder / "named.conf").write_text(
        f'options {{ directory "{folder}"; pid-file none; listen-on {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};'
        " session-keyfile none; dnssec-validation no; recursion yes; forwarders { }; };\ncontrols { };\n"
        'zone "school.test" { type primary; file "zone"; };\n'
        'zone "0.0.10.in-addr.arpa" { type primary; file "reverse"; };\n'
    )
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    script = (
        "ip link set lo up; ip address add 10.0.0.99/24 dev lo; "  # getent looks for an address that is no loopback
        f"for f in resolv.conf hosts nsswitch.conf; do mount --bind {folder}/$f $(readlink -f /etc/$f); done; "
        f"exec {named} -f -c {folder}/named.conf"
    )
    server = subprocess.Popen(["unshare", "--mount", "--net", "sh", "-c", script], env={"PATH": tools})

    def run(name: str, type_: str = "A", path: str = tools) -> Resolved:
        question = Resolved.ask(SimpleNamespace(name=name, type=type_))
        command = [
            shutil.which("nsenter", path=tools) or "",
            "-t",
            str(server.pid),
            "-m",
            "-n",
            "/bin/sh",
            "-c",
            question.command,
        ]
        done = subprocess.run(
            command,
            env={"PATH": path, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=question.timeout,
            check=False,
        )
        return Resolved.read(Output(done.returncode, done.stdout, done.stderr))

    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            time.sleep(0.3)
            assert server.poll() is None
            with _ignoring():
                if run("dc1.school.test").data("A"):
                    break
        yield run
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def _ignoring() -> Iterator[None]:
    with suppress(Unreadable):
        yield


REAL = [
    ("dc1.school.test", "A", ("10.0.0.1",)),
    ("www.school.test", "A", ("10.0.0.1",)),
    ("tenletters.school.test", "A", ("10.0.0.10",)),
    ("local.school.test", "A", ("10.9.9.9",)),
    ("dc1.school.test", "AAAA", ("fd00::1",)),
    ("www.school.test", "CNAME", ("dc1.school.test",)),
    ("school.test", "MX", ("10 mail.school.test",)),
    ("school.test", "NS", ("dc1.school.test",)),
    ("school.test", "SOA", ("dc1.school.test hostmaster.school.test 1 900 600 86400 300",)),
    ("t.school.test", "TXT", ("one two",)),
    ("_ldap._tcp.school.test", "SRV", ("0 100 389 dc1.school.test",)),
    ("10.0.0.1", "PTR", ("dc1.school.test",)),
    ("1.0.0.10.in-addr.arpa", "PTR", ("dc1.school.test",)),
    ("nope.school.test", "A", ()),
    ("tenletters.school.test", "AAAA", ()),
    ("nope.school.test", "SRV", ()),
    ("10.0.0.77", "PTR", ()),
]


@pytest.mark.parametrize(("name", "type_", "data"), REAL)
def test_resolving_for_real(on_host: Callable[..., Resolved], name: str, type_: str, data: tuple[str, ...]) -> None:
    assert on_host(name, type_).data(type_) == data


@pytest.mark.parametrize("tool", ["bash", "python3"])
def test_resolving_with_few_tools(on_host: Callable[..., Resolved], tool: str, tmp_path: Path) -> None:
    for name in ("getent", "base64", "tr", "sed", "head", "dd", tool, *(["timeout"] if tool == "bash" else [])):
        (tmp_path / name).symlink_to(shutil.which(name, path="/usr/bin:/bin") or shutil.which(name) or "")
    for name, type_, data in REAL:
        assert on_host(name, type_, str(tmp_path)).data(type_) == data, (name, type_)


def test_resolving_without_tools(on_host: Callable[..., Resolved], tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as raised:
        on_host("nope.school.test", "A", str(tmp_path)).data("A")
    assert raised.value.failure.kind == FailureKind.NOT_INSTALLED


# -- formats ----------------------------------------------------------------------------------------------------------


def test_shapes() -> None:
    assert normal("TXT", '"a\\"b" "c"') == 'a"bc'
    assert normal("A", "not an address") == "not an address"
    assert normal("SRV", "0 100  389 DC1.Test.") == "0 100 389 dc1.test"
    assert reverse_of("fd00::1").endswith("0.0.d.f.ip6.arpa")
    assert reverse_of("X.Test.") == "x.test"


def test_a_query_is_a_query() -> None:
    import dns.message  # noqa: PLC0415

    for name in ("a.b", "tenletters.school.test", "xn--bcher-kva.test", "bücher.test"):
        read = dns.message.from_wire(dns_message.query(name, "SRV"))
        assert read.question[0].name.to_text() == name.replace("bücher", "xn--bcher-kva") + "."
    for bad in ("a..b", "x" * 64, "a." * 130):
        with pytest.raises(ValueError, match=r"DNS name|label|idna"):
            dns_message.query(bad, "A")


def test_hostile_messages_end() -> None:
    good = base64.b64decode(wire(0, MAIL, ("", 1, bytes([9, 9, 9, 9])), ("", 16, b"\x03abc"), ("", 99, b"zz")))
    assert [r.data for r in dns_message.parse(good).answers] == ["10 mail.school.test", "9.9.9.9", '"abc"']
    for cut in range(len(good)):
        with pytest.raises(ValueError, match=r"ends early|leads forward|no answer|too long|unpack"):
            dns_message.parse(good[:cut])
    for at in range(len(good)):
        for value in (0, 0x3F, 0xC0, 0xFF):
            broken = good[:at] + bytes([value]) + good[at + 1 :]
            try:
                dns_message.parse(broken)
            except ValueError:
                continue
