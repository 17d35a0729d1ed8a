"""SSH on paramiko's Transport: one connection and one command per host.

Host keys are verified by default against known_hosts; keys, known_hosts and jump connections are shared by all hosts.
Kerberos (GSSAPI) is not offered: paramiko 5 has none.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from audits.transports.base import Answered, Settings, Target, all_failed
from audits.transports.conversation import Conversation, Lost
from audits.transports.known_hosts import KnownHosts
from audits.transports.ssh_link import Link, dial
from audits.transports.ssh_login import KeyRing
from audits.transports.ssh_options import Configuration, Options, become_of, options_for
from checks.questions import FailureKind, Question, Shell

ATTEMPTS = 2
"""How often a host is tried when its connection breaks: asking is read-only, so it may be done again."""

MOST_STARTUPS = 5
"""Connections to one server that are not logged on yet: sshd's MaxStartups refuses some from 10 on, and lags."""


class SshTransport:
    """Asks hosts over SSH. Shared by all threads of a run."""

    def __init__(self, settings: Settings, configuration: Configuration | None = None) -> None:
        self.settings = settings
        self._configuration = configuration or Configuration()
        self._ring = KeyRing()
        self._slots = threading.BoundedSemaphore(max(1, settings.handshakes))
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], KnownHosts] = {}
        self._jumps: dict[tuple[Options, ...], _Shared] = {}
        self._doors: dict[tuple[str, int], threading.BoundedSemaphore] = {}

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Ask all questions over one connection."""
        shells = [q for q in questions if isinstance(q, Shell)]
        if not shells:
            return
        try:
            with self._lock:
                options = options_for(target, self.settings, self._configuration)
        except ValueError as e:
            yield from all_failed(shells, FailureKind.UNREACHABLE, f"the inventory of {target.name}: {e}")
            return
        talk = Conversation(shells, become_of(target.variables))
        for attempt in range(1, ATTEMPTS + 1):
            link: Link | None = None
            try:
                link = self._dial(options)
                link.allow(talk.seconds + options.timeout)
                yield from talk.go(link.start)
            except Lost as e:
                if not e.again or attempt == ATTEMPTS:
                    yield from talk.give_up(e.failure)
                    return
            else:
                return
            finally:
                if link:
                    link.close()
            time.sleep(random.uniform(0.2, 0.8))  # noqa: S311 - so that a busy server is not met by all at once

    def close(self) -> None:
        """Close the connections to jump hosts."""
        with self._lock:
            shared, self._jumps = list(self._jumps.values()), {}
        for jump in shared:
            jump.close()

    def _dial(self, options: Options) -> Link:
        through = self._jump(options.jumps) if options.jumps else None
        # many names may lead to one server, and all proxy commands to one jump host
        place = ("", 0) if options.proxy_command else (options.host, options.port)
        with self._lock:
            door = self._doors.setdefault(place, threading.BoundedSemaphore(MOST_STARTUPS))
        with door:
            return dial(options, self._known_hosts(options.known_hosts), self._ring, self._slots, through)

    def _jump(self, hops: tuple[Options, ...]) -> Link:
        """Give the connection to the last of these hosts, each reached through the one before; made once for all."""
        with self._lock:
            shared = self._jumps.setdefault(hops, _Shared())
        with shared.lock:
            if shared.link and shared.link.alive():
                return shared.link
            if shared.failed and time.monotonic() - shared.failed_at < AGAIN_SECONDS:
                raise shared.failed
            try:
                through = self._jump(hops[:-1]) if hops[:-1] else None
                shared.link = dial(hops[-1], self._known_hosts(hops[-1].known_hosts), self._ring, self._slots, through)
            except Lost as e:
                kind, detail = e.failure.kind, f"jump host {hops[-1]}: {e.failure.detail}"
                shared.failed = Lost(kind, detail.replace("jump host jump host", "jump host"), again=e.again)
                shared.failed_at = time.monotonic()
                raise shared.failed from None
            return shared.link

    def _known_hosts(self, files: tuple[str, ...]) -> KnownHosts:
        with self._lock:
            if files not in self._known:
                self._known[files] = KnownHosts(Path(f) for f in files)
            return self._known[files]


AGAIN_SECONDS = 30.0
"""How long a jump host that failed is not tried again, for the sake of all hosts behind it."""


class _Shared:
    """A connection that several hosts use."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.link: Link | None = None
        self.failed: Lost | None = None
        self.failed_at = 0.0

    def close(self) -> None:
        with self.lock, contextlib.suppress(OSError):
            if self.link:
                self.link.close()
