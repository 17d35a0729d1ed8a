"""JUnit XML for continuous integration: a suite per target, a case per finding.

A failure is a `failure`, what could not be seen an `error`, what does not apply or waits for a person `skipped`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

from checks.core import Verdict
from reporting.clean import clean, one_line
from reporting.values import plain
from reporting.view import Result, View


def render(view: View) -> bytes:
    """Give the document as UTF-8 XML."""
    summary, root = view.run.summary, ET.Element("testsuites")
    suites: dict[str, list[Result]] = {}
    for result in view.results:
        suites.setdefault(result.target, []).append(result)
    _set(root, name=view.run.manifest.definition.title or view.run.manifest.run, **_counts(list(view.results)))
    root.set("time", _seconds(summary.times))
    for target, results in suites.items():
        suite = ET.SubElement(root, "testsuite")
        _set(suite, name=target, timestamp=(view.run.manifest.started or "")[:19], **_counts(results))
        for result in results:
            _case(suite, result, view)
    ET.indent(root)
    made: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _seconds(times: dict[str, float]) -> str:
    return str(sum((Decimal(str(t)) for t in times.values()), Decimal(0)))


def _set(element: ET.Element, **attributes: Any) -> None:
    for name, value in attributes.items():
        element.set(name, one_line(str(value), 500))


def _counts(results: list[Result]) -> dict[str, int]:
    finals = [r.finding.final for r in results]
    return {
        "tests": len(finals),
        "failures": finals.count(Verdict.FAIL),
        "errors": finals.count(Verdict.UNKNOWN),
        "skipped": finals.count(Verdict.NOT_APPLICABLE) + finals.count(Verdict.MANUAL),
    }


def _case(suite: ET.Element, result: Result, view: View) -> None:
    f, w = result.finding, view.words
    case = ET.SubElement(suite, "testcase")
    _set(case, name=result.title, classname=f"{f.target or 'attestation'}.{f.check}")
    if f.final == Verdict.FAIL:
        body = [
            f"{w('label.severity')}: {w(f'severity.{f.severity}')}",
            f"{w('label.expected')}: {plain(f.expected, w)}",
            f"{w('label.observed')}: {plain(f.observed, w)}",
            f"{w('label.remedy')}: {result.remedy}",
        ]
        found = ET.SubElement(case, "failure")
        _set(found, type=f.severity, message=f"{w('label.observed')}: {plain(f.observed, w)}")
        found.text = clean("\n".join(body))
    elif f.final == Verdict.UNKNOWN:
        found = ET.SubElement(case, "error")
        kind, detail = (f.failure.kind, f.failure.detail) if f.failure else ("unknown", "")
        _set(found, type=kind, message=detail)
    elif f.final in (Verdict.NOT_APPLICABLE, Verdict.MANUAL):
        _set(ET.SubElement(case, "skipped"), message=result.note or w(f"verdict.{f.final}"))
    if result.decision:
        ET.SubElement(case, "system-out").text = clean(result.decision)
