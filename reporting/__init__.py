"""Renderers of a recorded run; nothing is measured here.

`render(RecordedRun.load(path), "html", "nl")` gives the bytes of a report. `FORMATS` names what there is.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audits.errors import UsageError
from audits.texts import Texts
from reporting.run import RecordedRun
from reporting.words import LANGUAGES

__all__ = ["FORMATS", "Format", "RecordedRun", "render"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of report: the module that makes it, a file's ending, and what it is for."""

    module: str
    ending: str
    purpose: str


FORMATS: Mapping[str, Format] = {
    "html": Format("reporting.html", "html", "the acceptance report to read, print and sign: one self-contained file"),
    "json": Format("reporting.document", "json", "everything as one stable document, with a JSON Schema"),
    "terminal": Format("reporting.terminal", "txt", "what to do, on a screen: failures first"),
    "markdown": Format("reporting.markdown", "md", "for a ticket, wiki or merge request"),
    "junit": Format("reporting.junit", "xml", "for continuous integration: a suite per target, a case per finding"),
    "csv": Format("reporting.table", "csv", "one line a finding, for a spreadsheet"),
}


def render(
    run: RecordedRun,
    format: str,  # noqa: A002 - the word of the command line
    language: str | None = None,
    *,
    texts: Texts | None = None,
    **options: Any,
) -> bytes:
    """Render a run; `language` nl, en or fr, else the run's own. UsageError for a format or language that is none.

    `texts` instead of the installed ones; `options` are the format's own (terminal: `color`, `width`, `everything`).
    """
    from reporting.view import View  # noqa: PLC0415 - not needed to name the formats

    if format not in FORMATS:
        raise UsageError(f"there is no report format {format}", f"There are: {', '.join(FORMATS)}.")
    if language is not None and language not in LANGUAGES:
        raise UsageError(f"there is no report in {language}", f"There are: {', '.join(LANGUAGES)}.")
    renderer = importlib.import_module(FORMATS[format].module)
    made: bytes = renderer.render(View(run, language, texts), **options)
    return made
