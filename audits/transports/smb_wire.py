"""smbprotocol's connection, made safe against servers that are slow, silent or hostile.

The library waits for ever, takes answers without a signature where signing is required (MS-SMB2 3.2.5.1.3 says to
discard them), believes a packet length of 4 GiB, and follows links to wherever the server points. This does not.
"""

from __future__ import annotations

import logging
import socket
import time
import uuid
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBConnectionClosed, SMBException, SMBResponseException
from smbprotocol.header import Commands, NtStatus, Smb2Flags
from smbprotocol.transport import Tcp

from checks.questions import MIB

logging.getLogger("smbprotocol").setLevel(logging.CRITICAL)  # its worker would log what is answered as a failure
_LARGEST = 16 * MIB + 64 * 1024  # bytes of one packet; 16 MiB less one is what the protocol can carry
_UNSOLICITED = 0xFFFFFFFFFFFFFFFF


class _Wire(Tcp):  # type: ignore[misc]  # the library is not typed
    """The library's transport over a socket that is connected already."""

    def __init__(self, sock: socket.socket, server: str, port: int) -> None:
        super().__init__(server, port)
        sock.settimeout(None)
        self._sock, self.connected = sock, True

    def recv(self, timeout: float) -> bytes | None:
        """Receive one packet; nothing at the end."""
        size, timeout = self._recv(4, timeout)
        if not size:
            return b""
        length = int.from_bytes(size, "big")
        if length > _LARGEST:
            raise SMBException(f"a packet of {length} bytes")
        packet: bytes | None = self._recv(length, timeout)[0]
        return packet


class BoundedConnection(Connection):  # type: ignore[misc]  # the library is not typed
    """A connection over `sock` that waits at most `silence` seconds for an answer."""

    def __init__(self, sock: socket.socket, server: str, port: int, silence: float) -> None:
        self._wire: Tcp = _Wire(sock, server, port)
        self._silence = silence
        super().__init__(uuid.uuid4(), server, port, require_signing=True)

    @property
    def transport(self) -> Tcp:
        """The socket that we made; `connect` of the library would make one without a typed failure."""
        return self._wire

    @transport.setter
    def transport(self, _: Tcp | None) -> None:
        pass

    def receive(
        self,
        request: Any,
        wait: bool = True,  # noqa: ARG002 - the library's signature
        timeout: float | None = None,  # noqa: ARG002
        resolve_symlinks: bool = True,  # noqa: ARG002
    ) -> Any:
        """Wait for the final answer to a request. Raises TimeoutError and the library's exceptions."""
        deadline = time.monotonic() + self._silence
        while True:
            self._check_worker_running()
            if not request.response_event.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError("no answer in time")
            with request.response_event_lock:
                self._check_worker_running()
                response = request.response
                if response is None:
                    raise SMBConnectionClosed("closed while waiting")
                status = response["status"].get_value()
                if status != NtStatus.STATUS_PENDING:
                    break
                request.response_event.clear()
        self.outstanding_requests.pop(request.message["message_id"].get_value(), None)
        if status != NtStatus.STATUS_SUCCESS:
            raise SMBResponseException(response)
        return response

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        """Verify an answer's signature; one that lacks it, or came in clear on a sealed session, is refused."""
        session = self.session_table.get(session_id)
        unsolicited = header["message_id"].get_value() == _UNSOLICITED
        interim = header["status"].get_value() == NtStatus.STATUS_PENDING
        setup = header["command"].get_value() == Commands.SMB2_SESSION_SETUP
        if session and not (force or unsolicited or interim or setup):
            if session.encrypt_data:
                raise SMBException("an answer in clear on an encrypted session")
            if session.signing_required and not header["flags"].has_flag(Smb2Flags.SMB2_FLAGS_SIGNED):
                raise SMBException("an answer without a signature")
        super().verify_signature(header, session_id, force)

    def credits(self) -> int:
        """How many credits are left for requests."""
        with self.sequence_lock:
            return int(self.sequence_window["high"] - self.sequence_window["low"])
