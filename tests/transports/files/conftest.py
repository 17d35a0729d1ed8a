"""A real smbd on loopback, a proxy that delays or forges its answers, and servers that are none."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audits.transports.accounts import Guard
from audits.transports.base import Settings, Target
from audits.transports.smb import SmbTransport
from audits.transports.smb_client import Limits

Change = Callable[[bytes], bytes | None]
USER, DISABLED, PASSWORD = "games", "news", "Welkom01!"
GLOBAL = """
[global]
    workgroup = WERKGROEP
    netbios name = NAS
    server role = standalone server
    passdb backend = tdbsam:{home}/passdb.tdb
    private dir = {home}/private
    lock directory = {home}/lock
    state directory = {home}/state
    cache directory = {home}/cache
    pid directory = {home}/pid
    ncalrpc dir = {home}/ncalrpc
    log file = {home}/log
    smb ports = {port}
    interfaces = 127.0.0.1/8
    bind interfaces only = yes
    disable netbios = yes
    disable spoolss = yes
    load printers = no
    printcap name = /dev/null
    map to guest = never
    vfs objects = acl_xattr
    acl_xattr:ignore system acls = yes
    {more}
"""
SHARES = """
[docs]
    path = {home}/docs
    comment = Documenten & café
[dicht]
    path = {home}/docs
    valid users = root
[versleuteld]
    path = {home}/docs
    smb encrypt = required
[besloten]
    path = {home}/docs
[verborgen$]
    path = {home}/docs
    browseable = no
