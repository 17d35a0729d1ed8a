"""What to do, on a screen: the verdict, the remaining items with their remedies, what could not be seen.

Colours only when asked for (a terminal); without them plain text of the same content, to pipe and to search. Nothing
of a host is ever read as markup, and control characters are made visible, so that no answer can drive the terminal.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from checks.core import Severity, Verdict
from reporting.clean import one_line
from reporting.view import Item, Result, View
from reporting.words import phrases

WIDTH = 100
DASH = "\u2013"
MOST_ITEMS, MOST_NAMES = 60, 8
_SIGNS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.UNKNOWN: "?", Verdict.MANUAL: "✎", Verdict.NOT_APPLICABLE: DASH}
_STYLES = {
    Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNKNOWN: "yellow", Verdict.MANUAL: "magenta",
    Verdict.NOT_APPLICABLE: "bright_black",
}  # fmt: skip
_SEVERE = {
    Severity.BLOCKING: "bold white on red", Severity.MAJOR: "red", Severity.MINOR: "yellow", Severity.INFO: "cyan",
}  # fmt: skip


def render(view: View, *, color: bool = False, width: int = WIDTH, everything: bool = False) -> bytes:
    """Give the text as UTF-8. `everything` also lists what passed."""
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=color, no_color=not color, color_system="standard" if color else None, width=width,
        emoji=False, markup=False, highlight=False, legacy_windows=False,
    )  # fmt: skip
    for part in _parts(view, everything=everything):
        console.print(part)
    lines = (line.rstrip() for line in out.getvalue().splitlines())
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _parts(view: View, *, everything: bool) -> Iterator[Text | Table | Group | Padding | str]:
    yield from _head(view)
    if view.items:
        yield _heading(view, "items", len(view.items))
        for item in view.items[:MOST_ITEMS]:
            yield _item(item, view)
        if len(view.items) > MOST_ITEMS:
            yield view.words("value.more", n=len(view.items) - MOST_ITEMS) + "\n"
    if view.unseen:
        yield _heading(view, "unassessed", view.finals[Verdict.UNKNOWN])
        for kind, results in view.unseen:
            yield _unseen(kind, results, view)
    if everything:
        yield _heading(view, "results", len(view.results))
        yield _all(view)
    yield _targets(view)
    yield _foot(view)


def _head(view: View) -> Iterator[Text]:
    manifest, style = view.run.manifest, _STYLES[Verdict(view.verdict)]
    title = one_line(manifest.definition.title or manifest.run, 200)
    yield Text.assemble((view.words("section.report"), "bold"), f" {DASH} ", title)
    yield Text(" · ".join(p for p in (manifest.run, view.words.moment(manifest.started or "")) if p), "bright_black")
    yield Text.assemble(
        "\n", (f"{_SIGNS[Verdict(view.verdict)]} {view.words(f'overall.{view.verdict}')}", f"bold {style}")
    )
    for reason in view.reasons:
        yield Text(f"  {DASH} {reason}")
    yield Text.assemble(("  → ", style), f"{view.words('label.proposal')}: {view.proposal}\n")


def _heading(view: View, section: str, n: int) -> Text:
    return Text(f"{view.words(f'section.{section}')} ({view.words.number(n)})", "bold underline")


def _item(item: Item, view: View) -> Group:
    w = view.words
    head = Table.grid(padding=(0, 1))
    head.add_column(justify="right", width=3)
    head.add_column(ratio=1)
    title = Text.assemble(
        (f" {w(f'severity.{item.severity}')} ", _SEVERE[item.severity]), " ", (one_line(item.title, 300), "bold")
    )
    head.add_row(Text(str(item.number), "bright_black"), title)
    head.add_row("", Text(_names(item.targets, view), "cyan"))
    details = Table.grid(padding=(0, 2))
    details.add_column(style="bright_black", no_wrap=True)
    details.add_column(ratio=1)
    expected, observed = item.gap
    if observed:
        details.add_row(w("label.expected"), Text(expected))
        details.add_row(w("label.observed"), Text(observed, "red"))
    if item.remedy:
        details.add_row(w("text.what_now"), Text(one_line(item.remedy)))
    if hint := item.results[0].finding.hint:
        details.add_row(w("label.hint"), Text(one_line(hint, 300)))
    details.add_row(w("label.check"), Text(item.check, "bright_black"))
    return Group(head, Padding(details, (0, 0, 1, 4)))


def _names(names: list[str], view: View) -> str:
    shown = ", ".join(one_line(n, 80) for n in names[:MOST_NAMES])
    return f"{shown} {view.words('value.more', n=len(names) - MOST_NAMES)}" if len(names) > MOST_NAMES else shown


def _unseen(kind: str, results: list[Result], view: View) -> Group:
    w = view.words
    word = w(f"failure.{kind}") if f"failure.{kind}" in phrases() else kind or w("verdict.unknown")
    head = Text.assemble((f"? {word}", "yellow bold"), f" {DASH} {w('text.findings', n=len(results))}")
    told: Counter[tuple[str, str]] = Counter(
        (r.target, one_line(r.finding.failure.detail, 160) if r.finding.failure else "") for r in results
    )
    lines = [
        Text.assemble((target, "cyan"), f" ({n})", f": {detail}" if detail else "")
        for (target, detail), n in told.most_common(MOST_NAMES)
    ]
    if len(told) > MOST_NAMES:
        lines.append(Text(w("value.more", n=len(told) - MOST_NAMES)))
    if f"advice.{kind}" in phrases():
        lines.append(Text(f"→ {w(f'advice.{kind}')}"))
    return Group(head, Padding(Group(*lines), (0, 0, 1, 2)))


def _all(view: View) -> Table:
    table = Table.grid(padding=(0, 1))
    for result in view.results:
        final = result.finding.final
        table.add_row(
            Text(_SIGNS[final], _STYLES[final]),
            Text(one_line(result.target, 60), "cyan"),
            Text(one_line(result.title, 300)),
            Text(result.finding.check, "bright_black"),
        )
    return table


def _targets(view: View) -> Table | str:
    """Lay out the targets with their counts; those without failures and unknowns together in one line."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column(view.words("label.target"))
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS):
        table.add_column(view.words(f"verdict.{verdict}"), justify="right")
    clean_ones = 0
    for group in view.groups:
        if not group.attention:
            clean_ones += 1
            continue
        cells = [
            Text(str(n), _STYLES[v]) if (n := group.counts[v]) else Text("·", "bright_black")
            for v in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS)
        ]
        table.add_row(Text(one_line(group.name, 60)), *cells)
    if clean_ones:
        passed = sum(g.counts[Verdict.PASS] for g in view.groups if not g.attention)
        table.add_row(
            Text(view.words("text.clean_targets", n=clean_ones), "green"), "·", "·", Text(str(passed), "green")
        )
    return table if table.row_count else ""


def _foot(view: View) -> Text:
    w, parts = view.words, list[str]()
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.MANUAL, Verdict.PASS, Verdict.NOT_APPLICABLE):
        if view.finals[verdict]:
            parts.append(f"{_SIGNS[verdict]} {w(f'count.{verdict}', n=view.finals[verdict])}")
    coverage = view.run.summary.coverage
    parts.append(f"{w('label.coverage').lower()} {w.percent(coverage.percent)}")
    if score := view.run.summary.score:
        earned = w("text.earned_of", earned=w.decimal(score.earned), possible=w.decimal(score.possible))
        parts.append(f"{w('label.score').lower()} {earned}")
    return Text("\n" + " · ".join(parts))
