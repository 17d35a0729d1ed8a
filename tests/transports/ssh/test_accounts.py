"""Accounts as they are found: chatty or odd shells, no shell at all, sudo in all its moods, no place to write."""

from __future__ import annotations

import os
import shutil

import pytest

from audits.transports import conversation
from audits.transports.base import Answer
from checks.questions import FailureKind, Shell
from tests.transports.ssh.conftest import PASSWORD, FakeSudo, StartSshd, as_nobody


def forced(command: str) -> str:
    return f"ForceCommand {command}"


WORK = [
    Shell("printf '%s ' \"it's\" 'a\\b' '!'; echo e >&2; exit 4"),
    Shell("printf 'x%s' 100%"),
    Shell("echo 'unclosed"),
    Shell("id >/dev/null"),
]


def check_work(got: list[Answer]) -> None:
    assert [a.failure for a in got] == [None] * 4
    assert got[0].value == {"status": 4, "stdout": "it's a\\b ! ", "stderr": "e\n"}
    assert got[1].value["stdout"] == "x100%"
    assert got[3].value["status"] == 0


@pytest.mark.parametrize("shell", [s for s in ("bash", "rbash", "fish", "tcsh", "zsh", "mksh") if shutil.which(s)])
def test_login_shells(start_sshd: StartSshd, shell: str) -> None:
    check_work(start_sshd(forced(f'{shell} -c "$SSH_ORIGINAL_COMMAND"')).ask(*WORK))


@pytest.mark.parametrize(
    "noise",
    [
        "echo Welcome; echo welcome >&2",
        "head -c 100000 /dev/urandom",
        "head -c 100000 /dev/urandom >&2",
        "printf '\\000\\377\\033[2J\\n\\n'; set -x",
        'echo "$SSH_ORIGINAL_COMMAND"; echo "$SSH_ORIGINAL_COMMAND" >&2',
        "set -v",
    ],
)
def test_whatever_is_printed_before_is_left_out(start_sshd: StartSshd, noise: str) -> None:
    check_work(start_sshd(forced(f'{noise}; exec sh -c "$SSH_ORIGINAL_COMMAND"')).ask(*WORK))


@pytest.mark.parametrize(
    ("command", "kind", "words"),
    [
        ("echo This account is currently not available.; exit 1", FailureKind.DENIED, "not available"),
        ("/bin/false", FailureKind.DENIED, "runs no commands"),
        ("internal-sftp", FailureKind.DENIED, "runs no commands"),
        ("echo 'Invalid input detected at ^ marker'", FailureKind.DENIED, "Invalid input"),
        ("env -i PATH=/nowhere /bin/bash -r -c 'sh -c true'", FailureKind.DENIED, "not found"),
        ("exec yes", FailureKind.UNREADABLE, "without end"),
        ("exec cat /dev/urandom", FailureKind.UNREADABLE, "without end"),
        ("exec yes >&2", FailureKind.UNREADABLE, "without end"),
        ("exec sleep 30", FailureKind.TIMED_OUT, "did not start"),
    ],
)
def test_accounts_that_run_nothing(
    start_sshd: StartSshd, monkeypatch: pytest.MonkeyPatch, command: str, kind: FailureKind, words: str
) -> None:
    monkeypatch.setattr(conversation, "START_SECONDS", 1.0)
    got = start_sshd(forced(command)).ask("echo a", "echo b")
    for answer in got:
        assert answer.failure
        assert answer.failure.kind is kind
        assert words in answer.failure.detail


