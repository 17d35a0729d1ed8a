"""The script and its frames: whatever a command prints comes back as it was, in whatever pieces it arrives."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.transports.batch import (
    ARGUMENT_LIMIT,
    FOOTER_LIMIT,
    STDERR_KEPT,
    Become,
    Frame,
    Framed,
    Garbled,
    compose,
)
from checks.questions import Shell

TOKEN = "0123456789abcdef"
MARK = b"c0ffee00-1111-2222-3333-444455556666"
OPENING = TOKEN.encode() + b" " + MARK + b" 4711\n"

# what a host may print, with pieces that look like frames
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [OPENING, TOKEN.encode() + b" ", MARK, MARK[:-1] + b" 0 0\n", b" 0 0\n", b"\n", b"\0", b"\xff\xfe"]
    ),
)
OUTPUT = st.lists(PIECES, max_size=6).map(b"".join).filter(lambda b: MARK + b" " not in b + b"x")
NOISE = st.lists(PIECES, max_size=4).map(b"".join).filter(lambda b: TOKEN.encode() + b" " not in b)
OUTCOMES = st.lists(st.tuples(OUTPUT, OUTPUT, st.integers(0, 255)), max_size=5)


def streams(noise: bytes, outcomes: list[tuple[bytes, bytes, int]]) -> tuple[bytes, bytes]:
    out, err = noise + OPENING, noise + OPENING
    for index, (stdout, stderr, status) in enumerate(outcomes):
        out += stdout + MARK + f" {index} {status}\n".encode()
        err += stderr + MARK + f" {index}\n".encode()
    return out, err


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    pieces = []
    while data:
        size = rng.choice([1, 2, 7, 40, 1000])
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@settings(max_examples=300, deadline=None)
@given(NOISE, OUTCOMES, st.randoms(use_true_random=False))
def test_any_output_in_any_pieces_comes_back_as_it_was(
    noise: bytes, outcomes: list[tuple[bytes, bytes, int]], rng: random.Random
) -> None:
    out, err = streams(noise, outcomes)
    pieces = [(1, p) for p in cut(out, rng)] + [(2, p) for p in cut(err, rng)]
    order = [stream for stream, _ in pieces]
    rng.shuffle(order)  # the streams keep their own order, but not between them
    waiting = {1: iter(p for s, p in pieces if s == 1), 2: iter(p for s, p in pieces if s == 2)}
    framed = Framed(TOKEN, 200)
    frames = [f for stream in order for f in framed.feed(stream, next(waiting[stream]))]
    assert frames == [Frame(i, str(s), o, e[-STDERR_KEPT:]) for i, (o, e, s) in enumerate(outcomes)]
    assert framed.open
    assert framed.group == 4711


def test_frames_come_as_soon_as_they_are_complete() -> None:
    framed = Framed(TOKEN, 200)
    assert list(framed.feed(1, OPENING + b"a" + MARK + b" 0 0")) == []
    assert list(framed.feed(2, OPENING + MARK + b" 0\n")) == []
    assert [f.stdout for f in framed.feed(1, b"\nb")] == [b"a"]


@pytest.mark.parametrize(
    ("out", "err"),
    [
        (OPENING + MARK + b" " + b"9" * (FOOTER_LIMIT + 1), b""),
        (OPENING + MARK + b" 0 0\n", OPENING + MARK + b" 1\n"),
        (OPENING + MARK + b" zero 0\n", OPENING + MARK + b" zero\n"),
        (OPENING + MARK + b" 0\n", OPENING + MARK + b" 0\n"),
        (TOKEN.encode() + b" mark\n", b""),
        (TOKEN.encode() + b" mark group\n", b""),
    ],
)
def test_frames_that_are_none_are_told(out: bytes, err: bytes) -> None:
    framed = Framed(TOKEN, 200)
    with pytest.raises(Garbled):
        [*framed.feed(1, out), *framed.feed(2, err)]


def test_a_flood_on_either_stream_is_seen_before_its_end_and_stderr_keeps_little() -> None:
    framed = Framed(TOKEN, 200)
    assert not list(framed.feed(1, OPENING))
    assert not list(framed.feed(2, OPENING))
    for _ in range(20):
        assert not list(framed.feed(2, b"e" * 1000))
    assert framed.over(10_000)
    assert not framed.over(50_000)
    assert framed._err._buffer.__len__() < 2 * STDERR_KEPT
    assert not list(framed.feed(1, b"o" * 60_000))
    assert framed.over(50_000)
    (frame,) = [*framed.feed(1, MARK + b" 0 1\n"), *framed.feed(2, b"the end" + MARK + b" 0\n")]
    assert len(frame.stdout) == 60_000
    assert frame.stderr.endswith(b"ethe end")


def test_a_next_answer_that_came_along_does_not_count_for_this_question() -> None:
    framed = Framed(TOKEN, 200)
    assert not list(framed.feed(2, OPENING))
    assert not list(framed.feed(1, OPENING + b"short" + MARK + b" 0 0\n" + b"x" * 5000))
    assert not framed.over(1000)


SHELLS = [
    s
    for s in ("sh", "dash", "bash", "busybox", "mksh", "ksh", "zsh", "fish", "csh", "tcsh", "rbash")
    if shutil.which(s)
]
NASTY = [
    "printf '%s|' \"it's\" 'a\\b' \"\\\\\" '100%' '!bang' '$HOME' '`id`'; printf '\\n'",
    "printf 'two\\nlines'",
    "# a comment, and\necho a second line",
    "cat <<'END'\nhere $documents\nEND",
    "echo Ünïcödé",
    "echo 'never closed",
    "exit 7",
    "cd /nowhere; echo still here",
    "kill -9 $$; true",
    "cat",
    "printf '\\000\\377'; echo e >&2; false",
]


def expected() -> list[tuple[int, bytes]]:
    """Ask a plain sh each command by itself."""
    said = []
    for command in NASTY:
        done = subprocess.run(
            ["sh", "-c", f"(eval '{command.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}')"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )
        said.append((done.returncode, done.stdout))
    return said


def check_batch(*login: str, path: str = "/usr/bin:/bin") -> None:
    commands = [c for c in NASTY if "kill" not in c]
    patient = [Shell(f"printf 'one {i}\\n\\n'; exit {i}", patient=True) for i in range(40)]
    questions = [*map(Shell, commands), *patient]
    script = compose(enumerate(questions), token=TOKEN, become=Become(), seconds=60)
    done = subprocess.run(
        [*login, "-c", script.command], input=script.stdin, capture_output=True, check=False, env={"PATH": path}
    )
    framed = Framed(TOKEN, 200)
    frames = [*framed.feed(1, done.stdout), *framed.feed(2, done.stderr)]
    assert [f.index for f in frames] == list(range(len(questions)))
    assert [(f.status, f.stdout) for f in frames[len(commands) :]] == [
        (str(i), f"one {i}\n\n".encode()) for i in range(40)
    ]
    del frames[len(commands) :]
    want = [said for command, said in zip(NASTY, expected(), strict=True) if "kill" not in command]
    assert [(bool(int(f.status)), f.stdout) for f in frames] == [(bool(status), out) for status, out in want]
    assert [f.status for f in frames][commands.index("exit 7")] == "7"
    assert framed.group > 1


@pytest.mark.parametrize("shell", SHELLS)
def test_any_login_shell_runs_the_batch(shell: str) -> None:
    check_batch(*([shell, "sh"] if shell == "busybox" else [shell]))


@pytest.mark.parametrize("shell", [s for s in SHELLS if s in {"dash", "bash", "busybox", "mksh", "ksh"}])
def test_any_posix_shell_may_be_the_hosts_sh(shell: str, tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to(shutil.which(shell) or shell)
    check_batch("bash", path=f"{tmp_path}:/usr/bin:/bin")


def test_a_long_script_goes_over_stdin_and_half_of_it_runs_nothing() -> None:
    questions = [(i, Shell(f"echo {i} {'x' * 1000}")) for i in range(200)]
    script = compose(questions, token=TOKEN, become=Become(), seconds=60)
    assert len(script.command) < 1000 < ARGUMENT_LIMIT < len(script.stdin)
    for sent, count in ((script.stdin, 200), (script.stdin[:100_000], 0), (script.stdin[:-9], 0)):
        done = subprocess.run(["sh", "-c", script.command], input=sent, capture_output=True, check=False)
        framed = Framed(TOKEN, 200)
        assert len([*framed.feed(1, done.stdout), *framed.feed(2, done.stderr)]) == count


def test_the_password_is_on_no_command_line_and_in_no_environment() -> None:
    become = Become(password="p4ssw0rd")
    script = compose([(0, Shell("env", root=True)), (1, Shell("env"))], token=TOKEN, become=become, seconds=60)
    assert "p4ssw0rd" not in script.command
    assert script.stdin == b"p4ssw0rd\n"
    assert "p4ssw0rd" not in repr(become) + repr(script)
    done = subprocess.run(["sh", "-c", script.command], input=script.stdin, capture_output=True, check=False)
    assert b"p4ssw0rd" not in done.stdout + done.stderr
    long = compose([(0, Shell("id", root=True)), (1, Shell("x" * 200_000))], token=TOKEN, become=become, seconds=60)
    assert "p4ssw0rd" not in long.command
    assert long.stdin.startswith(b"p4ssw0rd\n")


def test_a_password_is_sent_only_when_a_question_needs_root() -> None:
    assert compose([(0, Shell("id"))], token=TOKEN, become=Become(password="x"), seconds=60).stdin == b""


@pytest.mark.parametrize("password", ["two\nlines", "nul\0"])
def test_a_password_that_cannot_be_a_line_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="become password"):
        Become(password=password)


def test_the_host_ends_the_script_when_nobody_listens_any_more() -> None:
    script = compose([(0, Shell("sleep 60"))], token=TOKEN, become=Become(), seconds=1)
    done = subprocess.run(
        ["sh", "-c", script.command], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    assert done.returncode in (-9, 137)


def test_a_shell_that_shows_its_command_line_does_not_open_the_batch() -> None:
    script = compose([(0, Shell("true"))], token=TOKEN, become=Become(), seconds=60)
    framed = Framed(TOKEN, 200)
    assert not list(framed.feed(1, script.command.encode() + b"\n"))
    assert not framed.open
