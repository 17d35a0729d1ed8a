r"""The account that asks directories and file servers, and the guard that keeps it from being locked out.

`keuring_domain_user` is `user`, `DOMAIN\user` or `user@domain`; `keuring_domain_password` may be absent when there is
a Kerberos ticket. A wrong password tried on every server of an inventory would lock the account in a minute: AD
counts each attempt. So `Guard` lets one attempt go first, and stops the rest when it is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from spnego import CredentialCache, Password
from spnego.exceptions import SpnegoError

from audits.transports.base import Target
from audits.transports.connecting import Refused, Trouble, is_address
from checks.questions import FailureKind

_SALT = os.urandom(16)
_PATIENCE = 20.0  # seconds to wait for another's attempt to be decided
_MEMORY = 600.0  # seconds that a refusal is remembered
_KDC_REFUSALS = {  # krb5.h: KRB5KDC_ERR_*, KRB5KRB_AP_ERR_*
    -1765328366: "the KDC says that the account is disabled or locked",
    -1765328361: "the KDC says that the password has expired",
    -1765328360: "the KDC says that the password is wrong",
}
_ENOUGH = 2  # refusals of member servers that weigh as much as one of a domain controller


class _Ntlm(Password):
    """A password for NTLM only: its form of the name would be wrong for Kerberos."""

    @property
    def supported_protocols(self) -> list[str]:
        return ["ntlm"]


class _Kerberos(Password):
    """A password for Kerberos only."""

    @property
    def supported_protocols(self) -> list[str]:
        return ["kerberos"]


class _Ticket(CredentialCache):
    """The ticket cache, for Kerberos only."""

    @property
    def supported_protocols(self) -> list[str]:
        return ["kerberos"]


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks. `password` None: the Kerberos ticket cache."""

    user: str
    password: str | None = field(repr=False)
    domain: str = ""

    @classmethod
    def of(cls, target: Target, server: Target) -> Account:
        """Take the account of a target, else of the server that is asked."""
        user, password = (
            target.variables.get(name, server.variables.get(name))
            for name in ("keuring_domain_user", "keuring_domain_password")
        )
        domain = target.domain or server.domain or (target.name if target.kind == "domain" else "")
        return cls(str(user or ""), None if password is None else str(password), domain)

    @property
    def logon_name(self) -> str:
        """The name for NTLM and simple binds: as given, or within the domain when it names none."""
        if self.user and self.domain and "\\" not in self.user and "@" not in self.user:
            return f"{self.user}@{self.domain}"
        return self.user

    @property
    def principal(self) -> str:
        r"""The name for Kerberos, realm in capitals; empty when it cannot be told (`OTHER\user`)."""
        name, _, realm = self.user.partition("@")
        if "\\" in name:
            netbios, _, name = name.partition("\\")
            realm = self.domain if netbios.casefold() == self.domain.partition(".")[0].casefold() else ""
        elif not realm:
            realm = self.domain
        return f"{name}@{realm.upper()}" if name and realm else ""

    def credentials(self, hostname: str) -> list[tuple[str, Any]]:
        """Give the ways to log on, best first: `("kerberos" | "ntlm", a pyspnego credential)`.

        Kerberos needs a server with a name, the optional extra and a name with a realm; it works with the password or
        with a ticket. Raises Trouble when nothing is possible.
        """
        ways: list[tuple[str, Any]] = []
        kerberos = has_kerberos()
        if kerberos and not is_address(hostname):
            if self.password is None:
                ways.append(("kerberos", _Ticket(self.principal or None)))
            elif self.principal:
                ways.append(("kerberos", _Kerberos(self.principal, self.password)))
        if self.user and self.password is not None:
            ways.append(("ntlm", _Ntlm(self.logon_name, self.password)))
        if ways:
            return ways
        what = "no keuring_domain_user is given" if not self.user else "no keuring_domain_password is given"
        why = "the server has no name for Kerberos" if kerberos else "Kerberos is not installed (keuring[kerberos])"
        raise Trouble(FailureKind.AUTHENTICATION_FAILED, f"{what}, and {why}", lost=True)


