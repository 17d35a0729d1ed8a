"""One SSH connection: key exchange with settings that are fast, the host key's verification, scripts started on it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, cast

from audits.transports.batch import Script
from audits.transports.conversation import START_SECONDS, STDERR, STDOUT, Lost
from audits.transports.known_hosts import Judgement, KnownHosts, fingerprint
from audits.transports.paramiko_import import paramiko
from audits.transports.ssh_certificates import certificate_problem
from audits.transports.ssh_login import KeyRing, login
from audits.transports.ssh_options import Options
from audits.transports.ssh_wire import Wire, connect
from checks.questions import FailureKind

CHUNK = 64 * 1024
HANDSHAKE_LIMIT = 512 * 1024  # bytes a server may send before it let us in
LOGIN_SECONDS = 30.0  # PAM may wait for a directory that is down
UNREAD_LIMIT = 8 * 1024 * 1024  # bytes a server may send beyond what is made use of; a channel's window is 2 MiB
KEEPALIVE_SECONDS = 15
VERSION = "SSH-2.0-keuring"
CERTIFIED = "-cert-v01@openssh.com"


class _Packetizer(paramiko.packet.Packetizer):
    """Without the timer thread per handshake, which outlives a failed one; the wire has its deadline."""

    def start_handshake(self, timeout: float) -> None:
        """Start nothing."""


class _Transport(paramiko.Transport):
    """Asks for what costs least first; what stands behind is for servers that know no better."""

    def __init__(self, wire: Wire, options: Options, known: KnownHosts) -> None:
        super().__init__(cast("Any", wire), packetizer_class=_Packetizer)
        self.local_version = VERSION
        self.auth_timeout = LOGIN_SECONDS + 5.0  # the wire is to end first, and to say so
        security = self.get_security_options()
        security.kex = _first(security.kex, "curve25519", "ecdh-sha2-nistp256")
        security.ciphers = _first((c for c in security.ciphers if not c.endswith("-cbc")), "aes128-gcm", "aes256-gcm")
        self.host_key_algorithms = _algorithms(tuple(security.key_types), options, known)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Give the host key algorithms to ask for, in order."""
        return self.host_key_algorithms


def dial(
    options: Options, known: KnownHosts, ring: KeyRing, slots: threading.BoundedSemaphore, through: Link | None
) -> Link:
    """Connect, exchange keys, verify the host, log on; Lost when one of these fails. `slots`: key exchanges at once."""
    wire = through.onward(options) if through else connect(options)
    try:
        wire.greet(VERSION, options.timeout)
        transport = _Transport(wire, options, known)
        with slots:
            wire.allow(2 * options.timeout, HANDSHAKE_LIMIT)
            _negotiate(transport, wire, 2 * options.timeout)
        _verify(transport, options, known)
        wire.allow(LOGIN_SECONDS, HANDSHAKE_LIMIT)
        try:
            login(transport, options, ring)
        except Lost:
            if wire.ended == "flood":
                raise Lost(FailureKind.UNREADABLE, "the server floods the logon") from None
            if wire.ended:
                raise Lost(FailureKind.TIMED_OUT, f"{options} was not let in within {LOGIN_SECONDS:.0f} s") from None
            raise
        except (paramiko.SSHException, OSError, EOFError) as e:
            raise Lost(FailureKind.UNREACHABLE, f"the connection was lost while logging on: {e}", again=True) from None
        wire.allow(None)
        transport.set_keepalive(KEEPALIVE_SECONDS)
    except BaseException:
        wire.close()
        raise
    return Link(transport, wire)


def _first(names: Iterable[str], *starts: str) -> tuple[str, ...]:
    """Put the names with these starts first."""
    return tuple(sorted(names, key=lambda n: next((i for i, s in enumerate(starts) if n.startswith(s)), len(starts))))


def _algorithms(every: tuple[str, ...], options: Options, known: KnownHosts) -> tuple[str, ...]:
    """Order the host key algorithms: certificates when an authority is known, known types first, then the others."""
    types = known.types(*options.key_name)
    first = [a for t in types for a in every if (a.startswith("rsa-sha2") if t == "ssh-rsa" else a == t)]
    certified = [a + CERTIFIED for a in every] if known.authorities(*options.key_name) else []
    return tuple(dict.fromkeys((*certified, *first, *every)))


