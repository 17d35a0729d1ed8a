"""A real sshd on loopback, started with a configuration, host keys and accounts' keys of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from audits.transports.base import Answer, Settings, Target
from audits.transports.ssh import SshTransport
from audits.transports.ssh_options import Configuration
from checks.questions import Question, Shell

NOBODY = 65534


def keygen(path: Path, *more: str) -> Path:
    """Make a key pair of type ed25519, or as told."""
    kind = ("-b", "2048") if "rsa" in more else () if "-t" in more else ("-t", "ed25519")
    secret = () if "-N" in more else ("-N", "")
    subprocess.run(["ssh-keygen", "-q", *kind, *secret, *more, "-f", str(path)], check=True)
    return path


@dataclass
class Sshd:
    """A running server and what is needed to log on to it."""

    port: int
    room: Path
    log: Path
    process: subprocess.Popen[bytes]
    key: Path
    known_hosts: Path
    variables: dict[str, Any] = field(default_factory=dict)

    def target(self, name: str = "host1", **more: Any) -> Target:
        return Target(name, variables={**self.variables, **more})

    def transport(self, *, config: str = "", **more: Any) -> SshTransport:
        file = self.room / "ssh_config"
        file.write_text(config)
        settings = {"known_hosts": (self.known_hosts,), "connect_timeout": 30.0, **more}  # for a busy machine
        return SshTransport(Settings(**settings), Configuration((file,)))

    def ask(self, *questions: Shell | str, **more: Any) -> list[Answer]:
        """Ask, and give the answers in the order of the questions; every question has exactly one."""
        return answers(self.transport(), self.target(**more), *questions)


def answers(transport: Any, target: Target, *questions: Shell | str) -> list[Answer]:
    shells = [Shell(q) if isinstance(q, str) else q for q in questions]
    got: list[tuple[Question, Answer]] = list(transport.ask(target, shells))
    assert len(got) == len(shells)
    waiting = got.copy()
    return [waiting.pop(next(i for i, (q, _) in enumerate(waiting) if q == shell))[1] for shell in shells]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


StartSshd = Callable[..., Sshd]


@pytest.fixture(scope="session")
def sshd_program() -> str:
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("openssh-server is not installed, and this is the continuous integration")
        pytest.skip("openssh-server is not installed")
    return found


@pytest.fixture
def start_sshd(tmp_path: Path, sshd_program: str) -> Iterator[StartSshd]:
    running: list[subprocess.Popen[bytes]] = []

    def start(*config: str, host_keys: tuple[Path, ...] = (), known: str | None = None) -> Sshd:
        room = tmp_path / f"sshd{len(running)}"
        room.mkdir()
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it drops its privileges
        host_keys = host_keys or (keygen(room / "host_key"),)
        key = keygen(room / "id")
        (room / "authorized").write_bytes(Path(f"{key}.pub").read_bytes())
        port = free_port()
        lines = [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {k}" for k in host_keys),
            f"AuthorizedKeysFile {room}/authorized",
            f"PidFile {room}/pid",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "LogLevel DEBUG1",
            "SetEnv SHLVL=2",  # bash then leaves .bashrc alone
            *config,
        ]
        (room / "sshd_config").write_text("\n".join(lines) + "\n")
        log = room / "log"
        process = subprocess.Popen([sshd_program, "-D", "-f", str(room / "sshd_config"), "-E", str(log)])
        running.append(process)
        _await(port, process, log)
        text = "".join(f"[127.0.0.1]:{port} {Path(f'{k}.pub').read_text()}" for k in host_keys)
        (room / "known_hosts").write_text(text if known is None else known.format(port=port))
        variables = {
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(key),
        }
        return Sshd(port, room, log, process, key, room / "known_hosts", variables)

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    pytest.fail(f"sshd did not start: {log.read_text() if log.exists() else ''}")


@pytest.fixture
def sshd(start_sshd: StartSshd) -> Sshd:
    return start_sshd()


@pytest.fixture(autouse=True)
def _no_agent_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def open_room() -> Iterator[Path]:
    """Make a directory that every account can enter, unlike the ones of pytest."""
    room = Path(tempfile.mkdtemp(prefix="keuring-test-"))
    room.chmod(0o777)
    yield room
    shutil.rmtree(room)


def as_nobody() -> str:
    """Give a ForceCommand that runs what was asked without root's rights, whoever runs the tests."""
    drop = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups " if os.getuid() == 0 else ""
    return f'ForceCommand {drop}sh -c "$SSH_ORIGINAL_COMMAND"'


FAKE_SUDO = """#!/bin/sh
# sudo's behaviour towards its caller: options, words and exit statuses of sudo 1.9
here=${0%/*}
echo "$*" >> "$here/calls"
ask=no
while [ "$1" != -- ]; do [ "$1" = -S ] && ask=yes; shift; done
shift
case $(cat "$here/mode") in
missing_rule) echo "Sorry, user audit is not allowed to execute '$*' as root on host1." >&2; exit 1 ;;
stranger) echo "audit is not in the sudoers file." >&2; exit 1 ;;
warns) echo "sudo: unable to resolve host host1: Name or service not known" >&2 ;;
password)
  if [ $ask = no ]; then echo "sudo: a password is required" >&2; exit 1; fi
  IFS= read -r given
  if [ "$given" != 'p%s s\\w!o"rd' ]; then
    printf 'Sorry, try again.\\nsudo: no password was provided\\nsudo: 1 incorrect password attempt\\n' >&2; exit 1
  fi ;;
esac
command -v "$1" >/dev/null || { echo "sudo: $1: command not found" >&2; exit 1; }
exec "$@"
"""
PASSWORD = 'p%s s\\w!o"rd'


@dataclass
class FakeSudo:
    room: Path

    def mode(self, word: str) -> str:
        """Set how it behaves; gives its path, for ansible_become_exe."""
        (self.room / "mode").write_text(word)
        return str(self.room / "sudo")

    @property
    def calls(self) -> list[str]:
        return (self.room / "calls").read_text().splitlines() if (self.room / "calls").exists() else []


@pytest.fixture
def fake_sudo(open_room: Path) -> FakeSudo:
    sudo = open_room / "sudo"
    sudo.write_text(FAKE_SUDO)
    sudo.chmod(sudo.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return FakeSudo(open_room)
