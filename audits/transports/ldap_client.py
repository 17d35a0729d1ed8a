"""One bound LDAP connection that reads, with bounds in time and size: ldap3 makes the requests, we read the answers.

GSS-SPNEGO (MS-ADTS 5.1.1.1.2) with sealing on 389: after the bind every message travels as a four-octet length and a
GSS wrap token (RFC 4752 3.1), as Windows does it, without the negotiation of a layer that GSSAPI's mechanism has.
ldap3's own NTLM cannot seal, and its range retrieval loses members when a later range fails, so both stand here.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import spnego
from ldap3 import DEREF_NEVER
from ldap3.operation.bind import bind_operation
from ldap3.operation.search import search_operation
from ldap3.operation.unbind import unbind_operation
from ldap3.protocol.microsoft import security_descriptor_control
from ldap3.protocol.rfc2696 import paged_search_control
from ldap3.protocol.rfc4511 import Controls, LDAPMessage, MessageID, ProtocolOp
from ldap3.utils.asn1 import encode

from audits.transports import ldap_ber as ber
from audits.transports.connecting import Trouble, broken
from audits.transports.ldap_results import OUR_SECRETS, trouble_of_bind, trouble_of_search
from checks.questions import MIB, FailureKind

NO_SUCH_OBJECT, SASL_IN_PROGRESS = 32, 14
_SCOPES = {"base": "BASE", "one": "LEVEL", "sub": "SUBTREE"}
_CHUNK = 256 * 1024
_LARGEST_PACKET = 16 * MIB  # RFC 4752 3.1: a length has three octets
_MOST_STEPS = 10  # of a SASL conversation; NTLM and Kerberos take two


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may cost."""

    entries: int = 200_000
    octets: int = 256 * MIB
    message: int = 32 * MIB  # one entry
    page: int = 1000  # AD's own MaxPageSize
    silence: float = 60.0  # seconds without a byte
    whole: float = 300.0  # seconds for all pages of a question
    server: int = 120  # seconds that the server may search: AD's own MaxQueryDuration


