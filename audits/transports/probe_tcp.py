"""TCP connections for probes: what state a port is in, and conversations that end in time."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

from checks.questions import FailureKind

_SILENT = {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.EACCES, getattr(errno, "ENONET", -1)}
_NO_ROUTE = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class Unanswered(Exception):
    """A conversation failed; becomes the answer's failure."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def _addresses(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise Unanswered(FailureKind.NAME_NOT_FOUND, f"{host}: {getattr(e, 'strerror', None) or e}") from None


def knock(host: str, port: int, timeout: float) -> tuple[str, socket.socket | None, float]:
    """Try to connect: open, refused or filtered, the open socket, and how long it took in seconds.

    No answer and "unreachable" from a host or router on the way are both filtered. No route from here, or a name that
    does not resolve, is raised: that says nothing of the port.
    """
    state = "filtered"
    begin = time.monotonic()
    for family, kind, protocol, _, address in _addresses(host, port):
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
        except OSError as e:
            sock.close()
            if isinstance(e, ConnectionRefusedError | ConnectionResetError):
                state = "refused"
            elif e.errno in _NO_ROUTE:
                raise Unanswered(FailureKind.UNREACHABLE, f"{host}: {e.strerror}") from None
            elif not isinstance(e, TimeoutError) and e.errno not in _SILENT:
                raise
        else:
            return "open", sock, time.monotonic() - begin
    return state, None, time.monotonic() - begin


@contextlib.contextmanager
def conversation(host: str, port: int, timeout: float) -> Iterator[socket.socket]:
    """Connect, and end the conversation when its time is over, however busy the peer keeps us."""
    state, sock, took = knock(host, port, timeout)
    if sock is None:
        if state == "refused":
            raise Unanswered(FailureKind.REFUSED, f"{host} port {port} is closed")
        silent = took >= timeout
        kind = FailureKind.TIMED_OUT if silent else FailureKind.UNREACHABLE
        raise Unanswered(kind, f"{host} port {port} gives no answer" if silent else f"{host} cannot be reached")
    over = threading.Event()
    handle = socket.socket(fileno=os.dup(sock.fileno()))  # TLS takes the descriptor out of `sock`

    def end() -> None:
        over.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    watchdog = threading.Timer(timeout, end)
    watchdog.daemon = True
    watchdog.start()
    late = f"{host} port {port} was not ready within {timeout:g} s"
    try:
        yield sock
    except (OSError, EOFError, http.client.HTTPException, Unanswered) as e:
        if over.is_set() or (isinstance(e, TimeoutError) and not isinstance(e, ssl.SSLError)):
            raise Unanswered(FailureKind.TIMED_OUT, late) from None
        if isinstance(e, ssl.SSLError | Unanswered) or not isinstance(e, OSError):
            raise
        raise Unanswered(FailureKind.UNREADABLE, f"{host} port {port} broke off: {e.strerror or e}") from None
    else:
        if over.is_set():  # what was read until then may look whole
            raise Unanswered(FailureKind.TIMED_OUT, late)
    finally:
        watchdog.cancel()
        for each in (sock, handle):
            with contextlib.suppress(OSError):
                each.close()
