"""A directory server on loopback that speaks real BER, with AD's limits, and with bad manners on request."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from audits.transports.accounts import Guard
from audits.transports.base import Settings, Target
from audits.transports.ldap import LdapTransport
from audits.transports.ldap_client import Limits

BASE = "DC=school,DC=test"
USER, PASSWORD = "auditor@school.test", "Audit0r!lab"
WRONG = "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data 52e, v4563"
PAGED = b"1.2.840.113556.1.4.319"
MAX_VAL_RANGE = 1500
MAX_PAGE_SIZE = 1000
Bad = Callable[["FakeDirectory", socket.socket, int], bytes | None]


def tlv(tag: int, *values: bytes) -> bytes:
    """Write an element."""
    body = b"".join(values)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def read(data: bytes, at: int = 0) -> tuple[int, bytes, int]:
    """Read an element: tag, contents, where the next begins; IndexError when more is needed."""
    tag, size, at = data[at], data[at + 1], at + 2
    if size & 0x80:
        octets = size & 0x7F
        if len(data) < at + octets:
            raise IndexError
        size = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if len(data) < at + size:
        raise IndexError
    return tag, data[at : at + size], at + size


def parts(data: bytes) -> list[tuple[int, bytes]]:
    """Read all elements of a constructed one."""
    found, at = [], 0
    while at < len(data):
        tag, body, at = read(data, at)
        found.append((tag, body))
    return found


def message(identity: int, operation: bytes, *controls: bytes) -> bytes:
    """Write an LDAPMessage."""
    return tlv(0x30, tlv(2, bytes([identity])), operation, *([tlv(0xA0, *controls)] if controls else []))


def result(tag: int, code: int = 0, text: str = "", *more: bytes) -> bytes:
    """Write an LDAPResult."""
    return tlv(tag, tlv(0x0A, bytes([code])), tlv(4), tlv(4, text.encode()), *more)


def entry(dn: str, attributes: dict[str, list[bytes]]) -> bytes:
    """Write a search result entry."""
    rows = [tlv(0x30, tlv(4, n.encode()), tlv(0x31, *(tlv(4, v) for v in vs))) for n, vs in attributes.items()]
    return tlv(0x64, tlv(4, dn.encode()), tlv(0x30, *rows))


@dataclass
class Search:
    """A search request as it came."""

    base: str
    scope: int
    attributes: list[str]
    controls: dict[bytes, bytes]
    filter: bytes
    time_limit: int


@dataclass
class FakeDirectory:
    """Entries by name, and what was asked."""

    entries: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)
    searches: list[Search] = field(default_factory=list)
    binds: list[str] = field(default_factory=list)
    empty_beside_range: bool = True
    bad: Bad | None = None  # given each search's connection and id, it may answer instead
    sasl_code: tuple[int, str] | None = None
    tls: ssl.SSLContext | None = None
    port: int = 0

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, IndexError, ValueError):  # a client that goes away or talks something else
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        raw, clear, context = b"", b"", spnego.server(protocol="negotiate")
        sealed = False
        while data := connection.recv(65536):
            raw += data
            if sealed:
                while len(raw) >= 4 and len(raw) >= 4 + int.from_bytes(raw[:4], "big"):
                    size = int.from_bytes(raw[:4], "big")
                    clear += context.unwrap(raw[4 : 4 + size]).data
                    raw = raw[4 + size :]
            else:
                clear, raw = clear + raw, b""
            while clear:
                try:
                    _, body, end = read(clear)
                except IndexError:
                    break
                clear = clear[end:]
                (_, number), (tag, operation), *rest = parts(body)
                identity = int.from_bytes(number, "big")
                if tag == 0x42:
                    return
                answer, seal = self._answer(connection, identity, tag, operation, rest, context)
                if answer is None:
                    return
                if sealed:
                    token = context.wrap(answer).data
                    answer = len(token).to_bytes(4, "big") + token
                connection.sendall(answer)
                sealed = sealed or seal

    def _answer(
        self,
        connection: socket.socket,
        identity: int,
        tag: int,
        operation: bytes,
        rest: list[tuple[int, bytes]],
        context: Any,
    ) -> tuple[bytes | None, bool]:
        if tag == 0x60:
            code, text, credentials = self._bind(operation, context)
            more = [tlv(0x87, credentials)] if credentials else []
            return message(identity, result(0x61, code, text, *more)), code == 0 and context.complete
        controls = {}
        for _, listed in rest:
            for _, control in parts(listed):
                (_, oid), *values = parts(control)
                controls[oid] = next((v for t, v in values if t == 4), b"")
        base, scope, _, _, seconds, _, wanted, attributes = parts(operation)
        search = Search(
            base[1].decode(),
            scope[1][0],
            [a.decode() for _, a in parts(attributes[1])],
            controls,
            wanted[1],
            int.from_bytes(seconds[1], "big"),
        )
        self.searches.append(search)
        if self.bad and search.base:
            return self.bad(self, connection, identity), False
        return self._search(identity, search), False

    def _bind(self, operation: bytes, context: Any) -> tuple[int, str, bytes]:
        _, (_, name), (kind, secret) = parts(operation)
        if kind == 0x80:
            self.binds.append(name.decode())
            wrong = (name.decode(), secret.decode()) != (USER, PASSWORD)
            return (49, WRONG, b"") if wrong else (0, "", b"")
        (_, mechanism), (_, token) = parts(secret)
        if self.sasl_code or mechanism != b"GSS-SPNEGO":
            return *(self.sasl_code or (7, "mechanism")), b""
        try:
            token = context.step(token) or b""
        except spnego.exceptions.SpnegoError:
            self.binds.append("refused")
            return 49, WRONG, b""
        if context.complete:
            self.binds.append(context.client_principal)
        return (0 if context.complete else 14), "", token

    def _search(self, identity: int, search: Search) -> bytes:
        if not search.base:
            names = {
                "defaultnamingcontext": BASE,
                "configurationnamingcontext": f"CN=Configuration,{BASE}",
                "schemanamingcontext": f"CN=Schema,CN=Configuration,{BASE}",
                "rootdomainnamingcontext": BASE,
                "dnshostname": "dc1.school.test",
            }
            wanted = {a.lower() for a in search.attributes}
            root = {n: [v.encode()] for n, v in names.items() if wanted & {n, "*"}}
            return message(identity, entry("", root)) + message(identity, result(0x65))
        if search.base not in self.entries:
            return message(identity, result(0x65, 32, "0000208D: NameErr: DSID-0310028B"))
        inside = [dn for dn in self.entries if dn == search.base or dn.endswith("," + search.base)]
        if search.scope == 0:
            inside = [search.base]
        start, size, paged = 0, MAX_PAGE_SIZE, PAGED in search.controls
        if paged:
            _, value, _ = read(search.controls[PAGED])
            (_, count), (_, cookie) = parts(value)
            start, size = int(cookie or b"0"), min(size, int.from_bytes(count, "big"))
        page = inside[start : start + size]
        code = 4 if not paged and len(inside) > size else 0
        more = str(start + size).encode() if start + size < len(inside) else b""
        control = tlv(0x30, tlv(4, PAGED), tlv(4, tlv(0x30, tlv(2, b"\0"), tlv(4, more))))
        found = b"".join(message(identity, entry(dn, self._attributes(dn, search))) for dn in page)
        reference = message(identity, tlv(0x73, tlv(4, b"ldap://school.test/CN=Configuration,DC=school,DC=test")))
        return found + reference + message(identity, result(0x65, code), *([control] if paged else []))

    def _attributes(self, dn: str, search: Search) -> dict[str, list[bytes]]:
        given: dict[str, list[bytes]] = {}
        for asked in search.attributes:
            plain, _, span = asked.partition(";range=")
            for name, values in self.entries[dn].items():
                if plain.lower() not in (name.lower(), "*"):
                    continue
                low = int(span.partition("-")[0] or 0)
                part = values[low : low + MAX_VAL_RANGE]
                if span or len(values) > MAX_VAL_RANGE:
                    high = "*" if low + MAX_VAL_RANGE >= len(values) else str(low + len(part) - 1)
                    given[f"{name};range={low}-{high}"] = part
                    if not span and self.empty_beside_range:
                        given[name] = []
                else:
                    given[name] = part
        return given


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FakeDirectory]]:
    """Start fake directories; their account is USER with PASSWORD, for NTLM too."""
    users = tmp_path / "ntlm"
    users.write_text(f":{USER}:{PASSWORD}\nSCHOOL:auditor:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    listeners = []

    def make(**given: Any) -> FakeDirectory:
        fake = FakeDirectory({BASE: {"objectClass": [b"domainDNS"]}}, **given)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        fake.port = listener.getsockname()[1]
        threading.Thread(target=fake.serve, args=(listener,), daemon=True).start()
        return fake

    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def fake(start: Callable[..., FakeDirectory]) -> FakeDirectory:
    """One fake directory."""
    return start()


@pytest.fixture
def transport() -> Callable[..., LdapTransport]:
    """Make transports that forget refusals between tests and lose patience soon."""

    def make(limits: Limits | None = None, **settings: Any) -> LdapTransport:
        return LdapTransport(Settings(connect_timeout=2, **settings), limits or Limits(silence=2, whole=5), Guard())

    return make


def _aim(*fakes: FakeDirectory | int, **variables: Any) -> Target:
    given = {"keuring_domain_user": "auditor", "keuring_domain_password": PASSWORD, **variables}
    servers = []
    for i, one in enumerate(fakes, 1):
        port = one if isinstance(one, int) else one.port
        servers.append(Target(f"dc{i}", variables={"ansible_host": "127.0.0.1", "keuring_ldap_port": port}))
    return Target("school.test", "domain", given, tuple(servers))


@pytest.fixture
def aim() -> Callable[..., Target]:
    """Make the domain target of fakes (or ports)."""
    return _aim


@dataclass(frozen=True)
class Authority:
    """A CA's certificate, and a context with a server's."""

    ca_file: Path
    context: ssl.SSLContext


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make a CA, and a certificate of it for dc1.school.test."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("School CA", ca_key, None, ca_key)
    leaf = _certificate("dc1.school.test", key, ca, ca_key)
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "ca.pem").write_bytes(ca.public_bytes(pem))
    (tmp_path / "dc.pem").write_bytes(
        key.private_bytes(pem, private, serialization.NoEncryption()) + leaf.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "dc.pem")
    return Authority(tmp_path / "ca.pem", context)
