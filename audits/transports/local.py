"""This machine, for `ansible_connection: local`: the same batch as over SSH, without a network."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence

from audits.transports.base import Answered, Settings, Target
from audits.transports.batch import Script
from audits.transports.conversation import STDERR, STDOUT, Conversation, Lost
from audits.transports.ssh_options import become_of
from checks.questions import FailureKind, Question, Shell

CHUNK = 64 * 1024


class LocalTransport:
    """Asks the machine that keuring runs on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Ask all questions by one shell in a process group of its own."""
        shells = [q for q in questions if isinstance(q, Shell)]
        talk = Conversation(shells, become_of(target.variables))
        try:
            yield from talk.go(Process)
        except Lost as e:
            yield from talk.give_up(e.failure)


class Process:
    """One running script: a shell of our own and everything it started."""

    def __init__(self, script: Script) -> None:
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {script.command}"],  # so that its process group is the one we can kill
                stdin=subprocess.PIPE if script.stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as e:
            raise Lost(FailureKind.DENIED, f"/bin/sh cannot be started: {e.strerror}") from None
        self._selector = selectors.DefaultSelector()
        for file, stream in ((self._shell.stdout, STDOUT), (self._shell.stderr, STDERR)):
            assert file is not None  # noqa: S101 - both are pipes
            self._selector.register(file, selectors.EVENT_READ, stream)
        if script.stdin:
            # a long script does not fit into a pipe's buffer, and the shell may speak before it has read it all
            threading.Thread(target=self._write, args=(script.stdin,), daemon=True).start()

    def _write(self, data: bytes) -> None:
        assert self._shell.stdin is not None  # noqa: S101 - a pipe
        with contextlib.suppress(OSError), self._shell.stdin as stdin:
            while data:
                data = data[stdin.write(data) or 0 :]

    def read(self, seconds: float) -> list[tuple[int, bytes]] | None:
        """Give what came on which stream, nothing when the time is over, None when there will be no more."""
        end = time.monotonic() + seconds
        while self._selector.get_map():
            came = []
            ready = self._selector.select(max(0.0, end - time.monotonic()))
            for key, _ in ready:
                if data := os.read(key.fd, CHUNK):
                    came.append((int(key.data), data))
                else:
                    self._selector.unregister(key.fileobj)
            if came or not ready:
                return came
        return None

    def broken(self) -> Lost | None:
        """Tell why the way to the host is gone: there is none here."""
        return None

    def stop(self) -> bool:
        """Stop the script: politely first, for sudo hands that on to what it runs, then for good."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._shell.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._shell.wait(0.5)
        return True

    def close(self) -> None:
        """End the shell, if it did not end by itself, and let go of its pipes."""
        try:
            self._shell.wait(0.2)
        except subprocess.TimeoutExpired:
            self.stop()
        self._selector.close()
        for file in (self._shell.stdout, self._shell.stderr):
            if file:
                file.close()