def _negotiate(transport: paramiko.Transport, wire: Wire, seconds: float) -> None:
    """Exchange keys; Lost when the two find no common ground, or the server stops answering."""
    done = threading.Event()
    transport.start_client(event=done)
    done.wait(seconds)
    if transport.is_active() and transport.initial_kex_done:
        return
    e = transport.get_exception()
    if isinstance(e, paramiko.ssh_exception.IncompatiblePeer):
        raise Lost(FailureKind.UNREADABLE, f"the server ({transport.remote_version[:60]}) is too old or too new: {e}")
    if wire.ended == "flood":
        raise Lost(FailureKind.UNREADABLE, "the server floods the key exchange")
    if wire.ended == "late" or not done.is_set():
        raise Lost(FailureKind.TIMED_OUT, "the server does not finish the key exchange")
    if isinstance(e, EOFError | OSError) or e is None:
        raise Lost(FailureKind.UNREACHABLE, "the server broke off the key exchange", again=True)
    raise Lost(FailureKind.UNREADABLE, f"the key exchange failed: {type(e).__name__}: {e}", again=True)


def _verify(transport: paramiko.Transport, options: Options, known: KnownHosts) -> None:
    """Hold the server's key against known_hosts; Lost when it does not stand the test."""
    key: Any = transport.get_remote_server_key()
    blob: bytes = key.public_blob.key_blob if getattr(key, "public_blob", None) else key.asbytes()
    host, port = options.key_name
    algorithm = transport.host_key_type or ""
    if algorithm.endswith(CERTIFIED):
        problem = certificate_problem(algorithm, blob, *options.key_name, known)
        if not problem or (options.strict == "off" and "revoked" not in problem):
            return
        raise Lost(FailureKind.HOST_KEY_UNKNOWN, f"{host} shows a certificate that does not count: {problem}")
    judged = known.judge(host, port, key.get_name(), blob)
    if judged.verdict == "known" or (judged.verdict != "revoked" and options.strict == "off"):
        return
    if judged.verdict == "unknown" and options.strict == "new" and judged.entry is None:
        return
    raise _distrust(judged, f"{host} shows {key.get_name()} {fingerprint(blob)}", host)


def _distrust(judged: Judgement, shown: str, host: str) -> Lost:
    entry = judged.entry
    if judged.verdict == "revoked" and entry:
        return Lost(FailureKind.HOST_KEY_CHANGED, f"{shown}, which is revoked ({entry.where})")
    if judged.verdict == "changed" and entry:
        return Lost(FailureKind.HOST_KEY_CHANGED, f"{shown}; known is {entry.fingerprint} ({entry.where})")
    if entry:
        return Lost(
            FailureKind.HOST_KEY_UNKNOWN,
            f"{shown}; known is only its {entry.type} {entry.fingerprint} ({entry.where})",
        )
    return Lost(FailureKind.HOST_KEY_UNKNOWN, f"{shown}; {host} is not in known_hosts")