def test_nothing_is_written_on_the_host(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    """A file size limit of zero kills whoever writes to a file, as a here-document may do under /tmp."""
    become = {"ansible_become_exe": fake_sudo.mode("allow"), "ansible_become_password": PASSWORD}
    sshd = start_sshd(forced('ulimit -f 0; exec sh -c "$SSH_ORIGINAL_COMMAND"'))
    check_work(sshd.ask(*WORK, **become))
    (got,) = sshd.ask(Shell("echo x > /tmp/keuring-must-not-be"))
    assert got.value["status"] != 0
    long = [Shell(f"echo {i} # {'x' * 3000}") for i in range(60)]
    assert [a.value["stdout"] for a in sshd.ask(*long, **become)] == [f"{i}\n" for i in range(60)]


# --- root


def test_root_needs_no_sudo(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    (got,) = start_sshd().ask(Shell("echo done", root=True), ansible_become_exe=fake_sudo.mode("allow"))
    assert got.value["stdout"] == "done\n"
    assert len(fake_sudo.calls) == (0 if os.getuid() == 0 else 1)


ROOT = Shell("printf '%s|' \"it's\" 'a b' '$HOME' 'back\\slash'", root=True)


def test_sudo_runs_exactly_the_command_and_nothing_of_stdin(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    exe = fake_sudo.mode("allow")
    got = start_sshd(as_nobody()).ask("echo plain", ROOT, Shell("cat", root=True), "echo end", ansible_become_exe=exe)
    assert [a.value["stdout"] for a in got] == ["plain\n", "it's|a b|$HOME|back\\slash|", "", "end\n"]
    assert fake_sudo.calls == ["-n -- printf %s| it's a b $HOME back\\slash", "-n -- cat"]


def test_sudo_with_a_password_never_shows_it(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    sshd = start_sshd(as_nobody())
    become = {"ansible_become_exe": fake_sudo.mode("password"), "ansible_become_password": PASSWORD}
    show = Shell("ps -eo args; cat /proc/$$/environ; env; set", limit=10_000_000)
    got = sshd.ask(show, ROOT, show, Shell("env", root=True), "echo end", **become)
    assert [a.failure for a in got] == [None] * 5
    assert got[1].value["stdout"] == "it's|a b|$HOME|back\\slash|"
    assert PASSWORD not in got[3].value["stdout"]
    assert PASSWORD not in "".join(fake_sudo.calls)
    assert fake_sudo.calls[0].startswith("-k -S -p  -- printf")
    for shown in (got[0], got[2]):
        lines = shown.value["stdout"].splitlines()
        assert all(PASSWORD not in line or line.startswith("P=") for line in lines)  # `set` shows the shell's own


def test_a_password_that_sudo_did_not_want_is_not_shown_either(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    become = {"ansible_become_exe": fake_sudo.mode("allow"), "ansible_become_password": PASSWORD}
    (got,) = start_sshd(as_nobody()).ask(Shell("cat", root=True), **become)
    assert got.value["stdout"] == "[redacted]\n"


def test_a_long_script_and_a_password_share_stdin(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    become = {"ansible_become_exe": fake_sudo.mode("password"), "ansible_become_password": PASSWORD}
    long = [Shell(f"echo {i} # {'x' * 3000}") for i in range(60)]
    got = start_sshd(as_nobody()).ask(*long, ROOT, **become)
    assert [a.value["stdout"] for a in got[:60]] == [f"{i}\n" for i in range(60)]
    assert got[60].value["status"] == 0


def test_a_wrong_password_is_tried_once_and_harms_no_other(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    become = {"ansible_become_exe": fake_sudo.mode("password"), "ansible_become_password": "wrong"}
    slow = Shell("sleep 0.5")  # sudo itself waits longer after a wrong password
    got = start_sshd(as_nobody()).ask(
        "echo a", ROOT, slow, *(Shell(f"cat {i}", root=True) for i in range(9)), "echo b", **become
    )
    assert [a.failure.kind if a.failure else a.value["stdout"] for a in got] == [
        "a\n",
        FailureKind.DENIED,
        "",
        *[FailureKind.DENIED] * 9,
        "b\n",
    ]
    assert len(fake_sudo.calls) == 1


@pytest.mark.parametrize(
    ("mode", "become", "words"),
    [
        ("password", {}, "a password is required; allow the command in sudoers with NOPASSWD"),
        ("missing_rule", {}, "not allowed to execute"),
        ("missing_rule", {"ansible_become_password": "x"}, "allow the command in sudoers"),
        ("stranger", {}, "not in the sudoers file"),
        ("password", {"ansible_become_password": "wrong"}, "ansible_become_password is not"),
    ],
)
def test_what_sudo_denies_says_what_to_do(
    start_sshd: StartSshd, fake_sudo: FakeSudo, mode: str, become: dict[str, str], words: str
) -> None:
    got = start_sshd(as_nobody()).ask("echo a", ROOT, "echo b", ansible_become_exe=fake_sudo.mode(mode), **become)
    assert got[0].value["stdout"] == "a\n"
    assert got[1].failure
    assert got[1].failure.kind is FailureKind.DENIED
    assert words in got[1].failure.detail
    assert got[2].value["stdout"] == "b\n"


def test_no_sudo_on_the_host(start_sshd: StartSshd) -> None:
    got = start_sshd(as_nobody()).ask(ROOT, "echo b", ansible_become_exe="/nowhere/sudo")
    assert got[0].failure
    assert got[0].failure.kind is FailureKind.DENIED
    assert "/nowhere/sudo" in got[0].failure.detail
    assert got[1].value["stdout"] == "b\n"


def test_sudos_warnings_are_no_refusal(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    exe = fake_sudo.mode("warns")
    got = start_sshd(as_nobody()).ask(Shell("false", root=True), Shell("nosuch", root=True), ansible_become_exe=exe)
    assert got[0].value["status"] == 1
    assert got[1].value["status"] == 127


def test_a_command_of_root_that_hangs(start_sshd: StartSshd, fake_sudo: FakeSudo) -> None:
    hang = Shell("sleep 33", root=True, timeout=0.3)
    got = start_sshd(as_nobody()).ask(hang, "echo b", ansible_become_exe=fake_sudo.mode("allow"))
    assert got[0].failure
    assert got[0].failure.kind is FailureKind.TIMED_OUT
    assert got[1].value["stdout"] == "b\n"
