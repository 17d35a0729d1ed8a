"""Asks a host its batch and listens: time and size limits per question, and going on after one that overran.

Knows no SSH: a `Pipe` is one running script, wherever it runs. A question that hangs or floods fails alone: its
script is stopped, and the questions behind it are asked by a new one.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from audits.transports.base import Answered, Stopwatch
from audits.transports.batch import NO_BUILTIN, NO_SUDO, NOISE_LIMIT, Become, Frame, Framed, Garbled, Script, compose
from checks.questions import Failure, FailureKind, Shell

START_SECONDS = 20.0
"""How long the account's shell may take to start the script."""

HOST_SECONDS = 300.0
"""How long one host may take in all, unless a single question may take longer."""

SLACK_SECONDS = 1.0
"""What a question gets above its own limit, for the network."""

GUARD_SECONDS = 30.0
"""How much later than we the host itself ends the script."""

LAST_SECONDS = 2.0
"""How long we wait for the host to take the order to stop what is left behind."""

MOST_RESTARTS = 20
"""How many questions may overrun before the host is given up."""

STDOUT, STDERR = 1, 2


class Pipe(Protocol):
    """One running script."""

    def read(self, seconds: float) -> list[tuple[int, bytes]] | None:
        """Give what came on which stream, nothing when the time is over, None when there will be no more."""
        ...

    def broken(self) -> Lost | None:
        """Tell why the way to the host is gone, if it is, rather than just this script at its end."""
        ...

    def stop(self) -> bool:
        """Stop the script's processes; False when that must be done on the host, by the next script."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Lost(Exception):
    """The host cannot be asked (any more); `again`: another attempt may do better."""

    def __init__(self, kind: FailureKind, detail: str, *, again: bool = False) -> None:
        super().__init__(detail)
        self.failure, self.again = Failure(kind, detail), again


class _Overrun(Exception):
    """The question that runs must be stopped; the others go on."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


class Conversation:
    """The questions of one host, and which are left. Its time begins with the first script.

    `become`: how to become root, or why that cannot be.
    """

    def __init__(self, questions: Sequence[Shell], become: Become | Failure) -> None:
        # those that wait come last: their answers are there by the time the others have been given
        self._left = deque(sorted(enumerate(questions), key=lambda item: item[1].patient and not item[1].root))
        self._become = become if isinstance(become, Become) else Become()
        self._no_root = become if isinstance(become, Failure) else None
        self._restarts = 0
        self._stray = 0  # process group of a script that had to be left behind
        self.seconds = _budget(questions)
        self._end: float | None = None
        self._watch = Stopwatch()

    def go(self, start: Callable[[Script], Pipe]) -> Iterator[Answered]:
        """Ask what is left and give each answer as it comes; Lost when the host cannot be asked any more."""
        if self._end is None:
            self._end = time.monotonic() + self.seconds
        while self._left:
            yield from self._leave_out()
            if not self._left:
                break
            token = secrets.token_hex(16)
            framed = Framed(token, len(self._left))
            with closing(start(self._script(token))) as pipe:
                self._stray = 0
                try:
                    self._await_opening(pipe, framed)
                    yield from self._listen(pipe, framed)
                except _Overrun as e:
                    self._stop(pipe, framed)
                    _, question = self._left.popleft()
                    yield question, self._watch.failure(e.kind, e.detail)
                    self._restarts += 1
                except Garbled as e:
                    raise Lost(FailureKind.UNREADABLE, f"the host answers out of turn: {e}") from None
            if self._restarts > MOST_RESTARTS:
                raise Lost(FailureKind.TIMED_OUT, f"given up after {self._restarts} commands that had to be stopped")
        if self._stray:  # the last one overran
            with contextlib.suppress(Lost), closing(start(self._script(secrets.token_hex(16)))) as pipe:
                self._stray = 0
                pipe.read(LAST_SECONDS)

    def _script(self, token: str) -> Script:
        seconds = max(1.0, self._deadline() - time.monotonic()) + GUARD_SECONDS
        return compose(self._left, token=token, become=self._become, seconds=seconds, stray=self._stray)

    def _stop(self, pipe: Pipe, framed: Framed) -> None:
        """Stop a script; what it left running on the host is for the next one to stop."""
        if not pipe.stop():
            self._stray = framed.group

    def give_up(self, failure: Failure) -> Iterator[Answered]:
        """Fail all that is left."""
        watch = Stopwatch()
        while self._left:
            yield self._left.popleft()[1], watch.failure(failure.kind, failure.detail)

    def _leave_out(self) -> Iterator[Answered]:
        """Fail what need not be asked: what no shell can take, and root's questions when sudo will not have us."""
        keep: deque[tuple[int, Shell]] = deque()
        while self._left:
            index, question = self._left.popleft()
            if not _sendable(question.command):
                yield (
                    question,
                    self._watch.failure(FailureKind.UNREADABLE, "the command holds characters no shell can take"),
                )
            elif question.root and self._no_root:
                yield question, self._watch.failure(self._no_root.kind, self._no_root.detail)
            else:
                keep.append((index, question))
        self._left = keep

    def _await_opening(self, pipe: Pipe, framed: Framed) -> None:
        """Wait until the script speaks; frames that come along with the opening are kept for `_listen`."""
        self._early: list[Frame] = []
        end = time.monotonic() + START_SECONDS
        while not framed.open:
            came = pipe.read(max(0.0, min(end, self._deadline()) - time.monotonic()))
            if came is None:
                words = " ".join(framed.noise.split())[:160]
                if lost := pipe.broken():
                    raise lost
                raise Lost(FailureKind.DENIED, f"the account's shell runs no commands: {words or 'it says nothing'}")
            for stream, data in came:
                self._early += framed.feed(stream, data)
            if not framed.open and framed.over(NOISE_LIMIT):
                raise Lost(FailureKind.UNREADABLE, "the account prints without end before any command runs")
            if not came and time.monotonic() >= min(end, self._deadline()):
                raise Lost(FailureKind.TIMED_OUT, "the account's shell did not start in time")

    def _listen(self, pipe: Pipe, framed: Framed) -> Iterator[Answered]:
        """Give answers until all are in; _Overrun when the question that runs must be stopped."""
        frames = deque(self._early)
        self._watch = Stopwatch()
        started = time.monotonic()
        while self._left:
            index, question = self._left[0]
            if not frames:
                frames += self._more(pipe, framed, question, started)
                continue
            frame = frames.popleft()
            if frame.index != index:
                raise Garbled(f"number {frame.index} instead of {index}")
            self._left.popleft()
            yield self._answer(question, frame)
            self._watch, started = Stopwatch(), time.monotonic()
            if self._no_root and self._become.password is not None:
                self._become = replace(self._become, password=None)
                self._stop(pipe, framed)  # each further attempt might lock the account
                return

    def _more(self, pipe: Pipe, framed: Framed, question: Shell, started: float) -> list[Frame]:
        """Read on while a question runs, within its limits."""
        if framed.over(question.limit):
            raise _Overrun(FailureKind.TOO_LARGE, f"more than {question.limit} bytes of output")
        end = min(started + question.timeout + SLACK_SECONDS, self._deadline())
        came = pipe.read(max(0.0, end - time.monotonic()))
        if came is None:
            if lost := pipe.broken():
                raise lost
            raise _Overrun(FailureKind.UNREADABLE, "the host's shell ended while this command ran")
        if not came and time.monotonic() >= self._deadline():
            raise Lost(FailureKind.TIMED_OUT, f"the host took more than {self.seconds:.0f} s for all its commands")
        if not came and time.monotonic() >= end:
            raise _Overrun(FailureKind.TIMED_OUT, f"the command did not end within {question.timeout:g} s")
        return [frame for stream, data in came for frame in framed.feed(stream, data)]

    def _deadline(self) -> float:
        return self._end if self._end is not None else time.monotonic() + self.seconds

    def _answer(self, question: Shell, frame: Frame) -> Answered:
        """Judge a frame: an output, or why there is none."""
        if question.root and (refusal := _refusal(frame, self._become)):
            if _PASSWORD_REFUSED.search(frame.stderr.decode("utf-8", "replace")) and self._become.password is not None:
                self._no_root = refusal
            return question, self._watch.failure(refusal.kind, refusal.detail)
        if len(frame.stdout) > question.limit:
            detail = f"{len(frame.stdout)} bytes of output, more than {question.limit}"
            return question, self._watch.failure(FailureKind.TOO_LARGE, detail)
        if not frame.status.isdecimal():
            raise Garbled("a status that is no number")
        stdout, stderr = (stream.decode("utf-8", "replace") for stream in (frame.stdout, frame.stderr))
        status = int(frame.status)
        if question.root and status == 1 and _NOT_THERE.search(stderr):
            status = 127  # as a shell says it
        if question.root and (password := self._become.password):
            # where sudo asks for none after all, a command that reads stdin would show it
            stdout, stderr = (text.replace(password, "[redacted]") for text in (stdout, stderr))
        return question, self._watch.answer({"status": status, "stdout": stdout, "stderr": stderr})


