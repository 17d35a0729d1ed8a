"""What web pages and TLS endpoints show a client."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from checks.core import Fact
from checks.questions import HttpGet, TlsProbe

_VERSION = re.compile(r"/?\d+(\.\d+)+|/\d+")
_TELLTALES = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator")


class _Page(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def connect_to(self) -> str | None: ...

    @property
    def ca(self) -> str | None: ...


class _Endpoint(Protocol):
    @property
    def port(self) -> int: ...

    @property
    def name(self) -> str | None: ...

    @property
    def connect_to(self) -> str | None: ...

    @property
    def ca(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class PageShown(Fact):
    """The answer to a GET: status, headers (names in lower case) and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: str
    trusted: bool | None
    trust_error: str | None

    @classmethod
    def ask(cls, want: _Page) -> HttpGet:
        """Ask for the requirement's page."""
        return HttpGet(want.url, want.connect_to or "", want.ca or "")

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Read what the probe saw."""
        return cls(
            int(answer["status"]),
            dict(answer["headers"]),
            str(answer["body"]),
            answer.get("trusted"),
            answer.get("trust_error"),
        )

    @property
    def telltales(self) -> dict[str, str]:
        """The headers that tell which version of what is running."""
        return {n: self.headers[n] for n in _TELLTALES if n in self.headers and _VERSION.search(self.headers[n])}

    @property
    def hsts(self) -> int | None:
        """How many seconds browsers must keep to HTTPS (RFC 6797); None when they are not told to."""
        found = re.search(
            r"(?:^|;)\s*max-age\s*=\s*\"?(\d{1,18})", self.headers.get("strict-transport-security", ""), re.IGNORECASE
        )
        return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class PageProtocols(Fact):
    """Which application protocol the page's server chooses when offered HTTP/2 and HTTP/1.1 (ALPN, RFC 7301)."""

    alpn: str | None

    @classmethod
    def ask(cls, want: _Page) -> TlsProbe:
        """Ask the endpoint of the requirement's URL."""
        url = urllib.parse.urlsplit(want.url)
        return TlsProbe(url.port or 443, want.connect_to or "", url.hostname or "", want.ca or "")

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Read what the probe saw."""
        return cls(answer["alpn"])


@dataclass(frozen=True, slots=True)
class Certificate(Fact):
    """The certificate and the protocol versions of a TLS endpoint. Times are UTC."""

    at: dt.datetime
    trusted: bool
    trust_error: str | None
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: dt.datetime
    not_after: dt.datetime
    key: str
    signature: str
    accepts: Mapping[str, bool | None]

    @classmethod
    def ask(cls, want: _Endpoint) -> TlsProbe:
        """Ask the requirement's endpoint."""
        return TlsProbe(want.port, want.connect_to or "", want.name or "", want.ca or "")

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Read what the probe saw."""
        return cls(
            at=dt.datetime.fromisoformat(answer["at"]),
            trusted=bool(answer["trusted"]),
            trust_error=answer["trust_error"],
            subject=str(answer["subject"]),
            issuer=str(answer["issuer"]),
            names=tuple(answer["names"]),
            not_before=dt.datetime.fromisoformat(answer["not_before"]),
            not_after=dt.datetime.fromisoformat(answer["not_after"]),
            key=str(answer["key"]),
            signature=str(answer["signature"]),
            accepts=dict(answer["accepts"]),
        )

    @property
    def days_left(self) -> int:
        """Whole days until it expires, at the time of the probe; negative afterwards."""
        return (self.not_after - self.at) // dt.timedelta(days=1)

    def covers(self, name: str) -> bool:
        """Tell whether a client that asks for this name or address accepts it (RFC 9525: the left label may be *)."""
        try:
            return any(_same_address(name, n) for n in self.names)
        except ValueError:
            wanted = name.rstrip(".").lower()
        parent = wanted.partition(".")[2]
        return any(n.rstrip(".").lower() in (wanted, f"*.{parent}") for n in self.names)

    @property
    def strength(self) -> int:
        """The key's strength, as the size in bits of an RSA key that is as strong (NIST SP 800-57 part 1, table 2)."""
        found = re.fullmatch(r"(rsa|dsa|ec)(\d{1,6})", self.key)
        if found is None:
            return {"ed25519": 3072, "ed448": 7680}.get(self.key, 0)
        size = int(found[2])
        if found[1] != "ec":
            return size
        return next(
            (rsa for least, rsa in ((512, 15360), (384, 7680), (256, 3072), (224, 2048)) if size >= least), 1024
        )


def _same_address(name: str, other: str) -> bool:
    """Compare addresses; ValueError when `name` is none."""
    address = ipaddress.ip_address(name)
    try:
        return address == ipaddress.ip_address(other)
    except ValueError:
        return False
