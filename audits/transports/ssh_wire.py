"""What lies below SSH: a TCP connection, a jump host's channel or a proxy command, with limits paramiko lacks."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from audits.transports.conversation import Lost
from audits.transports.ssh_options import Options
from checks.questions import FailureKind

CHUNK = 64 * 1024
GREETING_LIMIT = 8 * 1024  # RFC 4253, 4.2 lets a server say other lines first
SEND_SECONDS = 20.0
"""How long the other side may leave what we send unread."""


class Wire:
    """A socket for paramiko, which polls it with a timeout of its own: past our deadline it ends instead.

    So no wait of paramiko outlasts it, whichever of its calls is waiting. Reads are buffered, for paramiko asks for
    a few bytes at a time.
    """

    def __init__(
        self, sock: Any, on_close: Callable[[], None] | None = None, said: Callable[[], str] | None = None
    ) -> None:
        self._sock, self._on_close, self._said = sock, on_close, said or (lambda: "")
        self._buffer = b""
        self._greeting: bytes | None = None
        self._deadline: float | None = None
        self._allowance: int | None = None
        self._most = 0
        self._unsent_since: float | None = None
        self._quick = isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX
        self.ended = ""  # why we ended it: "late" or "flood"
        self._closed = False  # paramiko looks at it

    def allow(self, seconds: float | None, octets: int | None = None) -> None:
        """Set how long it may live from now, and how much it may still receive; None for no limit."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._allowance = octets
        self._most = octets or 0

    def credit(self, octets: int) -> None:
        """Let it receive so much more, up to what it was allowed first."""
        if self._allowance is not None:
            self._allowance = min(self._allowance + octets, self._most)

    def greet(self, version: str, seconds: float) -> None:
        """Exchange version lines ahead of paramiko, so that what is no SSH server is told from one that is slow.

        Lost when it says nothing, closes, or speaks something else.
        """
        self._greeting = f"{version}\r\n".encode()
        try:
            self._greet(time.monotonic() + seconds)
        except Lost as e:
            if words := self._said():
                raise Lost(e.failure.kind, f"{e.failure.detail}; ProxyCommand says: {words}", again=e.again) from None
            raise

    def _greet(self, end: float) -> None:
        seen = b""
        with _broken_is_lost():
            self._sock.settimeout(max(0.001, end - time.monotonic()))
            with contextlib.suppress(BrokenPipeError):  # it may have said why, and gone
                self._sock.sendall(self._greeting)
            while not _version_line(seen):
                self._sock.settimeout(max(0.001, end - time.monotonic()))
                data = self._sock.recv(CHUNK)
                seen += data
                if seen.startswith(b"SSH-") and not data:
                    raise Lost(FailureKind.UNREACHABLE, "the connection broke in the server's first line", again=True)
                if (seen and not data) or (len(seen) > GREETING_LIMIT and not _version_line(seen)):
                    raise Lost(FailureKind.UNREADABLE, f"not an SSH server: it says {_show(seen)}")
                if not data:
                    raise Lost(FailureKind.UNREACHABLE, "the server closes the connection at once", again=True)
        self._buffer = seen

    def recv(self, size: int) -> bytes:
        """Give some bytes; socket.timeout when there are none now, EOFError when there may be none any more."""
        if not self._buffer:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self.ended = "late"
                raise EOFError
            self._buffer = self._sock.recv(CHUNK)
            if self._allowance is not None:
                self._allowance -= len(self._buffer)
                if self._allowance < 0:
                    self.ended = "flood"
                    raise EOFError
            if self._quick:
                quick_ack(self._sock)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def send(self, data: bytes) -> int:
        """Send some bytes; OSError when the other side has read nothing for too long."""
        if self._greeting == data:  # it is sent already
            self._greeting = None
            return len(data)
        try:
            sent: int = self._sock.send(data)
        except TimeoutError:
            now = time.monotonic()
            self._unsent_since = self._unsent_since or now
            if now - self._unsent_since > SEND_SECONDS:
                self.ended = "late"
                raise BrokenPipeError(errno.EPIPE, "the other side does not read") from None
            raise
        self._unsent_since = None
        return sent

    def settimeout(self, seconds: float | None) -> None:
        """As of a socket."""
        self._sock.settimeout(seconds)

    def close(self) -> None:
        """Close, waking whoever waits in `recv`."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError, EOFError):
            if isinstance(self._sock, socket.socket):
                self._sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, EOFError):
            self._sock.close()
        if self._on_close:
            self._on_close()


def _version_line(data: bytes) -> bool:
    lines = data.split(b"\n")
    return any(line.startswith(b"SSH-") for line in lines[:-1])


def _show(data: bytes) -> str:
    return ascii(data[:60].decode("latin-1"))


def quick_ack(sock: socket.socket) -> None:
    """Have the kernel acknowledge at once, where it can (Linux); it forgets that again and again."""
    if hasattr(socket, "TCP_QUICKACK"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def connect(options: Options) -> Wire:
    """Open a TCP connection, or start the proxy command; Lost when that fails."""
    if options.proxy_command:
        return _proxy(options.proxy_command)
    end = time.monotonic() + options.timeout
    addresses = resolve(options.host, options.port, options.timeout)
    for left, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        seconds = max(1.0, (end - time.monotonic()) / left)  # the first may lead nowhere: IPv6 often does
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            with _broken_is_lost(f"port {options.port} of {options.host}"):
                sock.settimeout(seconds)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                quick_ack(sock)
        except Lost:
            sock.close()
            if left == 1:
                raise
        else:
            return Wire(sock)
    raise Lost(FailureKind.NAME_NOT_FOUND, f"{options.host} has no address")


def resolve(host: str, port: int, seconds: float) -> list[tuple[int, Any]]:
    """Give address families and addresses of a host; Lost when it has none, or nobody tells in time."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.version == 4:  # noqa: PLR2004 - saves a look-up
            return [(socket.AF_INET, (host, port))]
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as e:
            found.append(e)

    # the resolver has no timeout of its own; a thread that is left behind ends when it gives up
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise Lost(FailureKind.NAME_NOT_FOUND, f"no name server told within {seconds:g} s what {host} is")
    if isinstance(found[0], Exception):
        said = found[0].strerror if isinstance(found[0], OSError) else str(found[0])
        raise Lost(FailureKind.NAME_NOT_FOUND, f"{host}: {said}")
    return [(family, address) for family, _, _, _, address in found[0]]


