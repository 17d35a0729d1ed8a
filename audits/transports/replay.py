"""Answers from a recorded run instead of a network: the same evidence, judged by another definition or by a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from audits.evidence import Key, Record
from audits.transports.base import Answered, Stopwatch, Target
from checks.questions import FailureKind, Question


class ReplayTransport:
    """Gives what was recorded; a question that was never asked fails as *interrupted*: nobody can tell any more."""

    def __init__(self, records: Mapping[Key, Record]) -> None:
        self._records = records

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Answer each question from the record, with the times of then."""
        for question in questions:
            record = self._records.get((target.name, question))
            if record is None:
                yield question, Stopwatch().failure(FailureKind.INTERRUPTED, "the recorded run did not ask this")
            else:
                yield question, record.answer
