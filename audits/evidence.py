"""Evidence: what was asked, what came back, as it came; append-only, each line chained to the one before.

`evidence.jsonl` has one JSON object a line: `seq` (from 1), `target`, `question` (`checks.questions.to_json`), `at`
(UTC), `took` (seconds), `via` (which server, where there was a choice), then `value` or `failure` (`kind`, `detail`),
and last `prev` (digest of the line before, zeros for the first) and `digest`: SHA-256 over the line's JSON without
`digest`. A line is on disk (handed to the kernel) before the next question's answer is looked at, so a killed run
keeps everything but at most a torn last line, which reading drops.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits.errors import EvidenceError, OutputError
from audits.transports.base import Answer
from checks.questions import Failure, FailureKind, Question, from_json, to_json

FILE = "evidence.jsonl"
GENESIS = "0" * 64
SYNC_EVERY = 1.0  # seconds between writes through to the disk itself


@dataclass(frozen=True, slots=True)
class Record:
    """One line of evidence."""

    seq: int
    target: str
    question: Question
    answer: Answer


Key = tuple[str, Question]


def _dump(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_dump(body).encode("utf-8", "surrogatepass")).hexdigest()


class Redactor:
    """Takes the secrets that a run knows out of whatever is written.

    Secrets shorter than four characters are left alone: they would blot out everything.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # longest first, so that a secret within a secret leaves nothing behind
        self._forms = sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True)  # noqa: PLR2004

    def __call__(self, data: Any) -> Any:
        """Give JSON data with every secret in its texts replaced; keys and numbers stay."""
        if isinstance(data, str):
            for form in self._forms:
                data = data.replace(form, "[redacted]")
            return data
        if isinstance(data, Mapping):
            return {k: self(v) for k, v in data.items()}
        return [self(v) for v in data] if isinstance(data, list | tuple) else data


class Evidence:
    """The evidence of one run: read what is there, append what comes. Safe to use from many threads."""

    def __init__(self, path: Path, redact: Redactor | None = None) -> None:
        self.path, self.head, self.records = path, GENESIS, dict[Key, Record]()
        self._redact = redact or Redactor(())
        self._lock = threading.Lock()
        self._synced = 0.0
        self._seq = end = 0
        for record, digest, offset in _read_lines(path):
            self._seq, self.head, end = record.seq, digest, offset
            self.records[record.target, record.question] = record
        try:
            self._file = path.open("ab", buffering=0)  # a failed write must leave nothing in a buffer
            self._file.truncate(end)  # a torn last line of a killed run
        except OSError as e:
            raise OutputError(f"{path}: {e.strerror}", "Choose another place with --out.") from None

    def __contains__(self, key: Key) -> bool:
        """Tell whether this was asked and answered; an interrupted question was not."""
        record = self.records.get(key)
        return record is not None and not _interrupted(record.answer)

    def append(self, target: str, question: Question, answer: Answer) -> Record:
        """Write one answer; OutputError when it cannot be written (what is there stays whole)."""
        said: dict[str, Any] = {"target": target, "question": to_json(question), "at": answer.at, "took": answer.took}
        if answer.via:
            said["via"] = answer.via
        if answer.failure is None:
            said["value"] = self._redact(answer.value)
        else:
            said["failure"] = {"kind": str(answer.failure.kind), "detail": self._redact(answer.failure.detail)}
        with self._lock:
            body = {"seq": self._seq + 1, **said, "prev": self.head}
            digest = _digest(body)
            line = (_dump(body | {"digest": digest}) + "\n").encode("utf-8", "surrogatepass")
            try:
                start = self._file.tell()
                self._write(line, start)
            except OSError as e:
                raise OutputError(
                    f"{self.path}: {e.strerror}",
                    "What was collected so far is kept. Make room, then go on with --resume.",
                ) from None
            self._seq += 1
            self.head = digest
            redacted = Answer(said.get("value"), answer.failure, answer.at, answer.took, answer.via)
            record = Record(self._seq, target, question, redacted)
            self.records[target, question] = record
            return record

    def _write(self, line: bytes, start: int) -> None:
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # leave no half line behind
                self._file.truncate(start)
            raise
        if (now := time.monotonic()) - self._synced > SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._synced = now

    def close(self) -> None:
        """Write through to the disk and close."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            os.fsync(self._file.fileno())
            self._file.close()


def read(path: Path) -> Evidence:
    """Read the evidence of a run without opening it for writing."""
    if not path.exists():
        raise EvidenceError(f"{path}: there is no evidence", "Name a run directory, as `runs/latest`.")
    evidence = Evidence.__new__(Evidence)
    evidence.path, evidence.head, evidence.records = path, GENESIS, {}
    for record, evidence.head, _ in _read_lines(path):
        evidence.records[record.target, record.question] = record
    return evidence


def _read_lines(path: Path) -> Iterator[tuple[Record, str, int]]:
    """Give each whole line's record, its digest, and the offset behind it; a torn last line is left out."""
    if not path.exists():
        return
    head, seq, end = GENESIS, 0, 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            seq += 1
            end += len(line)
            record, head = _read_line(line, head, path, seq)
            yield record, head, end


def _read_line(line: bytes, prev: str, path: Path, seq: int) -> tuple[Record, str]:
    where = f"{path}:{seq}"
    try:
        body = json.loads(line.decode("utf-8", "surrogatepass"))
        digest = body.pop("digest")
        failure = body.get("failure")
        question = from_json(body["question"])
        answer = Answer(
            body.get("value"),
            Failure(FailureKind(failure["kind"]), failure["detail"]) if failure else None,
            body["at"],
            body["took"],
            body.get("via", ""),
        )
        record, follows = Record(body["seq"], body["target"], question, answer), body["prev"]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise EvidenceError(
            f"{where}: this line cannot be read ({type(e).__name__})", "The evidence was changed."
        ) from None
    if follows != prev or record.seq != seq:
        raise EvidenceError(
            f"{where}: this line does not follow the one before it", "A line was changed, added or removed."
        )
    if _digest(body) != digest or line != (_dump(body | {"digest": digest}) + "\n").encode("utf-8", "surrogatepass"):
        raise EvidenceError(f"{where}: this line was changed", "Its digest does not fit its content.")
    return record, digest


def _interrupted(answer: Answer) -> bool:
    return answer.failure is not None and answer.failure.kind == FailureKind.INTERRUPTED
