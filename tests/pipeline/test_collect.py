"""Collecting: every question gets one answer, whatever a host or a transport of ours does; nothing is asked twice."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from audits.collect import Collector, Progress
from audits.errors import OutputError
from audits.evidence import Evidence
from audits.transports.base import Answered, Settings, Stopwatch, Target
from checks.questions import DnsQuery, FailureKind, Question, Shell

Asker = Callable[[Target, Sequence[Question]], Iterator[Answered]]
QUESTIONS = [Shell("a"), Shell("b"), Shell("c")]


class _Fake:
    def __init__(self, ask: Asker) -> None:
        self.asked: list[tuple[str, list[Question]]] = []
        self._ask = ask

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        self.asked.append((target.name, list(questions)))
        return self._ask(target, questions)


def _echo(target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
    for question in questions:
        yield question, Stopwatch().answer({"from": target.name})


def _collect(path: Path, ask: Asker, hosts: Sequence[str] = ("h1", "h2")) -> tuple[Evidence, _Fake, Progress]:
    fake, evidence = _Fake(ask), Evidence(path)
    collector = Collector(Settings(jobs=4), lambda _name, _target: fake)
    try:
        collector.run({h: Target(h) for h in hosts}, dict.fromkeys(hosts, QUESTIONS), evidence)
    finally:
        evidence.close()
    return evidence, fake, collector.progress


def test_all_is_asked_once_per_host_and_kept(tmp_path: Path) -> None:
    evidence, fake, progress = _collect(tmp_path / "e", _echo)
    assert sorted(fake.asked) == [("h1", QUESTIONS), ("h2", QUESTIONS)]
    assert {k: r.answer.value for k, r in evidence.records.items()} == {
        (h, q): {"from": h} for h in ("h1", "h2") for q in QUESTIONS
    }
    assert (progress.targets_done, progress.questions_done, progress.failed) == (2, 6, 0)


def test_a_second_collection_asks_only_what_is_missing(tmp_path: Path) -> None:
    def first(_target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        yield questions[0], Stopwatch().answer(1)
        yield questions[1], Stopwatch().failure(FailureKind.REFUSED)
        yield questions[2], Stopwatch().failure(FailureKind.INTERRUPTED)

    _collect(tmp_path / "e", first, ["h1"])
    evidence, fake, _ = _collect(tmp_path / "e", _echo, ["h1"])
    assert fake.asked == [("h1", [Shell("c")])]
    assert evidence.records["h1", Shell("a")].answer.value == 1


def test_a_defect_or_a_silent_transport_harms_only_its_own_questions(tmp_path: Path) -> None:
    def broken(target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        yield questions[0], Stopwatch().answer(1)
        if target.name == "h1":
            raise ZeroDivisionError("oops")
        if target.name == "h2":
            return
        yield from _echo(target, questions[1:])

    evidence, _, progress = _collect(tmp_path / "e", broken, ["h1", "h2", "h3"])
    for host, words in (("h1", "ZeroDivisionError: oops"), ("h2", "gave no answer")):
        failure = evidence.records[host, Shell("b")].answer.failure
        assert failure is not None
        assert (failure.kind, words in failure.detail) == (FailureKind.UNREADABLE, True)
        assert evidence.records[host, Shell("a")].answer.value == 1
    assert evidence.records["h3", Shell("c")].answer.failure is None
    assert (progress.questions_done, progress.failed) == (9, 4)


def test_answers_to_what_was_not_asked_are_ignored(tmp_path: Path) -> None:
    def chatty(target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        yield DnsQuery("other.test"), Stopwatch().answer("forged")
        yield from _echo(target, questions)
        yield questions[0], Stopwatch().answer("second")

    evidence, _, _ = _collect(tmp_path / "e", chatty, ["h1"])
    assert set(evidence.records) == {("h1", q) for q in QUESTIONS}
    assert evidence.records["h1", Shell("a")].answer.value == {"from": "h1"}


def test_ctrl_c_does_not_wait_for_a_host_that_hangs(tmp_path: Path) -> None:
    hang = threading.Event()

    def hanging(target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        yield questions[0], Stopwatch().answer(1)
        if target.name == "h1":
            hang.wait(60)
        yield from _echo(target, questions[1:])

    def interrupt(progress: Progress) -> None:
        if progress.questions_done >= 4:
            raise KeyboardInterrupt

    evidence = Evidence(tmp_path / "e")
    fake = _Fake(hanging)
    collector = Collector(Settings(jobs=4), lambda _name, _target: fake)
    targets = {h: Target(h) for h in ("h1", "h2")}
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        collector.run(targets, dict.fromkeys(targets, QUESTIONS), evidence, interrupt)
    assert time.monotonic() - begin < 30
    hang.set()
    assert ("h1", Shell("b")) not in evidence
    assert ("h2", Shell("c")) in evidence


def test_a_full_disk_ends_the_run_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutputError("e: No space left on device")

    monkeypatch.setattr(Evidence, "append", full)
    with pytest.raises(OutputError, match="No space left"):
        _collect(tmp_path / "e", _echo)
