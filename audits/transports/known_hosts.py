"""The known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read once, with an index.

paramiko's `HostKeys` takes quadratic time and knows neither `@revoked` nor `@cert-authority` nor wildcards. Here a
plain name is one look-up; hashed names cost an HMAC each, wildcards a match each.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SSH_PORT = 22

Verdict = Literal["known", "unknown", "changed", "revoked"]
Marker = Literal["", "@revoked", "@cert-authority"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a key and where it stands."""

    marker: str
    type: str
    key: str = field(repr=False)  # base64, as in the file
    where: str = ""

    @property
    def fingerprint(self) -> str:
        """The key's SHA-256 as ssh-keygen -l shows it."""
        try:
            return fingerprint(base64.b64decode(self.key))
        except binascii.Error:
            return "(unreadable)"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the files say of a host key: the verdict, and for a changed or revoked one the line that decides."""

    verdict: Verdict
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A line whose names are patterns: matches when one does and none with `!` does."""

    wanted: re.Pattern[str]
    refused: re.Pattern[str] | None
    entry: Entry

    def match(self, name: str) -> bool:
        return bool(self.wanted.fullmatch(name)) and not (self.refused and self.refused.fullmatch(name))


class KnownHosts:
    """An index of known_hosts files. Never written to."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._plain: dict[str, list[Entry]] = {}
        self._hashed: list[tuple[bytes, bytes, Entry]] = []
        self._patterns: list[_Pattern] = []
        self._revoked: dict[str, Entry] = {}
        self._found: dict[str, list[Entry]] = {}
        for file in files:
            try:
                text = file.expanduser().read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            for number, line in enumerate(text.splitlines(), 1):
                self._add(line, f"{file}:{number}")

    def _add(self, line: str, where: str) -> None:
        words = line.split(None, 4)
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked", "@cert-authority"):  # noqa: PLR2004
            return
        names, type_, key = words[:3]
        if type_.isdecimal():
            return  # SSH 1
        entry = Entry(marker, type_, key, where)
        if marker == "@revoked":
            self._revoked[key] = entry
        if names.startswith("|1|"):
            _, _, salt, digest = (*names.split("|"), "", "")[:4]
            try:
                self._hashed.append((base64.b64decode(salt), base64.b64decode(digest), entry))
            except binascii.Error:
                return
        elif any(c in names for c in "*?!"):
            positive = [n for n in names.split(",") if not n.startswith("!")]
            negative = [n[1:] for n in names.split(",") if n.startswith("!")]
            if positive:
                self._patterns.append(_Pattern(_any(positive), _any(negative) if negative else None, entry))
        else:
            for name in names.lower().split(","):
                self._plain.setdefault(name, []).append(entry)

    def entries(self, host: str, port: int = SSH_PORT) -> list[Entry]:
        """Give the lines for a host: under `[host]:port` when the port is not 22, authorities among them."""
        name = _name(host, port)
        if name not in self._found:  # asked several times for each connection; hashed names take long
            self._found[name] = list(self._find(name))
        return self._found[name]

    def _find(self, name: str) -> Iterator[Entry]:
        yield from self._plain.get(name, ())
        raw = name.encode()
        for salt, digest, entry in self._hashed:
            if hmac.compare_digest(hmac.digest(salt, raw, "sha1"), digest):
                yield entry
        for pattern in self._patterns:
            if pattern.match(name):
                yield pattern.entry

    def types(self, host: str, port: int = SSH_PORT) -> list[str]:
        """Give the key types known of a host, in the files' order: to be asked for first."""
        found = self.entries(host, port)
        if not found and port != SSH_PORT:
            found = self.entries(host)
        return list(dict.fromkeys(e.type for e in found if not e.marker))

    def authorities(self, host: str, port: int = SSH_PORT) -> list[Entry]:
        """Give the authorities that may certify this host's key."""
        found = [e for e in self.entries(host, port) if e.marker == "@cert-authority"]
        if not found and port != SSH_PORT:
            found = [e for e in self.entries(host) if e.marker == "@cert-authority"]
        return found

    def revoked(self, key: bytes) -> Entry | None:
        """Give the line that revokes this key (blob of RFC 4253, 6.6), for whatever host."""
        return self._revoked.get(base64.b64encode(key).decode())

    def judge(self, host: str, port: int, type_: str, key: bytes) -> Judgement:
        """Judge a host key, given as the blob of RFC 4253, 6.6.

        As ssh does: changed when another key of the same type is known; a key known for the host without its port
        counts too. A key revoked for any host is refused for this one.
        """
        text = base64.b64encode(key).decode()
        if text in self._revoked:
            return Judgement("revoked", self._revoked[text])
        there = [e for e in self.entries(host, port) if not e.marker]
        if any(e.key == text for e in there):
            return Judgement("known")
        for entry in there:
            if entry.type == type_:
                return Judgement("changed", entry)
        if port != SSH_PORT and any(e.key == text for e in self.entries(host) if not e.marker):
            return Judgement("known")
        return Judgement("unknown", there[0] if there else None)


def fingerprint(key: bytes) -> str:
    """Give a key's SHA-256 fingerprint as OpenSSH shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _name(host: str, port: int) -> str:
    host = host.lower()
    return host if port == SSH_PORT else f"[{host}]:{port}"


def _any(globs: list[str]) -> re.Pattern[str]:
    """Make one expression of globs that know `*` and `?` only."""
    parts = (fnmatch.translate(g.lower().replace("[", "[[]")) for g in globs)
    return re.compile("|".join(parts))
