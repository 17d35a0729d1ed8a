"""The texts beside the checks: severity, and title, why and remedy in every language.

`checks/NAME.yml` holds, by check function, `severity` and per language `title`, `why` and `remedy`. `{placeholders}`
stand for fields of the requirement, `{subject}` and `{target}`; `{{` and `}}` for braces. Values are put in once and
never read again: whatever stands in them stays text. A value that is not there leaves an ellipsis.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

import yaml

from audits import competences
from audits.competences import ATTESTATION, LANGUAGES

Part = Literal["title", "why", "remedy"]
PARTS: tuple[Part, ...] = ("title", "why", "remedy")
ELLIPSIS = "…"
LONGEST = 200  # characters of one value in a sentence
MOST = 8  # elements of a list in a sentence

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z_][a-z0-9_]*)\}")
_ANSWER = {  # the texts of an attestation: its question is the title, its bullet's official line the reason
    "nl": "Laat een bevoegde persoon de vraag beantwoorden en ondertekenen, of leg het antwoord vast onder "
    "`attestations` in decisions.yml (id, answer, who, when) en maak het verslag opnieuw.",
    "en": "Have an authorised person answer and sign the question, or record the answer under `attestations` in "
    "decisions.yml (id, answer, who, when) and make the report again.",
    "fr": "Faites répondre et signer une personne habilitée, ou consignez la réponse sous `attestations` dans "
    "decisions.yml (id, answer, who, when), puis refaites le rapport.",
}


def placeholders(text: str) -> frozenset[str]:
    """Name what a text has places for."""
    return frozenset(m[1] for m in _PLACEHOLDER.finditer(text) if m[1])


def fill(text: str, params: Mapping[str, Any], words: Mapping[str, str] | None = None) -> str:
    """Put values in the places of a text. `words` says how booleans read (`true`, `false`)."""

    def value(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0][0]  # a doubled brace
        return _plain(params.get(match[1]), words or {})

    return _PLACEHOLDER.sub(value, text)


def _plain(value: Any, words: Mapping[str, str]) -> str:
    if value is None or value in ("", [], {}):
        return ELLIPSIS
    if isinstance(value, bool):
        key = str(value).lower()
        return words.get(key, key)
    if isinstance(value, Mapping):
        return _join([f"{k} {_plain(v, words)}" for k, v in list(value.items())[: MOST + 1]])
    if isinstance(value, list | tuple | set | frozenset):
        return _join([_plain(v, words) for v in list(value)[: MOST + 1]])
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + ELLIPSIS


def _join(parts: list[str]) -> str:
    return ", ".join([*parts[:MOST], ELLIPSIS] if len(parts) > MOST else parts)


class Texts(Mapping[str, Mapping[str, Any]]):
    """Every check's entry by id, as it stands in the YAML."""

    def __init__(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, check_id: str) -> Mapping[str, Any]:
        return self._entries[check_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def severity(self, check_id: str) -> str:
        """Give a check's severity; major for one that has none, so that nothing is taken lightly by mistake."""
        if check_id.startswith(ATTESTATION):
            return "minor"
        return str(self._entries.get(check_id, {}).get("severity", "major"))

    def text(self, check_id: str, part: Part, language: str, params: Mapping[str, Any]) -> str:
        """Give one text of a check, filled in; the check's id as title, and nothing else, for one without texts."""
        raw = self.raw(check_id, part, language)
        if check_id.startswith(ATTESTATION):
            return raw  # official text and questions have no places
        return fill(
            raw, params, {"nl": {"true": "ja", "false": "nee"}, "fr": {"true": "oui", "false": "non"}}.get(language)
        )

    def raw(self, check_id: str, part: Part, language: str) -> str:
        """Give one text of a check as it stands, with its places."""
        if check_id.startswith(ATTESTATION):
            return _attestation(check_id, part, language)
        entry = self._entries.get(check_id)
        if entry is None:
            return check_id if part == "title" else ""
        texts = entry.get(language) or entry.get("en") or {}
        return str(texts.get(part, check_id if part == "title" else ""))


def _attestation(check_id: str, part: Part, language: str) -> str:
    try:
        asked = competences.load().attestation(check_id)
    except KeyError:
        return check_id if part == "title" else ""
    if part == "title":
        return asked.question[language]
    return competences.load().bullet(asked.bullet).text[language] if part == "why" else _ANSWER[language]


@functools.cache
def load() -> Texts:
    """Read the texts of all checks from the package's data; the same object each time."""
    return read(resources.files("checks"))


def read(folder: Traversable) -> Texts:
    """Read the texts that lie in a folder, `NAME.yml` for the checks of the module NAME."""
    entries: dict[str, Mapping[str, Any]] = {}
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # text only: a title `no` is no boolean
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yml"):
            data = yaml.load(file.read_text("utf-8"), Loader=loader)  # noqa: S506 - strings, lists, mappings only
            for function, entry in (data or {}).items():
                entries[f"{file.name.removesuffix('.yml')}.{function}"] = entry
    return Texts(entries)


__all__ = ["ATTESTATION", "LANGUAGES", "PARTS", "Part", "Texts", "fill", "load", "placeholders", "read"]
