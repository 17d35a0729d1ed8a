"""Collect: the only stage with a network. Asks every target its questions and writes the answers as they come.

One job per target and transport, so one connection each. A failing question or host is an answer, never an end; a
defect of ours in a transport becomes the failure *unreadable* of the questions concerned, and the others go on.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from audits.errors import OutputError
from audits.evidence import Evidence
from audits.transports.base import Settings, Stopwatch, Target, Transport
from checks.questions import FailureKind, Question

log = logging.getLogger(__name__)
POLL = 0.1  # seconds between looks at the clock while waiting


@dataclass(slots=True)
class Progress:
    """How far collecting is; read by whoever shows it, from another thread."""

    targets: int = 0
    targets_done: int = 0
    questions: int = 0
    questions_done: int = 0
    failed: int = 0
    busy: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Job:
    transport: str
    target: Target
    questions: Sequence[Question]


class Collector:
    """Runs the jobs in a pool of daemon threads, so that Ctrl-C never waits for a host that hangs."""

    def __init__(self, settings: Settings, transport_for: Callable[[str, Target], Transport]) -> None:
        self._settings, self._transport_for = settings, transport_for
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: OutputError | None = None
        self.progress = Progress()

    def run(
        self,
        targets: Mapping[str, Target],
        questions: Mapping[str, Sequence[Question]],
        evidence: Evidence,
        tick: Callable[[Progress], None] | None = None,
    ) -> None:
        """Ask what is not in the evidence yet.

        `tick` is called now and then in the calling thread. KeyboardInterrupt passes through after the threads were
        told to stop; OutputError is raised when the evidence cannot be written.
        """
        jobs = self._jobs(targets, questions, evidence)
        left = Counter(job.target.name for job in jobs)
        p = self.progress
        p.targets, p.questions = len(left), sum(len(j.questions) for j in jobs)
        waiting: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        threads = [
            threading.Thread(target=self._work, args=(waiting, left, evidence), daemon=True, name=f"collect-{i}")
            for i in range(min(len(jobs), self._settings.jobs))
        ]
        try:
            for thread in threads:
                thread.start()
            while alive := [t for t in threads if t.is_alive()]:
                if self._stop.is_set():
                    break
                alive[0].join(POLL)
                if tick:
                    tick(p)
        finally:
            self._stop.set()
        if self._error:
            raise self._error

    def _work(self, waiting: queue.SimpleQueue[_Job], left: Counter[str], evidence: Evidence) -> None:
        """Do jobs until there are none; the body of each thread."""
        while not self._stop.is_set():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            name = job.target.name
            with self._lock:
                self.progress.busy.add(name)
            try:
                self._do(job, evidence)
            except OutputError as e:
                self._error = e
                self._stop.set()
            with self._lock:
                left[name] -= 1
                if not left[name]:
                    self.progress.busy.discard(name)
                    self.progress.targets_done += 1

    def _jobs(
        self, targets: Mapping[str, Target], questions: Mapping[str, Sequence[Question]], evidence: Evidence
    ) -> list[_Job]:
        jobs: list[_Job] = []
        for name, asked in questions.items():
            by_transport: dict[str, list[Question]] = {}
            for question in asked:
                if (name, question) not in evidence:
                    by_transport.setdefault(question.transport, []).append(question)
            jobs += [_Job(transport, targets[name], several) for transport, several in by_transport.items()]
        # the directory first: its tables are the longest answers
        return sorted(jobs, key=lambda j: j.target.kind == "host")

    def _do(self, job: _Job, evidence: Evidence) -> None:
        watch = Stopwatch()
        missing = dict.fromkeys(job.questions)
        detail = "the transport gave no answer"
        try:
            answers = self._transport_for(job.transport, job.target).ask(job.target, job.questions)
            for question, answer in answers:
                if self._stop.is_set():
                    return
                if question in missing:
                    del missing[question]
                    evidence.append(job.target.name, question, answer)
                    self.progress.questions_done += 1
                    self.progress.failed += answer.failure is not None
        except OutputError:
            raise
        except Exception as e:
            log.exception("%s over %s", job.target.name, job.transport)
            detail = f"a defect in keuring: {type(e).__name__}: {e}"
        if self._stop.is_set():
            return
        for question in missing:
            evidence.append(job.target.name, question, watch.failure(FailureKind.UNREADABLE, detail))
            self.progress.questions_done += 1
            self.progress.failed += 1