_NOT_THERE = re.compile(r"^sudo(?:-rs)?: .*command not found", re.MULTILINE)
# sudo's own words, in the C locale; it warns of a host name that does not resolve and goes on
_REFUSED = re.compile(
    r"^(?:sudo(?:-rs)?: (?!unable to resolve host|unable to send audit)|Sorry, user |\S+ is not in the sudoers file).*",
    re.MULTILINE,
)
_PASSWORD_REFUSED = re.compile(r"incorrect (?:password|authentication)|no password was provided", re.IGNORECASE)


def _refusal(frame: Frame, become: Become) -> Failure | None:
    """Tell why sudo did not run the command, or None when it did."""
    if frame.status == NO_SUDO:
        return Failure(
            FailureKind.DENIED, f"the account is not root, and there is no {become.exe} on the host to become it with"
        )
    if frame.status == NO_BUILTIN:
        return Failure(
            FailureKind.DENIED,
            "the host's sh would show the become password to every user; allow the command without password in sudoers",
        )
    if frame.status != "1" or frame.stdout:
        return None
    stderr = frame.stderr.decode("utf-8", "replace")
    said = _REFUSED.search(stderr)
    if said is None or _NOT_THERE.search(stderr):
        return None
    if _PASSWORD_REFUSED.search(stderr) and become.password is not None:
        advice = "ansible_become_password is not this account's password"
    elif "tty" in said[0]:
        advice = "lift requiretty for this account in sudoers"
    elif become.password is None:
        advice = "allow the command in sudoers with NOPASSWD (keuring privileges prints the lines)"
    else:
        advice = "allow the command in sudoers (keuring privileges prints the lines)"
    return Failure(FailureKind.DENIED, f"{said[0].strip()[:160]}; {advice}")


def _budget(questions: Sequence[Shell]) -> float:
    """Seconds for the whole host: what its questions may take together, within reason."""
    limits = [q.timeout + SLACK_SECONDS for q in questions] or [0.0]
    return START_SECONDS + max(*limits, min(sum(limits), HOST_SECONDS))


def _sendable(command: str) -> bool:
    try:
        command.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in command
