"""The HTML report in a real browser: it renders, filters, prints, fits a phone, and works without its script.

Speaks the W3C WebDriver protocol to chromedriver itself (Debian: chromium, chromium-driver): no library needed.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromedriver") is None, reason="there is no chromedriver"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
ENTER, TAB = "\ue007", "\ue004"


class Browser:
    """One session of a browser."""

    def __init__(self, port: int, profile: Path) -> None:
        self._base = f"http://127.0.0.1:{port}/session"
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"], "binary": shutil.which("chromium")}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._base += "/" + self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def go(self, url: str) -> None:
        """Open a page."""
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str) -> Any:
        """Run a script in the page and give what it returns; it may wait."""
        return self._ask("POST", "/execute/sync", {"script": f"return (async () => {{{script}}})()", "args": []})

    def cdp(self, command: str, **params: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def size(self, width: int, height: int) -> None:
        """Set the size of the page, as a phone would have it."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def log(self) -> list[str]:
        """Give what the browser complained of."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def close(self) -> None:
        """End the session."""
        self._ask("DELETE", "")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout
        for line in driver.stdout:
            if started := re.search(r"successfully on port (\d+)", line):
                break
        try:
            session = Browser(int(started[1]), tmp_path_factory.mktemp("profile"))  # type: ignore[index]
            yield session
            session.close()
        finally:
            driver.terminate()


@pytest.fixture(scope="module")
def url(made: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(made("html"), "utf-8")
    return file.as_uri()


@pytest.fixture
def page(browser: Browser, url: str) -> Browser:
    browser.cdp("Emulation.setScriptExecutionDisabled", value=False)
    browser.cdp("Emulation.setEmulatedMedia", media="", features=[])
    browser.size(1280, 900)
    browser.go("about:blank")
    browser.go(url)
    return browser


SHOWN = "return [...document.querySelectorAll('.finding')].filter(f => !f.hidden).length"
GROUPS = (
    "return [...document.querySelectorAll('.group')].filter(g => !g.hidden).map(g => g.querySelector('h3').textContent)"
)
SETTLED = "await new Promise(r => setTimeout(r, 200));"


def choose(page: Browser, **fields: str) -> int:
    """Fill in the filter and give how many findings are shown."""
    for name, value in fields.items():
        page.run(
            f"const e = document.querySelector('.filter').elements[{name!r}]; e.value = {json.dumps(value)};"
            "e.dispatchEvent(new Event('input', {bubbles: true}));"
        )
    return int(page.run(SETTLED + SHOWN))


def test_it_renders_without_complaints_or_any_request(page: Browser) -> None:
    assert page.run("return document.title").startswith("Opleveringsverslag")
    assert page.run("return getComputedStyle(document.querySelector('.verdict')).borderLeftWidth") == "6px"
    assert page.run("return performance.getEntriesByType('resource').length") == 0
    assert page.log() == []


def test_the_filter_is_there_and_filters(page: Browser) -> None:
    total = page.run(SHOWN)
    assert page.run("return document.querySelector('.filter').checkVisibility()")
    assert choose(page, q="nginx") == 2  # the service, and what is skipped because of it
    assert "2 van" in page.run("return document.querySelector('output').textContent")
    assert choose(page, q="NGINX", v="fail unknown") == 1
    assert choose(page, q="bestaat niet") == 0
    assert page.run("return document.querySelector('.nothing').checkVisibility()")
    assert choose(page, q="", v="fail", s="blocking") == 3
    page.run("document.querySelector('.filter').reset()")
    assert page.run(SETTLED + SHOWN) == total
    for option in range(1, 4):
        name = page.run(f"return document.querySelector('.filter').elements.t.options[{option}].textContent")
        choose(page, t=str(option - 1))
        assert page.run(GROUPS) == [name]


def test_a_competence_and_a_tile_lead_to_their_findings(page: Browser) -> None:
    page.run("document.querySelector('[data-set-c=\"16.5\"]').click()")
    assert page.run(SETTLED + SHOWN) == 3
    assert choose(page, c="16.") > 3
    page.run("document.querySelector('[data-set-v=\"unknown\"]').click()")
    assert page.run(SETTLED + SHOWN) == 16
    assert page.run("return location.hash") == "#results"


def test_a_link_to_a_finding_opens_it_even_when_it_is_filtered_away(page: Browser) -> None:
    choose(page, q="bestaat niet")
    page.run("document.querySelector('.items tbody a').click()")
    page.run(SETTLED)
    assert page.run("const f = document.querySelector(location.hash); return f.open && f.checkVisibility()")


def test_everything_can_be_opened_and_closed(page: Browser) -> None:
    page.run("document.querySelector('.filter').elements.toggle.click()")
    assert page.run("return [...document.querySelectorAll('.finding')].every(f => f.open)")
    page.run("document.querySelector('.filter').elements.toggle.click()")
    assert not page.run("return [...document.querySelectorAll('.finding')].some(f => f.open)")


def test_the_keyboard_reaches_everything(page: Browser) -> None:
    page.press(TAB)
    assert page.run("return document.activeElement.className") == "skip"
    page.run("document.querySelector('.finding > summary').focus()")
    page.press(ENTER)
    assert page.run("return document.querySelector('.finding').open")


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_sticks_out_at_any_width(page: Browser, width: int) -> None:
    page.size(width, 800)
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_dark_is_dark_and_print_is_light(page: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    assert page.run(ground) == "rgb(243, 245, 248)"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.cdp("Emulation.setEmulatedMedia", media="", features=dark)
    assert page.run(ground) == "rgb(15, 19, 25)"
    page.cdp("Emulation.setEmulatedMedia", media="print", features=dark)
    assert page.run(ground) == "rgb(255, 255, 255)"


def test_on_paper_what_needs_attention_is_open_and_the_filter_is_gone(page: Browser) -> None:
    page.cdp("Emulation.setEmulatedMedia", media="print")
    assert not page.run("return document.querySelector('.filter').checkVisibility()")
    assert page.run("return [...document.querySelectorAll('.group > .finding .body')].every(b => b.offsetHeight > 0)")
    pdf = base64.b64decode(page.cdp("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert pdf.startswith(b"%PDF-")
    sheets = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert sheets
    assert {(round(float(w)), round(float(h))) for w, h in sheets} == {(595, 842)}  # A4 in points


def test_without_its_script_everything_is_there_but_the_filter(browser: Browser, url: str) -> None:
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    browser.go(url)
    root = browser.cdp("DOM.getDocument", depth=1)["root"]["nodeId"]
    form = browser.cdp("DOM.querySelector", nodeId=root, selector=".filter")["nodeId"]
    assert "hidden" in browser.cdp("DOM.getAttributes", nodeId=form)["attributes"]
    findings = browser.cdp("DOM.querySelectorAll", nodeId=root, selector="details.finding > summary")["nodeIds"]
    assert len(findings) > 50
    browser.cdp("Emulation.setScriptExecutionDisabled", value=False)


def test_ten_thousand_findings_are_filtered_at_once(page: Browser, made: Callable[..., str], tmp_path: Path) -> None:
    html = made("html")
    one = re.findall(r'<details class="finding b-pass".*?</details>', html, re.DOTALL)[0]
    many = "".join(re.sub(r'id="v\d+"', f'id="w{n}"', one) for n in range(10_000))
    file = tmp_path / "big.html"
    file.write_text(html.replace(one, many, 1), "utf-8")
    page.go(file.as_uri())
    took = page.run(
        "const e = document.querySelector('.filter').elements.q; e.value = 'naald in de hooiberg';"
        "const start = performance.now(); e.dispatchEvent(new Event('input', {bubbles: true}));"
        "while (document.querySelector('.nothing').hidden) await new Promise(r => setTimeout(r, 20));"
        "return performance.now() - start"
    )
    assert took < 5000
