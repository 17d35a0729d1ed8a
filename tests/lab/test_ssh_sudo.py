"""Root's questions through real sudo, as accounts have it: everything, an allow-list, a password, nothing."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import in_place, on_host

HOST, ADDRESS = "web1", "10.77.10.30"
PASSWORD = "Voor-de-proef 1!"
SUDOERS = "/etc/sudoers.d/zz-keuring-test"  # the last file counts
Ask = Callable[..., list[Any]]


def ask(*questions: str | dict[str, Any], **variables: str) -> list[Any]:
    """Ask root's questions and give each stdout, exit status or kind of failure."""
    asked = [{"root": True, **(q if isinstance(q, dict) else {"command": q})} for q in questions]
    said = json.dumps({"variables": {"ansible_host": ADDRESS, **variables}, "questions": asked})
    done = in_place(sys.executable, Path(__file__).with_name("ask_ssh.py"), input=said)
    assert done.returncode == 0, done.stderr
    return [kind or value["stdout"] or value["status"] for value, kind, _ in json.loads(done.stdout)]


@pytest.fixture
def sudoers(lab: None) -> Iterator[Callable[[str], None]]:  # noqa: ARG001
    """Give a function that sets the audit account's rights; they are as before afterwards."""

    def allow(rule: str) -> None:
        on_host(HOST, f"printf '%s\\n' {shlex.quote(rule)} > {SUDOERS}; chmod 440 {SUDOERS}; visudo -cq")

    try:
        yield allow
    finally:
        on_host(HOST, f"rm -f {SUDOERS}; usermod -p '*' audit")


def test_everything_without_a_password(sudoers: Callable[[str], None]) -> None:
    sudoers("audit ALL=(ALL) NOPASSWD: ALL")
    assert ask("id -u", "cat /etc/hostname", "false", "nosuch", "cat") == ["0\n", f"{HOST}\n", 1, 127, 0]


@pytest.mark.parametrize("rule", ["NOPASSWD: ALL", "NOPASSWD: /usr/bin/sleep"])
def test_what_hangs_as_root_is_ended_on_the_host(sudoers: Callable[[str], None], rule: str) -> None:
    sudoers(f"audit ALL=(ALL) ALL\naudit ALL=(ALL) {rule}")
    hang = {"command": "sleep 4321", "timeout": 0.5}
    assert ask(hang, {"command": "echo here", "root": False}, hang | {"command": "sleep 4322"}) == [
        "timed_out",
        "here\n",
        "timed_out",
    ]
    end = time.monotonic() + 10
    while (left := on_host(HOST, "pgrep -x -a sleep | grep 432 || true")) and time.monotonic() < end:
        time.sleep(0.3)
    assert left == ""


def test_an_allow_list_lets_through_what_it_names(sudoers: Callable[[str], None]) -> None:
    sudoers("audit ALL=(ALL) !ALL\naudit ALL=(root) NOPASSWD: /usr/bin/cat /etc/hostname")
    assert ask("cat /etc/hostname", "cat /etc/shadow", "id -u") == [f"{HOST}\n", "denied", "denied"]


def test_nothing_at_all(sudoers: Callable[[str], None]) -> None:
    sudoers("audit ALL=(ALL) !ALL")
    assert ask("id -u", {"command": "id -un", "root": False}) == ["denied", "audit\n"]


def test_a_password(sudoers: Callable[[str], None]) -> None:
    sudoers("audit ALL=(ALL) PASSWD: ALL")
    on_host(HOST, f"printf '%s:%s\\n' audit {shlex.quote(PASSWORD)} | chpasswd")
    assert ask("id -u", "cat", "false", ansible_become_password=PASSWORD) == ["0\n", 0, 1]
    assert ask("id -u") == ["denied"]


def test_a_wrong_password_is_tried_once(sudoers: Callable[[str], None]) -> None:
    sudoers("audit ALL=(ALL) PASSWD: ALL")
    on_host(HOST, f"printf '%s:%s\\n' audit {shlex.quote(PASSWORD)} | chpasswd")
    since = on_host(HOST, "date '+%F %T'").strip()
    got = ask(*(f"id -u {i}" for i in range(6)), {"command": "id -un", "root": False}, ansible_become_password="wrong")
    assert got == [*["denied"] * 6, "audit\n"]
    log = on_host(HOST, f"journalctl --since {shlex.quote(since)} -o cat | grep -c 'incorrect password' || true")
    assert int(log) == 1
