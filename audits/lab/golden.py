"""Golden layers: each host's own layer as the build left it, with its secrets, under the digest of what made it."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path

from audits.lab import layers, machine, paths
from audits.lab.tools import run, say, write
from audits.lab.topology import HOSTS, LAYER_PARENTS

# What in the launcher shapes the content of a host.
_SOURCES = ("topology.py", "seed.py", "credentials.py")
_SKIPPED = {"__pycache__", "__init__.py", "remedies"}
_KEEP = 2  # goldens of other digests that are kept, newest first, for other branches of the work


def digest() -> str:
    """Digest of the layers, playbooks, inventory and the launcher's parts that matter."""
    summed = hashlib.sha256()
    for name in sorted(LAYER_PARENTS):
        summed.update(layers.digest(name).encode())
    here = Path(__file__).parent
    files = [here / name for name in _SOURCES]
    for folder in (paths.PLAYBOOKS, paths.INVENTORY):
        files += [path for path in folder.rglob("*") if path.is_file() and not _SKIPPED & set(path.parts)]
    for path in sorted(files):
        summed.update(f"{path.relative_to(paths.REPOSITORY)}\0".encode() + path.read_bytes() + b"\0")
    return summed.hexdigest()[:16]


def directory(of: str) -> Path:
    """Where the golden state with a digest lies, built or not."""
    return paths.home() / "golden" / of


def is_built(of: str) -> bool:
    """Whether it is there, whole: the manifest is written last."""
    return (directory(of) / "manifest.json").exists()


def freeze(of: str, secrets: Path) -> None:
    """Move the stopped hosts' own layers, and the secrets, to their golden place."""
    target = directory(of)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    for host in HOSTS.values():
        machine.unmount(host, drop=False)
        (machine.directory(host) / "up").rename(target / host.name)
    secrets.rename(target / "secrets")
    run(["sync", "--file-system", target])  # the layers were written without syncing
    write(target / "manifest.json", json.dumps({"digest": of, "built": time.time()}) + "\n")


def tidy(current: str) -> None:
    """Remove golden states and layers that are neither current, nor in use by an instance, nor among the newest."""
    used = {current}
    for record in (paths.home() / "instances").glob("*/state.json"):
        try:
            used.add(json.loads(record.read_text()).get("golden", ""))
        except (OSError, ValueError):
            return  # somebody is just writing: another time
    others = [entry for entry in (paths.home() / "golden").iterdir() if entry.name not in used]
    others.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    for entry in others[_KEEP:]:
        say(f"removing old golden state {entry.name}")
        shutil.rmtree(entry, ignore_errors=True)
