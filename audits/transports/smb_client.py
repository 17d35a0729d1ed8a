"""One session on a file server that reads: files, directories, descriptors and shares, in few round trips.

Opening, reading and closing travel in one compound request (MS-SMB2 3.2.4.1.4), and several of them are under way at
a time as far as the server's credits go: a SYSVOL far away costs some ten round trips, not three for each file.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from smbprotocol.exceptions import SMBAuthenticationError, SMBException, SMBResponseException
from smbprotocol.file_info import FileInformationClass, InfoType
from smbprotocol.header import NtStatus
from smbprotocol.ioctl import CtlCode, IOCTLFlags, SMB2IOCTLRequest, SMB2IOCTLResponse
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2QueryDirectoryResponse,
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect
from spnego.exceptions import SpnegoError

from audits.transports import srvsvc
from audits.transports.connecting import Trouble, connect
from audits.transports.smb_status import MISSING, trouble_of, trouble_of_logon
from audits.transports.smb_wire import BoundedConnection
from checks.questions import KIB, MIB, FailureKind

_READ, _LIST, _READ_CONTROL, _READ_WRITE = 0x81, 0x81, 0x20000, 0x3  # with FILE_READ_ATTRIBUTES
_ANYONE = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
_OWNER_GROUP_DACL = 0x7
_DIRECTORY, _REPARSE_POINT = 0x10, 0x400
_ONE_CREDIT = 64 * KIB
_LARGE_READ = 1 * MIB
_WINDOW = 16  # compound requests under way
_ENTRY = struct.Struct("<II32xQ8xII")  # FileDirectoryInformation (MS-FSCC 2.4.10)
_Message = tuple[Any, Callable[[Any], Any]]  # and what reads its answer
T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may cost."""

    silence: float = 30.0  # seconds without an answer
    whole: float = 300.0  # seconds for all of a question
    content: int = 128 * MIB  # bytes of all files of a tree
    depth: int = 40  # directories below each other


