"""What a client sees of TCP ports, TLS endpoints and web pages, from the auditor's place.

Names are looked up by the system's resolver. A web page is asked of the target itself, whatever its URL's name resolves
to (one host cannot speak for another), unless the question names another place or the target is this machine. Every
conversation has a deadline as a whole and a bound on what is read: a server that drips or never ends is cut off.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import queue
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from audits.transports import probe_tls
from audits.transports.base import JSON, Answer, Answered, Settings, Stopwatch, Target
from audits.transports.probe_tcp import Unanswered, conversation, knock
from checks.questions import FailureKind, HttpGet, Question, TcpProbe, TlsProbe

AT_ONCE = 16  # conversations with one target
BANNER_WAIT = 0.3  # seconds: what greets, greets at once
BANNER = 256  # bytes
LONGEST_HEADER = 4096  # characters kept of one header
_MANAGEMENT = {"winrm": 5986, "psrp": 5986}


class ProbeTransport:
    """Carries TcpProbe, TlsProbe and HttpGet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Ask a few at once, in daemon threads; each ends by its own deadline."""
        waiting: queue.SimpleQueue[Question] = queue.SimpleQueue()
        done: queue.SimpleQueue[Answered] = queue.SimpleQueue()
        for question in questions:
            waiting.put(question)
        client = _Client(target, self._settings)

        def work() -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    question = waiting.get_nowait()
                    done.put((question, client.answer(question)))

        for i in range(min(AT_ONCE, len(questions))):
            threading.Thread(target=work, name=f"probe-{target.name}-{i}", daemon=True).start()
        try:
            for _ in questions:
                yield done.get()
        finally:
            with contextlib.suppress(queue.Empty):  # who closes us does not want the rest
                while True:
                    waiting.get_nowait()


@dataclass(slots=True)
class _Client:
    """Asks one target."""

    target: Target
    settings: Settings
    _alive: bool | None = None
    _lock: Any = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def answer(self, question: Question) -> Answer:
        """Give the answer, whatever happens."""
        watch = Stopwatch()
        ways: dict[type, Callable[[Any], JSON]] = {TcpProbe: self._tcp, TlsProbe: self._tls, HttpGet: self._http}
        try:
            return watch.answer(ways[type(question)](question))
        except Unanswered as e:
            return watch.failure(e.kind, str(e))
        except probe_tls.NoSuchAuthority as e:
            return watch.failure(FailureKind.UNREADABLE, str(e))
        except Exception as e:  # noqa: BLE001 - a server may send anything, and every question gets an answer
            return watch.failure(FailureKind.UNREADABLE, f"{type(e).__name__}: {e}")

    @property
    def _here(self) -> bool:
        """Whether the target is this machine, named for want of another (no inventory)."""
        return self.target.variables.get("ansible_connection") == "local" and not self.target.variables.get(
            "ansible_host"
        )

    # -- TCP ----------------------------------------------------------------------------------------------------------

    def _tcp(self, question: TcpProbe) -> JSON:
        host = question.host or self.target.address
        state, sock, took = knock(host, question.port, question.timeout)
        banner = _banner(sock) if sock else None
        alive = True if state != "filtered" else self._is_alive() if host == self.target.address else None
        return {"state": state, "ms": round(took * 1000, 1), "banner": banner, "alive": alive}

    def _is_alive(self) -> bool:
        """Tell whether the target answers where it is managed: a port of a host that is down is not filtered."""
        with self._lock:
            if self._alive is None:
                variables = self.target.variables
                connection = str(variables.get("ansible_connection", "")).rpartition(".")[2]
                port = int(variables.get("ansible_port") or _MANAGEMENT.get(connection, 22))
                state, sock, _ = knock(self.target.address, port, TcpProbe(port).timeout)
                if sock:
                    sock.close()
                self._alive = state != "filtered"
            return self._alive

    # -- TLS ----------------------------------------------------------------------------------------------------------

    def _tls(self, question: TlsProbe) -> JSON:
        host = question.host or (question.server_name if self._here else "") or self.target.address
        trust = probe_tls.trust(self.settings, question.ca)
        name = question.server_name or question.host or self.target.name
        at = _now()

        def connected() -> contextlib.AbstractContextManager[socket.socket]:
            return conversation(host, question.port, question.timeout)

        try:
            return {"at": at, **probe_tls.look(connected, name, trust)}
        except probe_tls.NoTls as e:
            raise Unanswered(FailureKind.UNREADABLE, f"{host} port {question.port}: {e}") from None

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    def _http(self, question: HttpGet) -> JSON:
        url = urllib.parse.urlsplit(question.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise Unanswered(FailureKind.UNREADABLE, f"{question.url} is not an http or https URL")
        port = url.port or (443 if url.scheme == "https" else 80)
        host = question.connect_to or (url.hostname if self._here else self.target.address)
        at = _now()
        trust = probe_tls.trust(self.settings, question.ca) if url.scheme == "https" else None
        untrusted = None
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(conversation(host, port, question.timeout))
            if trust is not None:
                try:
                    sock = stack.enter_context(
                        trust.verified(hostname=True).wrap_socket(sock, server_hostname=url.hostname)
                    )
                except ssl.SSLCertVerificationError as e:
                    untrusted = e.verify_message
                    sock = stack.enter_context(conversation(host, port, question.timeout))
                    sock = stack.enter_context(probe_tls.unverified().wrap_socket(sock, server_hostname=url.hostname))
                except ssl.SSLError as e:
                    raise Unanswered(FailureKind.UNREADABLE, f"{host} port {port}: {probe_tls.words_of(e)}") from None
            got = _get(sock, url, question.limit)
        return {"at": at, **got, "trusted": untrusted is None if trust else None, "trust_error": untrusted}


def _get(sock: socket.socket, url: urllib.parse.SplitResult, limit: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection(url.hostname or "", url.port)
    connection.sock = sock
    path = urllib.parse.quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{url.query}" if url.query else "")
    headers = {
        "Host": url.netloc.rpartition("@")[2],
        "User-Agent": "keuring",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read(limit)
    except http.client.HTTPException as e:
        raise Unanswered(FailureKind.UNREADABLE, f"this is no HTTP answer: {type(e).__name__}: {e}") from None
    if response.length and len(body) < limit:
        raise Unanswered(FailureKind.UNREADABLE, f"the answer broke off, {response.length} bytes before its end")
    told: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        told[key] = (f"{told[key]}, {value}" if key in told else value)[:LONGEST_HEADER]
    return {
        "status": response.status,
        "version": "HTTP/1.0" if response.version == 10 else "HTTP/1.1",  # noqa: PLR2004 - http.client's 1.0
        "headers": told,
        "body": _text(body, response.headers.get_content_charset()),
    }


def _text(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _banner(sock: socket.socket) -> str | None:
    """Read what a server says by itself, if it does."""
    with sock:
        sock.settimeout(BANNER_WAIT)
        try:
            said = sock.recv(BANNER)
        except OSError:
            return None
    text = "".join(c if c.isprintable() else " " for c in said.decode("utf-8", "replace"))
    return text.strip() or None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
