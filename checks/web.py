"""Web pages and TLS endpoints of a host, as a client sees them: they answer, are trusted, tell no more than needed."""

from __future__ import annotations

import urllib.parse
from typing import Literal

from checks.core import (
    Expectation,
    FailureKind,
    Outcome,
    Scope,
    check,
    expect,
    expect_members,
    failed,
    kind,
    passed,
    unknown,
)
from checks.facts.web import Certificate, PageProtocols, PageShown

Version = Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
REDIRECTS = (301, 302, 303, 307, 308)
WEAK_SIGNATURES = ("md2", "md5", "sha1")


@kind("web", Scope.HOST)
class Page(Expectation):
    """A web page of this host."""

    url: str
    """Its URL. It is asked of this host, whatever the URL's name resolves to."""
    connect_to: str | None = None
    """Name or address to connect to instead of this host, such as that of a load balancer."""
    status: int | None = None
    """Expected status; not given: 200, or any redirect when `redirects_to` is given."""
    text: str | None = None
    """Text that must stand in the page's source."""
    redirects_to: str | None = None
    """URL that it must send the browser to, such as the same page over https."""
    trusted: bool = True
    """Whether browsers must trust its certificate (https); false: not judged."""
    http2: bool | None = None
    """Whether the server offers HTTP/2."""
    hides_version: bool | None = None
    """Whether the server keeps the versions of its software to itself; false: not judged."""
    hsts: bool | None = None
    """Whether browsers are told to use https only (HTTP Strict Transport Security)."""
    ca: str | None = None
    """Name (under `authorities`) of the certificate authority that must have signed; not given: any usual one."""

    def __post_init__(self) -> None:
        if "{{" in self.url:
            return  # not expanded yet
        url = urllib.parse.urlsplit(self.url)  # ValueError for what cannot be read
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("url must be a complete http:// or https:// URL")
        if self.http2 is not None and url.scheme != "https":
            raise ValueError("http2 can only be told of an https:// URL")
        _ = url.port

    def leaves_out(self, check_id: str) -> bool:
        """Leave out what it says is not to be judged; plain http has no certificate."""
        trusted = self.trusted and self.url.startswith("https:")
        not_judged = {"web.page_is_trusted": not trusted, "web.server_hides_version": self.hides_version is False}
        return not_judged.get(check_id, False)

    @property
    def subject(self) -> str:
        """The URL."""
        return self.url


@kind("tls", Scope.HOST)
class Endpoint(Expectation):
    """A TLS port of this host: its certificate and the versions that it speaks."""

    port: int = 443
    """TCP port that speaks TLS at once (443, 636, 993 …)."""
    name: str | None = None
    """Name under which clients know it; it is asked for (SNI), and the certificate must cover it."""
    names: tuple[str, ...] | None = None
    """Exactly the names and addresses that the certificate covers (subjectAltName)."""
    connect_to: str | None = None
    """Name or address to connect to instead of this host."""
    trusted: bool = True
    """Whether the certificate must be trusted; false: not judged."""
    ca: str | None = None
    """Name (under `authorities`) of the certificate authority that must have signed; not given: any usual one."""
    issuer: str | None = None
    """Text that must stand in the issuer's name, such as the name of the school's CA."""
    valid_days: int = 30
    """For how many days at least it must stay valid."""
    versions: tuple[Version, ...] | None = None
    """Versions of TLS that may be accepted; all others must be refused."""
    min_key: int | None = None
    """Least strength of its key, as the size of an RSA key in bits (2048, 3072); other kinds are converted."""

    def leaves_out(self, check_id: str) -> bool:
        """Leave out the trust when it is not to be judged."""
        return check_id == "web.certificate_is_trusted" and not self.trusted

    @property
    def subject(self) -> str:
        """The name and port."""
        return f"{self.name}:{self.port}" if self.name else f"{self.port}/tcp"


# -- pages ------------------------------------------------------------------------------------------------------------


@check
def page_answers(page: PageShown, want: Page) -> Outcome:
    """Whether the page answers with the status that is expected."""
    if want.status is None and want.redirects_to is not None:
        return expect(page.status, one_of=REDIRECTS)
    return expect(page.status, equals=want.status or 200)


@check
def page_is_trusted(page: PageShown, want: Page) -> Outcome:  # noqa: ARG001 - the page is in the question
    """Whether a browser shows the page without a warning: chain, dates and name of the certificate."""
    return expect({"trusted": page.trusted}, equals={"trusted": True}, note=page.trust_error)


@check("text")
def page_shows_text(page: PageShown, want: Page) -> Outcome:
    """Whether the text stands in the page's source; other white space counts as the same."""
    wanted = " ".join((want.text or "").split())
    there = wanted in " ".join(page.body.split())
    seen = {"found": there}
    return passed(seen, {"contains": want.text}) if there else failed(seen, {"contains": want.text})


