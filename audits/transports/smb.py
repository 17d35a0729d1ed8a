"""SMB: files, descriptors and shares of a file server over one signed session, and what it offers before a logon.

The account is `keuring_domain_user`; `keuring_smb_port` gives another port than 445. SMB 2.0.2 and newer; SMB 1 is
only probed for.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator, Sequence

from smbprotocol.connection import SecurityMode

from audits.transports.accounts import GUARD, Account, Guard, log_on
from audits.transports.base import JSON, Answered, Settings, Target
from audits.transports.connecting import Trouble, ask_over, broken, connect, port_of, server_name
from audits.transports.smb_client import FileServer, Limits
from audits.transports.smb_status import trouble_of
from audits.transports.smb_tree import kept, walk
from checks.questions import FailureKind, Question, SmbNegotiate, SmbRead, SmbSecurity, SmbShares, SmbTree

PORT = 445
_DIALECTS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}
_SMB1_NEGOTIATE = (
    b"\xffSMB\x72" + bytes(4) + b"\x18" + b"\x01\xc8" + bytes(14) + b"\xff\xfe" + bytes(4)  # MS-CIFS 2.2.3.1
    + b"\x00\x0c\x00\x02NT LM 0.12\x00"  # no words; one dialect (MS-CIFS 2.2.4.52.1)
)  # fmt: skip
_SMB1_NO_DIALECT = 0xFFFF
_SMB1_SIGNING_REQUIRED = 0x08


class SmbTransport:
    """Asks file servers."""

    def __init__(self, settings: Settings, limits: Limits | None = None, guard: Guard = GUARD) -> None:
        self._settings, self._limits, self._guard = settings, limits or Limits(), guard

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Ask over one session; what needs no logon is asked without one."""
        offers = [q for q in questions if isinstance(q, SmbNegotiate)]
        others = [q for q in questions if not isinstance(q, SmbNegotiate)]
        if offers:
            yield from ask_over(target, offers, lambda server: _Offer(self._negotiate(target, server)))
        if others:
            yield from ask_over(target, others, lambda server: self._session(target, server))

    def _session(self, target: Target, server: Target) -> _Reader:
        account = Account.of(target, server)
        hostname = server_name(server, account.domain)
        port = port_of(server, target, "keuring_smb_port", PORT)
        files = FileServer(server.address, port, hostname, self._settings.connect_timeout, self._limits)
        try:
            with self._guard.turn(account, server.name) as turn:
                log_on(account, hostname, turn, lambda _, who: files.log_on(who), by_domain=target.kind == "domain")
        except BaseException:
            files.close()
            raise
        return _Reader(files, account.domain, self._limits)

    def _negotiate(self, target: Target, server: Target) -> JSON:
        """Negotiate SMB 2 or 3, and see whether SMB 1 would be spoken. Raises Trouble."""
        port = port_of(server, target, "keuring_smb_port", PORT)
        hostname = server_name(server, target.domain)
        timeout = self._settings.connect_timeout
        smb1 = _negotiate_smb1(server.address, port, timeout)
        try:
            files = FileServer(server.address, port, hostname, timeout, self._limits)
        except Trouble:
            if smb1 is None:
                raise
            return {"dialect": "1.0", "signing_required": smb1, "encryption": False, "smb1": True}
        try:
            connection = files.connection
            return {
                "dialect": _DIALECTS.get(connection.dialect, f"{connection.dialect:#x}"),
                "signing_required": bool(
                    connection.server_security_mode & SecurityMode.SMB2_NEGOTIATE_SIGNING_REQUIRED
                ),
                "encryption": bool(connection.supports_encryption),
                "smb1": smb1 is not None,
            }
        finally:
            files.close()


class _Offer:
    """The answer to SmbNegotiate, which is known once the server was reached."""

    def __init__(self, value: JSON) -> None:
        self._value = value

    def answer(self, _question: Question) -> JSON:
        """Give it."""
        return self._value

    def close(self) -> None:
        """Everything is closed already."""


class _Reader:
    """Answers questions over a session."""

    def __init__(self, files: FileServer, domain: str, limits: Limits) -> None:
        self._files, self._domain, self._limits = files, domain, limits

    def close(self) -> None:
        """End the session."""
        self._files.close()

    def answer(self, question: Question) -> JSON:
        """Give the answer as the question's docstring says. Raises Trouble."""
        self._files.allow()
        try:
            if isinstance(question, SmbShares):
                return self._shares(question)
            if isinstance(question, SmbRead):
                return self._read(question)
            if isinstance(question, SmbTree):
                return self._tree(question)
            if isinstance(question, SmbSecurity):
                return self._security(question)
        except Trouble:
            raise
        except Exception as error:
            raise trouble_of(error, type(question).__name__) from error
        raise Trouble(FailureKind.UNREADABLE, f"{type(question).__name__} is no question for SMB")

    def _path(self, path: str) -> str:
        return path.replace("{domain}", self._domain).replace("/", "\\").strip("\\")

    def _shares(self, question: SmbShares) -> JSON:
        return [
            {
                "name": share.name,
                "type": share.type,
                "remark": share.remark,
                "path": share.path,
                "descriptor": None if share.descriptor is None else base64.b64encode(share.descriptor).decode(),
                "error": share.error,
            }
            for share in self._files.shares(question.also)
        ]

    def _read(self, question: SmbRead) -> JSON:
        tree = self._files.tree(question.share)
        data = tree and self._files.read(tree, self._path(question.path), question.limit)
        return None if data is None else base64.b64encode(kept(question.path, data)).decode()

    def _security(self, question: SmbSecurity) -> JSON:
        tree = self._files.tree(question.share)
        descriptor = tree and self._files.security(tree, self._path(question.path))
        return None if descriptor is None else base64.b64encode(descriptor).decode()

    def _tree(self, question: SmbTree) -> JSON:
        tree = self._files.tree(question.share)
        return tree and walk(self._files, tree, self._path(question.path), question, self._limits)


def _negotiate_smb1(address: str, port: int, timeout: float) -> bool | None:
    """Offer SMB 1 alone (NT LM 0.12): None when the server will not have it, else whether it requires signing.

    Servers without SMB 1 close the connection, or answer that they choose no dialect. Raises Trouble.
    """
    with connect(address, port, timeout) as sock:
        try:
            sock.sendall(len(_SMB1_NEGOTIATE).to_bytes(4, "big") + _SMB1_NEGOTIATE)
            head = _receive(sock, 4)
            answer = _receive(sock, min(int.from_bytes(head[1:], "big"), 512)) if len(head) == 4 else b""  # noqa: PLR2004
        except ConnectionError:
            return None
        except OSError as error:
            raise broken(error, "probing for SMB 1") from error
    if len(answer) < 36 or answer[:5] != b"\xffSMB\x72" or answer[5:9] != bytes(4) or not answer[32]:  # noqa: PLR2004
        return None
    if int.from_bytes(answer[33:35], "little") == _SMB1_NO_DIALECT:
        return None
    return bool(answer[35] & _SMB1_SIGNING_REQUIRED)


def _receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := sock.recv(size - len(data))):
        data += part
    return data
