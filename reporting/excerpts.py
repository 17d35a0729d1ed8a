"""Evidence for a report: what was asked, when, how it was obtained, and the lines of the answer that matter.

An answer is a whole table (every service, every user); a finding is about one row. So of each answer the lines that
name the finding's subject are shown, else its first lines, always bounded. The whole stands in evidence.jsonl.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any, Literal

from reporting.clean import clean, one_line

MOST_LINES = 8  # of an answer, in a report
MOST_TEXT = 2_000_000  # characters of an answer that are looked through
SMALL = 10  # lines of an answer that is shown whole
LONGEST_LINE = 240
SHORTEST_SUBJECT, SHORTEST_TOKEN = 2, 4  # characters; shorter words (yes, no) are found everywhere
MOST_TOKENS = 20
MOST_HITS = 50  # lines per word
_KEPT = 64  # parsed answers held at once
_TEXT = 0.9  # share of printable characters that makes bytes a text
_CONTROL = frozenset(map(chr, range(9))) | frozenset(map(chr, range(14, 32)))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an answer with its number; number 0 stands for lines that were left out."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One piece of evidence, for people."""

    seq: int
    ask: str
    """What was asked: the command, search, name or path."""
    kind: str
    """The question's class: Shell, LdapSearch …"""
    target: str
    at: str
    took: float
    via: str
    digest: str
    root: bool = False
    size: tuple[Literal["lines", "entries", "bytes"], int] | None = None
    status: int | None = None
    """Exit status of a command."""
    lines: tuple[Line, ...] = ()
    failure: tuple[str, str] | None = None
    """Kind and detail, when no answer came."""