@check("redirects_to")
def page_redirects(page: PageShown, want: Page) -> Outcome:
    """Whether the page sends the browser to where it should; default ports and an empty path make no difference."""
    location = page.headers.get("location")
    if page.status not in REDIRECTS or location is None:
        return failed({"status": page.status, "location": location}, want.redirects_to)
    seen = urllib.parse.urljoin(want.url, location)
    same = _plain_url(seen) == _plain_url(urllib.parse.urljoin(want.url, want.redirects_to or ""))
    return passed(seen, want.redirects_to) if same else failed(seen, want.redirects_to)


def _plain_url(url: str) -> tuple[str, str, int | None, str, str]:
    parts = urllib.parse.urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").rstrip("."), port, parts.path or "/", parts.query


@check("http2")
def http2_is_offered(protocols: PageProtocols, want: Page) -> Outcome:
    """Whether the server chooses HTTP/2 when the client offers it (ALPN)."""
    return expect({"http2": protocols.alpn == "h2"}, equals={"http2": want.http2})


@check("hides_version")
def server_hides_version(page: PageShown, want: Page) -> Outcome:  # noqa: ARG001
    """Whether no header tells a version number of the software, which shows attackers what to try."""
    told = "; ".join(f"{name}: {value}" for name, value in page.telltales.items())
    return expect({"hidden": not told}, equals={"hidden": True}, note=told or None)


@check("hsts")
def hsts_is_sent(page: PageShown, want: Page) -> Outcome:
    """Whether browsers are told to use https only; a max-age of 0 takes it back (RFC 6797 6.1.1)."""
    return expect({"hsts": bool(page.hsts)}, equals={"hsts": want.hsts}, note=_max_age(page))


def _max_age(page: PageShown) -> str | None:
    return None if page.hsts is None else f"max-age={page.hsts}"


# -- certificates -----------------------------------------------------------------------------------------------------


@check
def certificate_is_trusted(certificate: Certificate, want: Endpoint) -> Outcome:  # noqa: ARG001
    """Whether the certificate was signed by an authority that counts, and is within its dates."""
    seen = {"trusted": certificate.trusted, "issuer": certificate.issuer}
    if certificate.trusted:
        return passed(seen, {"trusted": True})
    return failed(seen, {"trusted": True}, note=certificate.trust_error)


@check("name")
def certificate_covers_name(certificate: Certificate, want: Endpoint) -> Outcome:
    """Whether the name by which clients know the service stands in the certificate."""
    covered = certificate.covers(want.name or "")
    seen = {"names": list(certificate.names)}
    return passed(seen, {"contains": want.name}) if covered else failed(seen, {"contains": want.name})


@check("names")
def certificate_names_are_exact(certificate: Certificate, want: Endpoint) -> Outcome:
    """Whether the certificate covers exactly the declared names."""
    return expect_members((n.lower() for n in certificate.names), (n.lower() for n in want.names or ()))


@check("issuer")
def certificate_comes_from_issuer(certificate: Certificate, want: Endpoint) -> Outcome:
    """Whether the declared authority issued it (it says so: whether that is true is for certificate_is_trusted)."""
    there = (want.issuer or "").casefold() in certificate.issuer.casefold()
    expected = {"contains": want.issuer}
    return passed(certificate.issuer, expected) if there else failed(certificate.issuer, expected)


@check
def certificate_stays_valid(certificate: Certificate, want: Endpoint) -> Outcome:
    """Whether it is valid now and will be for some time, so that nobody is surprised by a warning."""
    until = certificate.not_after.date().isoformat()
    if certificate.not_before > certificate.at:
        return failed({"from": certificate.not_before.date().isoformat()}, {"from": certificate.at.date().isoformat()})
    return expect(certificate.days_left, at_least=want.valid_days, note=until)


@check("versions")
def old_tls_is_refused(certificate: Certificate, want: Endpoint) -> Outcome:
    """Whether every version of TLS that is not allowed is refused. One that we cannot try leaves it unknown."""
    accepted = [v for v, yes in certificate.accepts.items() if yes]
    allowed = list(want.versions or ())
    expected = {"allowed": allowed}
    if any(v not in allowed for v in accepted):
        return failed({"accepted": accepted}, expected)
    untried = [v for v, yes in certificate.accepts.items() if yes is None and v not in allowed]
    if untried:
        return unknown(
            FailureKind.NOT_INSTALLED, f"could not be tried from here: {', '.join(untried)}", expected=expected
        )
    return passed({"accepted": accepted}, expected)


@check("min_key")
def certificate_key_is_strong(certificate: Certificate, want: Endpoint) -> Outcome:
    """Whether its key is strong enough, and its signature not one that can be forged (MD5, SHA-1)."""
    expected = {"key": {"at_least": want.min_key}}
    seen = {"key": certificate.key, "signature": certificate.signature}
    good = certificate.strength >= (want.min_key or 0) and certificate.signature not in WEAK_SIGNATURES
    return passed(seen, expected) if good else failed(seen, expected)
