"""The reports' words in Dutch, English and French: phrases from `words.yml`, keys of values from `vocabulary.yml`."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from importlib import resources
from typing import Any, Literal

import yaml

Language = Literal["nl", "en", "fr"]
LANGUAGES: tuple[Language, ...] = ("nl", "en", "fr")
_THOUSANDS = {"nl": ".", "en": ",", "fr": "\u202f"}
_POINT = {"nl": ",", "en": ".", "fr": ","}
_AT = {"nl": " om ", "en": ", ", "fr": " à "}
MINUTE = 60
_SNAKE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


@functools.cache
def phrases() -> Mapping[str, Mapping[str, str]]:
    """Give every phrase by its key (`section.results`), by language."""
    return {f"{group}.{key}": texts for group, its in _read("words.yml").items() for key, texts in its.items()}


@functools.cache
def vocabulary() -> Mapping[str, Mapping[str, str]]:
    """Give the words of expected and observed values, by language."""
    return _read("vocabulary.yml")


def _read(name: str) -> dict[str, Any]:
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # text only: a key `true` or `no` is no boolean
    text = (resources.files("reporting") / name).read_text("utf-8")
    return yaml.load(text, Loader=loader)  # type: ignore[no-any-return]  # noqa: S506 - strings and mappings only


class Words:
    """The words of one language. Call it with a key and what is to be put in; KeyError for a key that is not there."""

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"{language}: there are {', '.join(LANGUAGES)}")
        self.language = language

    def __call__(self, key: str, **values: Any) -> str:
        """Give a phrase. `n` chooses between one and many; whole numbers are written as the language does."""
        text = phrases()[key][self.language]
        one, bar, many = text.partition("|")
        if bar:
            text = one if values.get("n") == 1 else many
        for name, value in values.items():
            shown = self.number(value) if type(value) is int else str(value)
            text = text.replace(f"{{{name}}}", shown)
        return text

    def key(self, name: str) -> str:
        """Give the word for a key of a value; one that is not known with spaces; what is no word of ours as it is."""
        texts = vocabulary().get(name)
        if texts:
            return texts[self.language]
        return name.replace("_", " ") if _SNAKE.fullmatch(name) else name

    def known(self, name: str) -> bool:
        """Tell whether a key or note is a word of the vocabulary."""
        return name in vocabulary()

    def number(self, value: int | Decimal) -> str:
        """Write a number: `12.345` and `0,5` in Dutch."""
        text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
        return text.translate({ord(","): _THOUSANDS[self.language], ord("."): _POINT[self.language]})

    def decimal(self, text: str) -> str:
        """Write decimal text of the record (`7.5`) as the language does; anything else as it is."""
        try:
            return self.number(Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP).normalize() + 0)
        except InvalidOperation:
            return text

    def percent(self, value: float) -> str:
        """Write a percentage with at most one decimal, never rounded up to 100."""
        shown = Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
        if shown == 100 and value < 100:  # noqa: PLR2004 - not all is not all
            shown = Decimal("99.9")
        text = self.number(shown.quantize(Decimal(1)) if shown == shown.to_integral() else shown)
        return f"{text}\u00a0%" if self.language == "fr" else f"{text}%"

    def seconds(self, value: float) -> str:
        """Write how long something took: `0,13 s`, `12 s`, `3 min 5 s`."""
        if value >= MINUTE:
            minutes, rest = divmod(round(value), MINUTE)
            return f"{self.number(minutes)} min {rest} s"
        places = "0.01" if value < 1 else "0.1" if value < 10 else "1"  # noqa: PLR2004
        return f"{self.number(Decimal(str(value)).quantize(Decimal(places), ROUND_HALF_UP))} s"

    def day(self, iso: str) -> str:
        """Write a date: `24 november 2026`; what is no date as it is."""
        try:
            return self._day(dt.datetime.fromisoformat(iso))
        except (ValueError, OverflowError):
            return iso

    def moment(self, iso: str) -> str:
        """Write a date and time, with its zone: `24 november 2026 om 02:16 UTC`; what is none as it is."""
        try:
            when = dt.datetime.fromisoformat(iso)
        except (ValueError, OverflowError):
            return iso
        zone = when.strftime("%Z") if when.tzinfo else ""
        return f"{self._day(when)}{_AT[self.language]}{when:%H:%M} {zone}".strip()

    def clock(self, iso: str) -> str:
        """Write only the time of day, with seconds; what is none as it is."""
        try:
            return f"{dt.datetime.fromisoformat(iso):%H:%M:%S}"
        except (ValueError, OverflowError):
            return iso

    def _day(self, when: dt.datetime) -> str:
        day = "1er" if self.language == "fr" and when.day == 1 else str(when.day)
        return f"{day} {self(f'month.{when.month}')} {when.year}"
