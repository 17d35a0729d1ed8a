"""What a TLS endpoint shows: its certificate and chain, whether it is trusted, and which versions it accepts.

The certificate is first verified against the trust store (the chain and the dates; names are for the checks to
compare). When that fails it is fetched without verifying: an untrusted certificate is an answer. Each version is then
tried in a handshake of its own, with OpenSSL's security level 0, where our OpenSSL still can; else it is null.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from audits.transports.base import Settings
from audits.transports.probe_tcp import Unanswered
from checks.questions import FailureKind

ALPN = ["h2", "http/1.1"]
LONGEST_CHAIN = 10
VERSIONS = {
    "TLSv1": (ssl.TLSVersion.TLSv1, ssl.HAS_TLSv1),
    "TLSv1.1": (ssl.TLSVersion.TLSv1_1, ssl.HAS_TLSv1_1),
    "TLSv1.2": (ssl.TLSVersion.TLSv1_2, ssl.HAS_TLSv1_2),
    "TLSv1.3": (ssl.TLSVersion.TLSv1_3, ssl.HAS_TLSv1_3),
}
_OURS = {"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "UNSUPPORTED_PROTOCOL_VERSION"}  # our OpenSSL's own refusal
_lock = threading.Lock()
Connect = Callable[[], contextlib.AbstractContextManager[socket.socket]]


class NoTls(Exception):
    """The port is open, but there is no TLS handshake to be had."""


class NoSuchAuthority(Exception):
    """The question names a CA that the definition does not."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signature counts: one authority of the definition, or the machine's store and the extra CA file."""

    only: Path | None
    also: Path | None

    def verified(self, *, hostname: bool = False) -> ssl.SSLContext:
        """Make a context that verifies chain and dates, and if asked the name."""
        context = ssl.create_default_context(cafile=str(self.only) if self.only else None)
        if self.also and not self.only:
            context.load_verify_locations(str(self.also))
        context.check_hostname = hostname
        if not hostname:
            context.set_alpn_protocols(ALPN)
        return context


def trust(settings: Settings, ca: str) -> Trust:
    """Give whom to trust; NoSuchAuthority for a name that the definition does not know."""
    if not ca:
        return Trust(None, settings.ca_file)
    if ca not in settings.authorities:
        raise NoSuchAuthority(f"there is no '{ca}' under `authorities` in the definition")
    return Trust(settings.authorities[ca], None)


def unverified() -> ssl.SSLContext:
    """Make a context that takes any certificate, of any strength: only to look at it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(ALPN)
    return context


@functools.cache
def _trial(version: str) -> ssl.SSLContext | None:
    """Make the context for one version; None when our OpenSSL has no such version any more."""
    number, there = VERSIONS[version]
    if not there:
        return None
    context = unverified()
    with warnings.catch_warnings():  # Python warns of old versions; to try them is what this is for
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = number
            context.minimum_version = number
        except ValueError:
            return None
    return context


def look(connected: Connect, name: str, trusted: Trust) -> dict[str, Any]:
    """Look at an endpoint; NoTls when it has no handshake for us, else what connecting raises."""
    error: str | None = None
    try:
        seen = _shake(connected, name, trusted.verified())
    except ssl.SSLCertVerificationError as e:
        error = e.verify_message
        seen = _insist(connected, name)
    except ssl.SSLError as e:
        seen = _insist(connected, name)
        error = words_of(e)
    accepts = {version: _accepts(connected, name, version) for version in VERSIONS}
    return {**seen, "trusted": error is None, "trust_error": error, "accepts": accepts}


def _insist(connected: Connect, name: str) -> dict[str, Any]:
    """Shake hands with whatever is offered, down to the oldest version."""
    words = "no TLS handshake"
    for context in (unverified(), _trial("TLSv1.1"), _trial("TLSv1")):
        if context is None:
            continue
        try:
            return _shake(connected, name, context)
        except ssl.SSLError as e:
            words = words_of(e)
    raise NoTls(words)


def _shake(connected: Connect, name: str, context: ssl.SSLContext) -> dict[str, Any]:
    with connected() as plain, context.wrap_socket(plain, server_hostname=_sni(name)) as sock:
        der = sock.getpeercert(binary_form=True)
        if not der:
            raise NoTls("the server shows no certificate")
        return {
            "version": sock.version(),
            "alpn": sock.selected_alpn_protocol(),
            **certificate(der),
            "chain": _chain(sock),
        }


def _sni(name: str) -> str | None:
    """Give the name to ask for: none for one that cannot be a name (then the server shows its default)."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return name  # Python sends no SNI for an address
    try:
        name.encode("idna")
    except UnicodeError:
        return None
    return name or None


def _accepts(connected: Connect, name: str, version: str) -> bool | None:
    """Tell whether a version is accepted; None when it cannot be tried."""
    with _lock:
        context = _trial(version)
    if context is None:
        return None
    try:
        with connected() as plain, context.wrap_socket(plain, server_hostname=_sni(name)):
            return True
    except ssl.SSLError as e:
        return None if e.reason in _OURS else False
    except Unanswered as e:
        return False if e.kind == FailureKind.UNREADABLE else None  # hung up on us, or silent


def words_of(error: ssl.SSLError) -> str:
    """Say in a few words what OpenSSL complains of."""
    return (error.reason or str(error)).replace("_", " ").lower()


def certificate(der: bytes) -> dict[str, Any]:
    """Read a certificate; ValueError when it is none."""
    read = x509.load_der_x509_certificate(der)
    return {
        "subject": read.subject.rfc4514_string(),
        "issuer": read.issuer.rfc4514_string(),
        "names": _names(read),
        "not_before": read.not_valid_before_utc.isoformat(),
        "not_after": read.not_valid_after_utc.isoformat(),
        "key": _key(read),
        "signature": read.signature_hash_algorithm.name
        if read.signature_hash_algorithm
        else read.signature_algorithm_oid._name.lower(),  # noqa: SLF001 - ed25519 and its like have no hash
    }


def _names(read: x509.Certificate) -> list[str]:
    try:
        extension = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    names = extension.get_values_for_type(x509.DNSName)
    return [*(n.lower() for n in names), *(str(a) for a in extension.get_values_for_type(x509.IPAddress))]


def _key(read: x509.Certificate) -> str:
    key = read.public_key()
    for name, kind in (("rsa", rsa.RSAPublicKey), ("ec", ec.EllipticCurvePublicKey), ("dsa", dsa.DSAPublicKey)):
        if isinstance(key, kind):
            return f"{name}{key.key_size}"
    return type(key).__name__.removeprefix("_").removesuffix("PublicKey").lower()


def _chain(sock: ssl.SSLSocket) -> list[str]:
    """Give the subjects of the certificates that the server sent, its own first."""
    found: list[bytes] = []
    if hasattr(sock, "get_unverified_chain"):  # Python 3.13
        found = list(sock.get_unverified_chain())
    else:
        inner = getattr(sock, "_sslobj", None)
        with contextlib.suppress(AttributeError, ImportError, TypeError):
            import _ssl  # noqa: PLC0415 - only before Python 3.13

            found = [c.public_bytes(_ssl.ENCODING_DER) for c in inner.get_unverified_chain()]  # type: ignore[union-attr]
    subjects = []
    for der in found[:LONGEST_CHAIN]:
        with contextlib.suppress(ValueError):
            subjects.append(x509.load_der_x509_certificate(der).subject.rfc4514_string())
    return subjects
