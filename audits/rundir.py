"""The run directory: the record of a run as plain files. Secrets never enter it.

manifest.json      what was run, on what, by which version, when, with which options
definition.yml     the definition as expanded: a definition itself
targets.json       the hosts and groups of the inventory that it names (addresses, no secrets)
evidence.jsonl     what was asked and what came back
findings.jsonl     one finding a line
summary.json       verdict, counts, coverage, score
decisions.yml      what people decided, when there is any
reports/           rendered from the above
SHA256SUMS         digests of all of them (as `sha256sum -c` reads), written last
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import yaml

from audits.errors import EvidenceError, OutputError

MANIFEST, DEFINITION, TARGETS = "manifest.json", "definition.yml", "targets.json"
FINDINGS, SUMMARY, DECISIONS, SUMS, LOCK = "findings.jsonl", "summary.json", "decisions.yml", "SHA256SUMS", ".lock"


class RunDir:
    """A run directory on disk. Files are replaced whole (written beside, then renamed), so none is ever half there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    @classmethod
    def create(cls, parent: Path, title: str) -> RunDir:
        """Make a new run directory below `parent`, named by time and title, readable by its owner only."""
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40] or "audit"
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        for name in (f"{stamp}-{slug}", f"{stamp}-{slug}-{secrets.token_hex(2)}"):
            path = parent / name
            try:
                path.mkdir(parents=True, mode=0o700)
            except FileExistsError:
                continue
            except OSError as e:
                raise OutputError(f"{path}: {e.strerror}", "Choose another place with --out.") from None
            return cls(path)
        raise OutputError(f"{parent}: cannot make a new run directory", "Try again.")

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """Open a run directory that is there."""
        path = path.resolve()
        if not (path / MANIFEST).is_file():
            raise EvidenceError(f"{path}: is not a run directory (no {MANIFEST})", "Name one, such as `runs/latest`.")
        return cls(path)

    def lock(self) -> None:
        """Hold the run for writing; OutputError when another keuring is at it."""
        try:
            self._lock = (self.path / LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{self.path}: another keuring is writing this run", "Wait for it to end.") from None
        except OSError as e:
            raise OutputError(f"{self.path}: {e.strerror}", "Check the rights and the disk.") from None

    def file(self, name: str) -> Path:
        """Give the path of one of its files."""
        return self.path / name

    def write(self, name: str, content: bytes) -> Path:
        """Write a file whole; OutputError when it cannot be (then the old one stands)."""
        path = self.path / name
        beside = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(content)
            beside.replace(path)
        except OSError as e:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise OutputError(
                f"{path}: {e.strerror}", "What was collected is kept. Check the disk, then try again."
            ) from None
        return path

    def write_json(self, name: str, data: Any) -> None:
        """Write JSON that people can read."""
        self.write(name, (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace"))

    def write_lines(self, name: str, objects: Iterable[Mapping[str, Any]]) -> None:
        """Write one JSON object a line."""
        lines = (json.dumps(o, ensure_ascii=False) + "\n" for o in objects)
        self.write(name, "".join(lines).encode("utf-8", "replace"))

    def write_yaml(self, name: str, data: Any) -> None:
        """Write YAML."""
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text = yaml.dump(_plain(data), Dumper=dumper, allow_unicode=True, sort_keys=False, width=120)
        self.write(name, text.encode("utf-8", "replace"))

    def read_json(self, name: str) -> Any:
        """Read one of its JSON files; EvidenceError when it cannot be."""
        try:
            return json.loads((self.path / name).read_bytes())
        except FileNotFoundError:
            raise EvidenceError(
                f"{self.path / name}: is missing", "The run ended early: go on with --resume."
            ) from None
        except (OSError, ValueError) as e:
            raise EvidenceError(f"{self.path / name}: cannot be read ({e})", "The run directory was changed.") from None

    def seal(self) -> None:
        """Write the digests of all files."""
        lines = [f"{digest}  {name}\n" for name, digest in self.digests().items()]
        self.write(SUMS, "".join(lines).encode())

    def digests(self) -> dict[str, str]:
        """Give the SHA-256 of every file by its relative name."""
        names = sorted(
            p.relative_to(self.path).as_posix()
            for p in self.path.rglob("*")
            if p.is_file() and p.name not in (SUMS, LOCK) and not p.name.endswith(".new")
        )
        return {name: hashlib.sha256((self.path / name).read_bytes()).hexdigest() for name in names}

    def changes(self) -> list[str]:
        """Say what differs from the seal: one line a file; empty when nothing does."""
        try:
            text = (self.path / SUMS).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            return [f"{SUMS}: is missing or cannot be read"]
        sealed: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            match = re.fullmatch(r"([0-9a-f]{64})  (.+)\n", line)
            if not match:
                return [f"{SUMS}:{number}: was changed"]
            sealed[match[2]] = match[1]
        there = self.digests()
        found = [f"{name}: was added after the seal" for name in there.keys() - sealed.keys()]
        found += [f"{name}: is missing" for name in sealed.keys() - there.keys()]
        found += [f"{name}: was changed" for name in sealed.keys() & there.keys() if sealed[name] != there[name]]
        return sorted(found)

    def make_latest(self) -> None:
        """Point `latest` beside it at this run."""
        link, beside = self.path.parent / "latest", self.path.parent / f".latest-{os.getpid()}"
        with contextlib.suppress(OSError):  # a file system without links still has its runs
            if link.is_symlink() or not link.exists():
                beside.symlink_to(self.path.name)
                beside.replace(link)


def _plain(data: Any) -> Any:
    """Make tuples lists and keep only types that YAML has."""
    if isinstance(data, Mapping):
        return {str(k): _plain(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(v) for v in data]
    if data is None or isinstance(data, bool | int | float):
        return data
    return str(data)