"""


@dataclass(frozen=True)
class Smbd:
    """A running smbd: its port, and where its files are."""

    port: int
    home: Path


def _missing() -> str:
    if os.geteuid() != 0:
        return "smbd must be started as root"
    gone = [tool for tool in ("smbd", "pdbedit", "sharesec") if not shutil.which(tool)]
    return f"not installed: {', '.join(gone)} (Debian: samba)" if gone else ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _run(home: Path, more: str) -> Iterator[Smbd]:
    port = _free_port()
    for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "docs"):
        (home / name).mkdir(mode=0o755)
    config = home / "smb.conf"
    config.write_text(GLOBAL.format(home=home, port=port, more=more) + SHARES.format(home=home))
    environment = {**os.environ, "_NO_WINBINDD": "1"}  # a domain member's winbindd knows other accounts
    options = [f"--configfile={config}"]
    for user in (USER, DISABLED):
        _tool(environment, "pdbedit", *options, "-a", "-u", user, "-t", said=f"{PASSWORD}\n{PASSWORD}\n")
    _tool(environment, "pdbedit", *options, "-u", DISABLED, "-c", "[D]")
    command = ["smbd", "--foreground", "--no-process-group", *options]
    with (home / "smbd.out").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        _wait_for(port, process, home)
        yield Smbd(port, home)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
        for pid_file in (home / "pid").glob("*.pid"):  # samba-dcerpcd outlives smbd
            with suppress(ValueError, ProcessLookupError):
                os.kill(int(pid_file.read_text().strip("\0\n ")), signal.SIGTERM)


def _tool(environment: dict[str, str], *command: str, said: str = "") -> None:
    done = subprocess.run(command, input=said, text=True, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _wait_for(port: int, process: subprocess.Popen[bytes], home: Path) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, (home / "smbd.out").read_text()
        time.sleep(0.05)
    raise AssertionError("smbd does not listen")


@pytest.fixture(scope="session")
def run_smbd() -> Iterator[Callable[..., Smbd]]:
    """Run smbd with more global options; each combination once."""
    if missing := _missing():
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    running: dict[str, Smbd] = {}
    with ExitStack() as stack:

        def run(more: str = "") -> Smbd:
            if more not in running:
                # not below pytest's own directory: it is closed to the account that reads the share
                home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keuring-smbd-")))
                home.chmod(0o755)
                running[more] = stack.enter_context(_run(home, more))
            return running[more]

        yield run


@pytest.fixture(scope="session")
def smbd(run_smbd: Callable[..., Smbd]) -> Smbd:
    """Run a file server with some files."""
    made = run_smbd()
    docs = made.home / "docs"
    for i in range(12):
        policy = docs / "Policies" / f"{{{i:08X}}}"
        for part in ("Machine", "User"):
            (policy / part / "Preferences" / "Drives").mkdir(parents=True)
            (policy / part / "Registry.pol").write_bytes(b"PReg\1\0\0\0" + bytes([i]))
            (policy / part / "Preferences" / "Drives" / "Drives.xml").write_text("<Drives/>")
        (policy / "GPT.INI").write_text(f"[General]\r\nVersion={i}\r\n")
    many = docs / "many"
    many.mkdir()
    for i in range(2500):
        (many / f"a file with a rather long name, number {i:05}.txt").touch()
    (docs / "large").mkdir()
    (docs / "large" / "groot.bin").write_bytes(bytes(range(256)) * 12_000)
    (docs / "large" / "leeg.bin").touch()
    (docs / "large" / "één spatie.bin").write_bytes(b"x")
    closed = docs / "closed"
    (closed / "dir").mkdir(parents=True)
    (closed / "dir" / "in.txt").write_text("in")
    (closed / "file.txt").write_text("no")
    (closed / "open.txt").write_text("yes")
    for one in docs.rglob("*"):
        one.chmod(0o755 if one.is_dir() else 0o644)
    (closed / "dir").chmod(0o700)
    (closed / "file.txt").chmod(0o600)
    return made


@pytest.fixture
def transport() -> Callable[..., SmbTransport]:
    """Make transports that forget refusals between tests and lose patience soon."""

    def make(limits: Limits | None = None) -> SmbTransport:
        return SmbTransport(Settings(connect_timeout=2), limits or Limits(silence=10, whole=30), Guard())

    return make


@pytest.fixture
def aim() -> Callable[..., Target]:
    """Make the target for a port of loopback."""

    def make(port: int, name: str = "nas", **variables: Any) -> Target:
        given = {"keuring_domain_user": USER, "keuring_domain_password": PASSWORD, **variables}
        return Target(name, variables={"ansible_host": "127.0.0.1", "keuring_smb_port": port, **given})

    return make


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Serve each connection with a function, in a thread; gives the port."""
    listeners = []

    def serve(listener: socket.socket, handle: Callable[[socket.socket], None]) -> None:
        def one(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                handle(connection)

        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    def start(handle: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, handle), daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _packet(sock: socket.socket) -> bytes:
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[1:4], "big"):
        size = 4 if len(data) < 4 else 4 + int.from_bytes(data[1:4], "big")
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


class _Back:
    """Carries the server's packets to the client: changed, each after a delay."""

    def __init__(self, server: socket.socket, client: socket.socket, change: Change, delay: float) -> None:
        self._server, self._client, self._change, self._delay = server, client, change, delay
        self._due: queue.SimpleQueue[tuple[float, bytes | None]] = queue.SimpleQueue()
        for work in (self._take, self._give):
            threading.Thread(target=work, daemon=True).start()

    def _take(self) -> None:
        changed: bytes | None = b""
        while changed is not None:
            try:
                changed = self._change(_packet(self._server))
            except OSError:
                changed = None
            self._due.put((time.monotonic() + self._delay, changed))

    def _give(self) -> None:
        with suppress(OSError):
            while True:
                when, packet = self._due.get()
                time.sleep(max(0, when - time.monotonic()))
                if packet is None:
                    self._client.shutdown(socket.SHUT_RDWR)
                    return
                self._client.sendall(packet)


@pytest.fixture
def proxy(listen: Callable[..., int]) -> Callable[..., int]:
    """Stand between client and server: `change` each packet of the server (None: hang up), `delay` it (seconds)."""

    def start(port: int, change: Change = lambda packet: packet, delay: float = 0) -> int:
        def handle(client: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                _Back(server, client, change, delay)
                while data := client.recv(65536):
                    server.sendall(data)

        return listen(handle)

    return start
