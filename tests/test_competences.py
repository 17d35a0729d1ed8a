"""The qualification's text is the official one, and every check serves a bullet of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audits import catalogue, competences
from audits.competences import LANGUAGES, Bullet

SOURCE = Path(__file__).parent / "reporting" / "data" / "BK-0385-2-competences.txt"
KNOWN = competences.load()


def official() -> dict[str, tuple[str, list[str]]]:
    """Read title and bullets per competence from the source, broken lines joined."""
    text = SOURCE.read_text("utf-8").replace(
        "gebruikersgroepen en\n- eveiligingen", "gebruikersgroepen en beveiligingen"
    )
    found: dict[str, tuple[str, list[str]]] = {}
    for part in re.split(r"^ *Competentie (?=\d+:)", text, flags=re.MULTILINE)[1:]:
        number, _, rest = part.partition(":")
        title, *bullets = re.split(r"^ ?- ", rest, flags=re.MULTILINE)
        found[number] = (" ".join(title.split()), [" ".join(b.split()) for b in bullets])
    return found


def test_the_text_is_the_official_one_word_for_word() -> None:
    ours = {c.id: (c.title["nl"], [b.text["nl"] for b in c.bullets]) for c in KNOWN.competences}
    assert ours == official()


def test_there_are_25_bullets_numbered_in_the_order_of_the_source() -> None:
    assert {c.id: len(c.bullets) for c in KNOWN.competences} == {"8": 6, "15": 8, "16": 7, "18": 4}
    for competence in KNOWN.competences:
        assert [b.id for b in competence.bullets] == [
            f"{competence.id}.{n}" for n in range(1, len(competence.bullets) + 1)
        ]
    assert KNOWN.bullet("16.3").text["nl"].endswith("gebruikersgroepen en beveiligingen")


@pytest.mark.parametrize("bullet", KNOWN.bullets, ids=lambda b: b.id)
def test_every_bullet_has_three_languages_and_something_that_serves_it(bullet: Bullet) -> None:
    assert set(bullet.text) == set(LANGUAGES)
    assert len(set(bullet.text.values())) == len(LANGUAGES)
    assert bullet.checks or bullet.attestations
    for asked in bullet.attestations:
        assert set(asked.question) == set(LANGUAGES)
        assert all(q.endswith("?") for q in asked.question.values())
        assert asked.id.startswith(f"{asked.bullet}-")


def test_the_shared_bullets_share_checks_and_questions() -> None:
    for first, second in (("15.1", "18.2"), ("15.2", "18.3")):
        assert KNOWN.bullet(first).checks == KNOWN.bullet(second).checks
        assert KNOWN.bullet(first).attestations == KNOWN.bullet(second).attestations
        (asked,) = KNOWN.bullet(second).attestations
        assert asked.bullets == (first, second)
        assert KNOWN.bullets_of(f"attestation.{asked.id}") == (first, second)


def test_attestations_stand_once_and_are_found_by_id() -> None:
    ids = [a.id for a in KNOWN.attestations]
    assert len(ids) == len(set(ids))
    assert KNOWN.attestation("attestation.15.3-users").bullet == "15.3"
    assert KNOWN.bullets_of("attestation.15.3-users") == ("15.3",)
    assert KNOWN.bullets_of("attestation.nothing") == ()
    with pytest.raises(KeyError):
        KNOWN.attestation("nothing")


def test_bullets_by_competence_holds_all() -> None:
    assert [b for its in KNOWN.bullets_by_competence().values() for b in its] == [b.id for b in KNOWN.bullets]


def test_every_check_serves_a_bullet() -> None:
    assert [c for c in catalogue.load() if not KNOWN.bullets_of(c)] == []


def test_every_pattern_matches_a_check() -> None:
    known = catalogue.load()
    empty = {
        f"{b.id}: {pattern}"
        for b in KNOWN.bullets
        for pattern in b.checks
        if not any(Bullet(b.id, {}, (pattern,), ()).covers(c) for c in known)
    }
    assert empty == set()