def _proxy(command: str) -> Wire:
    """Start a ProxyCommand on one end of a socket pair, as ssh does (paramiko's own spins at its end)."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as e:
        ours.close()
        raise Lost(FailureKind.UNREACHABLE, f"ProxyCommand cannot be started: {e.strerror}") from None
    finally:
        theirs.close()

    assert process.stderr is not None  # noqa: S101 - a pipe
    os.set_blocking(process.stderr.fileno(), False)

    def said() -> str:
        words = process.stderr.read(1000) if process.stderr else b""
        return " ".join((words or b"").decode("utf-8", "replace").split())[-200:]

    def end() -> None:
        if process.stderr:
            process.stderr.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    return Wire(ours, end, said)


class _broken_is_lost(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a phrase
    """Turns what a socket raises into Lost."""

    def __init__(self, what: str = "the connection") -> None:
        self._what = what

    def __exit__(self, _: object, e: BaseException | None, __: object) -> None:
        if e is None or not isinstance(e, OSError | EOFError):
            return
        if isinstance(e, ConnectionRefusedError):
            raise Lost(FailureKind.REFUSED, f"{self._what} is closed") from None
        if isinstance(e, TimeoutError):
            if self._what == "the connection":
                raise Lost(FailureKind.TIMED_OUT, "the port is open, but no SSH server speaks") from None
            raise Lost(FailureKind.UNREACHABLE, f"{self._what} does not answer") from None
        if isinstance(e, ConnectionResetError | BrokenPipeError | EOFError):
            raise Lost(FailureKind.UNREACHABLE, f"{self._what} was reset", again=True) from None
        raise Lost(FailureKind.UNREACHABLE, f"{self._what}: {getattr(e, 'strerror', '') or e}") from None
