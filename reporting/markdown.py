"""For a ticket, a wiki or a merge request: verdict, competences, remaining items, what was not assessed.

Values stand in code spans, which Markdown does not interpret; titles are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from checks.core import Verdict
from reporting.clean import one_line
from reporting.view import Item, View
from reporting.words import phrases

MOST = 200  # items
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#@!&])")
_TICKS = re.compile(r"`+")


def render(view: View) -> bytes:
    """Give the report as UTF-8 Markdown (CommonMark with tables)."""
    return ("\n".join(_lines(view)) + "\n").encode("utf-8", "replace")


def escape(text: str) -> str:
    """Put text on one line, with everything that Markdown or HTML would read escaped."""
    return _SPECIAL.sub(r"\\\1", one_line(text, 400))


def code(text: str) -> str:
    """Give text as a code span that fits in a table's cell."""
    line = one_line(text, 300).replace("|", "\uff5c")  # in a table even a code span cannot hold a bar
    fence = "`" * (max((len(m[0]) for m in _TICKS.finditer(line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def _lines(view: View) -> Iterator[str]:
    w, manifest, summary = view.words, view.run.manifest, view.run.summary
    yield f"# {w('section.report')}: {escape(manifest.definition.title or manifest.run)}\n"
    yield f"**{w(f'overall.{view.verdict}')}**\n"
    yield from (f"- {escape(reason)}" for reason in view.reasons)
    yield f"\n{w('label.proposal')}: {escape(view.proposal)}\n"
    parties = manifest.parties
    facts = [
        *((role, party.name) for role in ("customer", "installer", "assessor") if (party := getattr(parties, role))),
        ("site", parties.site), ("contract", parties.contract), ("date", w.moment(manifest.started or "")),
        ("run", manifest.run), ("coverage", f"{w.percent(summary.coverage.percent)}"),
        ("evidence_digest", manifest.evidence_head),
    ]  # fmt: skip
    yield from _table(["", ""], [[w(f"label.{k}"), escape(str(v))] for k, v in facts if v])
    yield f"## {w('section.competences')}\n"
    for c in view.competences:
        yield f"### {c.id} {escape(c.title)}\n"
        yield from _table(
            [w("label.number"), w("label.bullet"), w("label.result")],
            [[b.id, escape(b.text), w(f"status.{b.status}")] for b in c.bullets],
        )
    yield f"## {w('section.items')}\n"
    if not view.items:
        yield w("text.items_none") + "\n"
    for item in view.items[:MOST]:
        yield from _item(item, view)
    if len(view.items) > MOST:
        yield w("value.more", n=len(view.items) - MOST) + "\n"
    yield f"## {w('section.unassessed')}\n"
    if not view.unseen:
        yield w("text.unassessed_none") + "\n"
    for kind, results in view.unseen:
        word = w(f"failure.{kind}") if f"failure.{kind}" in phrases() else escape(kind) or w("verdict.unknown")
        names = list(dict.fromkeys(r.target for r in results))
        yield f"- **{word}** ({w('text.findings', n=len(results))}): {', '.join(code(n) for n in names[:20])}"
        if f"advice.{kind}" in phrases():
            yield f"  {w(f'advice.{kind}')}"
    yield ""
    counts = ", ".join(w(f"count.{v}", n=view.finals[v]) for v in Verdict if view.finals[v])
    yield f"*{counts}*"


def _item(item: Item, view: View) -> Iterator[str]:
    w = view.words
    yield f"### {item.number}. {escape(item.title)}\n"
    rows = [
        [w("label.severity"), w(f"severity.{item.severity}")],
        [w("label.target"), ", ".join(code(t) for t in item.targets[:20])],
    ]
    expected, observed = item.gap
    if observed:
        rows += [[w("label.expected"), code(expected)], [w("label.observed"), code(observed)]]
    rows.append([w("label.check"), code(item.check)])
    yield from _table(["", ""], rows)
    if item.remedy:
        parts = one_line(item.remedy).split("`")
        if len(parts) % 2:
            yield "".join(code(p) if i % 2 else escape_words(p) for i, p in enumerate(parts)) + "\n"
        else:
            yield escape("`".join(parts)) + "\n"


def escape_words(text: str) -> str:
    """Escape a part of a sentence, keeping the spaces at its ends."""
    return _SPECIAL.sub(r"\\\1", text)


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)
    yield ""
