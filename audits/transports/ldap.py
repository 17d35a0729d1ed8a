"""LDAP: searches in the directory over one bound connection per target.

`keuring_ldap` says how: `sealed` is GSS-SPNEGO with sealing on 389 (Kerberos when there is a ticket or a way to get
one, else NTLM), `ldaps` a simple bind over verified TLS on 636; `auto`, the default, tries sealed and falls back to
LDAPS when 389 is closed or will not have it. `keuring_ldap_port` gives another port. Nothing travels in clear.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from audits.transports.accounts import GUARD, Account, Guard, log_on
from audits.transports.base import Answered, Settings, Target
from audits.transports.connecting import (
    Refused,
    Trouble,
    ask_over,
    connect,
    port_of,
    server_name,
    tls_context,
)
from audits.transports.ldap_ber import Entry
from audits.transports.ldap_client import Directory, Limits, wrap_tls
from audits.transports.ldap_results import OUR_SECRETS
from checks.questions import FailureKind, LdapSearch, Question

SEALED_PORT, TLS_PORT = 389, 636
_TLS_PORTS = {636, 3269}
_FALL_BACK = {FailureKind.REFUSED, FailureKind.UNREACHABLE, FailureKind.DENIED}


class LdapTransport:
    """Asks directory servers."""

    def __init__(self, settings: Settings, limits: Limits | None = None, guard: Guard = GUARD) -> None:
        self._settings, self._limits, self._guard = settings, limits or Limits(), guard

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Ask over one bound connection; each question fails alone, a lost connection fails the rest."""
        return ask_over(target, questions, lambda server: _Searcher(self._open(target, server)))

    def _open(self, target: Target, server: Target) -> Directory:
        """Connect and bind as the variables say. Raises Trouble."""
        how = str(server.variables.get("keuring_ldap", target.variables.get("keuring_ldap", "auto")))
        if how not in {"auto", "sealed", "ldaps"}:
            raise Trouble(FailureKind.UNREADABLE, f"keuring_ldap is auto, sealed or ldaps, not {how!r}", lost=True)
        port = port_of(server, target, "keuring_ldap_port", 0 if how == "auto" else self._default(how))
        account = Account.of(target, server)
        hostname = server_name(server, account.domain)
        if how == "ldaps" or port in _TLS_PORTS:
            return self._ldaps(server, hostname, port or TLS_PORT, account)
        if how == "sealed" or port:
            return self._sealed(server, hostname, port or SEALED_PORT, account)
        try:
            return self._sealed(server, hostname, SEALED_PORT, account)
        except Trouble as first:
            if first.failure.kind not in _FALL_BACK:
                raise
            try:
                return self._ldaps(server, hostname, TLS_PORT, account)
            except Trouble as second:
                worse = first if second.failure.kind in _FALL_BACK else second
                detail = f"sealed: {first.failure.detail}; LDAPS: {second.failure.detail}"
                raise Trouble(worse.failure.kind, detail, lost=True) from second

    @staticmethod
    def _default(how: str) -> int:
        return TLS_PORT if how == "ldaps" else SEALED_PORT

    def _sealed(self, server: Target, hostname: str, port: int, account: Account) -> Directory:
        directory = Directory(connect(server.address, port, self._settings.connect_timeout), self._limits)
        with _closed_on_trouble(directory), self._guard.turn(account, server.name) as turn:
            log_on(account, hostname, turn, lambda how, who: directory.bind_sealed(who, hostname, how), by_domain=True)
        return directory

    def _ldaps(self, server: Target, hostname: str, port: int, account: Account) -> Directory:
        if not account.user or not account.password:
            words = "LDAPS needs keuring_domain_user and keuring_domain_password"
            raise Trouble(FailureKind.AUTHENTICATION_FAILED, words, lost=True)
        context = tls_context(self._settings.ca_file)
        sock = connect(server.address, port, self._settings.connect_timeout)
        directory = Directory(wrap_tls(sock, hostname, context), self._limits)
        with _closed_on_trouble(directory), self._guard.turn(account, server.name) as turn:
            try:
                directory.bind_simple(account.logon_name, account.password)
            except Refused as refused:
                turn.refused(refused.failure.detail, by_domain=True)
                raise
            turn.accepted()
        return directory


@contextlib.contextmanager
def _closed_on_trouble(directory: Directory) -> Iterator[None]:
    try:
        yield
    except BaseException:
        directory.close()
        raise


class _Searcher:
    """Answers LdapSearch over a connection."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def close(self) -> None:
        """Say goodbye."""
        self._directory.close()

    def answer(self, question: Question) -> list[dict[str, Any]]:
        """Search, and give the entries as LdapSearch says. Raises Trouble."""
        if not isinstance(question, LdapSearch):
            raise Trouble(FailureKind.UNREADABLE, f"{type(question).__name__} is no question for LDAP")
        wanted = list(dict.fromkeys((*question.attributes, *question.binary)))
        if secret := sorted({a for a in wanted if a.lower().partition(";")[0] in OUR_SECRETS}):
            raise Trouble(FailureKind.DENIED, f"keuring never asks for secrets: {', '.join(secret)}")
        if not question.attributes:
            wanted += ["*", "+"] if question.nc == "root" else ["*"]
        base = ",".join(part for part in (question.rdn, self._directory.base(question.nc)) if part)
        found = self._directory.search(base, question.scope, question.filter, wanted, question.sd_flags)
        binary = {name.lower() for name in question.binary}
        return sorted((_entry(entry, binary) for entry in found or ()), key=lambda e: str(e["dn"]))


def _entry(entry: Entry, binary: set[str]) -> dict[str, Any]:
    return {
        "dn": entry.dn,
        "attributes": {
            name: [base64.b64encode(v).decode() if name in binary else v.decode("utf-8", "replace") for v in values]
            for name, values in entry.attributes.items()
        },
    }
