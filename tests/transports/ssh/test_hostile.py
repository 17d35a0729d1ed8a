"""Servers that mean harm, or are just broken: whatever they do ends in time, in a typed failure."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery

from audits.transports import conversation, ssh_link
from audits.transports.base import Answer, Settings, Target
from audits.transports.ssh import SshTransport
from audits.transports.ssh_options import Configuration
from checks.questions import FailureKind, Shell
from tests.transports.ssh.conftest import Sshd, answers

BANNER = b"SSH-2.0-hostile\r\n"
Serve = Callable[[socket.socket], None]


class Server:
    """Accepts connections on loopback and serves each as it is told; several plays: one connection each."""

    def __init__(self, *plays: Serve) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._plays, self.connections = plays, 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                play = self._plays[min(self.connections, len(self._plays) - 1)]
                self.connections += 1
                threading.Thread(target=self._serve, args=(play, connection), daemon=True).start()

    @staticmethod
    def _serve(play: Serve, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            play(connection)

    def close(self) -> None:
        for s in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*plays: Serve) -> Server:
        servers.append(Server(*plays))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ask(port: int, *questions: Shell | str, timeout: float = 0.5, **variables: Any) -> list[Answer]:
    transport = SshTransport(Settings(check_host_keys=False, connect_timeout=timeout), Configuration(()))
    given = {"ansible_host": "127.0.0.1", "ansible_port": port, "ansible_user": "me", "ansible_password": "secret"}
    return answers(transport, Target("host1", variables={**given, **variables}), *(questions or ("echo a", "echo b")))


def failed(got: list[Answer]) -> tuple[FailureKind, str]:
    failures = {a.failure for a in got}
    assert len(failures) == 1
    (failure,) = failures
    assert failure
    return failure.kind, failure.detail


def silent(connection: socket.socket) -> None:
    connection.recv(10)
    time.sleep(30)


def flooding(data: bytes) -> Serve:
    def play(connection: socket.socket) -> None:
        while True:
            connection.sendall(data)

    return play


def saying(data: bytes) -> Serve:
    def play(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        time.sleep(5)

    return play


def dripping(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"S")
        time.sleep(0.05)


def halting(connection: socket.socket) -> None:
    connection.sendall(BANNER)
    time.sleep(30)


def closing(connection: socket.socket) -> None:
    connection.close()


def ignoring(connection: socket.socket) -> None:
    """Send SSH_MSG_IGNORE (RFC 4253, 11.2) for ever instead of a key exchange."""
    connection.sendall(BANNER)
    payload = b"\x02" + (30_000).to_bytes(4, "big") + b"x" * 30_000
    padding = 8 - (len(payload) + 5) % 8 + 8
    packet = (len(payload) + padding + 1).to_bytes(4, "big") + bytes([padding]) + payload + b"\0" * padding
    flooding(packet)(connection)


@pytest.mark.parametrize(
    ("play", "kind", "words"),
    [
        (silent, FailureKind.TIMED_OUT, "no SSH server speaks"),
        (closing, FailureKind.UNREACHABLE, "connection"),
        (dripping, FailureKind.TIMED_OUT, "no SSH server speaks"),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), FailureKind.UNREADABLE, "HTTP/1.1 400"),
        (saying(b"220 mail.school.test ESMTP\r\n"), FailureKind.UNREADABLE, "ESMTP"),
        (flooding(os.urandom(10_000).replace(b"SSH-", b"")), FailureKind.UNREADABLE, "not an SSH server"),
        (flooding(b"x" * 10_000), FailureKind.UNREADABLE, "not an SSH server"),
        (flooding(b"line\n" * 1000), FailureKind.UNREADABLE, "not an SSH server"),
        (saying(b"SSH-1.5-old\r\n"), FailureKind.UNREADABLE, "1.5"),
        (saying(b"SSH-\xff\xfe\r\n"), FailureKind.UNREADABLE, "SSH"),
        (saying(BANNER), FailureKind.UNREACHABLE, "broke off"),
        (flooding(BANNER + b"\xff" * 1000), FailureKind.UNREADABLE, "key exchange"),
        (flooding(BANNER + b"\0" * 1000), FailureKind.UNREADABLE, "key exchange"),
        (ignoring, FailureKind.UNREADABLE, "floods"),
        (halting, FailureKind.TIMED_OUT, "key exchange"),
    ],
)
def test_before_the_key_exchange(serve: Callable[..., Server], play: Serve, kind: FailureKind, words: str) -> None:
    began = time.monotonic()
    got, detail = failed(ask(serve(play).port))
    assert (got, words in detail) == (kind, True), detail
    assert time.monotonic() - began < 5


def test_a_server_whose_queue_is_full_does_not_answer() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for s in waiting:
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
        time.sleep(0.1)
        kind, detail = failed(ask(port))
        for s in waiting:
            s.close()
    assert kind is FailureKind.UNREACHABLE
    assert "does not answer" in detail


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    kind, _ = failed(ask(22, ansible_host="slow.school.test"))
    assert kind is FailureKind.NAME_NOT_FOUND


def test_the_second_address_is_tried(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    def two(_: str, port: int, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, p)) for a, p in (("127.0.0.1", 1), ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    (got,) = answers(sshd.transport(check_host_keys=False), sshd.target(ansible_host="web1.school.test"), "echo a")
    assert got.value["stdout"] == "a\n"


def relay(port: int, most: int | None = None) -> Serve:
    """Pass a connection on to a real server, and cut it after so many bytes of its."""

    def play(connection: socket.socket) -> None:
        behind = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=pump, args=(connection, behind, None), daemon=True).start()
        pump(behind, connection, most)

    def pump(source: socket.socket, sink: socket.socket, most: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while (most is None or passed < most) and (data := source.recv(65536)):
                sink.sendall(data[: most - passed] if most else data)
                passed += len(data)
        for s in (source, sink):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    return play


def test_a_busy_server_that_drops_the_first_connection_is_tried_again(sshd: Sshd, serve: Callable[..., Server]) -> None:
    server = serve(closing, relay(sshd.port))
    transport = sshd.transport(check_host_keys=False)
    (got,) = answers(transport, sshd.target(ansible_port=server.port), "echo a")
    assert got.value["stdout"] == "a\n"
    assert server.connections == 2


@pytest.mark.parametrize("most", [10, 100, 1000, 2000, 3000, 4000, 6000, 20_000, 60_000])
def test_a_connection_cut_anywhere_ends_typed(sshd: Sshd, serve: Callable[..., Server], most: int) -> None:
    server = serve(relay(sshd.port, most))
    questions = [Shell(f"head -c 2000 /dev/zero # {i}") for i in range(60)]
    got = answers(sshd.transport(check_host_keys=False), sshd.target(ansible_port=server.port), *questions)
    assert server.connections == 2
    kinds = [a.failure.kind if a.failure else None for a in got]
    assert set(kinds) <= {None, FailureKind.UNREACHABLE, FailureKind.UNREADABLE}
    assert kinds[-1] is not None
    answered = kinds.count(None)
    assert kinds[:answered] == [None] * answered  # what came is kept, in both attempts
    assert answered == 0 or most >= 6000


# --- servers that speak SSH


@pytest.fixture(scope="module")
def host_key() -> paramiko.PKey:
    return paramiko.ECDSAKey.generate()


class Hostile(paramiko.ServerInterface):
    """Lets in who knows the password; `run` gets the channel and the command, in a thread."""

    def __init__(self, run: Callable[[paramiko.Channel, str], None] | None, **how: Any) -> None:
        self._run, self._how = run, how
        self.tried: list[str] = how.setdefault("tried", [])

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return str(self._how.get("methods", "password"))

    def check_auth_password(self, username: str, password: str) -> int:  # noqa: ARG002
        self.tried.append("password")
        time.sleep(self._how.get("ponder", 0))
        if self._how.get("second_factor"):
            return AUTH_PARTIALLY_SUCCESSFUL
        good = password == "secret" and "password" in self._how.get("methods", "password")
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        self.tried.append("publickey")
        return AUTH_PARTIALLY_SUCCESSFUL if self._how.get("key_first") else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> Any:  # noqa: ARG002
        self.tried.append("keyboard-interactive")
        if "interactive" not in self._how.get("methods", ""):
            return AUTH_FAILED
        query = InteractiveQuery("", "")
        query.add_prompt("Password: ", echo=False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return AUTH_SUCCESSFUL if responses == ["secret"] else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return int(self._how.get("open") or OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        time.sleep(self._how.get("late", 0))
        if self._run is None:
            return False
        threading.Thread(target=self._play, args=(channel, command.decode()), daemon=True).start()
        return True

    def _play(self, channel: paramiko.Channel, command: str) -> None:
        assert self._run
        time.sleep(0.05)  # after the reply to the request
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._run(channel, command)


def speaking(host_key: paramiko.PKey, run: Callable[[paramiko.Channel, str], None] | None = None, **how: Any) -> Serve:
    def play(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(host_key)
        transport.start_server(server=Hostile(run, **how))
        channels = []
        while transport.is_active():
            channels.append(transport.accept(1))

    return play


def token(command: str) -> bytes:
    return command.partition("K=")[2].partition("\\")[0].encode()


def opening(channel: paramiko.Channel, command: str) -> None:
    line = token(command) + b" MARK 4711\n"
    channel.sendall(line)
    channel.sendall_stderr(line)


def nothing(channel: paramiko.Channel, command: str) -> None:  # noqa: ARG001
    time.sleep(30)


def ending(channel: paramiko.Channel, command: str) -> None:  # noqa: ARG001
    channel.send_exit_status(1)
    channel.close()


def rubbish(channel: paramiko.Channel, command: str) -> None:  # noqa: ARG001
    while True:
        channel.sendall(os.urandom(30_000))


def half_and_away(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    channel.sendall(b"one\nMARK 0 0\nhalf of two")
    channel.sendall_stderr(b"MARK 0\n")
    channel.get_transport().close()


def half_and_flood(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    while True:
        channel.sendall(b"x" * 30_000)


def half_and_stderr_flood(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    while True:
        channel.sendall_stderr(b"x" * 30_000)


def half_and_silence(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    time.sleep(30)


def out_of_turn(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    channel.sendall(b"forged\nMARK 1 0\n")
    channel.sendall_stderr(b"MARK 1\n")
    time.sleep(30)


def endless_footer(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    channel.sendall(b"MARK " + b"1" * 1000)
    time.sleep(30)


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (None, FailureKind.DENIED, "runs no commands"),
        (ending, FailureKind.DENIED, "says nothing"),
        (nothing, FailureKind.TIMED_OUT, "did not start"),
        (rubbish, FailureKind.UNREADABLE, "without end"),
        (out_of_turn, FailureKind.UNREADABLE, "out of turn"),
        (endless_footer, FailureKind.UNREADABLE, "out of turn"),
    ],
)
def test_after_logging_on(
    serve: Callable[..., Server],
    host_key: paramiko.PKey,
    monkeypatch: pytest.MonkeyPatch,
    run: Any,
    kind: FailureKind,
    words: str,
) -> None:
    monkeypatch.setattr(conversation, "START_SECONDS", 1.0)
    began = time.monotonic()
    got, detail = failed(ask(serve(speaking(host_key, run)).port, timeout=15))
    assert (got, words in detail) == (kind, True), detail
    assert time.monotonic() - began < 10


def test_answers_that_came_before_the_end_are_kept(serve: Callable[..., Server], host_key: paramiko.PKey) -> None:
    server = serve(speaking(host_key, half_and_away))
    got = ask(server.port, "echo 1", "echo 2", "echo 3", timeout=15)
    # the second attempt asks the rest, and the play's first frame is out of turn there
    assert got[0].value == {"status": 0, "stdout": "one\n", "stderr": ""}
    assert all(a.failure and a.failure.kind in {FailureKind.UNREACHABLE, FailureKind.UNREADABLE} for a in got[1:])
    assert server.connections == 2


@pytest.mark.parametrize("run", [half_and_flood, half_and_stderr_flood])
def test_a_flood_costs_no_more_than_the_limit(serve: Callable[..., Server], host_key: paramiko.PKey, run: Any) -> None:
    got = ask(serve(speaking(host_key, run)).port, *(Shell(f"echo {i}", limit=200_000) for i in range(5)), timeout=15)
    assert {a.failure.kind for a in got if a.failure} <= {FailureKind.TOO_LARGE, FailureKind.UNREADABLE}
    assert all(a.failure for a in got)
    assert got[0].failure
    assert got[0].failure.kind is FailureKind.TOO_LARGE


def test_a_host_that_falls_silent_is_given_up_in_time(
    serve: Callable[..., Server], host_key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "START_SECONDS", 0.5)
    monkeypatch.setattr(conversation, "HOST_SECONDS", 2.0)
    monkeypatch.setattr(conversation, "SLACK_SECONDS", 0.0)
    began = time.monotonic()
    port = serve(speaking(host_key, half_and_silence)).port
    kind, _ = failed(ask(port, *(Shell(f"echo {i}", timeout=1) for i in range(2)), timeout=15)[1:])
    assert kind is FailureKind.TIMED_OUT
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("how", [{"late": 30}, {"open": OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED}])
def test_a_session_that_never_comes(
    serve: Callable[..., Server], host_key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    monkeypatch.setattr(ssh_link, "START_SECONDS", 1.0)
    kind, detail = failed(ask(serve(speaking(host_key, nothing, **how)).port, timeout=15))
    assert kind is (FailureKind.TIMED_OUT if "late" in how else FailureKind.DENIED), detail


# --- passwords


def echo(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    channel.sendall(b"in\nMARK 0 0\n")
    channel.sendall_stderr(b"MARK 0\n")


@pytest.mark.parametrize("methods", ["password", "keyboard-interactive", "publickey,password"])
def test_a_password_lets_in(serve: Callable[..., Server], host_key: paramiko.PKey, methods: str) -> None:
    (got,) = ask(serve(speaking(host_key, echo, methods=methods)).port, "echo in", timeout=15)
    assert got.value["stdout"] == "in\n"


def test_a_wrong_password_is_tried_once_and_not_told(serve: Callable[..., Server], host_key: paramiko.PKey) -> None:
    tried: list[str] = []
    port = serve(speaking(host_key, echo, tried=tried)).port
    kind, detail = failed(ask(port, timeout=15, ansible_password="hunter2"))
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "hunter2" not in detail
    assert "refused: password" in detail
    assert tried == ["password"]


def test_only_kerberos_is_told(serve: Callable[..., Server], host_key: paramiko.PKey) -> None:
    kind, detail = failed(ask(serve(speaking(host_key, echo, methods="gssapi-with-mic")).port, timeout=15))
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "Kerberos" in detail


def test_a_key_and_then_a_password(serve: Callable[..., Server], host_key: paramiko.PKey, sshd: Sshd) -> None:
    how = {"methods": "publickey,password", "key_first": True}
    port = serve(speaking(host_key, echo, **how)).port
    (got,) = ask(port, "echo in", timeout=15, ansible_ssh_private_key_file=str(sshd.key))
    assert got.value["stdout"] == "in\n"
    kind, detail = failed(ask(port, timeout=15, ansible_ssh_private_key_file=str(sshd.key), ansible_password=""))
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "asks for more" in detail


def test_a_server_that_ponders_over_a_password(
    serve: Callable[..., Server], host_key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_link, "LOGIN_SECONDS", 1.0)
    began = time.monotonic()
    kind, detail = failed(ask(serve(speaking(host_key, echo, ponder=30)).port, timeout=15))
    assert kind is FailureKind.TIMED_OUT, detail
    assert time.monotonic() - began < 8


def test_nothing_to_log_on_with(
    serve: Callable[..., Server], host_key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    kind, detail = failed(ask(serve(speaking(host_key, echo)).port, timeout=15, ansible_password=""))
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "no key, agent or password" in detail


def ignore_flood(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    while True:
        channel.get_transport().send_ignore(30_000)


def frame_flood(channel: paramiko.Channel, command: str) -> None:
    opening(channel, command)
    while True:
        channel.sendall(b"MARK 0 0\n" * 1000)


@pytest.mark.parametrize(("run", "words"), [(ignore_flood, "floods"), (frame_flood, "more frames")])
def test_floods_beside_the_answers_end_too(
    serve: Callable[..., Server], host_key: paramiko.PKey, run: Any, words: str
) -> None:
    began = time.monotonic()
    kind, detail = failed(ask(serve(speaking(host_key, run)).port, timeout=15))
    assert (kind, words in detail) == (FailureKind.UNREADABLE, True), detail
    assert time.monotonic() - began < 15
