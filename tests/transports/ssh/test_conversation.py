"""Limits per question and going on after one that overran, against a script that is played."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audits.transports import conversation
from audits.transports.base import Answered
from audits.transports.batch import NO_BUILTIN, NO_SUDO, Become, Script
from audits.transports.conversation import Conversation, Lost
from checks.questions import FailureKind, Shell

MARK = b"feed0000-0000-0000-0000-00000000beef"
Came = tuple[int, bytes]


class Played:
    """A pipe that plays what it is told: bytes on a stream, None for silence, and at its end EOF."""

    def __init__(self, script: Script, play: Callable[[bytes], Iterator[Came | None]], *, broken: bool = False) -> None:
        token = script.command.partition("K=")[2].partition("\\")[0].encode()
        self._play, self._broken = play(token), broken
        self.stopped = 0
        self.stops = [int(g) for g in re.findall(r"kill -TERM -(\d+)", script.command)]

    def read(self, seconds: float) -> list[Came] | None:
        try:
            came = next(self._play)
        except StopIteration:
            return None
        if came is None:
            time.sleep(seconds)
            return []
        return [came]

    def broken(self) -> Lost | None:
        return Lost(FailureKind.UNREACHABLE, "cut", again=True) if self._broken else None

    def stop(self) -> bool:
        self.stopped += 1
        return False

    def close(self) -> None:
        pass


def opening(token: bytes) -> Iterator[Came]:
    yield 1, token + b" " + MARK + b" 4711\n"
    yield 2, token + b" " + MARK + b" 4711\n"


def frame(index: int, status: object = 0, out: bytes = b"", err: bytes = b"") -> Iterator[Came]:
    yield 1, out + MARK + f" {index} {status}\n".encode()
    yield 2, err + MARK + f" {index}\n".encode()


class Host:
    """Plays one script after another."""

    def __init__(self, *plays: Callable[[bytes], Iterator[Came | None]], broken: bool = False) -> None:
        self._plays, self._broken = iter(plays), broken
        self.pipes: list[Played] = []

    def start(self, script: Script) -> Played:
        self.pipes.append(Played(script, next(self._plays), broken=self._broken))
        return self.pipes[-1]

    @property
    def killed(self) -> list[int]:
        """Give the process groups that scripts were told to stop."""
        return [group for pipe in self.pipes for group in pipe.stops]


def play(*parts: Iterator[Came] | None, start: bool = True) -> Callable[[bytes], Iterator[Came | None]]:
    def playing(token: bytes) -> Iterator[Came | None]:
        if start:
            yield from opening(token)
        for part in parts:
            if part is None:
                yield None
            else:
                yield from part

    return playing


def told(answers: list[Answered]) -> list[Any]:
    """Give each answer's stdout, or the kind of its failure."""
    return [a.failure.kind if a.failure else a.value["stdout"] for _, a in answers]


def gather(talk: Conversation, host: Host) -> tuple[list[Answered], Lost]:
    """Ask until the host is lost."""
    got: list[Answered] = []
    try:
        for answer in talk.go(host.start):
            got.append(answer)  # noqa: PERF402 - what came before it is lost counts
    except Lost as lost:
        return got, lost
    pytest.fail("the host was not lost")


QUICK = 0.1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "SLACK_SECONDS", 0.0)
    monkeypatch.setattr(conversation, "START_SECONDS", 0.3)


def shells(count: int, **more: Any) -> list[Shell]:
    return [Shell(f"command {i}", **{"timeout": QUICK, **more}) for i in range(count)]


def test_answers_come_in_turn() -> None:
    talk = Conversation(shells(2), Become())
    host = Host(play(frame(0, out=b"a"), frame(1, 3, b"b\xff", b"sorry")))
    answers = list(talk.go(host.start))
    assert [a.value for _, a in answers] == [
        {"status": 0, "stdout": "a", "stderr": ""},
        {"status": 3, "stdout": "b\ufffd", "stderr": "sorry"},
    ]
    assert host.killed == []


def test_a_question_that_hangs_is_stopped_and_the_others_are_asked_anew() -> None:
    talk = Conversation(shells(4), Become())
    host = Host(play(frame(0, out=b"a"), None), play(frame(2, out=b"c"), None), play())
    got = list(itertools.islice(talk.go(host.start), 3))
    assert told(got) == ["a", FailureKind.TIMED_OUT, "c"]
    assert host.killed == [4711]
    assert len(host.pipes) == 2


def test_a_flood_stops_at_its_limit_on_either_stream() -> None:
    for stream in (1, 2):
        talk = Conversation(shells(2, limit=1000), Become())
        flood: Iterator[Came] = iter([(stream, b"x" * 600)] * 1000)
        host = Host(play(flood), play(frame(1, out=b"b")))
        assert told(list(talk.go(host.start))) == [FailureKind.TOO_LARGE, "b"]
        assert host.killed == [4711]
        assert len(list(flood)) > 990


def test_an_output_of_exactly_the_limit_is_kept_and_one_more_is_too_large() -> None:
    for size, want in ((1000, "x" * 1000), (1001, FailureKind.TOO_LARGE)):
        talk = Conversation(shells(2, limit=1000), Become())
        host = Host(play(frame(0, out=b"x" * size), frame(1, out=b"b")))
        assert told(list(talk.go(host.start))) == [want, "b"]


def test_a_shell_that_ends_costs_only_the_question_that_ran() -> None:
    talk = Conversation(shells(3), Become())
    host = Host(play(frame(0, out=b"a")), play(frame(2, out=b"c")))
    assert told(list(talk.go(host.start))) == ["a", FailureKind.UNREADABLE, "c"]


