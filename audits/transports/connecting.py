"""What the LDAP and SMB transports share: a socket with typed failures, the name to expect, the order of servers."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from audits.transports.base import JSON, Answered, Stopwatch, Target, all_failed
from checks.questions import Failure, FailureKind, Question

_TELLING = (
    FailureKind.AUTHENTICATION_FAILED,
    FailureKind.CERTIFICATE_UNTRUSTED,
    FailureKind.DENIED,
    FailureKind.UNREADABLE,
    FailureKind.TIMED_OUT,
    FailureKind.REFUSED,
    FailureKind.UNREACHABLE,
    FailureKind.NAME_NOT_FOUND,
)


class Trouble(Exception):
    """A typed failure on its way to becoming an answer. `lost`: the connection is of no more use."""

    def __init__(self, kind: FailureKind, detail: str = "", *, lost: bool = False) -> None:
        super().__init__(detail)
        self.failure = Failure(kind, detail)
        self.lost = lost


class Refused(Trouble):
    """The account itself was refused: trying again counts towards its lockout."""

    def __init__(self, detail: str, *, by_kdc: bool = False) -> None:
        super().__init__(FailureKind.AUTHENTICATION_FAILED, detail, lost=True)
        self.by_kdc = by_kdc


def connect(address: str, port: int, timeout: float) -> socket.socket:
    """Open a TCP connection without Nagle's delay; `timeout` in seconds stays on the socket. Raises Trouble."""
    where = f"{address} port {port}"
    try:
        made = socket.create_connection((address, port), timeout=timeout)
    except (socket.gaierror, UnicodeError) as error:
        raise Trouble(FailureKind.NAME_NOT_FOUND, f"{address}: {error}", lost=True) from error
    except ConnectionRefusedError as error:
        raise Trouble(FailureKind.REFUSED, f"{where} is closed", lost=True) from error
    except TimeoutError as error:
        raise Trouble(FailureKind.UNREACHABLE, f"{where} did not answer in {timeout:g} s", lost=True) from error
    except (OSError, OverflowError) as error:
        raise Trouble(FailureKind.UNREACHABLE, f"{where}: {error}", lost=True) from error
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def broken(error: BaseException, doing: str) -> Trouble:
    """Say what a socket's error in the middle of a conversation means."""
    if isinstance(error, TimeoutError):
        return Trouble(FailureKind.TIMED_OUT, f"no answer in time while {doing}", lost=True)
    if isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
        return Trouble(FailureKind.REFUSED, f"{error} while {doing}", lost=True)
    return Trouble(FailureKind.UNREACHABLE, f"connection lost while {doing}: {error}", lost=True)


def is_address(name: str) -> bool:
    """Tell whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def server_name(server: Target, domain: str) -> str:
    """Give the name that a server's certificate and its Kerberos service bear.

    That is `keuring_server_name`, else the connection's address when that is a full name, else the inventory's name
    when that is one, else the inventory's name within the domain; an address only when nothing else is known.
    """
    if given := server.variables.get("keuring_server_name"):
        return str(given)
    names = [n for n in (server.address, server.name) if not is_address(n)]
    for name in names:
        if "." in name.rstrip("."):
            return name.rstrip(".")
    if names and domain and server.kind == "host":
        return f"{names[-1]}.{domain}"
    return names[0] if names else server.address


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Give a verifying context that trusts the machine's authorities and those of `ca_file`. Raises Trouble."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise Trouble(
                FailureKind.UNREADABLE, f"the CA file {ca_file} cannot be read: {error}", lost=True
            ) from error
    return context


def port_of(server: Target, target: Target, variable: str, default: int) -> int:
    """Give the port that the server's variables name, or the target's, or the default; Trouble when it is no port."""
    given = server.variables.get(variable, target.variables.get(variable))
    if given is None:
        return default
    try:
        port = int(given)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 65536:  # noqa: PLR2004 - TCP
        raise Trouble(FailureKind.UNREADABLE, f"{variable} is no port: {given!r}", lost=True)
    return port


class Asked(Protocol):
    """An open, logged-on connection that answers questions."""

    def answer(self, question: Question) -> JSON:
        """Give the answer. Raises Trouble."""
        ...

    def close(self) -> None:
        """Close it; raises nothing."""
        ...


def ask_over(target: Target, questions: Sequence[Question], open_: Callable[[Target], Asked]) -> Iterator[Answered]:
    """Ask all questions over one connection, to the target or the first server of it that lets us in.

    When none does, every question gets the most telling failure. Each question fails alone; when the connection is
    lost the rest fail with it, but when it was us who had enough of an answer it is opened anew.
    """
    try:
        connection, server = _first(target, open_)
    except _NoneAnswers as none:
        yield from all_failed(questions, none.failure.kind, none.failure.detail, none.via)
        return
    via = "" if server is target else server.name
    try:
        for i, question in enumerate(questions):
            watch = Stopwatch()
            try:
                value = connection.answer(question)
            except Trouble as trouble:
                yield question, watch.failure(trouble.failure.kind, trouble.failure.detail, via)
                if not trouble.lost:
                    continue
                connection.close()
                try:
                    if trouble.failure.kind is not FailureKind.TOO_LARGE:
                        raise
                    connection = open_(server)
                except Trouble as gone:
                    detail = f"not asked: {gone.failure.detail}"
                    yield from all_failed(questions[i + 1 :], gone.failure.kind, detail, via)
                    return
            else:
                yield question, watch.answer(value, via)
    finally:
        connection.close()


class _NoneAnswers(Exception):
    def __init__(self, failure: Failure, via: str) -> None:
        super().__init__()
        self.failure, self.via = failure, via


def _first(target: Target, open_: Callable[[Target], Asked]) -> tuple[Asked, Target]:
    """Open the first server that lets us in.

    One that refuses the account ends the search: the others would refuse it too, and each attempt counts towards the
    account's lockout.
    """
    worst: tuple[int, Failure, str] = (len(_TELLING) + 1, Failure(FailureKind.UNREACHABLE), "")
    for server in target.servers or (target,):
        try:
            return open_(server), server
        except Trouble as trouble:
            failure = trouble.failure
            rank = _TELLING.index(failure.kind) if failure.kind in _TELLING else len(_TELLING)
            if rank < worst[0]:
                worst = (rank, failure, "" if server is target else server.name)
            if failure.kind is FailureKind.AUTHENTICATION_FAILED:
                break
    raise _NoneAnswers(worst[1], worst[2])
