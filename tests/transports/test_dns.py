"""The DNS transport against a real name server (BIND) and against servers that misbehave."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from audits.transports.base import Answer, Settings, Target
from audits.transports.dns import DnsTransport
from checks.questions import DnsQuery, FailureKind, Question

ZONE = """$TTL 300
@ SOA DC1 hostmaster 5 900 600 86400 300
@ NS dc1
dc1 A 10.0.0.1
dc1 AAAA FD00::1
WWW CNAME dc1
@ MX 10 DC1
t TXT "Hello World"
_ldap._tcp SRV 0 100 389 Dc1
_ldap._tcp SRV 0 100 389 dc2.other.test.
1 PTR Host.School.Test.
$GENERATE 1-95 big A 10.1.0.$
"""
CONFIG = """
options {{ directory "{folder}"; pid-file none; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; session-keyfile none; dnssec-validation no; minimal-responses yes; }};
controls {{ }};
zone "school.test" {{ type primary; file "zone"; allow-transfer {{ none; }}; }};
zone "open.test" {{ type primary; file "zone"; allow-transfer {{ any; }}; }};
"""


def free_port() -> int:
    """Give a port that is free for both UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return int(port)


def target(port: int, name: str = "dc1", address: str = "127.0.0.1") -> Target:
    return Target(name, variables={"ansible_host": address, "keuring_dns_port": port})


def ask(where: Target, *questions: Question) -> dict[Question, Answer]:
    found = dict(DnsTransport(Settings()).ask(where, questions))
    assert set(found) == set(questions)
    return found


def one(where: Target, question: Question) -> Answer:
    return ask(where, question)[question]


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    program = shutil.which("named", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs a name server: apt install bind9")
    folder, port = tmp_path_factory.mktemp("bind"), free_port()
    (folder / "zone").write_text(ZONE)
    config = folder / "named.conf"
    config.write_text(CONFIG.format(folder=folder, port=port))
    with (folder / "log").open("wb") as log:
        named = subprocess.Popen([program, "-g", "-c", config], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 20
        while one(target(port), DnsQuery("school.test", "SOA", timeout=0.5)).failure is not None:
            assert named.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
        yield port
    finally:
        named.terminate()
        named.wait(10)


RECORDS = {
    ("School.TEST", "SOA"): ["dc1.school.test hostmaster.school.test 5 900 600 86400 300"],
    ("school.test.", "NS"): ["dc1.school.test"],
    ("dc1.school.test", "A"): ["10.0.0.1"],
    ("dc1.school.test", "AAAA"): ["fd00::1"],
    ("school.test", "MX"): ["10 dc1.school.test"],
    ("t.school.test", "TXT"): ['"Hello World"'],
    ("1.school.test", "PTR"): ["host.school.test"],
    ("_ldap._tcp.school.test", "SRV"): ["0 100 389 dc1.school.test", "0 100 389 dc2.other.test"],
    ("nope.school.test", "A"): [],
}


def test_records(bind: int) -> None:
    questions = {key: DnsQuery(*key) for key in RECORDS}
    answers = ask(target(bind), *questions.values())
    for key, data in RECORDS.items():
        value = answers[questions[key]].value
        assert [a["data"] for a in value["answers"]] == data, key
        assert value["rcode"] == ("NOERROR" if data else "NXDOMAIN")
        assert "AA" in value["flags"]
    soa = answers[questions["School.TEST", "SOA"]]
    assert soa.value["answers"][0]["name"] == "school.test"
    assert soa.value["answers"][0]["ttl"] == 300
    assert soa.via == "dc1"


def test_an_alias_comes_with_what_it_stands_for(bind: int) -> None:
    value = one(target(bind), DnsQuery("www.school.test")).value
    assert value["answers"] == [
        {"name": "dc1.school.test", "type": "A", "ttl": 300, "data": "10.0.0.1"},
        {"name": "www.school.test", "type": "CNAME", "ttl": 300, "data": "dc1.school.test"},
    ]


def test_a_long_answer_comes_over_tcp(bind: int) -> None:
    assert len(one(target(bind), DnsQuery("big.school.test")).value["answers"]) == 95


def test_recursion_that_is_refused(bind: int) -> None:
    value = one(target(bind), DnsQuery("www.example.org")).value
    assert value["rcode"] == "REFUSED"
    assert "RA" not in value["flags"]


def test_zone_transfers(bind: int) -> None:
    refused, given = DnsQuery("school.test", "AXFR"), DnsQuery("open.test", "AXFR")
    answers = ask(target(bind), refused, given)
    assert answers[refused].value == {"rcode": "REFUSED", "flags": ["QR"], "answers": []}
    assert answers[given].value["rcode"] == "NOERROR"
    assert 0 < len(answers[given].value["answers"]) <= 20


def test_many_at_once(bind: int) -> None:
    questions = [DnsQuery(f"n{i}.school.test") for i in range(300)]
    answers = ask(target(bind), *questions)
    assert {a.value["rcode"] for a in answers.values()} == {"NXDOMAIN"}


@pytest.mark.parametrize("name", ["a..b", "x" * 64, "a." * 200])
def test_what_is_no_name(bind: int, name: str) -> None:
    assert one(target(bind), DnsQuery(name)).failure.kind == FailureKind.UNREADABLE  # type: ignore[union-attr]


def test_what_is_no_type(bind: int) -> None:
    failure = one(target(bind), DnsQuery("school.test", "NONSENSE")).failure
    assert failure is not None
    assert "cannot be asked" in failure.detail


def test_the_first_that_answers(bind: int) -> None:
    dead, silent = free_port(), Silent()
    with silent:
        servers = (target(dead, "dead"), target(silent.port, "silent"), target(bind, "good"))
        several = Target("dns", "dns", servers=servers)
        questions = [DnsQuery(f"n{i}.school.test", timeout=0.3) for i in range(40)]
        begin = time.monotonic()
        answers = ask(several, *questions)
        assert {a.via for a in answers.values()} == {"good"}
        assert time.monotonic() - begin < 5, "a silent server is not waited for again and again"
        none = Target("dns", "dns", servers=servers[:2])
        failure = one(none, DnsQuery("school.test", timeout=0.2)).failure
        assert failure is not None
        assert failure.kind == FailureKind.TIMED_OUT


def test_a_closed_port_and_a_name_that_is_none() -> None:
    begin = time.monotonic()
    assert one(target(free_port()), DnsQuery("school.test")).failure.kind == FailureKind.REFUSED  # type: ignore[union-attr]
    assert time.monotonic() - begin < 2
    failure = one(target(53, address="nowhere.invalid"), DnsQuery("school.test")).failure
    assert failure is not None
    assert failure.kind == FailureKind.NAME_NOT_FOUND


def test_an_early_end_leaves_nothing_running() -> None:
    with Silent() as silent:
        asking = DnsTransport(Settings()).ask(target(silent.port), [DnsQuery("a", "FOO"), DnsQuery("b", timeout=30)])
        next(asking)
        begin = time.monotonic()
        asking.close()  # type: ignore[attr-defined]
        assert time.monotonic() - begin < 2


class Silent:
    """A server of our own on UDP and TCP, which says nothing unless a function is given."""

    def __init__(self, reply: Callable[[bytes], bytes | None] = lambda _: None, *, tcp: bytes | None = None) -> None:
        self.port, self._reply, self._tcp = free_port(), reply, tcp
        self.heard = 0

    def __enter__(self) -> Self:
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._listener = socket.create_server(("127.0.0.1", self.port))
        for work in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=work, daemon=True).start()
        return self

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, peer = self._udp.recvfrom(4096)
                self.heard += 1
                if (reply := self._reply(query)) is not None:
                    self._udp.sendto(reply, peer)

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                peer.recv(4096)
                if self._tcp:
                    peer.sendall(self._tcp)
                peer.close()

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._udp.close()


def _before_edns(wire: bytes) -> bytes:
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    if query.edns >= 0:
        response.use_edns(False)
        response.set_rcode(dns.rcode.FORMERR)
    else:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "10.9.9.9"))
    return response.to_wire()