def has_kerberos() -> bool:
    """Tell whether the libraries of the optional extra are there."""
    return all(importlib.util.find_spec(name) for name in ("gssapi", "krb5"))


@dataclass(slots=True)
class _State:
    lock: threading.Lock = field(default_factory=threading.Lock)
    accepted: bool = False
    refusals: dict[str, tuple[str, int, float]] = field(default_factory=dict)  # server -> its words, weight, when


class Turn:
    """One attempt's outcome; saying nothing means that it was not decided."""

    def __init__(self, state: _State, server: str) -> None:
        self._state, self._server = state, server

    def accepted(self) -> None:
        """Say that the account was let in."""
        self._state.accepted = True
        self._state.refusals.clear()

    def refused(self, detail: str, *, by_domain: bool) -> None:
        """Say that name and password were refused, by a domain controller or by a server that may be wrong itself."""
        self._state.refusals[self._server] = (detail, _ENOUGH if by_domain else 1, time.monotonic())


class Guard:
    """Keeps one wrong password from locking an account out."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str, str], _State] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, account: Account, server: str) -> Iterator[Turn]:
        """Wait until it is known whether others were let in; Trouble when the account was refused elsewhere.

        A local account (no domain in its name) is an account of each server by itself.
        """
        secret = hashlib.sha256(_SALT + (account.password or "").encode()).hexdigest()
        local = "" if "@" in account.logon_name or "\\" in account.logon_name else server
        with self._lock:
            state = self._states.setdefault((account.logon_name.casefold(), secret, local), _State())
        if state.accepted:
            yield Turn(state, server)
            return
        held = state.lock.acquire(timeout=_PATIENCE)
        try:
            self._stop_if_refused(state, server)
            yield Turn(state, server)
        finally:
            if held:
                state.lock.release()

    @staticmethod
    def _stop_if_refused(state: _State, server: str) -> None:
        if state.accepted:
            return
        oldest = time.monotonic() - _MEMORY
        recent = {name: (said, weight) for name, (said, weight, when) in state.refusals.items() if when > oldest}
        if server in recent or sum(weight for _, weight in recent.values()) >= _ENOUGH:
            name = server if server in recent else max(recent, key=lambda n: recent[n][1])
            words = f"{recent[name][0]} (said {name}; not tried again, so that the account is not locked out)"
            raise Trouble(FailureKind.AUTHENTICATION_FAILED, words, lost=True)


def log_on(ways: list[tuple[str, Any]], turn: Turn, attempt: Callable[[str, Any], None], *, by_domain: bool) -> None:
    """Try the ways in order until one lets us in, and tell the guard. Raises Trouble.

    `attempt(how, credential)` raises Refused when the account was refused, Trouble when something else is wrong, and
    SpnegoError when no token can be made. Kerberos that does not work (no ticket, no realm, a clock that is off, a
    name without a service) makes way for NTLM, unless the KDC itself refused the password.
    """
    for i, (how, credential) in enumerate(ways):
        last = i == len(ways) - 1
        try:
            attempt(how, credential)
        except SpnegoError as error:
            refusal = _kdc_refusal(error)
            if refusal:
                turn.refused(refusal, by_domain=True)
            if refusal or last:
                words = refusal or f"{how}: {error}"
                raise Trouble(FailureKind.AUTHENTICATION_FAILED, words, lost=True) from error
        except Refused as refused:
            if how == "kerberos" and not last:
                continue
            turn.refused(refused.failure.detail, by_domain=by_domain)
            raise
        else:
            turn.accepted()
            return


def _kdc_refusal(error: BaseException | None) -> str:
    """Find in an error's chain the KDC's verdict on the account; empty when there is none."""
    for _ in range(10):
        if error is None:
            break
        if said := _KDC_REFUSALS.get(getattr(error, "err_code", None)):
            return said
        error = getattr(error, "base_error", None) or error.__cause__
    return ""


GUARD = Guard()
