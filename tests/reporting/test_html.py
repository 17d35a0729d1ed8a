"""The HTML report: one self-contained file, safe, accessible, and with everything an acceptance needs."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import itertools
import json
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from audits import texts
from checks.questions import FailureKind
from reporting import RecordedRun, render
from reporting.html import ticks
from reporting.view import View
from reporting.words import LANGUAGES, Words

Made = Callable[..., str]
VOID = {"meta", "input", "br", "use", "path", "circle", "rect"}
CSS = (importlib.resources.files("reporting") / "templates" / "report.css").read_text("utf-8")


class Page(HTMLParser):
    """Reads a page and remembers its elements; fails on tags that do not close as they should."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text.append(data)

    def all(self, tag: str, cls: str = "") -> list[dict[str, str | None]]:
        """Give the attributes of all elements with this name and class."""
        return [a for t, a in self.elements if t == tag and (not cls or cls in (a.get("class") or "").split())]


@pytest.fixture(scope="module", params=LANGUAGES)
def html(request: pytest.FixtureRequest, made: Made) -> str:
    return made("html", request.param)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_it_loads_nothing_and_runs_only_its_own_script(html: str, page: Page) -> None:
    (policy,) = (a["content"] or "" for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    for tag, source in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in policy
    for tag, attributes in page.elements:
        assert tag not in {"img", "link", "iframe", "object", "embed", "base", "audio", "video"}
        assert "src" not in attributes
        assert "style" not in attributes
        assert not [a for a in attributes if a.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_every_link_and_label_points_at_something_and_ids_are_unique(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("href", "aria-labelledby"):
            if attributes.get(name):
                assert (attributes[name] or "").removeprefix("#") in ids


def test_headings_descend_one_step_at_a_time(page: Page) -> None:
    levels = [int(t[1]) for t, _ in page.elements if re.fullmatch("h[1-6]", t)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_it_has_landmarks_and_names_for_what_can_be_operated(page: Page) -> None:
    assert len(page.all("main")) == 1
    assert all(a.get("aria-label") for a in (*page.all("nav"), *page.all("form")))
    assert all(a.get("aria-hidden") == "true" or a.get("aria-label") for a in page.all("svg"))
    assert all(a.get("scope") for a in page.all("th"))
    assert [a.get("hidden", "no") for a in page.all("form")] == [None]  # shown by the script


def test_all_25_bullets_stand_in_it_with_a_status_in_words(html: str, page: Page) -> None:
    assert len(page.all("td", "bid")) == 25
    language = page.all("html")[0]["lang"]
    run = RecordedRun.load(Path(__file__).parent / "data" / "run-rich")
    statuses = {b.status for c in View(run).competences for b in c.bullets}
    assert statuses >= {"failed", "partly", "waived", "attested", "not_assessed"}
    for status in statuses:
        assert Words(str(language))(f"status.{status}") in html


def test_every_section_and_every_failure_with_its_advice(page: Page) -> None:
    language = str(page.all("html")[0]["lang"])
    words, text = Words(language), " ".join("".join(page.text).split())
    for section in ("summary", "competences", "items", "results", "unassessed", "decisions", "attestations",
                    "installation", "method", "signatures"):  # fmt: skip
        assert words(f"section.{section}") in text
    for kind in FailureKind:
        assert words(f"failure.{kind}") in text
        assert words(f"advice.{kind}").replace("`", "") in text
    for option in ("accepted", "reserved", "refused", "provisional", "definitive"):
        assert words(f"text.{option}") in text


def test_the_measured_verdict_stays_visible_below_a_decision(made: Made) -> None:
    text = " ".join("".join(Page(made("html")).text).split())
    assert "Gemeten: Afwijking → Eindoordeel: Vrijgesteld. Vrijgesteld tot 31 januari 2027 door K. Verbeke" in text
    assert "Gemeten: Niet beoordeeld → Eindoordeel: Geslaagd. Oordeel gewijzigd door L. Claes (auditor)" in text
    assert "Vrijstelling verliep op 1 november 2026" in text


def test_hostile_answers_are_shown_and_do_nothing(html: str, page: Page) -> None:
    assert "alert('xss')" in "".join(page.text)
    assert len(page.all("script")) == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", html)
    assert "A" * 3000 not in html
    assert "{{7*7}}" in html
    assert len(html) < 400_000


def test_evidence_tells_what_was_asked_when_and_how(page: Page) -> None:
    text = " ".join("".join(page.text).split())
    assert "SSH sshd -T" in text
    assert "permitrootlogin yes" in text
    assert "LDAP (objectClass=group) in <default>, sub: member, groupType" in text
    assert "via dc1" in text
    assert "d8691bbef1f8195d" in text


def test_the_run_stands_in_the_foot_of_every_printed_page(with_findings: Callable[..., RecordedRun]) -> None:
    run = with_findings([], {"run": '2026"; } body { background: url(http://x) } /*</style>'})
    html = render(run, "html").decode()
    assert 'content: "2026bodybackgroundurlhttpxstyle"' in html
    Page(html)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Voer `ls <x>` uit", 'Voer <code class="ticks">ls &lt;x&gt;</code> uit'),
        ("een ` alleen <b>", "een ` alleen &lt;b&gt;"),
        ("`a``b`", '<code class="ticks">a</code><code class="ticks">b</code>'),
        ("\u202e", "⟨U+202E⟩"),
    ],
)
def test_commands_in_texts_are_set_as_code(text: str, html: str) -> None:
    assert ticks(text) == html


def test_ten_thousand_findings_stay_sane(with_findings: Callable[..., RecordedRun], known: texts.Texts) -> None:
    made: list[dict[str, Any]] = []
    for n in range(10_000):
        bad = {"verdict": "fail", "final": "fail"} if n % 5 == 0 else {}
        values = {"running": True, "enabled": True}
        made.append({
            "target": f"host{n // 50:03}", "subject": f"service{n % 50}", "expected": values, "evidence": [1 + n % 20],
            "observed": values | ({"running": False} if bad else {}), "params": {"name": f"service{n % 50}"},
        } | bad)  # fmt: skip
    run = with_findings(made)
    start = time.process_time()
    html = render(run, "html", texts=known)
    assert time.process_time() - start < 15
    assert len(html) < 25_000_000
    assert html.count(b'class="finding ') == 10_000
    Page(html.decode())
    assert len(json.loads(render(run, "json", texts=known))["findings"]) == 10_000


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_has_contrast_enough(scheme: int) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for text on its ground."""
    block = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[scheme]
    colors = {
        n: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:])
        for n, c in re.findall(r"--([\w-]+): (#\w+)", block)
    }
    kinds = ("pass", "fail", "unknown", "manual", "not_applicable")
    pairs = [(ink, ground) for ink in ("ink", "soft", "link", "brand", *kinds) for ground in ("paper", "desk", "fill")]
    pairs += [(kind, f"{kind}-bg") for kind in kinds] + [("ink", f"{k}-bg") for k in kinds]
    for ink, ground in pairs:
        lighter, darker = sorted((_luminance(colors[ink]), _luminance(colors[ground])), reverse=True)
        ratio = (lighter + 0.05) / (darker + 0.05)
        assert ratio >= 4.5, f"{ink} on {ground}: {ratio:.2f}"