class Channel:
    """LDAP messages over a socket, sealed once there is a security context."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._sock, self._limits = sock, limits
        self._clear, self._sealed = bytearray(), bytearray()
        self._context: Any = None
        self.allow()

    def allow(self) -> None:
        """Give the next question its full time and size."""
        self._deadline = time.monotonic() + self._limits.whole
        self._left = self._limits.octets

    def seal(self, context: Any) -> None:
        """Wrap all that follows in the context's tokens."""
        self._context = context

    def send(self, data: bytes) -> None:
        """Send one message. Raises Trouble."""
        if self._context:
            token = self._context.wrap(data).data
            data = len(token).to_bytes(4, "big") + token
        try:
            self._sock.settimeout(self._limits.silence)
            self._sock.sendall(data)
        except OSError as error:
            raise broken(error, "asking the directory") from error

    def receive(self) -> ber.Message:
        """Wait for one message. Raises Trouble."""
        try:
            while (data := self._message()) is None:
                self._more()
            return ber.read_message(data)
        except ber.BadBer as error:
            raise Trouble(FailureKind.UNREADABLE, f"this is no LDAP: {error}", lost=True) from error

    def _message(self) -> bytes | None:
        """Take one whole message out of what has come; None when more must come first."""
        found = ber.header(self._clear)
        if found is None:
            return None
        tag, _, end = found
        if tag != ber.SEQUENCE:
            raise ber.BadBer(f"a message that starts with {tag:#x}")
        if end > self._limits.message:
            raise Trouble(FailureKind.TOO_LARGE, f"one message of {end} bytes", lost=True)
        if end > len(self._clear):
            return None
        data = bytes(self._clear[:end])
        del self._clear[:end]
        return data

    def _more(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Trouble(FailureKind.TIMED_OUT, f"not done in {self._limits.whole:g} s", lost=True)
        try:
            self._sock.settimeout(min(left, self._limits.silence))
            data = self._sock.recv(_CHUNK)
        except OSError as error:
            raise broken(error, "waiting for the directory") from error
        if not data:
            raise Trouble(FailureKind.UNREACHABLE, "the directory server closed the connection", lost=True)
        self._left -= len(data)
        if self._left < 0:
            raise Trouble(FailureKind.TOO_LARGE, f"more than {self._limits.octets} bytes", lost=True)
        if self._context:
            self._unseal(data)
        else:
            self._clear += data

    def _unseal(self, data: bytes) -> None:
        self._sealed += data
        while len(self._sealed) >= 4:  # noqa: PLR2004 - octets of the length
            length = int.from_bytes(self._sealed[:4], "big")
            if length > _LARGEST_PACKET:
                raise Trouble(FailureKind.UNREADABLE, f"the seal is broken: a packet of {length} bytes", lost=True)
            if len(self._sealed) < 4 + length:
                return
            token = bytes(self._sealed[4 : 4 + length])
            del self._sealed[: 4 + length]
            try:
                unwrapped = self._context.unwrap(token)
            except Exception as error:  # pyspnego and gssapi raise several; struct.error on a short token
                raise Trouble(FailureKind.UNREADABLE, f"the seal is broken: {error}", lost=True) from error
            if not unwrapped.encrypted:
                raise Trouble(FailureKind.UNREADABLE, "a packet that is not sealed", lost=True)
            self._clear += unwrapped.data

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class Directory:
    """A connection to one directory server."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._channel, self._limits = Channel(sock, limits), limits
        self._last = 0
        self._bases: dict[str, str] = {}
        self.how = ""  # the protocol that let us in: ntlm, kerberos, simple

    def close(self) -> None:
        """Say goodbye and close; a peer that is gone already does not matter."""
        with contextlib.suppress(Exception):  # whatever the connection died of was told already
            self._send("unbindRequest", unbind_operation())
        self._channel.close()

    def bind_simple(self, name: str, password: str) -> None:
        """Log on with name and password in clear: over TLS only. Raises Trouble."""
        result = self._bind(bind_operation(3, "SIMPLE", name, password, auto_encode=True))
        if result.code:
            raise trouble_of_bind(result.code, result.message)
        self.how = "simple"

    def bind_sealed(self, credential: Any, hostname: str, protocol: str) -> None:
        """Log on with GSS-SPNEGO and seal all that follows.

        Raises Trouble for what the server says, SpnegoError when no token could be made (no ticket, no such realm).
        """
        wants = spnego.ContextReq
        context = spnego.client(
            credential,
            hostname=hostname,
            service="ldap",
            context_req=wants.mutual_auth
            | wants.replay_detect
            | wants.sequence_detect
            | wants.integrity
            | wants.confidentiality,
        )
        token = context.step()
        for _ in range(_MOST_STEPS):
            result = self._bind(bind_operation(3, "SASL", None, None, "GSS-SPNEGO", token))
            if result.code not in (0, SASL_IN_PROGRESS):
                raise trouble_of_bind(result.code, result.message)
            if result.credentials:
                try:
                    token = context.step(result.credentials)
                except Exception as error:
                    raise Trouble(FailureKind.UNREADABLE, f"the server's token: {error}", lost=True) from error
            if result.code == 0:
                break
        if not context.complete or not context.context_attr & wants.confidentiality:
            raise Trouble(FailureKind.UNREADABLE, "the server did not prove itself, or will not seal", lost=True)
        self._channel.seal(context)
        self.how = protocol

    def base(self, nc: str) -> str:
        """Give the distinguished name of a naming context (a word of LdapSearch.nc). Raises Trouble."""
        if nc == "root":
            return ""
        if not self._bases:
            names = {
                "default": "defaultnamingcontext",
                "configuration": "configurationnamingcontext",
                "schema": "schemanamingcontext",
                "forest": "rootdomainnamingcontext",
            }
            (root, *_) = self.search("", "base", "(objectClass=*)", tuple(names.values())) or [ber.Entry("", {})]
            for word, name in names.items():
                self._bases[word] = (root.attributes.get(name) or [b""])[0].decode("utf-8", "replace")
        name, prefix = {
            "domaindns": ("default", "DC=DomainDnsZones,"),
            "forestdns": ("forest", "DC=ForestDnsZones,"),
        }.get(nc, (nc, ""))
        if not self._bases.get(name):
            raise Trouble(FailureKind.UNREADABLE, f"the server names no {name} naming context: no domain controller?")
        return prefix + self._bases[name]

    def search(
        self,
        base: str,
        scope: Literal["base", "one", "sub"],
        filter_: str,
        attributes: Sequence[str],
        sd_flags: int = 0,
    ) -> list[ber.Entry] | None:
        """Search, page by page, and complete ranged attributes. None when there is no such base. Raises Trouble."""
        self._channel.allow()
        found: list[ber.Entry] = []
        cookie = b""
        while True:
            controls = [] if scope == "base" else [paged_search_control(False, self._limits.page, cookie)]
            if sd_flags:
                controls += security_descriptor_control(criticality=True, sdflags=sd_flags)
            result = self._ask(_search(base, scope, filter_, attributes, self._limits.server), controls, found)
            if result.code == NO_SUCH_OBJECT:
                return None
            if result.code:
                raise trouble_of_search(result.code, result.message)
            if len(found) > self._limits.entries:
                raise Trouble(FailureKind.TOO_LARGE, f"more than {self._limits.entries} entries")
            cookie = result.cookie
            if not cookie:
                break
        for entry in found:
            self._complete(entry)
        return found

    def _complete(self, entry: ber.Entry) -> None:
        """Fetch the rest of attributes that came as a range (MS-ADTS 3.1.1.3.1.3.3), such as `member;range=0-1499`.

        AD sends an empty `member` beside it. A range that fails, goes back or stands still is Trouble: a group with
        some of its members would be a wrong answer.
        """
        for name in [n for n in entry.attributes if ";range=" in n]:
            plain = name.partition(";range=")[0]
            values, last = entry.attributes.pop(name), _span(name, 0)
            whole = entry.attributes.setdefault(plain, [])
            whole += values
            while last is not None:
                asked = f"{plain};range={last + 1}-*"
                part: list[ber.Entry] = []
                result = self._ask(
                    _search(entry.dn, "base", "(objectClass=*)", (asked,), self._limits.server), [], part
                )
                if result.code:
                    raise trouble_of_search(result.code, f"{plain} of {entry.dn}: {result.message}")
                got = part[0].attributes if len(part) == 1 else {}
                more = next((n for n in got if n.startswith(f"{plain};range=")), "")
                if not more or not got[more]:
                    raise Trouble(FailureKind.UNREADABLE, f"{plain} of {entry.dn} came only as far as value {last}")
                last = _span(more, last + 1)
                whole += got[more]
        for name in [n for n, values in entry.attributes.items() if not values or n.partition(";")[0] in OUR_SECRETS]:
            del entry.attributes[name]

    def _bind(self, request: Any) -> ber.Result:
        self._channel.allow()
        return self._result(self._send("bindRequest", request), ber.BIND_RESPONSE, [])

    def _ask(self, request: Any, controls: Iterable[Any], found: list[ber.Entry]) -> ber.Result:
        return self._result(self._send("searchRequest", request, controls), ber.DONE, found)

    def _send(self, operation: str, request: Any, controls: Iterable[Any] = ()) -> int:
        self._last += 1
        message = LDAPMessage()
        message["messageID"] = MessageID(self._last)
        message["protocolOp"] = ProtocolOp().setComponentByName(operation, request)
        listed = Controls()
        for i, control in enumerate(controls):
            listed.setComponentByPosition(i, control)
            message["controls"] = listed
        self._channel.send(encode(message))
        return self._last

    def _result(self, asked: int, operation: int, found: list[ber.Entry]) -> ber.Result:
        """Gather a request's entries into `found` and give its result."""
        while True:
            message = self._channel.receive()
            if message.id == 0 and message.operation == ber.EXTENDED:  # notice of disconnection
                raise Trouble(FailureKind.UNREACHABLE, f"the server ends it: {message.result.message}", lost=True)
            if message.id != asked:
                raise Trouble(FailureKind.UNREADABLE, f"an answer to request {message.id}, not {asked}", lost=True)
            if message.operation == operation:
                return message.result
            if message.entry and operation == ber.DONE:
                found.append(message.entry)
                if len(found) > self._limits.entries + self._limits.page:
                    raise Trouble(FailureKind.TOO_LARGE, f"more than {self._limits.entries} entries", lost=True)
            elif message.operation != ber.REFERENCE:
                raise Trouble(FailureKind.UNREADABLE, f"operation {message.operation:#x} out of place", lost=True)


def _search(base: str, scope: str, filter_: str, attributes: Sequence[str], seconds: int) -> Any:
    try:
        return search_operation(
            base,
            filter_,
            _SCOPES[scope],
            DEREF_NEVER,
            list(attributes),
            0,
            seconds,
            False,
            True,
            True,
        )
    except Exception as error:  # ldap3's parser raises AttributeError and others beside its own
        raise Trouble(FailureKind.UNREADABLE, f"the filter {filter_} is malformed: {error}") from error


def _span(name: str, first: int) -> int | None:
    """Read the end of `attribute;range=first-last`; None when it is the last range. Raises Trouble."""
    low, _, high = name.rpartition("=")[2].partition("-")
    try:
        if int(low) != first or (high != "*" and int(high) < first):
            raise ValueError  # noqa: TRY301
        return None if high == "*" else int(high)
    except ValueError:
        raise Trouble(FailureKind.UNREADABLE, f"the range {name} does not follow value {first}") from None


def wrap_tls(sock: socket.socket, hostname: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Speak TLS and verify the certificate and its name. Raises Trouble."""
    try:
        return context.wrap_socket(sock, server_hostname=hostname)
    except ssl.SSLCertVerificationError as error:
        sock.close()
        detail = f"{hostname}: {error.verify_message or error}"
        raise Trouble(FailureKind.CERTIFICATE_UNTRUSTED, detail, lost=True) from error
    except ssl.SSLError as error:
        sock.close()
        raise Trouble(
            FailureKind.UNREADABLE, f"TLS with {hostname} failed: {error.reason or error}", lost=True
        ) from error
    except (OSError, ValueError) as error:
        sock.close()
        raise broken(error, f"speaking TLS with {hostname}") from error
