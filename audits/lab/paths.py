"""Where things lie: the cache that all instances share, and one instance's own state.

    $KEURING_LAB_HOME (~/.cache/keuring-lab)
      layers/<suite>-<name>-<digest>/     package layers
      golden/<digest>/<host>/             frozen host layers; secrets/ beside them, with the build's keys and passwords
      instances/<name>/                   a running lab: hosts/, run/, console/, auditor/, inventory/, deploy/, keys/

Every name that is global on the machine carries the instance's name (KEURING_LAB_INSTANCE, default "lab").
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audits.errors import LabError
from audits.lab.tools import say, write

REPOSITORY = Path(__file__).resolve().parents[2]
PLAYBOOKS = REPOSITORY / "playbooks"
INVENTORY = REPOSITORY / "inventories" / "lab"
CGROUP_ROOTS = tuple(Path("/sys/fs/cgroup") / name for name in ("unified", "systemd", ""))


def home() -> Path:
    """Give the lab's cache, shared by all instances."""
    return Path(os.environ.get("KEURING_LAB_HOME") or Path.home() / ".cache" / "keuring-lab").absolute()


def instance_name() -> str:
    """Give this instance's name; short, since network interface names and socket paths carry it."""
    name = os.environ.get("KEURING_LAB_INSTANCE") or "lab"
    if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", name):
        raise LabError(f"KEURING_LAB_INSTANCE={name!r}: use up to eight small letters and digits, a letter first.")
    return name


def state() -> Path:
    """Give this instance's directory."""
    return home() / "instances" / instance_name()


def runtime() -> Path:
    """Short-lived sockets of this instance (socket paths are limited to some 100 bytes)."""
    return Path("/run/keuring-lab") / instance_name()


def netns(place: str) -> str:
    """Name of the network name space of a host, of "auditor" or of the switch "sw"."""
    return f"k{instance_name()}-{place}"


def cgroups(place: str = "") -> list[Path]:
    """Give the instance's control groups (or a place's) in each hierarchy that tracks processes; they may not exist."""
    roots = [root for root in CGROUP_ROOTS if (root / "cgroup.procs").exists()]
    return [root / f"keuring-{instance_name()}" / place for root in roots]


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel frees it when we end, however we end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"waiting for another process: {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def load_state() -> dict[str, Any]:
    """Tell what this instance recorded about itself: {} when it is not up."""
    try:
        recorded: dict[str, Any] = json.loads((state() / "state.json").read_text())
    except (OSError, ValueError):
        return {}
    return recorded


def save_state(**values: Any) -> None:
    """Add to the instance's record."""
    write(state() / "state.json", json.dumps({**load_state(), **values}, indent=1) + "\n", 0o600)


def tool_path() -> str:
    """PATH with our own environment's programs first, where ansible is."""
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
