"""The same batch on this machine."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from typing import Any

import pytest

from audits.transports import conversation
from audits.transports.base import Answer, Settings, Target
from audits.transports.local import LocalTransport
from checks.questions import FailureKind, Shell
from tests.transports.ssh.conftest import PASSWORD, FakeSudo, answers


def ask(*questions: Shell | str, **variables: Any) -> list[Answer]:
    return answers(LocalTransport(Settings()), Target("here", variables=variables), *questions)


def running(mark: str) -> list[str]:
    return subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False).stdout.split()


def test_answers_come_back_as_they_were() -> None:
    got = ask("printf 'a\\000\\377'; echo e >&2; exit 3", "cat", "echo 'unclosed", "echo $LC_ALL; pwd")
    assert got[0].value == {"status": 3, "stdout": "a\x00\ufffd", "stderr": "e\n"}
    assert got[1].value == {"status": 0, "stdout": "", "stderr": ""}
    assert got[2].value["status"] != 0
    assert got[3].value["stdout"] == "C\n/\n"


def test_questions_that_hang_or_flood_harm_no_other_and_are_gone() -> None:
    mark = f"4{os.getpid()}"
    got = ask(
        "echo a",
        Shell(f"trap '' TERM; sleep {mark}; sleep {mark}", timeout=0.1),
        Shell("yes", limit=10_000),
        Shell("yes >&2", limit=10_000),
        "kill -9 $$",
        "echo b",
        Shell(f"sleep {mark}", timeout=0.1),
    )
    assert [a.failure.kind if a.failure else a.value["stdout"] for a in got] == [
        "a\n",
        FailureKind.TIMED_OUT,
        FailureKind.TOO_LARGE,
        FailureKind.TOO_LARGE,
        FailureKind.UNREADABLE,
        "b\n",
        FailureKind.TIMED_OUT,
    ]
    assert not running(f"sleep {mark}")


def test_a_large_answer_and_a_long_script() -> None:
    got = ask("head -c 3000000 /dev/zero | tr '\\0' x", *(f"echo {i} # {'x' * 3000}" for i in range(100)))
    assert got[0].value["stdout"] == "x" * 3_000_000
    assert [a.value["stdout"] for a in got[1:]] == [f"{i}\n" for i in range(100)]


def test_closing_in_the_middle_ends_what_runs() -> None:
    mark = f"5{os.getpid()}"
    asking = LocalTransport(Settings()).ask(Target("here"), [Shell("echo a"), Shell(f"sleep {mark}")])
    next(asking)
    asking.close()  # type: ignore[attr-defined]
    assert not running(f"sleep {mark}")


def test_nothing_stays_behind() -> None:
    ask("true")
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        ask("true", Shell("yes", limit=100), "true", *(f"true {'x' * 3000} {i}" for i in range(50)))
    time.sleep(0.1)
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # noqa: PTH208


def test_become_is_as_over_ssh(fake_sudo: FakeSudo) -> None:
    become = {"ansible_become_exe": fake_sudo.mode("password"), "ansible_become_password": PASSWORD}
    (got,) = ask(Shell("echo done", root=True), **become)
    assert got.value["stdout"] == "done\n"
    assert PASSWORD not in "".join(fake_sudo.calls)
    assert len(fake_sudo.calls) == (0 if os.getuid() == 0 else 1)


def test_another_way_to_become_root_is_denied_in_words() -> None:
    got, other = ask(Shell("true", root=True), "echo b", ansible_become_method="doas")
    assert other.value["stdout"] == "b\n"
    assert got.failure
    assert got.failure.kind is FailureKind.DENIED
    assert "doas is not supported" in got.failure.detail


def test_a_shell_that_cannot_be_started_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    (got,) = ask("true")
    assert got.failure
    assert got.failure.kind is FailureKind.DENIED


def test_the_time_of_the_whole_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "HOST_SECONDS", 0.3)
    monkeypatch.setattr(conversation, "START_SECONDS", 0.1)
    monkeypatch.setattr(conversation, "SLACK_SECONDS", 0.0)
    began = time.monotonic()
    got = ask(*(Shell(f"sleep 6{i}", timeout=0.2) for i in range(20)))
    assert {a.failure.kind for a in got if a.failure} == {FailureKind.TIMED_OUT}
    assert time.monotonic() - began < 5


def test_questions_that_wait_are_asked_beside_the_others_and_keep_their_own_outcome() -> None:
    patient = [Shell(f"sleep 1; printf 'p{i}\\n\\n'; exit {i % 3}", patient=True) for i in range(20)]
    others = [
        Shell("echo a"),
        Shell("exit 4"),
        Shell("echo '", patient=True),
        Shell("echo e >&2; exit 7", patient=True),
    ]
    answers = dict(LocalTransport(Settings()).ask(Target("localhost"), [*patient, *others]))
    said = [(answers[q].value["status"], answers[q].value["stdout"]) for q in patient]
    assert said == [(i % 3, f"p{i}\n\n") for i in range(20)]
    assert [answers[q].value["status"] for q in others] == [0, 4, 2, 7]
    assert answers[others[3]].value["stdout"] == "e\n"
