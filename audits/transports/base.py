"""The seam between questions and networks: targets, answers, and what a transport is."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from checks.questions import Failure, FailureKind, Question

JSON = Any


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Something that can be asked.

    A host stands in the inventory under `name` and has the inventory's `variables`. A directory or the DNS is a
    target of its own (`kind` domain or dns) with the hosts that serve it in `servers`; a question to it goes to the
    first of them that answers. For a domain `name` is its DNS name, and `variables` holds
    `keuring_domain_user`, `keuring_domain_password` and the like.
    """

    name: str
    kind: Literal["host", "domain", "dns"] = "host"
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may hold secrets
    servers: tuple[Target, ...] = ()
    domain: str = ""  # DNS name of the domain whose account is used for SMB and LDAP

    @property
    def address(self) -> str:
        """Where to connect: `ansible_host`, else the name."""
        return str(self.variables.get("ansible_host") or self.name)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run tells the transports."""

    known_hosts: tuple[Path, ...] = ()  # empty: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
    check_host_keys: bool = True
    ca_file: Path | None = None  # besides the machine's trust store
    authorities: Mapping[str, Path] = field(default_factory=dict)  # a definition's names of CA files
    connect_timeout: float = 8.0  # seconds
    jobs: int = 32  # hosts at once
    handshakes: int = 12  # key exchanges at once


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a JSON value, or a failure; when (UTC, ISO 8601), how long in seconds, and from which server."""

    value: JSON = None
    failure: Failure | None = None
    at: str = ""
    took: float = 0.0
    via: str = ""


class Stopwatch:
    """Makes answers that know when they were asked and how long they took."""

    def __init__(self) -> None:
        self.at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        self._start = time.monotonic()

    def answer(self, value: JSON, via: str = "") -> Answer:
        """Give an answer with a value."""
        return Answer(value, None, self.at, round(time.monotonic() - self._start, 4), via)

    def failure(self, kind: FailureKind, detail: str = "", via: str = "") -> Answer:
        """Give an answer that failed; `detail` is cut to one line of 300 characters."""
        words = " ".join(detail.split())[:300]
        return Answer(None, Failure(kind, words), self.at, round(time.monotonic() - self._start, 4), via)


Answered = tuple[Question, Answer]


class Transport(Protocol):
    """One method. Every question gets exactly one answer; nothing is raised for what a target does.

    Called in a thread of its own per target; an instance is shared by all of them. Answers are yielded as they come,
    so that they are on disk when something dies. Closing the generator closes the connection.
    """

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Ask the target all questions over one connection."""
        ...


def all_failed(questions: Sequence[Question], kind: FailureKind, detail: str, via: str = "") -> Iterator[Answered]:
    """Give every question the same failure (a host that cannot be reached)."""
    watch = Stopwatch()
    for question in questions:
        yield question, watch.failure(kind, detail, via)
