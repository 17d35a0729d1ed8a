"""The probe transport against real peers on loopback (nginx, openssl, sockets) and against servers that misbehave."""

import contextlib
import datetime as dt
import http.server
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from audits.transports.base import Answer, Settings, Target
from audits.transports.probe import ProbeTransport
from checks.questions import FailureKind, HttpGet, Question, TcpProbe, TlsProbe

HERE = Target("web1", variables={"ansible_host": "127.0.0.1"})
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def one(question: Question, settings: Settings | None = None, target: Target = HERE) -> Answer:
    ((asked, answer),) = ProbeTransport(settings or Settings()).ask(target, [question])
    assert asked == question
    return answer


def kind(answer: Answer) -> FailureKind | None:
    return answer.failure.kind if answer.failure else None


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Authority:
    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "School CA")])
        built = self._builder(self.name, self.key.public_key(), 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = self.folder / "ca.pem"
        self.file.write_bytes(built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: Any, days: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 60 * DAY)
            .not_valid_after(NOW + days * DAY)
        )

    def issue(self, name: str, *, days: int = 20, key: Any = None, sans: bool = True) -> tuple[Path, Path]:
        """Make a certificate for name.school.test; give its chain file and key file."""
        key = key or rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.school.test")])
        built = self._builder(subject, key.public_key(), days)
        if sans:
            names = [x509.DNSName(f"{name}.school.test"), x509.DNSName("WWW.school.test")]
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            built = built.add_extension(x509.SubjectAlternativeName([*names, address]), critical=False)
        made = built.sign(self.key, hashes.SHA256())
        chain, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        chain.write_bytes(made.public_bytes(serialization.Encoding.PEM) + self.file.read_bytes())
        pkcs8 = serialization.PrivateFormat.PKCS8
        secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()))
        return chain, secret


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> Settings:
    return Settings(authorities={"school": authority.file})


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve each connection with a function, in threads."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one_peer(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            serve(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one_peer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@contextlib.contextmanager
def tls(chain: tuple[Path, Path], prepare: Callable[[ssl.SSLContext], None] = lambda _: None) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*chain)
    prepare(context)

    def shake(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as wrapped:
            if wrapped.recv(2000):
                wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    with serving(shake) as port:
        yield port


# -- TCP --------------------------------------------------------------------------------------------------------------


def test_an_open_port_greets_or_not() -> None:
    with serving(lambda peer: peer.sendall(b"220 mail\x1b[31m ready\r\n")) as port:
        value = one(TcpProbe(port)).value
        assert value["state"] == "open"
        assert value["banner"] == "220 mail [31m ready"
        assert value["alive"] is True
        assert 0 <= value["ms"] < 1000
    with serving(lambda _: time.sleep(2)) as port:
        assert one(TcpProbe(port)).value["banner"] is None


def test_a_closed_port() -> None:
    value = one(TcpProbe(closed_port())).value
    assert (value["state"], value["alive"]) == ("refused", True)


def test_names() -> None:
    with serving(lambda _: None) as port:
        assert one(TcpProbe(port, host="localhost")).value["state"] == "open"
    assert kind(one(TcpProbe(80, host="nowhere.invalid"))) == FailureKind.NAME_NOT_FOUND
    assert kind(one(TcpProbe(80, host="a" * 70 + ".test"))) == FailureKind.NAME_NOT_FOUND


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """Give a port whose backlog is full: on Linux further connection attempts get no answer."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield int(listener.getsockname()[1])


def test_a_filtered_port_of_a_host_that_answers_elsewhere() -> None:
    with deaf() as port, serving(lambda _: None) as management:
        alive = Target("web1", variables={"ansible_host": "127.0.0.1", "ansible_port": management})
        value = one(TcpProbe(port, timeout=0.3), target=alive).value
        assert (value["state"], value["alive"]) == ("filtered", True)
        down = Target("web1", variables={"ansible_host": "127.0.0.1", "ansible_port": port})
        value = one(TcpProbe(port, timeout=0.3), target=down).value
        assert (value["state"], value["alive"]) == ("filtered", False)
        elsewhere = one(TcpProbe(port, host="localhost", timeout=0.3), target=alive).value
        assert (elsewhere["state"], elsewhere["alive"]) == ("filtered", None)


# -- TLS --------------------------------------------------------------------------------------------------------------


def test_what_a_certificate_says(authority: Authority, trusting: Settings) -> None:
    def http2(context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.minimum_version = ssl.TLSVersion.TLSv1_2

    with tls(authority.issue("web1"), http2) as port:
        value = one(TlsProbe(port, ca="school"), trusting).value
    assert value["trusted"] is True
    assert value["trust_error"] is None
    assert (value["version"], value["alpn"]) == ("TLSv1.3", "h2")
    assert value["subject"] == "CN=web1.school.test"
    assert value["issuer"] == "CN=School CA"
    assert value["names"] == ["web1.school.test", "www.school.test", "127.0.0.1"]
    assert (value["key"], value["signature"]) == ("rsa2048", "sha256")
    assert value["chain"] == ["CN=web1.school.test", "CN=School CA"]
    assert value["accepts"] == {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True}
    left = dt.datetime.fromisoformat(value["not_after"]) - dt.datetime.fromisoformat(value["at"])
    assert 19 <= left.days <= 20


def test_an_untrusted_certificate_is_an_answer(authority: Authority, trusting: Settings) -> None:
    with tls(authority.issue("other", key=ec.generate_private_key(ec.SECP384R1()), sans=False)) as port:
        value = one(TlsProbe(port)).value
        assert value["trusted"] is False
        assert "self-signed" in value["trust_error"] or "unable to get" in value["trust_error"]
        assert (value["key"], value["names"]) == ("ec384", [])
        assert one(TlsProbe(port), Settings(ca_file=authority.file)).value["trusted"] is True
        assert kind(one(TlsProbe(port, ca="elsewhere"), trusting)) == FailureKind.UNREADABLE
    with tls(authority.issue("old", days=-1)) as port:
        value = one(TlsProbe(port, ca="school"), trusting).value
        assert (value["trusted"], value["trust_error"]) == (False, "certificate has expired")


def test_the_server_name_chooses_the_certificate(authority: Authority) -> None:
    asked: list[str | None] = []

    def listen(context: ssl.SSLContext) -> None:
        context.sni_callback = lambda _, name, __: asked.append(name)

    with tls(authority.issue("sni"), listen) as port:
        one(TlsProbe(port, server_name="www.school.test"))
        assert set(asked) == {"www.school.test"}
        asked.clear()
        one(TlsProbe(port))
        assert set(asked) == {"web1"}
        asked.clear()
        one(TlsProbe(port, host="127.0.0.1"))
        assert set(asked) == {None}


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_a_server_with_nothing_but_old_versions(authority: Authority, version: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs openssl")
    chain, key = authority.issue(f"old-{version.replace('_', '-')}")
    port = closed_port()
    command = [
        program,
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-cert",
        str(chain),
        "-key",
        str(key),
        f"-{version}",
    ]
    server = subprocess.Popen(
        [*command, "-cipher", "ALL:@SECLEVEL=0", "-quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 10
        while (answer := one(TlsProbe(port))).failure and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        server.terminate()
        server.wait(5)
    value = answer.value
    assert value["trusted"] is False
    assert {v for v, yes in value["accepts"].items() if yes} == {value["version"]}


def test_ports_without_tls() -> None:
    with serving(lambda peer: (peer.recv(100), peer.sendall(b"SSH-2.0-x\r\n"))[1]) as port:  # type: ignore[func-returns-value]
        answer = one(TlsProbe(port))
        assert kind(answer) == FailureKind.UNREADABLE
        assert answer.failure is not None
        assert "wrong version number" in answer.failure.detail
    with serving(lambda peer: peer.close()) as port:
        assert kind(one(TlsProbe(port))) == FailureKind.UNREADABLE
    with serving(lambda _: time.sleep(3)) as port:
        begin = time.monotonic()
        assert kind(one(TlsProbe(port, timeout=0.5))) == FailureKind.TIMED_OUT
        assert time.monotonic() - begin < 2
    assert kind(one(TlsProbe(closed_port()))) == FailureKind.REFUSED


# -- HTTP -------------------------------------------------------------------------------------------------------------


class Site(http.server.BaseHTTPRequestHandler):
    server_version, sys_version = "Apache/2.4.62", "(Debian)"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/old":
            self.send_response(301)
            self.send_header("Location", f"https://{self.headers['Host']}/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = f"Welkom é {self.headers['Host']} {self.path}".encode("latin-1")
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Type", "text/html; charset=iso-8859-1")
        for cookie in "ab":
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_page_is_asked_of_the_target(site: int) -> None:
    value = one(HttpGet(f"http://www.school.test:{site}/a b?x=1")).value
    assert value["status"] == 200
    assert value["body"] == f"Welkom é www.school.test:{site} /a%20b?x=1"
    assert value["version"] == "HTTP/1.1"
    assert value["headers"]["server"] == "Apache/2.4.62 (Debian)"
    assert value["headers"]["set-cookie"] == "a, b"
    assert value["trusted"] is None
    assert one(HttpGet(f"http://x.test:{site}/none")).value["status"] == 404
    moved = one(HttpGet(f"http://x.test:{site}/old")).value
    assert (moved["status"], moved["headers"]["location"]) == (301, f"https://x.test:{site}/")


def test_where_a_page_is_asked(site: int) -> None:
    away = Target("web9", variables={"ansible_host": "192.0.2.1"})
    assert one(HttpGet(f"http://x.test:{site}/", connect_to="127.0.0.1"), target=away).value["status"] == 200
    local = Target("localhost", variables={"ansible_connection": "local"})
    assert one(HttpGet(f"http://127.0.0.1:{site}/"), target=local).value["status"] == 200
    assert kind(one(HttpGet("http://nowhere.invalid/"), target=local)) == FailureKind.NAME_NOT_FOUND


def test_pages_over_tls(authority: Authority, trusting: Settings) -> None:
    with tls(authority.issue("web1")) as port:
        good = one(HttpGet(f"https://web1.school.test:{port}/", ca="school"), trusting).value
        assert (good["body"], good["trusted"], good["trust_error"]) == ("hi", True, None)
        name = one(HttpGet(f"https://other.test:{port}/", ca="school"), trusting).value
        assert (name["body"], name["trusted"]) == ("hi", False)
        assert "ostname mismatch" in name["trust_error"]
        assert one(HttpGet(f"https://web1.school.test:{port}/")).value["trusted"] is False


def test_urls_that_are_none() -> None:
    for url in ("ftp://x/", "http:///", "x", "http://[::1/", "http://x:99999/"):
        assert kind(one(HttpGet(url))) == FailureKind.UNREADABLE, url


def _endless(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.sendall(b"X-A: " + b"a" * 1000 + b"\r\n")


def _long_line(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        peer.sendall(b"a" * 10_000)


def _drip(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.sendall(b"a")
        time.sleep(0.05)


def _flood(peer: socket.socket) -> None:
    peer.recv(1000)
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sendall(b"\xff" * 10_000)


@pytest.mark.parametrize("serve", [_endless, _long_line, _drip, lambda p: p.sendall(b"\x00\xff" * 100), lambda _: None])
def test_hostile_servers(serve: Callable[[socket.socket], None]) -> None:
    with serving(serve) as port:
        begin = time.monotonic()
        assert kind(one(HttpGet(f"http://x:{port}/", timeout=1))) in (FailureKind.UNREADABLE, FailureKind.TIMED_OUT)
        assert time.monotonic() - begin < 3


def test_a_body_that_breaks_off() -> None:
    with serving(lambda p: p.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")) as port:
        assert kind(one(HttpGet(f"http://x:{port}/"))) == FailureKind.UNREADABLE


def test_a_body_is_cut() -> None:
    with serving(_flood) as port:
        assert len(one(HttpGet(f"http://x:{port}/", limit=5000)).value["body"]) == 5000


def test_many_at_once_and_an_early_end() -> None:
    with serving(lambda _: time.sleep(0.2)) as port:
        begin = time.monotonic()
        questions = [TcpProbe(port, timeout=t / 10) for t in range(10, 42)]
        assert len(list(ProbeTransport(Settings()).ask(HERE, questions))) == 32
        assert time.monotonic() - begin < 4
        asking = ProbeTransport(Settings()).ask(HERE, questions)
        next(asking)
        begin = time.monotonic()
        asking.close()  # type: ignore[attr-defined]
        assert time.monotonic() - begin < 0.5


NGINX = """
pid {folder}/pid; error_log {folder}/error.log; daemon off; worker_processes 1;
events {{ }}
http {{ access_log off; server_tokens off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {chain}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    add_header Strict-Transport-Security "max-age=31536000" always;
    location / {{ return 200 "Welkom"; }} }} }}
"""


def test_nginx(authority: Authority, trusting: Settings, tmp_path: Path) -> None:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs nginx")
    chain, key = authority.issue("nginx")
    port = closed_port()
    config = tmp_path / "nginx.conf"
    config.write_text(NGINX.format(folder=tmp_path, port=port, chain=chain, key=key))
    server = subprocess.Popen([program, "-p", tmp_path, "-c", config], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while one(TcpProbe(port)).value["state"] != "open" and time.monotonic() < until:
            time.sleep(0.1)
        page = one(HttpGet(f"https://nginx.school.test:{port}/", ca="school"), trusting).value
        assert (page["status"], page["body"], page["trusted"]) == (200, "Welkom", True)
        assert page["headers"]["server"] == "nginx"
        assert page["headers"]["strict-transport-security"] == "max-age=31536000"
        seen = one(TlsProbe(port, ca="school"), trusting).value
        assert seen["alpn"] == "h2"
        assert seen["accepts"] == {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True}
    finally:
        server.terminate()
        server.wait(10)
