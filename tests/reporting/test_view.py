"""What a report says of a run: verdict, reasons, proposal, remaining items, bullets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from audits import texts
from reporting import RecordedRun
from reporting.run import BulletSummary, Finding
from reporting.view import View, status_of, tokens

Change = Callable[..., RecordedRun]
PASS: dict[str, Any] = {"verdict": "pass", "final": "pass"}
FAIL: dict[str, Any] = {"verdict": "fail", "final": "fail"}
UNKNOWN: dict[str, Any] = {"verdict": "unknown", "final": "unknown", "failure": {"kind": "denied", "detail": "x"}}
MANUAL: dict[str, Any] = {"check": "attestation.15.3-users", "target": "", "verdict": "manual", "final": "manual"}
WAIVED: dict[str, Any] = {
    "verdict": "fail",
    "final": "pass",
    "decision": {"kind": "waiver", "who": "An", "reason": "r", "until": "2027-01-01"},
}
SKIPPED: dict[str, Any] = {"verdict": "not_applicable", "final": "not_applicable", "note": "needs: other"}
ATTESTED = MANUAL | {
    "final": "pass",
    "decision": {"kind": "attestation", "who": "An", "answer": True, "when": "2026-11-24"},
}
FULL = {"coverage": {"assessed": 1, "total": 1, "percent": 100.0, "minimum": 80.0}}
LOW = {"coverage": {"assessed": 1, "total": 2, "percent": 50.0, "minimum": 80.0}}


def finding(**fields: Any) -> Finding:
    return Finding.model_validate({"check": "a.b", "severity": "major"} | fields)


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([], "not_assessed"),
        ([PASS], "verified"),
        ([PASS, FAIL], "failed"),
        ([PASS, UNKNOWN], "partly"),
        ([PASS, MANUAL], "partly"),
        ([PASS, SKIPPED], "partly"),
        ([PASS, {"verdict": "not_applicable", "final": "not_applicable", "note": "not this system"}], "verified"),
        ([UNKNOWN], "not_assessed"),
        ([MANUAL], "not_assessed"),
        ([SKIPPED], "not_assessed"),
        ([ATTESTED], "attested"),
        ([ATTESTED, PASS], "verified"),
        ([WAIVED, PASS], "waived"),
        ([WAIVED, FAIL], "failed"),
        ([WAIVED | {"final": "fail"}], "failed"),
    ],
)
def test_the_status_of_a_bullet_never_says_more_than_was_seen(findings: list[dict[str, Any]], status: str) -> None:
    assert status_of(BulletSummary(), [finding(**f) for f in findings]) == status


def test_a_bullet_that_the_summary_calls_failed_stays_failed() -> None:
    assert status_of(BulletSummary(status="failed"), []) == "failed"


@pytest.mark.parametrize(
    ("findings", "summary", "verdict", "reason", "proposal"),
    [
        ([PASS], FULL | {"verdict": "pass"}, "pass", "Alles wat beoordeeld werd, voldoet.", "Aanvaarden."),
        (
            [PASS],
            LOW | {"verdict": "pass"},
            "unknown",
            "De dekking is 50%; afgesproken is minstens 80%.",
            "Nog niet beslissen",
        ),
        (
            [PASS, UNKNOWN],
            FULL | {"verdict": "unknown"},
            "unknown",
            "1 vaststelling kon niet beoordeeld worden",
            "Nog niet beslissen",
        ),
        (
            [PASS, FAIL | {"severity": "blocking"}],
            LOW | {"verdict": "fail"},
            "fail",
            "1 blokkerende afwijking",
            "Weigeren",
        ),
        ([PASS, FAIL], FULL | {"verdict": "fail"}, "fail", "1 belangrijke afwijking", "Aanvaarden met voorbehoud"),
        ([PASS, FAIL], LOW | {"verdict": "fail"}, "fail", "1 belangrijke afwijking", "Nog niet beslissen"),
        (
            [PASS, FAIL | {"severity": "minor"}],
            FULL | {"verdict": "fail"},
            "fail",
            "1 kleine afwijking",
            "Aanvaarden met de restpunten",
        ),
        ([PASS, WAIVED], FULL | {"verdict": "pass"}, "pass", "1 afwijking is tijdelijk vrijgesteld", "Aanvaarden."),
        ([PASS, MANUAL], FULL | {"verdict": "pass"}, "pass", "1 vraag wacht op een antwoord", "Aanvaarden."),
        ([], {"verdict": "unknown"}, "unknown", "Er werd niets beoordeeld.", "Nog niet beslissen"),
    ],
)
def test_verdict_reasons_and_proposal(
    with_findings: Change,
    findings: list[dict[str, Any]],
    summary: dict[str, Any],
    verdict: str,
    reason: str,
    proposal: str,
) -> None:
    view = View(with_findings(findings, **summary))
    assert view.verdict == verdict
    assert reason in view.reasons
    assert view.proposal.startswith(proposal)


def test_a_run_that_was_interrupted_is_never_a_pass(with_findings: Change) -> None:
    view = View(with_findings([PASS], {"state": "interrupted"}, verdict="pass", **FULL))
    assert view.verdict == "unknown"
    assert view.reasons[0].startswith("De run werd onderbroken")
    assert view.proposal.startswith("Nog niet")


def test_the_same_deviation_on_several_targets_is_one_item(with_findings: Change) -> None:
    failures = [
        FAIL | {"target": "web1", "severity": "minor"},
        FAIL | {"target": "dc1", "severity": "blocking"},
        FAIL | {"target": "files1", "severity": "minor"},
        FAIL | {"target": "files1", "subject": "sshd", "severity": "minor"},
    ]
    items = View(with_findings(failures)).items
    assert [(i.number, i.severity, i.targets) for i in items] == [
        (1, "blocking", ["dc1"]),
        (2, "minor", ["files1", "web1"]),
        (3, "minor", ["files1"]),
    ]


def test_findings_stand_by_target_as_the_manifest_orders_them_with_what_needs_attention_first(view: View) -> None:
    assert [g.name for g in view.groups] == [t.name for t in view.run.manifest.targets]
    for group in view.groups:
        assert all(r.finding.final in ("fail", "unknown", "manual") for r in group.attention)
        assert all(r.finding.final in ("pass", "not_applicable") for r in group.rest)
    assert sum(len(g.attention) + len(g.rest) for g in view.groups) + len(view.attestations) == len(view.run.findings)


def test_texts_come_in_the_language_that_is_asked_for(rich: RecordedRun, known: texts.Texts) -> None:
    view = View(rich, "fr", known)
    root = next(r for r in view.results if r.finding.check == "openssh.root_cannot_log_in")
    assert root.title == "Root ne peut pas se connecter en SSH"
    assert "session root" in root.why
    gone = next(r for r in view.results if r.finding.check == "old.check_that_is_gone")
    assert gone.title == "old.check_that_is_gone"
    assert gone.why == ""


def test_what_the_run_recorded_is_used_for_a_check_that_is_gone(with_findings: Change) -> None:
    (result,) = View(with_findings([FAIL | {"check": "old.gone", "title": "Oud", "remedy": "Doe iets."}])).results
    assert (result.title, result.remedy, result.why) == ("Oud", "Doe iets.", "")


def test_an_attestation_that_was_denied_has_a_remedy_of_its_own(with_findings: Change) -> None:
    (result,) = View(with_findings([MANUAL | FAIL])).results
    assert result.remedy.startswith("Zoek uit waarom")


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("needs: ssh, dns", "overgeslagen omdat deze vereiste faalde: ssh, dns"),
        ("owner", "eigenaar"),
        ("(A;;GA;;;WD)\x1b", "(A;;GA;;;WD)␛"),
        (None, ""),
    ],
)
def test_notes_are_in_words(with_findings: Change, note: str | None, shown: str) -> None:
    (result,) = View(with_findings([PASS | {"note": note}])).results
    assert result.note == shown


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (
            {"kind": "waiver", "who": "An", "reason": "r", "until": "2027-01-31"},
            "Vrijgesteld tot 31 januari 2027 door An: r",
        ),
        (
            {"kind": "waiver", "who": "An", "reason": "r", "until": "2026-01-31", "expired": True},
            "Vrijstelling verliep op 31 januari 2026 (An: r)",
        ),
        ({"kind": "override", "who": "An\u202e", "reason": "r\n{who}"}, "Oordeel gewijzigd door An⟨U+202E⟩: r {who}"),
        ({"kind": "attestation", "who": "An", "when": "2026-11-23"}, "Beantwoord door An op 23 november 2026"),
        (None, ""),
    ],
)
def test_decisions_are_sentences(with_findings: Change, decision: dict[str, Any] | None, sentence: str) -> None:
    (result,) = View(with_findings([PASS | {"decision": decision}])).results
    assert result.decision == sentence


def test_tokens_begin_with_the_subject_and_hold_missing_keys_and_values() -> None:
    made = finding(
        **FAIL,
        subject="sub",
        expected={"permit_root_login": "no"},
        observed={"permit_root_login": "yes", "extra": ["x1"]},
        params={"name": "the name"},
    )
    assert list(tokens(made))[:5] == ["sub", "x1", "the name", "permitrootlogin", "extra"]
    assert next(iter(tokens(finding(**PASS)))) == ""


def test_evidence_is_quoted_first_where_it_is_needed(with_findings: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting.view.EXCERPTS", 1)
    passed, failed = View(with_findings([PASS | {"evidence": [1]}, FAIL | {"evidence": [1, 999, 2, 3, 4, 5]}])).results[
        ::-1
    ]
    assert passed.evidence == [1]
    quoted = failed.evidence
    assert [getattr(q, "seq", None) for q in quoted] == [1, None, 2, 3, None, None]
    assert quoted[1] == 999
    assert quoted[4:] == [4, 5]
