"""Ports and paths: the scripts run for real on this machine, and the judgements both ways."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from audits import schema
from audits.evaluate import Finding
from checks.core import KINDS, Output, Scope, Unreadable, Verdict
from checks.facts.flows import Paths
from checks.questions import Failure, FailureKind, Question, Shell, TcpProbe

Judge = Callable[..., dict[str, list[Finding]]]
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def flow(to: str, port: Any = None, protocol: str = "tcp") -> Any:
    return SimpleNamespace(to=to, port=port, protocol=protocol, allowed=False)


def run(want: Any, path: str | None = None) -> Output:
    """Run the fact's script here, as the transport does on a host."""
    question = Paths.ask(want)
    env = {"PATH": path or os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(
        ["/bin/sh", "-c", question.command],
        env=env,
        capture_output=True,
        text=True,
        timeout=question.timeout,
        check=False,
    )
    return Output(done.returncode, done.stdout, done.stderr)


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def deaf() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
        for filler in fillers:
            filler.close()


def closed() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(params=["bash", "python3", "nc", "busybox"])
def tools(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a PATH on which only one of the tools is."""
    for name in ("nc" if request.param == "busybox" else request.param, "timeout"):
        source = "busybox" if request.param == "busybox" else name
        found = shutil.which(source, path="/usr/bin:/bin") or shutil.which(source)
        if found is None:
            pytest.skip(f"needs {source}")
        (tmp_path / name).symlink_to(found)
    return str(tmp_path)


def test_ports_for_real(tools: str) -> None:
    with listening() as good, deaf() as silent:
        bad = closed()
        paths = Paths.read(run(flow("127.0.0.1", (good, silent, bad)), tools))
        assert paths.states == {good: "open", silent: "filtered", bad: "refused"}
        assert Paths.read(run(flow("localhost", good), tools)).states == {good: "open"}
    with pytest.raises(Unreadable) as raised:
        Paths.read(run(flow("nowhere.invalid", 80), tools))
    assert raised.value.failure.kind == FailureKind.NAME_NOT_FOUND


def test_without_any_tool(tmp_path: Path) -> None:
    for want in (flow("127.0.0.1", 80), flow("127.0.0.1", protocol="icmp"), flow("127.0.0.1", protocol="dns")):
        with pytest.raises(Unreadable) as raised:
            Paths.read(run(want, str(tmp_path)))
        assert raised.value.failure.kind == FailureKind.NOT_INSTALLED


def test_arguments_stay_arguments(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for protocol in ("tcp", "icmp", "dns"):
        want = flow(f"127.0.0.1;touch${{IFS}}{mark};$(touch {mark})`touch {mark}`'", 80, protocol)
        with pytest.raises(Unreadable):
            Paths.read(run(want))
        assert not mark.exists()


def test_name_servers_for_real() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

        def serve() -> None:
            query, peer = server.recvfrom(512)
            assert query == b"Ke\x01\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01"
            server.sendto(query[:2] + b"\x81\x05" + query[4:], peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert Paths.read(run(flow("127.0.0.1", port, "dns"))).states == {port: "open"}
        thread.join(5)
        assert Paths.read(run(flow("127.0.0.1", port, "dns"))).states == {port: "filtered"}
    assert Paths.read(run(flow("127.0.0.1", port, "dns"))).states == {port: "refused"}


def test_ping_for_real() -> None:
    if shutil.which("ping") is None:
        pytest.skip("needs ping")
    assert Paths.read(run(flow("127.0.0.1", protocol="icmp"))).states == {0: "open"}


HEAD = "PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n"
PINGS = [
    (Output(0, HEAD + "2 packets transmitted, 2 received, 0% packet loss\n"), "open"),
    (Output(1, HEAD + "2 packets transmitted, 0 received, 100% packet loss\n"), "filtered"),
    (Output(1, HEAD + "From 10.0.0.254 icmp_seq=1 Packet filtered\n2 packets transmitted, 0 received\n"), "filtered"),
    (Output(2, "ping: connect: Network is unreachable\n"), "filtered"),
    (Output(2, "ping: nowhere.invalid: Name or service not known\n"), FailureKind.NAME_NOT_FOUND),
    (Output(1, "ping: bad address 'nowhere'\n"), FailureKind.NAME_NOT_FOUND),
    (Output(2, "ping: socktype: SOCK_RAW\nping: socket: Operation not permitted\n"), FailureKind.DENIED),
    (Output(1, "ping: permission denied (are you root?)\n"), FailureKind.DENIED),
    (Output(127, ""), FailureKind.NOT_INSTALLED),
    (Output(3, "something else"), FailureKind.UNREADABLE),
    (Output(3, ""), FailureKind.UNREADABLE),
]  # fmt: skip
KNOCKS = [
    ("22 0", "open"),
    ("22 124", "filtered"),
    ("22 143", "filtered"),
    ("22 1 bash: connect: Connection refused bash: line 1: /dev/tcp/10.0.0.1/22: Connection refused", "refused"),
    ("22 1 bash: connect: No route to host", "filtered"),
    ("22 1 bash: connect: Network is unreachable", "filtered"),
    ("22 1 [Errno 113] No route to host", "filtered"),
    ("22 1 timed out", "filtered"),
    ("22 1 nc: connect to 10.0.0.1 port 22 (tcp) failed: Connection refused", "refused"),
    ("22 0 Connection to 10.0.0.1 22 port [tcp/ssh] succeeded!", "open"),
    ("22 1 bash: nowhere: Name or service not known", FailureKind.NAME_NOT_FOUND),
    ("22 1 nc: bad address 'nowhere'", FailureKind.NAME_NOT_FOUND),
    ("22 1 nc: invalid option -- 'v' Usage: nc -w SEC Connect timeout", FailureKind.NOT_INSTALLED),
    ("22 127 sh: 1: timeout: not found", FailureKind.NOT_INSTALLED),
    ("22 1 bash: /dev/tcp/10.0.0.1/22: No such file or directory", FailureKind.UNREADABLE),
]


@pytest.mark.parametrize(("output", "expected"), [*PINGS, *((Output(0, line + "\n"), e) for line, e in KNOCKS)])
def test_what_the_tools_say(output: Output, expected: str | FailureKind) -> None:
    if isinstance(expected, FailureKind):
        with pytest.raises(Unreadable) as raised:
            Paths.read(output)
        assert raised.value.failure.kind == expected
    else:
        assert list(Paths.read(output).states.values()) == [expected]


PORTS = [
    ("port_is_open", "open", {"state": "open", "alive": True}, PASS),
    ("port_is_open", "open", {"state": "refused", "alive": True}, FAIL),
    ("port_is_open", "open", {"state": "filtered", "alive": False}, FAIL),
    ("port_is_closed", "closed", {"state": "open", "alive": True}, FAIL),
    ("port_is_closed", "closed", {"state": "refused", "alive": True}, PASS),
    ("port_is_closed", "closed", {"state": "filtered", "alive": True}, PASS),
    ("port_is_closed", "closed", {"state": "filtered", "alive": False}, UNKNOWN),
]


@pytest.mark.parametrize(("check", "state", "seen", "verdict"), PORTS)
def test_ports(judge: Judge, check: str, state: str, seen: dict[str, Any], verdict: Verdict) -> None:
    def answers(_: str, question: Question) -> Any:
        assert question == TcpProbe(8080)
        return {"ms": 1.0, "banner": None, **seen}

    found = judge(Scope.HOST, "ports", {"port": 8080, "state": state}, answers)
    assert list(found) == [check]
    (finding,) = found[check]
    assert (finding.verdict, finding.subject) == (verdict, "8080/tcp")


def test_paths_are_judged(judge: Judge) -> None:
    def answers(_: str, question: Question) -> Any:
        assert isinstance(question, Shell)
        assert not question.root
        return {"status": 0, "stdout": "88 0\n445 124\n389 1 Connection refused\n", "stderr": ""}

    want = {"to": "10.77.10.11", "port": [88, 389, 445]}
    allowed = judge(Scope.HOST, "reaches", want, answers)
    assert [(f.subject, f.verdict) for f in allowed["allowed_path_is_open"]] == [
        ("10.77.10.11:88/tcp", PASS), ("10.77.10.11:389/tcp", FAIL), ("10.77.10.11:445/tcp", FAIL),
    ]  # fmt: skip
    refused = judge(Scope.HOST, "reaches", want | {"allowed": False}, answers)
    assert [f.verdict for f in refused["refused_path_is_closed"]] == [FAIL, PASS, PASS]
    assert "allowed_path_is_open" not in refused


@pytest.mark.parametrize(
    "answer",
    [
        Failure(FailureKind.UNREACHABLE, "down"),
        {"status": 127, "stdout": "", "stderr": ""},
        {"status": 0, "stdout": "", "stderr": ""},
        {"status": 0, "stdout": "88 0\n", "stderr": ""},
        {"status": 0, "stdout": "445 1 bash: nowhere: Name or service not known\n", "stderr": ""},
    ],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_unseen_paths_are_unknown(judge: Judge, answer: Any, allowed: bool) -> None:
    found = judge(Scope.HOST, "reaches", {"to": "dc1", "port": 445, "allowed": allowed}, lambda *_: answer)
    check = "allowed_path_is_open" if allowed else "refused_path_is_closed"
    assert {c: [f.verdict for f in fs] for c, fs in found.items()} == {check: [UNKNOWN]}
    probed = judge(Scope.HOST, "ports", {"port": 445, "state": "open" if allowed else "closed"}, lambda *_: answer)
    check = "port_is_open" if allowed else "port_is_closed"
    assert {c: [f.verdict for f in fs] for c, fs in probed.items()} == {check: [UNKNOWN]}


@pytest.mark.parametrize(
    ("word", "entry"),
    [
        ("reaches", {"to": "dc1"}),
        ("reaches", {"to": "dc1", "port": 0}),
        ("reaches", {"to": "dc1", "port": [80, 70000]}),
        ("reaches", {"to": "dc1", "port": 80, "protocol": "icmp"}),
        ("reaches", {"to": "dc1", "port": [53, 54], "protocol": "dns"}),
        ("reaches", {"to": "-f", "port": 80}),
        ("reaches", {"to": "a b", "port": 80}),
        ("reaches", {"to": "", "port": 80}),
        ("ports", {"port": 65536}),
    ],
)
def test_bad_entries_are_refused(word: str, entry: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        schema.adapter(KINDS[Scope.HOST, word]).validate_python(entry)