def test_a_connection_that_breaks_leaves_what_is_not_answered_for_another_attempt() -> None:
    talk = Conversation(shells(3), Become())
    got, lost = gather(talk, Host(play(frame(0, out=b"a")), broken=True))
    assert lost.again
    assert lost.failure.kind is FailureKind.UNREACHABLE
    got += talk.go(Host(play(frame(1, out=b"b"), frame(2, out=b"c"))).start)
    assert told(got) == ["a", "b", "c"]
    assert list(talk.give_up(lost.failure)) == []


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([iter([(1, b"This account is currently not available.\n")])], FailureKind.DENIED),
        ([], FailureKind.DENIED),
        ([None, None], FailureKind.TIMED_OUT),
        ([iter([(1, b"\x00\xff" * 50_000)] * 10)], FailureKind.UNREADABLE),
        ([iter([(2, b"\x00\xff" * 50_000)] * 10)], FailureKind.UNREADABLE),
    ],
)
def test_a_shell_that_runs_nothing_is_told(parts: list[Any], kind: FailureKind) -> None:
    with pytest.raises(Lost) as lost:
        list(Conversation(shells(1), Become()).go(Host(play(*parts, start=False)).start))
    assert lost.value.failure.kind is kind
    assert not lost.value.again


def test_a_host_that_answers_another_question_is_not_believed() -> None:
    for bad in (frame(1), frame(0, "zero"), frame(7)):
        with pytest.raises(Lost) as lost:
            list(Conversation(shells(2), Become()).go(Host(play(bad)).start))
        assert lost.value.failure.kind is FailureKind.UNREADABLE


def test_a_host_where_everything_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "HOST_SECONDS", 0.3)
    monkeypatch.setattr(conversation, "START_SECONDS", 0.0)
    talk = Conversation(shells(50), Become())
    began = time.monotonic()
    got, lost = gather(talk, Host(*[play(None)] * 50))
    assert time.monotonic() - began < 2
    got += talk.give_up(lost.failure)
    assert told(got) == [FailureKind.TIMED_OUT] * 50


def test_a_host_is_restarted_only_so_often() -> None:
    talk = Conversation(shells(60), Become())
    got, lost = gather(talk, Host(*[play()] * 60))
    assert "given up" in lost.failure.detail
    assert len(got) == conversation.MOST_RESTARTS + 1


@pytest.mark.parametrize("command", ["nul \0", "surrogate \ud800"])
def test_a_command_no_shell_can_take_fails_alone(command: str) -> None:
    talk = Conversation([Shell(command), Shell("true")], Become())
    assert told(list(talk.go(Host(play(frame(1, out=b"b"))).start))) == [FailureKind.UNREADABLE, "b"]


def root(status: object, err: bytes = b"", out: bytes = b"", become: Become | None = None) -> Any:
    talk = Conversation([Shell("cmd", root=True)], become or Become())
    ((_, answer),) = talk.go(Host(play(frame(0, status, out, err))).start)
    return answer


@pytest.mark.parametrize(
    ("status", "err"),
    [
        (1, b"sudo: a password is required\n"),
        (
            1,
            b"sudo: a terminal is required to read the password\nsudo: a password is required\n",
        ),
        (1, b"Sorry, user audit is not allowed to execute '/bin/cat /etc/shadow' as root on host1.\n"),
        (1, b"Sorry, user audit may not run sudo on host1.\n"),
        (1, b"audit is not in the sudoers file.  This incident will be reported.\n"),
        (1, b"sudo: sorry, you must have a tty to run sudo\n"),
        (1, b"sudo: interactive authentication is required\n"),
        (1, b"sudo-rs: I'm sorry audit. I'm afraid I can't do that\n"),
        (1, b"sudo: unable to resolve host x: Name or service not known\nsudo: a password is required\n"),
        (NO_SUDO, b""),
        (NO_BUILTIN, b""),
    ],
)
def test_what_sudo_refuses_is_denied_with_words_what_to_do(status: object, err: bytes) -> None:
    failure = root(status, err).failure
    assert failure.kind is FailureKind.DENIED
    assert any(word in failure.detail for word in ("sudoers", "become"))
    assert len(failure.detail) < 300


@pytest.mark.parametrize(
    ("status", "err", "out"),
    [
        (1, b"grep: nothing\n", b""),
        (1, b"sudo: unable to resolve host host1: Name or service not known\n", b""),
        (1, b"sudo: a password is required\n", b"it printed something, so it ran"),
        (0, b"sudo: a password is required\n", b""),
        (2, b"", b""),
    ],
)
def test_what_the_command_says_itself_is_an_answer(status: int, err: bytes, out: bytes) -> None:
    assert root(status, err, out).value["status"] == status


def test_a_command_that_sudo_does_not_find_is_told_as_a_shell_tells_it() -> None:
    assert root(1, b"sudo: sshd: command not found\n").value["status"] == 127


def test_a_wrong_password_is_tried_once() -> None:
    talk = Conversation([*(Shell(f"cmd {i}", root=True) for i in range(5)), Shell("id")], Become(password="wrong"))
    refused = frame(
        0, 1, err=b"Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n"
    )
    host = Host(play(refused), play(frame(5, out=b"me")))
    got = list(talk.go(host.start))
    assert told(got) == [FailureKind.DENIED] * 5 + ["me"]
    assert all("ansible_become_password" in a.failure.detail for _, a in got if a.failure)
    assert host.killed == [4711]
