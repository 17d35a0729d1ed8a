"""Who we are to an SSH server: keys from files and the agent, loaded once for all hosts; passwords."""

from __future__ import annotations

import base64
import binascii
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from paramiko.agent import AgentSSH, get_agent_connection

from audits.transports.conversation import Lost
from audits.transports.paramiko_import import paramiko
from audits.transports.ssh_options import DEFAULT_KEYS, Options
from checks.questions import FailureKind

MOST_KEYS = 5
"""How many keys are tried: sshd's MaxAuthTries is 6, and a password must have its turn."""

AGENT_SECONDS = 20.0
"""How long the agent may take for a signature; it may ask its owner."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private key that can sign, and how to name it in messages."""

    name: str
    key: paramiko.PKey


class _Agent(AgentSSH):
    """The SSH agent. Paramiko's takes no care of threads, and waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        connection: Any = get_agent_connection()
        if connection:
            connection.settimeout(AGENT_SECONDS)
            self._connect(connection)  # type: ignore[attr-defined]

    def _send_message(self, msg: bytes) -> Any:
        with self._lock:
            return super()._send_message(msg)  # type: ignore[misc]


class KeyRing:
    """All keys of a run: each file is read once, the agent asked once. Shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[tuple[str, str | None], Key | str] = {}
        self._agent: list[Key] | None = None

    def file(self, path: str, passphrase: str | None) -> Key | str:
        """Give the key of a file, or in words why there is none."""
        with self._lock:
            if (path, passphrase) not in self._files:
                self._files[path, passphrase] = _load(path, passphrase)
            return self._files[path, passphrase]

    def agent(self) -> list[Key]:
        """Give the agent's keys; none when there is no agent or it does not answer."""
        with self._lock:
            if self._agent is None:
                try:
                    keys = _Agent().get_keys()
                except (OSError, paramiko.SSHException, ValueError):
                    keys = ()
                self._agent = [Key(f"agent key {k.comment or k.fingerprint}", k) for k in keys]
            return self._agent


_KEYS: tuple[tuple[type, type[paramiko.PKey]], ...] = (
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (rsa.RSAPrivateKey, paramiko.RSAKey),
)


def _load(path: str, passphrase: str | None) -> Key | str:
    """Read a private key in any of the formats of ssh-keygen or PEM, with its certificate when one lies beside it."""
    file = Path(path).expanduser()
    try:
        data = file.read_bytes()
    except OSError as e:
        return f"{path}: {e.strerror}"
    secret = passphrase.encode() if passphrase else None
    loaded: Any
    try:
        try:
            loaded = serialization.load_ssh_private_key(data, secret)
        except ValueError:
            loaded = serialization.load_pem_private_key(data, secret)
    except TypeError:
        if secret:  # a passphrase that this key does not need
            return _load(path, None)
        return f"{path} is encrypted: load it into an agent with `ssh-add {path}`"
    except Exception:  # noqa: BLE001 - cryptography raises ValueError, UnsupportedAlgorithm and its own
        return f"{path}: no private key that can be read{' with this passphrase' if secret else ''}"
    made = next((made for kind, made in _KEYS if isinstance(loaded, kind)), None)
    if made is None:
        return f"{path}: keys of this type are not supported; use ed25519"
    text = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    key = made.from_private_key(io.StringIO(text.decode()))
    certificate = Path(f"{file}-cert.pub")
    if certificate.exists():
        key.load_certificate(str(certificate))
    return Key(path, key)


def login(transport: paramiko.Transport, options: Options, ring: KeyRing) -> None:
    """Log on with what there is, in turn: the named key, the password, the agent, the default keys; Lost if none does.

    A password that was given is meant, so it goes before keys that merely happen to be there.
    """
    tried: list[str] = []
    refused: set[str] = set()  # methods that the server does not take
    allowed: list[str] = []
    problems: list[str] = []
    for method, name, attempt in _attempts(transport, options, ring, problems):
        if method in refused or not transport.is_active():
            continue
        try:
            remaining = attempt()
            if remaining and options.password and {"password", "keyboard-interactive"} & set(remaining):
                remaining = transport.auth_password(options.user, options.password)  # a second factor
        except paramiko.BadAuthenticationType as e:
            allowed = list(e.allowed_types)
            refused.add(method)
        except paramiko.AuthenticationException:
            tried.append(name)
        else:
            if not remaining:
                return
            allowed = list(remaining)
            tried.append(f"{name} (accepted, but the server asks for more)")
    if not transport.is_active() and not tried and not refused and not problems:
        raise Lost(FailureKind.UNREACHABLE, "the connection was lost while logging on", again=True)
    raise Lost(FailureKind.AUTHENTICATION_FAILED, _explain(options, tried, allowed, problems))


def _explain(options: Options, tried: list[str], allowed: list[str], problems: list[str]) -> str:
    parts = [f"{options} was not let in"]
    if tried:
        parts.append(f"refused: {', '.join(tried)}")
    elif not problems and not allowed:
        parts.append("there is no key, agent or password to log on with")
    if allowed:
        parts.append(f"the server takes {', '.join(allowed)}")
        if set(allowed) <= {"gssapi-with-mic", "gssapi-keyex"}:
            parts.append("Kerberos logons over SSH are not supported")
    return "; ".join(parts + problems)


Attempt = tuple[str, str, Callable[[], list[str]]]


def _attempts(transport: paramiko.Transport, options: Options, ring: KeyRing, problems: list[str]) -> Iterator[Attempt]:
    """Give the ways to log on: method, name, and what to call; it gives the methods that must follow, mostly none."""
    used: set[bytes] = set()

    def offer(keys: Iterable[Key]) -> Iterator[Attempt]:
        for key in keys:
            blob = key.key.asbytes()
            if blob not in used and len(used) < MOST_KEYS:
                used.add(blob)
                yield "publickey", key.name, partial(transport.auth_publickey, options.user, key.key)

    yield from offer(_named(options, ring, problems))
    if options.password is not None:
        yield "password", "password", partial(transport.auth_password, options.user, options.password)
    if options.agent and not options.only_keys:
        yield from offer(ring.agent())
    if not options.keys:
        yield from offer(_default(options, ring, problems))


def _named(options: Options, ring: KeyRing, problems: list[str]) -> Iterator[Key]:
    """Give the keys named for this host; one whose file is encrypted, from the agent."""
    for path in options.keys:
        key = ring.file(path, options.passphrase)
        if isinstance(key, Key):
            yield key
            continue
        public = _public(path) if options.agent else None
        held = [k for k in ring.agent() if k.key.asbytes() == public] if public else []
        yield from held
        if not held:
            problems.append(key)


def _default(options: Options, ring: KeyRing, problems: list[str]) -> Iterator[Key]:
    """Give the keys that ssh would try."""
    for path in DEFAULT_KEYS:
        if isinstance(key := ring.file(path, options.passphrase), Key):
            yield key
        elif "encrypted" in key:
            problems.append(key)


def _public(path: str) -> bytes | None:
    """Read the public half that lies beside a private key which cannot be read, or is all there is."""
    for name in (f"{path}.pub", path):
        try:
            words = Path(name).expanduser().read_text(encoding="utf-8").split()
            return base64.b64decode(words[1])
        except (OSError, ValueError, IndexError, binascii.Error):
            continue
    return None
