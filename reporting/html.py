"""The acceptance report as one self-contained HTML file: no network, readable without its script, safe to open.

Every expression of the templates goes through `clean` and jinja2's autoescape; a content security policy with the
digests of the file's own style and script lets nothing else run.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections import Counter
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from checks.core import Verdict
from reporting.clean import clean, one_line
from reporting.view import SEVERITIES, Group, Item, View
from reporting.words import phrases

TRANSPORTS = {
    "Shell": "SSH", "PowerShell": "WinRM", "LdapSearch": "LDAP", "DnsQuery": "DNS", "TcpProbe": "TCP",
    "TlsProbe": "TLS", "HttpGet": "HTTP", "SmbShares": "SMB", "SmbRead": "SMB", "SmbTree": "SMB",
    "SmbSecurity": "SMB", "SmbNegotiate": "SMB",
}  # fmt: skip
NAMED = 6  # targets of a remaining item that are named
SHORT = 64  # characters of an option in a list box


def render(view: View) -> bytes:
    """Give the report as UTF-8 HTML."""
    data = resources.files("reporting") / "templates"
    run = re.sub(r"[^A-Za-z0-9._-]", "", view.run.manifest.run)[:80]
    style = (data / "report.css").read_text("utf-8").replace("%RUN%", run)
    script = (data / "report.js").read_text("utf-8")
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            _names(view),
            style=Markup(style),  # noqa: S704 - the package's own
            script=Markup(script),  # noqa: S704 - the package's own
            policy=f"default-src 'none'; style-src 'sha256-{_hash(style)}'; script-src 'sha256-{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
        )
    )
    return html.encode()


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "transports": TRANSPORTS,
        "severities": SEVERITIES,
        "ticks": ticks,
        "one_line": one_line,
        "short": lambda text: text if len(text) <= SHORT else text[: SHORT - 1].rstrip() + "…",
    }
    return environment


def _finalize(value: Any) -> Any:
    """Clean every text that a template puts out; jinja2 escapes it afterwards. Markup is the templates' own."""
    return clean(str(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


def ticks(text: str) -> Markup:
    """Give a text of ours with its `commands` set as code."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:  # a backtick of a value
        return Markup.escape("`".join(parts))
    code = Markup('<code class="ticks">{}</code>')
    return Markup("").join(code.format(p) if i % 2 else Markup.escape(p) for i, p in enumerate(parts))


def _names(view: View) -> dict[str, Any]:
    w, manifest, summary = view.words, view.run.manifest, view.run.summary
    options = manifest.options
    selection = [options.get("limit"), *(options.get("checks") or ()), *(options.get("competences") or ())]
    times = {stage: w.seconds(summary.times.get(stage, 0)) for stage in ("collect", "evaluate")}
    by_target: dict[str, Counter[str]] = {}
    for result in view.results:
        by_target.setdefault(result.finding.target, Counter())[result.finding.final] += 1

    def failure_word(kind: str) -> str:
        return w(f"failure.{kind}") if f"failure.{kind}" in phrases() else kind

    def advice(kind: str) -> str:
        return w(f"advice.{kind}") if f"advice.{kind}" in phrases() else ""

    return {
        "view": view,
        "w": w,
        "manifest": manifest,
        "summary": summary,
        "contents": _contents(view),
        "failures": [(s, view.failures[s]) for s in SEVERITIES if view.failures[s]],
        "finals": {str(v): n for v, n in view.finals.items()},
        "target_counts": by_target,
        "target_index": {name: i for i, name in enumerate(dict.fromkeys(_group_names(view)))},
        "inapplicable": view.by_final(Verdict.NOT_APPLICABLE),
        "silent_bullets": [b for c in view.competences for b in c.bullets if b.status == "not_assessed"],
        "identification": [
            ("site", manifest.parties.site),
            ("contract", manifest.parties.contract),
            ("date", w.moment(manifest.started or "")),
            ("run", manifest.run),
            ("tool", f"keuring {manifest.keuring}"),
            ("auditor", " @ ".join(v for k in ("user", "host") if (v := manifest.auditor.get(k)))),
        ],
        "digests": [("evidence_digest", manifest.evidence_head)],
        "method": [
            ("started", w.moment(manifest.started or "")),
            ("finished", w.moment(manifest.finished or "")),
            ("coverage", w("text.assessed_of", n=summary.coverage.assessed, total=summary.coverage.total)),
            ("evidence", w("text.question", n=view.evidence_lines)),
            ("duration", w("text.times", **times)),
            ("selection", ", ".join(str(s) for s in selection if s)),
            ("definition", manifest.definition.path),
            ("inventory", ", ".join(manifest.inventory.paths)),
        ],
        "failure_word": failure_word,
        "advice": advice,
        "kind_word": lambda kind: w(f"kind.{kind}") if f"kind.{kind}" in phrases() else kind,
        "rest_summary": lambda group: _rest(group, view),
        "where": lambda item: _where(item, view),
    }


def _group_names(view: View) -> list[str]:
    """Give the targets in the order of the groups (the filter counts them so), then those that have none."""
    grouped = [(g.attention or g.rest)[0].finding.target for g in view.groups]
    return [*grouped, *(r.finding.target for r in view.results)]


def _contents(view: View) -> list[tuple[str, int | None]]:
    return [
        ("verdict", None),
        ("summary", None),
        ("competences", None),
        ("items", len(view.items)),
        ("results", sum(len(g.attention) + len(g.rest) for g in view.groups)),
        ("unassessed", view.finals[Verdict.UNKNOWN]),
        ("decisions", len(view.decided)),
        ("attestations", len(view.attestations)),
        ("installation", len(view.run.manifest.targets)),
        ("method", None),
        ("signatures", None),
    ]


def _rest(group: Group, view: View) -> str:
    counts = group.counts
    return ", ".join(view.words(f"count.{v}", n=counts[v]) for v in (Verdict.PASS, Verdict.NOT_APPLICABLE) if counts[v])


def _where(item: Item, view: View) -> str:
    names = [one_line(name, 80) for name in item.targets]
    if len(names) <= NAMED:
        return ", ".join(names)
    rest = view.words("value.more", n=len(names) - NAMED)
    return view.words("text.many_targets", n=len(names), names=f"{', '.join(names[:NAMED])} {rest}")