def _cut_off(wire: bytes) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(wire))
    response.flags |= dns.flags.TC
    return response.to_wire()


def test_a_server_from_before_edns() -> None:
    with Silent(_before_edns) as old:
        assert one(target(old.port), DnsQuery("a.test")).value["answers"][0]["data"] == "10.9.9.9"


def test_a_lost_datagram_is_asked_again() -> None:
    lost: list[bytes] = []

    def second(wire: bytes) -> bytes | None:
        if not lost:
            lost.append(wire)
            return None
        return _before_edns(wire)

    with Silent(second) as server:
        assert one(target(server.port), DnsQuery("a.test", timeout=0.3)).value["rcode"] == "NOERROR"


@pytest.mark.parametrize(
    ("reply", "tcp"),
    [
        (lambda _: b"", None),
        (lambda _: b"\x00" * 5, None),
        (lambda q: q[:2] + b"\xff" * 60, None),
        (lambda q: b"\x00\x00" + q[2:], None),
        (lambda q: q[:12] + b"\xc0\x0c" * 20, None),
        (_cut_off, None),
        (_cut_off, b"\xff\xff" + b"x" * 100),
        (_cut_off, b"\x00\x05abcde"),
    ],
    ids=["empty", "short", "noise", "other id", "loop", "hangs up", "cut", "garbage"],
)
def test_hostile_servers(reply: Callable[[bytes], bytes | None], tcp: bytes | None) -> None:
    with Silent(reply, tcp=tcp) as server:
        begin = time.monotonic()
        failure = one(target(server.port), DnsQuery("a.test", timeout=0.5)).failure
        assert failure is not None
        assert failure.kind in (FailureKind.UNREADABLE, FailureKind.TIMED_OUT)
        assert time.monotonic() - begin < 4


def test_a_transfer_that_is_answered_by_hanging_up() -> None:
    with Silent() as server:
        assert one(target(server.port), DnsQuery("a.test", "AXFR")).value["rcode"] == "REFUSED"
    failure = one(target(free_port()), DnsQuery("a.test", "AXFR")).failure
    assert failure is not None
    assert failure.kind == FailureKind.REFUSED, "a closed port says nothing of transfers"


def test_paths_are_not_left_open(bind: int) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        ask(target(bind), *(DnsQuery(f"n{i}.school.test") for i in range(40)), DnsQuery("open.test", "AXFR"))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