class Evidence:
    """Reads lines of evidence.jsonl as they are asked for, keeping few of them at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets = list(_offsets(path))  # seq is the line's number
        self._kept: dict[int, _Answer | None] = {}

    def __len__(self) -> int:
        return len(self._offsets)

    def excerpt(self, seq: int, tokens: Iterable[str] = (), most: int = MOST_LINES) -> Excerpt | None:
        """Give the evidence of a line; None when it is not there or cannot be read."""
        answer = self._kept.pop(seq) if seq in self._kept else self._read(seq)
        self._kept[seq] = answer
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return answer.excerpt(seq, tokens, most) if answer else None

    def _read(self, seq: int) -> _Answer | None:
        if not 0 < seq <= len(self._offsets):
            return None
        try:
            with self._path.open("rb") as file:
                file.seek(self._offsets[seq - 1])
                return _Answer(json.loads(file.readline().decode("utf-8", "surrogatepass")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _offsets(path: Path) -> Iterator[int]:
    offset = 0
    try:
        with path.open("rb") as file:
            for line in file:
                yield offset
                offset += len(line)
    except OSError:
        return


class _Answer:
    """One parsed line of evidence, ready to be looked through."""

    def __init__(self, said: dict[str, Any]) -> None:
        question = said["question"]
        self.kind, self.ask, self.root = str(question["ask"]), asked(question), bool(question.get("root"))
        self.target, self.at, self.via = str(said["target"]), str(said["at"]), str(said.get("via", ""))
        self.took, self.digest = float(said["took"]), str(said.get("digest", ""))
        failure = said.get("failure")
        self.failure = (str(failure["kind"]), str(failure["detail"])) if failure else None
        self.status: int | None = None
        self.size: tuple[Literal["lines", "entries", "bytes"], int] | None = None
        self.text = "" if failure else self._make_text(said.get("value"))[:MOST_TEXT].replace("\r\n", "\n")
        self.folded = self.text.lower() if len(self.text.lower()) == len(self.text) else self.text
        self.starts = [0, *accumulate(len(line) + 1 for line in self.text.split("\n"))][:-1]

    def _make_text(self, value: Any) -> str:
        if self.kind == "Shell":
            self.status = int(value["status"])
            stdout = str(value["stdout"])
            self.size = ("lines", stdout.count("\n") + (not stdout.endswith("\n") and bool(stdout)))
            return "\n".join(part.rstrip("\n") for part in (stdout, str(value.get("stderr", ""))) if part.strip())
        if self.kind in ("SmbRead", "SmbSecurity") and isinstance(value, str):
            raw = base64.b64decode(value, validate=True)
            self.size = ("bytes", len(raw))
            return _bytes_text(raw)
        if isinstance(value, list | dict):
            self.size = ("entries", len(value)) if isinstance(value, list) else None
            return "\n".join(islice(_lines(value), 200_000))
        return json.dumps(value, ensure_ascii=False)

    def excerpt(self, seq: int, tokens: Iterable[str], most: int) -> Excerpt:
        whole = len(self.starts) if self.text else 0
        if whole <= SMALL:
            numbers = list(range(whole))
        else:
            numbers = self._matching(tokens, most) or list(range(min(most, whole)))
        return Excerpt(
            seq=seq, ask=self.ask, kind=self.kind, target=self.target, at=self.at, took=self.took, via=self.via,
            digest=self.digest, root=self.root, size=self.size, status=self.status,
            lines=tuple(self._take(numbers)), failure=self.failure,
        )  # fmt: skip

    def _matching(self, tokens: Iterable[str], most: int) -> list[int]:
        """Give the numbers (from 0) of the lines that hold most of the words; the first word counts most."""
        scores: dict[int, int] = {}
        for index, token in enumerate(islice(tokens, MOST_TOKENS)):
            if len(token) >= (SHORTEST_TOKEN if index else SHORTEST_SUBJECT):
                for line in self._lines_with(token.lower()):
                    scores[line] = scores.get(line, 0) + (1 if index else MOST_TOKENS)
        best = sorted(scores, key=lambda line: (-scores[line], line))[:most]
        return sorted(best)

    def _lines_with(self, word: str) -> Iterator[int]:
        at = -1
        for _ in range(MOST_HITS):
            at = self.folded.find(word, at + 1)
            if at < 0:
                return
            line = bisect_right(self.starts, at) - 1
            yield line
            at = self.starts[line + 1] - 1 if line + 1 < len(self.starts) else len(self.folded)

    def _take(self, numbers: Sequence[int]) -> Iterator[Line]:
        if numbers and numbers[0] > 0:
            yield Line(0, "")
        for here, after in pairwise([*numbers, -1]):
            start = self.starts[here]
            end = self.starts[here + 1] - 1 if here + 1 < len(self.starts) else len(self.text)
            yield Line(here + 1, clean(self.text[start:end], LONGEST_LINE))
            if after > here + 1 or (after == -1 and here + 1 < len(self.starts)):
                yield Line(0, "")


def asked(question: dict[str, Any]) -> str:
    """Say a recorded question as a technician would write it."""
    get = question.get
    match question["ask"]:
        case "Shell":
            text = str(get("command", ""))
        case "LdapSearch":
            base = ",".join(p for p in (str(get("rdn", "")), f"<{get('nc', 'default')}>") if p)
            attributes = ", ".join(map(str, get("attributes", ())))
            text = f"{get('filter', '(objectClass=*)')} in {base}, {get('scope', 'sub')}" + (
                f": {attributes}" if attributes else ""
            )
        case "DnsQuery":
            text = f"{get('name', '')} {get('type', 'A')}" + ("" if get("recursion", True) else " +norecurse")
        case "SmbRead" | "SmbTree" | "SmbSecurity":
            text = "\\".join(str(p) for p in (get("share", ""), get("path", "")) if p)
        case "HttpGet":
            text = f"GET {get('url', '')}" + (f" ({get('connect_to')})" if get("connect_to") else "")
        case "TcpProbe" | "TlsProbe":
            protocol = "tcp" if question["ask"] == "TcpProbe" else "tls"
            default = "" if question["ask"] == "TcpProbe" else 443
            text = f"{protocol} {get('host') or ''}:{get('port', default)}"
        case _:
            rest = {k: v for k, v in question.items() if k != "ask"}
            text = json.dumps(rest, ensure_ascii=False) if rest else ""
    return one_line(text, 600)


def _bytes_text(raw: bytes) -> str:
    """Give bytes as text when they are one (UTF-8, or UTF-16 as Windows writes it), else the first as hexadecimal."""
    head = raw[:MOST_TEXT]
    try:
        text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if text and sum(c in _CONTROL for c in text) <= (1 - _TEXT) * len(text):
        return text
    return "\n".join(binascii.hexlify(head[i : i + 16], " ").decode() for i in range(0, min(len(head), 128), 16))


def _lines(value: Any) -> Iterator[str]:
    """Give an answer made of entries, line by line: LDAP as in an LDIF file, DNS as in a zone file, else JSON."""
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(part, list) and all(isinstance(p, dict) for p in part):
                yield f"{key}:" if part else f"{key}: -"
                for record in part:
                    yield "  " + _record(record)
            else:
                yield f"{key}: {_scalar(part)}"
        return
    for entry in value:
        if isinstance(entry, dict) and "dn" in entry and isinstance(entry.get("attributes"), dict):
            yield f"dn: {entry['dn']}"
            for name, values in entry["attributes"].items():
                for one in values if isinstance(values, list) else [values]:
                    yield f"  {name}: {_scalar(one)}"
        elif isinstance(entry, dict):
            yield _record(entry)
        else:
            yield _scalar(entry)


def _record(record: dict[str, Any]) -> str:
    if {"name", "type", "data"} <= record.keys():  # a resource record
        return " ".join(str(record.get(k, "")) for k in ("name", "ttl", "type", "data"))
    return ", ".join(f"{k}: {_scalar(v)}" for k, v in record.items())


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
