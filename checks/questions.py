"""What can be asked of a target, and how an answer can fail to come.

A question is a value: frozen, hashable, written into the evidence as JSON (`to_json`) and read back (`from_json`).
Its class tells over which transport it goes. What a question returns, raw, is told in each docstring ("Answer:");
facts read it. Nothing here touches a network.
"""

from __future__ import annotations

import dataclasses
import enum
import shlex
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

SECOND = 1.0
KIB = 1024
MIB = 1024 * 1024


class FailureKind(enum.StrEnum):
    """Why a question has no answer. Each has a text and an advice in three languages in the reports."""

    UNREACHABLE = "unreachable"  # no route, no answer to a connection attempt
    NAME_NOT_FOUND = "name_not_found"  # the target's name does not resolve
    REFUSED = "refused"  # the port is closed
    HOST_KEY_UNKNOWN = "host_key_unknown"
    HOST_KEY_CHANGED = "host_key_changed"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    AUTHENTICATION_FAILED = "authentication_failed"
    DENIED = "denied"  # connected, but this may not be seen
    TIMED_OUT = "timed_out"
    TOO_LARGE = "too_large"
    NOT_INSTALLED = "not_installed"  # the program that would tell is not there
    UNREADABLE = "unreadable"  # something came, but not in a shape that can be read
    INTERRUPTED = "interrupted"  # the run ended before it was asked


@dataclass(frozen=True, slots=True)
class Failure:
    """A typed failure: what went wrong, and the words of the peer or library (one line, no secrets)."""

    kind: FailureKind
    detail: str = ""


class Unreadable(ValueError):
    """Raised by a fact's reader when an answer is not what it should be; becomes *unknown*, never a pass."""

    def __init__(self, detail: str, kind: FailureKind = FailureKind.UNREADABLE) -> None:
        super().__init__(detail)
        self.failure = Failure(kind, detail)


class Question:
    """Base of all questions."""

    transport: ClassVar[str]
    """The transport that carries it: ssh, ldap, smb, dns, probe, ansible."""


@dataclass(frozen=True, slots=True)
class Shell(Question):
    """A command for a POSIX shell on the target.

    Answer: `{"status": int, "stdout": str, "stderr": str}` (UTF-8, bad bytes replaced; `LC_ALL=C`).
    `root`: needs root: the transport runs it through `sudo -n` unless it is root already. Such a command is ONE simple
    command without shell syntax (no pipe, redirection, variable, `;`), so that a sudoers allow-list can name it.
    `timeout` in seconds; `limit`: most bytes of output kept; more is the failure too_large.
    `patient`: it waits much longer than it works (a port that may not answer), so it is asked beside the others; not
    for root, at most 32 KiB of output, stderr comes within stdout.
    """

    transport = "ssh"

    command: str
    root: bool = False
    timeout: float = 20 * SECOND
    limit: int = 4 * MIB
    patient: bool = False


@dataclass(frozen=True, slots=True)
class LdapSearch(Question):
    """A search in the directory.

    Answer: a list of entries, `{"dn": str, "attributes": {name: [str, …]}}`, names in lower case, values as UTF-8
    text, those of `binary` attributes as base64. Sorted by dn. An entry without an attribute lacks the key.
    `nc` is the naming context that `rdn` (may be empty) is relative to; with nc "root" the rootDSE itself is read.
    `sd_flags`: the SD_FLAGS control for nTSecurityDescriptor (MS-ADTS 3.1.1.3.4.1.11), 0 for none.
    A base that does not exist gives an empty list.
    """

    transport = "ldap"

    filter: str = "(objectClass=*)"
    attributes: tuple[str, ...] = ()
    nc: Literal["root", "default", "configuration", "schema", "domaindns", "forestdns"] = "default"
    rdn: str = ""
    scope: Literal["base", "one", "sub"] = "sub"
    binary: tuple[str, ...] = ()
    sd_flags: int = 0


@dataclass(frozen=True, slots=True)
class SmbShares(Question):
    """All shares of a file server with their share descriptors (SRVSVC NetrShareEnum 1, NetrShareGetInfo 502).

    Answer: a list of `{"name", "type": int, "remark", "path": str|null, "descriptor": base64|null,
    "error": int|null}`; descriptor null with error 0 means that the share has none; error 5 that it may not be read.
    `also`: names to ask for one by one when the list lacks them: Samba does not list what is not browseable.
    """

    transport = "smb"

    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SmbRead(Question):
    """A file below a share. Answer: base64 of its bytes, or null when there is no such file.

    `path` with backslashes; `{domain}` in it is the domain's DNS name. `limit` in bytes.
    """

    transport = "smb"

    share: str
    path: str
    limit: int = 4 * MIB


