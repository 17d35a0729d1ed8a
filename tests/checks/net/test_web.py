"""Web pages and TLS endpoints, judged both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from audits import schema
from audits.evaluate import Finding
from checks.core import KINDS, Scope, Verdict
from checks.questions import Failure, FailureKind, HttpGet, Question, TlsProbe

Judge = Callable[..., dict[str, list[Finding]]]
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
URL = "https://www.school.test/"

PAGE: dict[str, Any] = {
    "at": "2026-03-01T12:00:00+00:00",
    "status": 200,
    "version": "HTTP/1.1",
    "headers": {"server": "nginx", "strict-transport-security": "max-age=31536000; includeSubDomains"},
    "body": "<h1>Welkom op\n  school</h1>",
    "trusted": True,
    "trust_error": None,
}
TLS: dict[str, Any] = {
    "at": "2026-03-01T12:00:00+00:00",
    "version": "TLSv1.3",
    "alpn": "h2",
    "trusted": True,
    "trust_error": None,
    "subject": "CN=www.school.test",
    "issuer": "CN=School CA,O=School",
    "names": ["www.school.test", "*.school.test", "10.77.10.30"],
    "not_before": "2026-01-01T00:00:00+00:00",
    "not_after": "2026-04-01T00:00:00+00:00",
    "key": "rsa2048",
    "signature": "sha256",
    "chain": ["CN=www.school.test"],
    "accepts": {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True},
}


def page(judge: Judge, want: dict[str, Any], **changes: Any) -> dict[str, list[Finding]]:
    def answers(_: str, question: Question) -> Any:
        if isinstance(question, HttpGet):
            return PAGE | changes
        assert question == TlsProbe(443, server_name="www.school.test")
        return TLS | changes

    return judge(Scope.HOST, "web", {"url": URL, **want}, answers)


def endpoint(judge: Judge, want: dict[str, Any], **changes: Any) -> dict[str, list[Finding]]:
    return judge(Scope.HOST, "tls", want, lambda *_: TLS | changes)


def to(location: str, status: int = 301) -> dict[str, Any]:
    return {"status": status, "headers": {"location": location}}


PAGES: list[tuple[str, dict[str, Any], dict[str, Any], Verdict]] = [
    ("page_answers", {}, {}, PASS),
    ("page_answers", {}, {"status": 404}, FAIL),
    ("page_answers", {"status": 401}, {"status": 401}, PASS),
    ("page_answers", {"redirects_to": "/x"}, {"status": 302}, PASS),
    ("page_answers", {"redirects_to": "/x"}, {"status": 200}, FAIL),
    ("page_answers", {"redirects_to": "/x", "status": 301}, {"status": 302}, FAIL),
    ("page_is_trusted", {}, {}, PASS),
    ("page_is_trusted", {}, {"trusted": False, "trust_error": "certificate has expired"}, FAIL),
    ("page_shows_text", {"text": "Welkom op school"}, {}, PASS),
    ("page_shows_text", {"text": "Welkom bij"}, {}, FAIL),
    ("page_redirects", {"redirects_to": "https://a.test/"}, to("https://A.test:443"), PASS),
    ("page_redirects", {"redirects_to": "/x"}, to("https://www.school.test/x"), PASS),
    ("page_redirects", {"redirects_to": "https://a.test/"}, to("http://a.test/"), FAIL),
    ("page_redirects", {"redirects_to": "https://a.test/"}, to("https://a.test/", 200), FAIL),
    ("page_redirects", {"redirects_to": "https://a.test/"}, {"status": 301, "headers": {}}, FAIL),
    ("http2_is_offered", {"http2": True}, {}, PASS),
    ("http2_is_offered", {"http2": True}, {"alpn": "http/1.1"}, FAIL),
    ("http2_is_offered", {"http2": True}, {"alpn": None}, FAIL),
    ("http2_is_offered", {"http2": False}, {}, FAIL),
    ("server_hides_version", {"hides_version": True}, {}, PASS),
    ("server_hides_version", {"hides_version": True}, {"headers": {"server": "nginx/1.22.1"}}, FAIL),
    ("server_hides_version", {"hides_version": True}, {"headers": {"server": "Apache/2.4.62 (Debian)"}}, FAIL),
    ("server_hides_version", {"hides_version": True}, {"headers": {"server": "x", "x-powered-by": "PHP/8.2.1"}}, FAIL),
    ("server_hides_version", {"hides_version": True}, {"headers": {"server": "Microsoft-IIS/10.0"}}, FAIL),
    ("server_hides_version", {"hides_version": True}, {"headers": {}}, PASS),
    ("hsts_is_sent", {"hsts": True}, {}, PASS),
    ("hsts_is_sent", {"hsts": True}, {"headers": {}}, FAIL),
    ("hsts_is_sent", {"hsts": True}, {"headers": {"strict-transport-security": "max-age=0"}}, FAIL),
    ("hsts_is_sent", {"hsts": True}, {"headers": {"strict-transport-security": 'max-age="60"'}}, PASS),
    ("hsts_is_sent", {"hsts": False}, {"headers": {}}, PASS),
]  # fmt: skip


@pytest.mark.parametrize(("check", "want", "seen", "verdict"), PAGES)
def test_pages(judge: Judge, check: str, want: dict[str, Any], seen: dict[str, Any], verdict: Verdict) -> None:
    (finding,) = page(judge, want, **seen)[check]
    assert finding.verdict == verdict
    assert finding.subject == URL
    assert finding.expected is not None
    assert finding.observed is not None


ENDPOINTS: list[tuple[str, dict[str, Any], dict[str, Any], Verdict]] = [
    ("certificate_is_trusted", {}, {}, PASS),
    ("certificate_is_trusted", {}, {"trusted": False, "trust_error": "self-signed certificate"}, FAIL),
    ("certificate_covers_name", {"name": "www.school.test"}, {}, PASS),
    ("certificate_covers_name", {"name": "WWW.School.Test."}, {}, PASS),
    ("certificate_covers_name", {"name": "mail.school.test"}, {}, PASS),
    ("certificate_covers_name", {"name": "a.b.school.test"}, {}, FAIL),
    ("certificate_covers_name", {"name": "school.test"}, {}, FAIL),
    ("certificate_covers_name", {"name": "10.77.10.30"}, {}, PASS),
    ("certificate_covers_name", {"name": "10.77.10.31"}, {}, FAIL),
    ("certificate_covers_name", {"name": "www.school.test"}, {"names": []}, FAIL),
    ("certificate_names_are_exact", {"names": ["www.school.test", "*.School.test", "10.77.10.30"]}, {}, PASS),
    ("certificate_names_are_exact", {"names": ["www.school.test"]}, {}, FAIL),
    ("certificate_names_are_exact", {"names": ["www.school.test", "x.school.test"]}, {}, FAIL),
    ("certificate_comes_from_issuer", {"issuer": "school ca"}, {}, PASS),
    ("certificate_comes_from_issuer", {"issuer": "Let's Encrypt"}, {}, FAIL),
    ("certificate_stays_valid", {}, {}, PASS),
    ("certificate_stays_valid", {"valid_days": 31}, {}, FAIL),
    ("certificate_stays_valid", {}, {"not_after": "2026-02-28T00:00:00+00:00"}, FAIL),
    ("certificate_stays_valid", {}, {"not_before": "2026-03-02T00:00:00+00:00"}, FAIL),
    ("old_tls_is_refused", {"versions": ["TLSv1.2", "TLSv1.3"]}, {}, PASS),
    ("old_tls_is_refused", {"versions": ["TLSv1.3"]}, {}, FAIL),
    ("old_tls_is_refused", {"versions": ["TLSv1.2"]}, {"accepts": {"TLSv1": None, "TLSv1.2": True}}, UNKNOWN),
    ("old_tls_is_refused", {"versions": ["TLSv1.3"]}, {"accepts": {"TLSv1": None, "TLSv1.2": True}}, FAIL),
    ("certificate_key_is_strong", {"min_key": 2048}, {}, PASS),
    ("certificate_key_is_strong", {"min_key": 3072}, {}, FAIL),
    ("certificate_key_is_strong", {"min_key": 3072}, {"key": "ec256"}, PASS),
    ("certificate_key_is_strong", {"min_key": 4096}, {"key": "ec384"}, PASS),
    ("certificate_key_is_strong", {"min_key": 2048}, {"key": "ec192"}, FAIL),
    ("certificate_key_is_strong", {"min_key": 2048}, {"key": "ed25519"}, PASS),
    ("certificate_key_is_strong", {"min_key": 2048}, {"key": "mystery"}, FAIL),
    ("certificate_key_is_strong", {"min_key": 2048}, {"signature": "sha1"}, FAIL),
]  # fmt: skip


@pytest.mark.parametrize(("check", "want", "seen", "verdict"), ENDPOINTS)
def test_endpoints(judge: Judge, check: str, want: dict[str, Any], seen: dict[str, Any], verdict: Verdict) -> None:
    (finding,) = endpoint(judge, want, **seen)[check]
    assert finding.verdict == verdict


def test_what_is_not_asked_is_not_judged(judge: Judge) -> None:
    assert set(page(judge, {"trusted": False})) == {"page_answers"}
    assert set(page(judge, {"url": "http://www.school.test/"}, trusted=None)) == {"page_answers"}
    down = Failure(FailureKind.REFUSED, "closed")
    want = {"url": URL, "trusted": False, "hides_version": False}
    assert set(judge(Scope.HOST, "web", want, lambda *_: down)) == {"page_answers"}
    assert set(judge(Scope.HOST, "tls", {"trusted": False}, lambda *_: down)) == {"certificate_stays_valid"}
    assert set(page(judge, {"hides_version": False})) == {"page_answers", "page_is_trusted"}
    assert set(endpoint(judge, {"trusted": False})) == {"certificate_stays_valid"}


EVERY_PAGE = {"text": "x", "redirects_to": "/x", "http2": True, "hides_version": True, "hsts": True}
EVERY_ENDPOINT = {"name": "x", "names": ["x"], "issuer": "x", "versions": ["TLSv1.3"], "min_key": 1}


@pytest.mark.parametrize(
    ("word", "want", "count"), [("web", {"url": URL, **EVERY_PAGE}, 7), ("tls", EVERY_ENDPOINT, 7)]
)
@pytest.mark.parametrize("answer", [Failure(FailureKind.REFUSED, "closed"), None, {}, {"status": "x"}, [], "text", 7])
def test_no_answer_is_unknown(judge: Judge, word: str, want: dict[str, Any], count: int, answer: Any) -> None:
    findings = [f for fs in judge(Scope.HOST, word, want, lambda *_: answer).values() for f in fs]
    assert len(findings) == count
    assert {f.verdict for f in findings} == {UNKNOWN}
    assert all(f.failure for f in findings)


def test_what_is_asked(judge: Judge) -> None:
    asked: set[Question] = set()

    def answers(_: str, question: Question) -> None:
        asked.add(question)

    judge(
        Scope.HOST,
        "web",
        {"url": "https://a.test:8443/x", "connect_to": "10.0.0.1", "ca": "school", "http2": True},
        answers,
    )
    judge(Scope.HOST, "tls", {"port": 636, "name": "dc1.school.test", "ca": "school"}, answers)
    judge(Scope.HOST, "tls", {}, answers)
    assert asked == {
        HttpGet("https://a.test:8443/x", "10.0.0.1", "school"),
        TlsProbe(8443, "10.0.0.1", "a.test", "school"),
        TlsProbe(636, "", "dc1.school.test", "school"),
        TlsProbe(443),
    }


@pytest.mark.parametrize(
    "entry",
    [{"url": "www.school.test"}, {"url": "ftp://x/"}, {"url": "http://x:99999/"}, {"url": "http://x/", "http2": True}],
)
def test_bad_urls_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        schema.adapter(KINDS[Scope.HOST, "web"]).validate_python(entry)
