"""One line a finding, for a spreadsheet: CSV with semicolons and a byte order mark, as Excel in Europe opens it.

A cell that a spreadsheet would read as a formula gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import io

from reporting.clean import one_line
from reporting.values import plain
from reporting.view import View

COLUMNS = (
    "target", "check", "subject", "requirement", "verdict", "measured", "severity", "competence", "description",
    "expected", "observed", "note", "reason", "remedy", "earned", "possible",
)  # fmt: skip
"""Stable names, in English whatever the language of the texts."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def render(view: View) -> bytes:
    """Give the table as UTF-8 CSV."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for result in view.results:
        f = result.finding
        failure = f"{f.failure.kind}: {f.failure.detail}" if f.failure else result.decision
        cells = (
            f.target, f.check, f.subject, f.requirement, f.final, f.verdict, f.severity, " ".join(f.competences),
            result.title, plain(f.expected, view.words) if f.expected is not None else "",
            plain(f.observed, view.words) if f.observed is not None else "", result.note, failure, result.remedy,
            f.points.earned if f.points else "", f.points.possible if f.points else "",
        )  # fmt: skip
        writer.writerow([harmless(str(cell)) for cell in cells])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


def harmless(text: str) -> str:
    """Give a cell's text on one line, that no spreadsheet reads as a formula."""
    line = one_line(text, 1000)
    return f"'{line}" if line.startswith(_FORMULA) else line
