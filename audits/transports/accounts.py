r"""The account that asks directories and file servers, and the guard that keeps it from being locked out.

`keuring_domain_user` is `user`, `DOMAIN\user` or `user@domain`; `keuring_domain_password` may be absent when there is
a Kerberos ticket. A wrong password tried on every server of an inventory would lock the account in a minute: AD
counts each attempt. So `Guard` lets one attempt go first, and stops the rest when it is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from spnego import CredentialCache, KerberosCCache, NTLMHash
from spnego._ntlm_raw.crypto import ntowfv1
from spnego.exceptions import SpnegoError

from audits.transports.base import Target
from audits.transports.connecting import Refused, Trouble, is_address
from checks.questions import FailureKind

logging.getLogger("spnego").setLevel(logging.WARNING)  # it would log its tokens
_SALT = os.urandom(16)
_PATIENCE = 20.0  # seconds to wait for another's attempt to be decided
_KDC_PATIENCE = 8.0  # seconds
_MEMORY = 600.0  # seconds that a refusal is remembered
_KDC_REFUSALS = {  # krb5.h: KRB5KDC_ERR_*, KRB5KRB_AP_ERR_*
    -1765328366: "the KDC says that the account is disabled or locked",
    -1765328361: "the KDC says that the password has expired",
    -1765328360: "the KDC says that the password is wrong",
}
_ENOUGH = 2  # refusals of member servers that weigh as much as one of a domain controller


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

    @property
    def key(self) -> tuple[str, str]:
        """What tells this account and password from others, without the password."""
        return self.logon_name.casefold(), hashlib.sha256(_SALT + (self.password or "").encode()).hexdigest()


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
        local = "" if "@" in account.logon_name or "\\" in account.logon_name else server
        with self._lock:
            state = self._states.setdefault((*account.key, local), _State())
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


def log_on(
    account: Account, hostname: str, turn: Turn, attempt: Callable[[str, Any], None], *, by_domain: bool
) -> None:
    """Log on with Kerberos or else NTLM, and tell the guard. Raises Trouble.

    `attempt("kerberos" | "ntlm", a pyspnego credential)` raises Refused when the account was refused, Trouble when
    something else is wrong, and SpnegoError when no token can be made. Kerberos needs the optional extra, a server
    with a name, and a ticket or a name with a realm. When it does not work (no KDC, a clock that is off, a service
    without that name) it makes way for NTLM, unless the KDC itself refused the password.
    """
    why = "Kerberos is not installed (keuring[kerberos])"
    try:
        if has_kerberos():
            why = _kerberos(account, hostname, attempt)
        if why and account.user and account.password is not None:
            attempt("ntlm", _ntlm(account.logon_name, account.password))
        elif why:
            what = "no keuring_domain_password is given" if account.user else "no keuring_domain_user is given"
            raise Trouble(FailureKind.AUTHENTICATION_FAILED, f"{what}, and {why}", lost=True)
    except SpnegoError as error:
        raise Trouble(FailureKind.UNREADABLE, f"NTLM failed: {error}", lost=True) from error
    except Refused as refused:
        turn.refused(refused.failure.detail, by_domain=by_domain or refused.by_kdc)
        raise
    turn.accepted()


def _ntlm(name: str, password: str) -> NTLMHash:
    """Give a credential for NTLM only.

    With the password itself pyspnego would first take it to the KDC, for every server anew: a wrong one would count
    twice towards the lockout, and a KDC that does not answer would cost a minute. A hash cannot go there.
    """
    return NTLMHash(name, nt_hash=ntowfv1(password).hex())


def _kerberos(account: Account, hostname: str, attempt: Callable[[str, Any], None]) -> str:
    """Try Kerberos: empty when it let us in, else why not. Raises Refused when the KDC refuses the password."""
    if is_address(hostname):
        return "Kerberos needs the server's name"
    if account.password is None:
        credential: Any = _Ticket(account.principal or None)
    elif not account.principal:
        return "Kerberos needs the account's domain"
    else:
        ticket, why = TICKETS.get(account)
        if not ticket:
            return why
        credential = KerberosCCache(ticket)
    try:
        attempt("kerberos", credential)
    except SpnegoError as error:
        return f"Kerberos: {error}"
    except Refused as refused:
        return f"Kerberos: {refused.failure.detail}"
    return ""


class Tickets:
    """Ticket-granting tickets in memory, one for each account and run: a password goes to the KDC once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[float, str, str]] = {}  # account -> when, cache, why not
        self._lock = threading.Lock()

    def get(self, account: Account) -> tuple[str, str]:
        """Give a credential cache's name, or an empty one and why there is none. Raises Refused."""
        with self._lock:
            now = time.monotonic()
            when, cache, why = self._known.get(account.key, (0.0, "", ""))
            if (not cache and not why) or now - when > _MEMORY:
                cache, why = self._ask_in_time(account)
                self._known[account.key] = (now, cache, why)
            return cache, why

    def _ask_in_time(self, account: Account) -> tuple[str, str]:
        """Ask the KDC, but not for as long as libkrb5 would: it tries every name and address for a minute or more."""
        given: list[tuple[str, str] | Refused] = []

        def ask() -> None:
            try:
                given.append(self._ask(account))
            except Refused as refused:
                given.append(refused)

        thread = threading.Thread(target=ask, daemon=True, name="kinit")
        thread.start()
        thread.join(_KDC_PATIENCE)
        if not given:
            return "", f"Kerberos: no KDC answered in {_KDC_PATIENCE:g} s"
        if isinstance(given[0], Refused):
            raise given[0]
        return given[0]

    @staticmethod
    def _ask(account: Account) -> tuple[str, str]:
        krb5 = importlib.import_module("krb5")
        try:
            context = krb5.init_context()
            principal = krb5.parse_name_flags(context, account.principal.encode())
            options = krb5.get_init_creds_opt_alloc(context)
            krb5.get_init_creds_opt_set_canonicalize(options, True)
            password = (account.password or "").encode()
            credential = krb5.get_init_creds_password(context, principal, options, password=password)
            cache = krb5.cc_new_unique(context, b"MEMORY")
            krb5.cc_initialize(context, cache, credential.client)
            krb5.cc_store_cred(context, cache, credential)
        except krb5.Krb5Error as error:
            if refusal := _KDC_REFUSALS.get(error.err_code):
                raise Refused(refusal, by_kdc=True) from error
            return "", f"Kerberos: {error}"
        return f"MEMORY:{krb5.cc_get_name(context, cache).decode()}", ""


GUARD = Guard()
TICKETS = Tickets()