class Link:
    """A connection that is logged on."""

    def __init__(self, transport: paramiko.Transport, wire: Wire) -> None:
        self._transport, self._wire = transport, wire
        self._end: float | None = None
        self._sessions = 0

    def alive(self) -> bool:
        """Tell whether it still stands."""
        return self._transport.is_active()

    def lost(self) -> Lost:
        """Tell why it stands no more."""
        if self._wire.ended == "flood":
            return Lost(FailureKind.UNREADABLE, "the server floods the connection")
        if self._wire.ended == "late":
            return Lost(FailureKind.TIMED_OUT, "the host takes too long in all")
        return Lost(FailureKind.UNREACHABLE, "the connection was lost while commands ran", again=True)

    def allow(self, seconds: float) -> None:
        """Set how long it may live from now."""
        self._end = time.monotonic() + seconds
        self._wire.allow(seconds, UNREAD_LIMIT)

    def read(self, octets: int) -> None:
        """Tell that so much of what came was made use of, so that as much may come again."""
        self._wire.credit(2 * octets + 256)

    def start(self, script: Script) -> SshPipe:
        """Start a script in a session of its own."""
        return SshPipe(self, self._execute(script.command, START_SECONDS), script.stdin)

    def _execute(self, command: str, seconds: float) -> paramiko.Channel:
        """Run a command; Lost when the server will not, or does not answer."""
        self._wire.allow(seconds, UNREAD_LIMIT)  # exec_command itself waits for ever
        try:
            channel = self._transport.open_session(timeout=seconds)
            channel.settimeout(seconds)
            channel.exec_command(command)
        except paramiko.ChannelException as e:
            # MaxSessions 1, with a session that hangs: another connection has room
            detail = f"the server opens no session: {e.text}"
            raise Lost(FailureKind.DENIED, detail, again=self._sessions > 0) from None
        except (paramiko.SSHException, OSError, EOFError) as e:
            if self._wire.ended == "late" or "Timeout" in str(e):
                raise Lost(FailureKind.TIMED_OUT, "the host does not answer any more") from None
            if self.alive():
                raise Lost(FailureKind.DENIED, "the server runs no commands for this account") from None
            raise Lost(FailureKind.UNREACHABLE, f"the connection was lost {e}".strip(), again=True) from None
        self._sessions += 1
        self._wire.allow(None if self._end is None else max(0.1, self._end - time.monotonic()), UNREAD_LIMIT)
        return channel

    def onward(self, options: Options) -> Wire:
        """Open a way through this host to the next."""
        try:
            channel = self._transport.open_channel(
                "direct-tcpip", (options.host, options.port), ("127.0.0.1", 0), timeout=options.timeout
            )
        except paramiko.ChannelException as e:
            forbidden = e.code == 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)
            kind = FailureKind.DENIED if forbidden else FailureKind.UNREACHABLE
            raise Lost(
                kind, f"the jump host does not connect to {options.host} port {options.port}: {e.text}"
            ) from None
        except (paramiko.SSHException, OSError, EOFError) as e:
            raise Lost(
                FailureKind.UNREACHABLE, f"the jump host does not reach {options.host}: {e}", again=not self.alive()
            ) from None
        return Wire(channel)

    def close(self) -> None:
        """Close at once."""
        self._wire.close()  # wakes the thread that reads, so that ending it takes no poll
        self._transport.close()


class _Ready:
    """The event that a channel's two buffers set; unlike theirs, only its owner clears it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set, self.wait, self.reset = self._event.set, self._event.wait, self._event.clear

    def clear(self) -> None:
        """Leave it set: the other buffer may have something."""


class SshPipe:
    """One running script."""

    def __init__(self, link: Link, channel: paramiko.Channel, stdin: bytes) -> None:
        self._link, self._channel = link, channel
        self._ready = _Ready()
        for buffer in (channel.in_buffer, channel.in_stderr_buffer):
            buffer.set_event(cast("threading.Event", self._ready))
        if stdin:
            # the script may speak before it has read all of a long stdin
            threading.Thread(target=self._write, args=(stdin,), daemon=True).start()

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.sendall(data)
            self._channel.shutdown_write()

    def read(self, seconds: float) -> list[tuple[int, bytes]] | None:
        """Give what came on which stream, nothing when the time is over, None when there will be no more."""
        channel = self._channel
        self._ready.wait(seconds)
        self._ready.reset()
        ended = channel.closed or channel.eof_received
        came = []
        if channel.recv_stderr_ready():
            came.append((STDERR, channel.recv_stderr(CHUNK)))
        if channel.recv_ready():
            came.append((STDOUT, channel.recv(CHUNK)))
        if came:
            self._link.read(sum(len(data) for _, data in came))
            if channel.recv_ready() or channel.recv_stderr_ready() or ended:
                self._ready.set()  # there is more, or its end, to be seen
            return came
        return None if ended else []

    def broken(self) -> Lost | None:
        """Tell why the connection is gone, if it is, rather than just this script at its end."""
        return None if self._link.alive() else self._link.lost()

    def stop(self) -> bool:
        """Leave its processes to the next script: the protocol's own signals do not reach what sudo runs."""
        return False

    def close(self) -> None:
        """Close the session; what still runs in it gets SIGPIPE when it prints."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()
