"""One file per protocol, one library each: questions in, answers out."""

from __future__ import annotations

import importlib
import threading

from audits.transports.base import Settings, Target, Transport

_CLASSES = {
    "ssh": ("ssh", "SshTransport"),
    "local": ("local", "LocalTransport"),
    "ldap": ("ldap", "LdapTransport"),
    "smb": ("smb", "SmbTransport"),
    "dns": ("dns", "DnsTransport"),
    "probe": ("probe", "ProbeTransport"),
}


class Transports:
    """Makes each transport once, when it is first needed: their libraries are slow to import."""

    def __init__(self, settings: Settings, replay: Transport | None = None) -> None:
        self._settings, self._replay = settings, replay
        self._made: dict[str, Transport] = {}
        self._lock = threading.Lock()

    def get(self, name: str, target: Target) -> Transport:
        """Give the transport for a question's transport word and a target (a local host is asked without SSH)."""
        if self._replay is not None:
            return self._replay
        if name == "ssh" and target.variables.get("ansible_connection") == "local":
            name = "local"
        with self._lock:
            if name not in self._made:
                module, cls = _CLASSES[name]
                self._made[name] = getattr(importlib.import_module(f"audits.transports.{module}"), cls)(self._settings)
            return self._made[name]