@dataclass(slots=True)
class _Compound:
    """A compound request under way: `readers` wait for its answers in order, the last one for that to its closing."""

    opened: Open
    readers: Sequence[Callable[[], Any]]
    close_again: Callable[[], Any]

    def result(self, index: int) -> Any:
        """Wait for an answer and give what it holds. Raises the library's exceptions."""
        return self.readers[index]()

    def close(self) -> None:
        """Take the answer to the closing; a server that skipped it after an error (Windows does) is asked again."""
        was_open = self.opened.connected
        try:
            self.readers[-1]()
        except SMBResponseException:
            if was_open:
                with contextlib.suppress(SMBException, OSError):
                    self.close_again()
        except (SMBException, OSError):
            pass  # the connection is gone, and what was asked has told so


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a directory."""

    name: str
    size: int
    directory: bool
    link: bool


class FileServer:
    """A logged-on session."""

    def __init__(self, address: str, port: int, hostname: str, connect_timeout: float, limits: Limits) -> None:
        self._limits, self._hostname = limits, hostname
        self._deadline = 0.0
        self._trees: dict[str, TreeConnect | Trouble | None] = {}
        sock = connect(address, port, connect_timeout)
        self.connection = BoundedConnection(sock, hostname, port, limits.silence)
        try:
            self.connection.connect(timeout=limits.silence)
        except Exception as error:
            self.close()
            raise trouble_of(error, "negotiating SMB") from error

    def close(self) -> None:
        """End the session and close; a peer that is gone already does not matter."""
        try:
            self.connection.disconnect(timeout=1)
        except Exception:  # noqa: BLE001 - whatever the connection died of was told already
            self.connection.transport.close()

    def log_on(self, credential: Any) -> None:
        """Start a signed session. Raises Trouble, and SpnegoError when no token could be made."""
        session = Session(self.connection, credential, require_encryption=False)
        try:
            session.connect()
        except SMBAuthenticationError as error:
            if isinstance(error.__cause__, SpnegoError):
                raise error.__cause__ from error
            raise trouble_of_logon(error) from error
        except SpnegoError:
            raise
        except Exception as error:
            raise trouble_of_logon(error) from error
        self._session = session

    def allow(self) -> None:
        """Give the next question its full time."""
        self._deadline = time.monotonic() + self._limits.whole

    def tree(self, share: str) -> TreeConnect | None:
        r"""Connect to `\\server\share`, once; None when there is no such share. Raises Trouble."""
        key = share.casefold()
        if key not in self._trees:
            self._trees[key] = self._connect_tree(share)
        known = self._trees[key]
        if isinstance(known, Trouble):
            raise known
        return known

    def _connect_tree(self, share: str) -> TreeConnect | Trouble | None:
        try:
            tree = TreeConnect(self._session, rf"\\{self._hostname}\{share}")
            tree.connect()
        except SMBResponseException as error:
            if error.status in MISSING:
                return None
            return trouble_of(error, f"connecting to {share}")
        except Exception as error:
            raise trouble_of(error, f"connecting to {share}") from error
        return tree

    def read(self, tree: TreeConnect, path: str, limit: int, size: int = _ONE_CREDIT) -> bytes | None:
        """Read a file; None when there is none. Raises Trouble, too_large above `limit` bytes."""
        (read,) = self.read_many(tree, [(path, size)], limit)
        if isinstance(read, Trouble):
            raise read
        return read

    def read_many(
        self, tree: TreeConnect, files: Iterable[tuple[str, int]], limit: int
    ) -> Iterator[bytes | Trouble | None]:
        """Read files of about these sizes, several at a time: the bytes, None, or what went wrong with this one."""
        files = list(files)
        most = min(self._largest_read(), limit + 1)

        def first(file: tuple[str, int]) -> int:
            return min(max(file[1], 1), most)

        def send(file: tuple[str, int]) -> _Compound:
            opened = Open(tree, file[0])
            read = opened.read(0, first(file), send=False)
            return self._compound(opened, _create(opened, _READ, CreateOptions.FILE_NON_DIRECTORY_FILE), read)

        def receive(file: tuple[str, int], sent: _Compound) -> bytes | Trouble | None:
            try:
                sent.result(0)
                size: int = sent.opened.end_of_file
                if size > limit:
                    return Trouble(FailureKind.TOO_LARGE, f"{file[0]} has {size} bytes")
                data: bytes = sent.result(1) if size else b""
                if len(data) < size:
                    data += self._read_on(tree, file[0], len(data), size)
            except SMBResponseException as error:
                return None if error.status in MISSING else trouble_of(error, f"reading {file[0]}")
            finally:
                sent.close()
            return data

        cost = 2 + -(-max((first(f) for f in files), default=1) // _ONE_CREDIT)
        return self._under_way(files, send, receive, cost)

    def _largest_read(self) -> int:
        most = _LARGE_READ if self.connection.supports_multi_credit else _ONE_CREDIT
        return int(min(most, self.connection.max_read_size))

    def _read_on(self, tree: TreeConnect, path: str, start: int, end: int) -> bytes:
        """Read the rest of a file that is larger than the first read."""
        opened = Open(tree, path)
        self._created(opened, _READ, CreateOptions.FILE_NON_DIRECTORY_FILE)
        largest = min(
            _LARGE_READ if self.connection.supports_multi_credit else _ONE_CREDIT, self.connection.max_read_size
        )
        data = bytearray()
        try:
            while start + len(data) < end:
                self._in_time()
                part = opened.read(start + len(data), min(largest, end - start - len(data)))
                if not part:
                    break
                data += part
        finally:
            opened.close()
        return bytes(data)

    def list_many(self, tree: TreeConnect, paths: Iterable[str], most: int) -> Iterator[list[Listed] | Trouble | None]:
        """List directories, several at a time: the entries, None when there is none, or what went wrong with it."""

        def send(path: str) -> _Compound:
            opened = Open(tree, path)
            create = _create(opened, _LIST, CreateOptions.FILE_DIRECTORY_FILE)
            return self._compound(opened, create, _query(opened), _query(opened))

        def receive(path: str, sent: _Compound) -> list[Listed] | Trouble | None:
            found: list[Listed] = []
            try:
                sent.result(0)
                if _add_entries(lambda: sent.result(1), found) and _add_entries(lambda: sent.result(2), found):
                    return self._list_on(tree, path, most)  # there is more than two answers hold
            except SMBResponseException as error:
                return None if error.status in MISSING else trouble_of(error, f"listing {path}")
            finally:
                sent.close()
            return found

        return self._under_way(list(paths), send, receive, 4)

    def _list_on(self, tree: TreeConnect, path: str, most: int) -> list[Listed]:
        opened = Open(tree, path)
        self._created(opened, _LIST, CreateOptions.FILE_DIRECTORY_FILE)
        found: list[Listed] = []
        try:
            while _add_entries(lambda: self._once(tree, _query(opened)), found):
                self._in_time()
                if len(found) > most:
                    raise Trouble(FailureKind.TOO_LARGE, f"more than {most} entries in {path}")
        finally:
            opened.close()
        return found

    def security(self, tree: TreeConnect, path: str) -> bytes | None:
        """Read owner, group and DACL of a file or directory; None when there is none. Raises Trouble."""
        opened = Open(tree, path)
        query = SMB2QueryInfoRequest()
        query["info_type"] = InfoType.SMB2_0_INFO_SECURITY
        query["output_buffer_length"] = _ONE_CREDIT
        query["additional_information"] = _OWNER_GROUP_DACL
        query["file_id"] = opened.file_id
        sent = self._compound(opened, _create(opened, _READ_CONTROL, 0), (query, self.connection.receive))
        try:
            sent.result(0)
            answer = SMB2QueryInfoResponse()
            answer.unpack(sent.result(1)["data"].get_value())
        except SMBResponseException as error:
            if error.status in MISSING:
                return None
            raise
        finally:
            sent.close()
        descriptor: bytes = answer["buffer"].get_value()
        return descriptor

    def shares(self, also: tuple[str, ...] = ()) -> list[srvsvc.Share]:
        """List the shares with their descriptors, as far as the server shows them, and `also` these. Raises Trouble."""
        tree = self.tree("IPC$")
        if tree is None:
            raise Trouble(FailureKind.UNREADABLE, "the server has no IPC$")
        opened = Open(tree, "srvsvc")
        self._created(opened, _READ_WRITE, CreateOptions.FILE_NON_DIRECTORY_FILE)
        try:
            pipe = srvsvc.Pipe(lambda data: self._transceive(tree, opened, data), lambda: opened.read(0, _ONE_CREDIT))
            return srvsvc.all_shares(pipe, self._hostname, also, self._in_time)
        except srvsvc.RpcFault as fault:
            kind = FailureKind.DENIED if fault.status == srvsvc.ACCESS_DENIED else FailureKind.UNREADABLE
            raise Trouble(kind, f"listing shares: {fault}") from fault
        except srvsvc.BadRpc as error:
            raise Trouble(FailureKind.UNREADABLE, f"listing shares: {error}", lost=True) from error
        finally:
            opened.close()

    def _transceive(self, tree: TreeConnect, opened: Open, data: bytes) -> bytes:
        request = SMB2IOCTLRequest()
        request["ctl_code"] = CtlCode.FSCTL_PIPE_TRANSCEIVE
        request["file_id"] = opened.file_id
        request["max_output_response"] = _ONE_CREDIT
        request["flags"] = IOCTLFlags.SMB2_0_IOCTL_IS_FSCTL
        request["buffer"] = data
        try:
            response = self._once(tree, (request, self.connection.receive))
        except SMBResponseException as error:
            if error.status != NtStatus.STATUS_BUFFER_OVERFLOW:  # there is more to read
                raise
            response = error.header
        answer = SMB2IOCTLResponse()
        answer.unpack(response["data"].get_value())
        back: bytes = answer["buffer"].get_value()
        return back

    def _once(self, tree: TreeConnect, message: _Message) -> Any:
        """Send one message, and give what its answer holds."""
        return message[1](self.connection.send(message[0], self._session.session_id, tree.tree_connect_id))

    def _compound(self, opened: Open, *messages: _Message) -> _Compound:
        """Send messages about one file, and its closing, as one."""
        several = [*messages, opened.close(send=False)]
        tree = opened.tree_connect
        sent = self.connection.send_compound(
            [message for message, _ in several], self._session.session_id, tree.tree_connect_id, related=True
        )
        readers = [functools.partial(read, one) for (_, read), one in zip(several, sent, strict=True)]
        return _Compound(opened, readers, lambda: self._once(tree, opened.close(send=False)))

    @staticmethod
    def _created(opened: Open, access: int, options: int) -> None:
        opened.create(ImpersonationLevel.Impersonation, access, 0, _ANYONE, CreateDisposition.FILE_OPEN, options)

    def _under_way(
        self, items: list[T], send: Callable[[T], S], receive: Callable[[T, S], R], cost: int
    ) -> Iterator[R]:
        """Send for several items before receiving for the first, within the credits."""
        flying: collections.deque[tuple[T, S]] = collections.deque()
        for item in items:
            while flying and (len(flying) >= _WINDOW or self.connection.credits() < cost):
                self._in_time()
                yield receive(*flying.popleft())
            flying.append((item, send(item)))
        while flying:
            self._in_time()
            yield receive(*flying.popleft())

    def _in_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise Trouble(FailureKind.TIMED_OUT, f"not done in {self._limits.whole:g} s", lost=True)


def _create(opened: Open, access: int, options: int) -> _Message:
    """Make the message that opens what exists, and never makes it."""
    how = (ImpersonationLevel.Impersonation, access, 0, _ANYONE, CreateDisposition.FILE_OPEN, options)
    message: _Message = opened.create(*how, send=False)
    return message


def _query(opened: Open) -> _Message:
    """Make the message that asks for (more) entries of a directory; its reader gives the raw buffer."""
    message, _ = opened.query_directory("*", FileInformationClass.FILE_DIRECTORY_INFORMATION, 0, send=False)

    def read(request: Any) -> bytes:
        answer = SMB2QueryDirectoryResponse()
        answer.unpack(opened.connection.receive(request)["data"].get_value())
        buffer: bytes = answer["buffer"].get_value()
        return buffer

    return message, read


def _add_entries(query: Callable[[], bytes], found: list[Listed]) -> bool:
    """Add what a directory query gives; False when it gives no more."""
    try:
        found += read_entries(query())
    except SMBResponseException as error:
        if error.status in (NtStatus.STATUS_NO_MORE_FILES, NtStatus.STATUS_NO_SUCH_FILE):
            return False
        raise
    return True


def read_entries(buffer: bytes) -> list[Listed]:
    """Read a buffer of FileDirectoryInformation, without `.` and `..`. Raises Trouble."""
    found: list[Listed] = []
    at = 0
    while True:
        if at + _ENTRY.size > len(buffer):
            raise Trouble(FailureKind.UNREADABLE, "a directory entry ends too early", lost=True)
        step, _, size, attributes, length = _ENTRY.unpack_from(buffer, at)
        start = at + _ENTRY.size
        if start + length > len(buffer) or (step and step < _ENTRY.size):
            raise Trouble(FailureKind.UNREADABLE, "a directory entry without sense", lost=True)
        name = buffer[start : start + length].decode("utf-16-le", "replace")
        if not name or set(name) & set("\\/\0"):
            raise Trouble(FailureKind.UNREADABLE, "a file name that is a path", lost=True)
        if name not in (".", ".."):
            found.append(Listed(name, size, bool(attributes & _DIRECTORY), bool(attributes & _REPARSE_POINT)))
        if not step:
            return found
        at += step
