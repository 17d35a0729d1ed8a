"""Running the machine's own tools, saying what goes on, and making sure that the tools are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from audits.errors import LabError

_START = time.monotonic()
# Every systemd watches files; the kernel's usual limit of 128 watchers per user is too low for several hosts.
_WATCHERS = Path("/proc/sys/fs/inotify/max_user_instances")
_WATCHERS_NEEDED = 4096
# command -> Debian package
_NEEDED = {
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
}


def say(text: str) -> None:
    """One progress line with the seconds since the start, on standard error."""
    print(f"[{time.monotonic() - _START:6.1f}s] {text}", file=sys.stderr, flush=True)


def run(argv: Sequence[str | os.PathLike[str]], *, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run a tool and give its standard output; LabError with its last lines when it fails."""
    done = subprocess.run(argv, input=stdin, env=env, capture_output=True, text=True, check=False, errors="replace")
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise LabError(f"{' '.join(map(str, argv))[:200]} ended with {done.returncode}:\n{tail}")
    return done.stdout


def succeeds(argv: Sequence[str | os.PathLike[str]], timeout: float = 10) -> bool:
    """Whether a tool ends well within `timeout` seconds."""
    try:
        return subprocess.run(argv, capture_output=True, check=False, timeout=timeout).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def require_root() -> None:
    """LabError unless we are root: name spaces, mounts and chroots need it."""
    if os.geteuid() != 0:
        raise LabError("The lab needs root: it makes name spaces, mounts and boots systems.", "Run it with sudo.")


def require_tools() -> None:
    """Install the missing Debian packages that the launcher calls, and say so."""
    missing = sorted({package for command, package in _NEEDED.items() if shutil.which(command) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise LabError(f"Missing: {', '.join(missing)} (Debian package names), and there is no apt-get here.")
    say(f"installing missing packages: {', '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(
        ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends", *missing],
        env=env,
    )


def raise_watcher_limit() -> None:
    """Raise the machine's limit of file watchers when it is low, and say so; nothing lowers it again."""
    if int(_WATCHERS.read_text()) < _WATCHERS_NEEDED:
        say(f"raising fs.inotify.max_user_instances to {_WATCHERS_NEEDED}")
        _WATCHERS.write_text(f"{_WATCHERS_NEEDED}\n")


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file with exactly this mode, never readable wider for a moment; parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    path.chmod(mode)
