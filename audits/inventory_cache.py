"""What Ansible told of an inventory, kept for the next run: Ansible takes a second, reading this a millisecond.

The key is a digest of everything that the answer depends on, so nothing ever needs to be thrown away by hand. When the
inventory has vaulted values, the entry is encrypted with a key derived from the vault password (scrypt, Fernet): the
cache must not undo the vault. Without the password in hand nothing is kept. A cache that cannot be read or written is
no error: then Ansible is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from audits.inventory_files import Sources

FORMAT = 1
_KEEP = 90 * 86_400  # seconds; older entries are removed
_SALT = 16  # bytes


def folder() -> Path:
    """Give the folder of the cache: below XDG_CACHE_HOME, by default ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "keuring" / "inventories"


class Cache:
    """The place of one inventory's answer in the cache."""

    def __init__(self, place: Path, sources: Sources, password: bytes | None) -> None:
        self._password = password if sources.vaulted else None
        suffix = "fernet" if sources.vaulted else "json"
        self._file = place / f"{_key(sources)}.{suffix}"
        self._usable = not sources.dynamic and (not sources.vaulted or password is not None)

    def get(self) -> Any:
        """Give what was kept, or None."""
        if not self._usable:
            return None
        try:
            data = self._file.read_bytes()
            return json.loads(_open(data, self._password) if self._password is not None else data)
        except (OSError, ValueError):
            return None

    def put(self, value: Any) -> None:
        """Keep a JSON value; mode 600 in a folder of mode 700, put in its place at once or not at all."""
        if not self._usable:
            return
        data = json.dumps(value, separators=(",", ":")).encode()
        if self._password is not None:
            data = _seal(data, self._password)
        place = self._file.parent
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            _tidy(place)
            handle, name = tempfile.mkstemp(dir=place, prefix="new-")  # mode 600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                Path(name).replace(self._file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


def _key(sources: Sources) -> str:
    """Digest all that the answer depends on: files, their place, Ansible's version, configuration and environment."""
    total = hashlib.sha256(f"{FORMAT} {importlib.metadata.version('ansible-core')} {sources.digest}".encode())
    for given in sources.given:
        total.update(f"\0{given}".encode("utf-8", "surrogateescape"))
    for name in sorted(os.environ):
        if name.startswith("ANSIBLE_"):
            total.update(f"\0{name}={os.environ[name]}".encode("utf-8", "surrogateescape"))
    own = os.environ.get("ANSIBLE_CONFIG", "")
    for config in (*([Path(own)] if own else []), Path("ansible.cfg"), Path.home() / ".ansible.cfg"):
        with contextlib.suppress(OSError):
            total.update(b"\0" + config.read_bytes())
    with contextlib.suppress(OSError):
        total.update(b"\0" + Path("/etc/ansible/ansible.cfg").read_bytes())
    return total.hexdigest()


def _tidy(place: Path) -> None:
    limit = time.time() - _KEEP
    for entry in place.iterdir():
        with contextlib.suppress(OSError):
            if entry.is_file() and entry.stat().st_mtime < limit:
                entry.unlink()


def _fernet(password: bytes, salt: bytes) -> Any:
    import base64  # noqa: PLC0415 - only for vaulted inventories

    from cryptography.fernet import Fernet  # noqa: PLC0415

    # 16 MiB, some 50 ms: the OpenSSL default limit allows no more, and the vault itself uses 10,000 rounds of PBKDF2
    derived = hashlib.scrypt(password, salt=salt, n=2**14, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(derived))


def _seal(data: bytes, password: bytes) -> bytes:
    salt = os.urandom(_SALT)
    return salt + bytes(_fernet(password, salt).encrypt(data))


def _open(data: bytes, password: bytes) -> bytes:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    try:
        return bytes(_fernet(password, data[:_SALT]).decrypt(data[_SALT:]))
    except InvalidToken:
        raise ValueError("sealed with another password, or damaged") from None