@dataclass(frozen=True, slots=True)
class SmbTree(Question):
    r"""Every file below a directory of a share.

    Answer: `{"relative\path": {"size": int, "content": base64|null}}`, null when it is larger than `limit` or does
    not match `read` (lower-case file names, `*` globs, read with their content). Directories end in a backslash.
    What may not be seen has `"error": failure kind` too: a directory not listed, a file that matches but is not read.
    Links are named, not followed.
    Null as a whole when there is no such directory.
    """

    transport = "smb"

    share: str
    path: str
    read: tuple[str, ...] = ()
    limit: int = 4 * MIB
    most: int = 50_000


@dataclass(frozen=True, slots=True)
class SmbSecurity(Question):
    """The security descriptor (owner, group, DACL) of a file or folder below a share.

    Answer: base64 of a self-relative SECURITY_DESCRIPTOR (MS-DTYP 2.4.6), or null when there is no such path.
    """

    transport = "smb"

    share: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class SmbNegotiate(Question):
    """What the server offers before anyone logs on.

    Answer: `{"dialect": "3.1.1", "signing_required": bool, "encryption": bool, "smb1": bool}`.
    """

    transport = "smb"


@dataclass(frozen=True, slots=True)
class DnsQuery(Question):
    """One DNS query to the target, as a server.

    Answer: `{"rcode": "NOERROR", "flags": ["AA", "RA", …], "answers": [{"name", "type", "ttl": int, "data": str}]}`,
    names in lower case without the last dot, data as in a zone file but names without the last dot and lower case.
    type "AXFR" asks for a zone transfer: answers holds at most the first records, rcode REFUSED when it is refused.
    """

    transport = "dns"

    name: str
    type: str = "A"
    recursion: bool = True
    timeout: float = 4 * SECOND


@dataclass(frozen=True, slots=True)
class TcpProbe(Question):
    """Whether a TCP port of the target answers, as seen from the auditor.

    Answer: `{"state": "open" | "refused" | "filtered", "ms": float, "banner": str|null, "alive": bool|null}`.
    filtered: no answer, or "unreachable" from the host or a router. alive: whether the target answers at all (for a
    filtered port its management port is tried); null when `host` is another place. `host` empty: the target.
    """

    transport = "probe"

    port: int
    host: str = ""
    timeout: float = 4 * SECOND


@dataclass(frozen=True, slots=True)
class TlsProbe(Question):
    """What a TLS endpoint shows a client. `host` empty: the target (as for HttpGet); else where to connect.

    Answer: `{"at": iso time, "version": "TLSv1.3", "alpn": str|null, "trusted": bool, "trust_error": str|null,
    "subject": str, "issuer": str, "names": [str], "not_before": iso, "not_after": iso, "key": "rsa2048",
    "signature": "sha256", "chain": [subject …], "accepts": {"TLSv1": bool|null, "TLSv1.1": …, "TLSv1.2": …,
    "TLSv1.3": …}}`. Names are DNS names and addresses of the subjectAltName; trusted speaks of the chain and the dates,
    not of the name. A version that could not be tried from here is null. `server_name` empty: `host`, else the target.
    `ca`: a PEM file's name as the definition gives it, empty for the machine's own trust store.
    """

    transport = "probe"

    port: int = 443
    host: str = ""
    server_name: str = ""
    ca: str = ""
    timeout: float = 6 * SECOND


@dataclass(frozen=True, slots=True)
class HttpGet(Question):
    """One GET without following redirects.

    Answer: `{"at": iso, "status": int, "version": "HTTP/1.0"|"HTTP/1.1", "headers": {lower: str}, "body": str,
    "trusted": bool|null, "trust_error": str|null}`, body at most `limit` bytes as text; trusted null without TLS, else
    whether certificate and name could be verified. `connect_to` (a name or address) empty: the target, whatever the
    URL's name resolves to; for a target that is only this machine (no `ansible_host`) the URL's own name.
    """

    transport = "probe"

    url: str
    connect_to: str = ""
    ca: str = ""
    timeout: float = 8 * SECOND
    limit: int = 256 * KIB


QUESTIONS: dict[str, type[Question]] = {
    q.__name__: q
    for q in (
        Shell, LdapSearch, SmbShares, SmbRead, SmbTree, SmbSecurity, SmbNegotiate,
        DnsQuery, TcpProbe, TlsProbe, HttpGet,
    )
}  # fmt: skip


def to_json(question: Question) -> dict[str, Any]:
    """Give a question as JSON: its class under `ask`, then its fields that differ from their defaults."""
    said: dict[str, Any] = {"ask": type(question).__name__}
    for f in dataclasses.fields(question):  # type: ignore[arg-type]
        value = getattr(question, f.name)
        if value != f.default:
            said[f.name] = list(value) if isinstance(value, tuple) else value
    return said


def from_json(said: dict[str, Any]) -> Question:
    """Read a question back; KeyError or TypeError when it is none of ours."""
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items() if k != "ask"}
    return QUESTIONS[said["ask"]](**given)


def quote(argument: str) -> str:
    """Quote an argument from a definition for a POSIX shell: the one function that does."""
    if "\0" in argument:
        raise ValueError("a NUL character cannot be part of a command")
    return shlex.quote(argument)
