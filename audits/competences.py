"""The professional qualification: competences, their bullets, and which checks and attestations serve each.

`competences.yml` points at checks, by id or glob; a check knows no bullet. The official Dutch text stands in it word
for word; English and French are translations of ours.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import yaml

LANGUAGES = ("nl", "en", "fr")
ATTESTATION = "attestation."
Texts = Mapping[str, str]
"""A text by language."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A question that only a person can answer, and the bullets that its answer serves."""

    id: str
    question: Texts
    bullets: tuple[str, ...]

    @property
    def bullet(self) -> str:
        """The bullet that it was written for."""
        return self.bullets[0]


@dataclass(frozen=True, slots=True)
class Bullet:
    """One official line of a competence, and what serves it: check ids or globs, and questions for people."""

    id: str
    text: Texts
    checks: tuple[str, ...]
    attestations: tuple[Attestation, ...]
    same_as: str | None = None

    def covers(self, check_id: str) -> bool:
        """Tell whether this check serves it."""
        if check_id.startswith(ATTESTATION):
            return any(ATTESTATION + a.id == check_id for a in self.attestations)
        return any(fnmatch.fnmatchcase(check_id, pattern) for pattern in self.checks)


@dataclass(frozen=True, slots=True)
class Competence:
    """A competence with its bullets, in the order of the source."""

    id: str
    title: Texts
    bullets: tuple[Bullet, ...]


class Competences:
    """All of them. Made by `load`."""

    def __init__(self, source: str, title: Texts, competences: tuple[Competence, ...]) -> None:
        self.source, self.title, self.competences = source, title, competences
        self._bullets = {b.id: b for c in competences for b in c.bullets}
        self._served: dict[str, tuple[str, ...]] = {}

    @property
    def bullets(self) -> tuple[Bullet, ...]:
        """All bullets, in the order of the source."""
        return tuple(self._bullets.values())

    @property
    def attestations(self) -> tuple[Attestation, ...]:
        """All questions for people, each once."""
        return tuple({a.id: a for b in self.bullets for a in b.attestations}.values())

    def bullet(self, id_: str) -> Bullet:
        """Give a bullet by its number, such as `16.6`; KeyError when there is none."""
        return self._bullets[id_]

    def attestation(self, id_: str) -> Attestation:
        """Give an attestation by its id, with or without `attestation.` before it; KeyError when there is none."""
        wanted = id_.removeprefix(ATTESTATION)
        for attestation in self.attestations:
            if attestation.id == wanted:
                return attestation
        raise KeyError(id_)

    def bullets_of(self, check_id: str) -> tuple[str, ...]:
        """Give the bullets that a check (or `attestation.ID`) serves; empty when there are none."""
        if check_id not in self._served:
            self._served[check_id] = tuple(b.id for b in self.bullets if b.covers(check_id))
        return self._served[check_id]

    def bullets_by_competence(self) -> dict[str, tuple[str, ...]]:
        """Give the bullets' numbers by competence."""
        return {c.id: tuple(b.id for b in c.bullets) for c in self.competences}


@functools.cache
def load() -> Competences:
    """Read the qualification from the package's data; the same object each time."""
    text = (resources.files("audits") / "competences.yml").read_text("utf-8")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # text only: `8.1` is no number
    data = yaml.load(text, Loader=loader)  # noqa: S506 - the base loader makes strings, lists and mappings only
    shared = {b["same_as"]: b["id"] for c in data["competences"] for b in c["bullets"] if "same_as" in b}
    raw = {b["id"]: b for c in data["competences"] for b in c["bullets"]}
    made: dict[str, Bullet] = {}
    for id_, entry in raw.items():
        source = raw[entry.get("same_as", id_)]
        first = source["id"]
        serves = (first, shared[first]) if first in shared else (first,)
        made[id_] = Bullet(
            id_,
            entry["text"],
            tuple(source["checks"]),
            tuple(
                Attestation(a["id"], {lang: a[lang] for lang in LANGUAGES}, serves)
                for a in source.get("attestations", ())
            ),
            entry.get("same_as"),
        )
    return Competences(
        data["source"],
        data["title"],
        tuple(Competence(c["id"], c["title"], tuple(made[b["id"]] for b in c["bullets"])) for c in data["competences"]),
    )
