"""Two calls of the Server Service: all shares, and one share with its descriptor.

MS-SRVS 3.1.4.8 NetrShareEnum and 3.1.4.10 NetrShareGetInfo, over a named pipe with connection-oriented DCE/RPC (C706
chapters 12 and 14, little-endian NDR). The server may send anything: every read stays within what came.
"""

from __future__ import annotations

import dataclasses
import struct
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from checks.questions import MIB

ACCESS_DENIED = 5  # Win32
_NO_SUCH_SHARE = {2310, 123, 2}  # NERR_NetNameNotFound of Windows, ERROR_INVALID_NAME of Samba, ERROR_FILE_NOT_FOUND
_SRVSVC = uuid.UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188")
_NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860")
_REQUEST, _RESPONSE, _FAULT, _BIND, _BIND_ACK, _BIND_NAK = 0, 2, 3, 11, 12, 13
_FIRST, _LAST = 1, 2  # pfc_flags
_FRAGMENT = 4280  # bytes, as Windows and Samba have it
_HEADER = struct.Struct("<BBBBIHHI")
_MOST = 16 * MIB  # of one answer
_MOST_FRAGMENTS = 20_000
_MOST_SHARES = 5_000
_ENUM, _GET_INFO = 15, 16
_UNLIMITED = 0xFFFFFFFF


class BadRpc(ValueError):
    """What came is no answer to our call."""


class RpcFault(Exception):
    """The server refuses the call; `status` is an NCA or Win32 code."""

    def __init__(self, status: int) -> None:
        super().__init__(f"RPC fault {status:#x}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Share:
    """A share. `path` and `descriptor` are None when the level did not give them; `error` is a Win32 code then."""

    name: str
    type: int
    remark: str
    path: str | None = None
    descriptor: bytes | None = None
    error: int | None = None


class Pipe:
    """DCE/RPC over a pipe: `transceive` writes a PDU and gives the bytes that come back, `more` reads on."""

    def __init__(self, transceive: Callable[[bytes], bytes], more: Callable[[], bytes]) -> None:
        self._transceive, self._more, self._calls = transceive, more, 0
        syntax = struct.pack("<HBx16sI16sI", 0, 1, _SRVSVC.bytes_le, 3, _NDR.bytes_le, 2)
        answer = self._exchange(_BIND, struct.pack("<HHIB3x", _FRAGMENT, _FRAGMENT, 0, 1) + syntax)
        _check_bind(answer)

    def call(self, operation: int, stub: bytes) -> bytes:
        """Call an operation and give the stub of its response. Raises BadRpc and RpcFault."""
        return self._exchange(_REQUEST, struct.pack("<IHH", len(stub), 0, operation) + stub)

    def _exchange(self, kind: int, body: bytes) -> bytes:
        self._calls += 1
        head = _HEADER.pack(5, 0, kind, _FIRST | _LAST, 0x10, _HEADER.size + len(body), 0, self._calls)
        buffer = bytearray(self._transceive(head + body))
        gathered = bytearray()
        for _ in range(_MOST_FRAGMENTS):
            last, part = self._fragment(buffer, _RESPONSE if kind == _REQUEST else _BIND_ACK)
            gathered += part
            if last:
                return bytes(gathered)
            if len(gathered) > _MOST:
                raise BadRpc(f"an answer of more than {_MOST} bytes")
        raise BadRpc("fragments without end")

    def _fragment(self, buffer: bytearray, wanted: int) -> tuple[bool, bytes]:
        """Take one PDU off the buffer: whether it is the last one, and its body or stub."""
        self._fill(buffer, _HEADER.size)
        major, _, kind, flags, order, length, auth, call = _HEADER.unpack_from(buffer)
        if major != 5 or order & 0xF0 != 0x10 or call != self._calls or auth or length < _HEADER.size:  # noqa: PLR2004
            raise BadRpc("no fragment of our call")
        self._fill(buffer, length)
        pdu = bytes(buffer[_HEADER.size : length])
        del buffer[:length]
        if kind in (_FAULT, _BIND_NAK):
            raise RpcFault(int.from_bytes(pdu[8:12], "little") if kind == _FAULT else 0)
        if kind != wanted:
            raise BadRpc(f"a PDU of type {kind}")
        return bool(flags & _LAST), pdu[8:] if wanted == _RESPONSE else pdu

    def _fill(self, buffer: bytearray, size: int) -> None:
        while len(buffer) < size:
            more = self._more()
            if not more:
                raise BadRpc("the pipe ended within a fragment")
            buffer += more


def _check_bind(body: bytes) -> None:
    """See in a bind_ack whether the interface was accepted. Raises BadRpc."""
    reader = Ndr(body)
    reader.take(8)  # fragment sizes, association group
    reader.take(int.from_bytes(reader.take(2), "little"))  # the secondary address: the pipe's name
    reader.align()
    results = reader.u32()
    if results != 1 or int.from_bytes(reader.take(2), "little") != 0:
        raise BadRpc("the server does not offer this service")


class Ndr:
    """Reads NDR: aligned 32-bit numbers, strings and arrays. Raises BadRpc past the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        end = self._at + size
        if end > len(self._data):
            raise BadRpc("the answer ends too early")
        part, self._at = self._data[self._at : end], end
        return part

    def align(self) -> None:
        """Go to the next multiple of four."""
        self._at += -self._at % 4

    def u32(self) -> int:
        """Read a number, or a pointer's referent id."""
        self.align()
        return int.from_bytes(self.take(4), "little")

    def string(self) -> str:
        """Read a conformant and varying string of UTF-16 units."""
        self.u32()
        if self.u32():
            raise BadRpc("a string with an offset")
        return self.take(2 * self.u32()).decode("utf-16-le", "replace").partition("\0")[0]

    def octets(self) -> bytes:
        """Read a conformant array of bytes."""
        return self.take(self.u32())


def enumerate_shares(pipe: Pipe, server: str, level: int) -> tuple[list[Share], int]:
    """Call NetrShareEnum at level 1 or 502: the shares, and the Win32 code. Raises BadRpc and RpcFault."""
    stub = _server(server) + struct.pack("<7I", level, level, 0x20004, 0, 0, _UNLIMITED, 0)
    return read_enumeration(pipe.call(_ENUM, stub), level)


def get_share(pipe: Pipe, server: str, name: str, level: int = 502) -> tuple[Share | None, int]:
    """Call NetrShareGetInfo at level 1 or 502: the share, and the Win32 code. Raises BadRpc and RpcFault."""
    return read_info(pipe.call(_GET_INFO, _server(server) + _string(name) + struct.pack("<I", level)), level)


def all_shares(pipe: Pipe, server: str, also: Iterable[str], in_time: Callable[[], object]) -> list[Share]:
    """List the shares with their descriptors, and `also` these when they are not in the list.

    One call gives all where that is allowed; Windows allows it to administrators only, so else they are asked for one
    by one. `in_time` is called before each and may raise. Raises BadRpc, and RpcFault when there is no list.
    """
    shares, code = enumerate_shares(pipe, server, 502)
    if code == 0 and not any(share.descriptor for share in shares):
        # not one has a descriptor: this is how Samba up to 4.17 says that it may not read its own table
        shares = [dataclasses.replace(share, error=ACCESS_DENIED) for share in shares]
    if code:
        shares, code = enumerate_shares(pipe, server, 1)
        if code:
            raise RpcFault(code)
        if len(shares) > _MOST_SHARES:
            raise BadRpc(f"{len(shares)} shares")
        shares = [one for share in shares for one in _one_share(pipe, server, share.name, in_time)]
    listed = {share.name.casefold() for share in shares}
    more = [name for name in also if name.casefold() not in listed]
    return shares + [one for name in more for one in _one_share(pipe, server, name, in_time)]


def _one_share(pipe: Pipe, server: str, name: str, in_time: Callable[[], object]) -> list[Share]:
    """Ask for one share: it, or none. Its existence shows at level 1 when level 502 is not for us."""
    in_time()
    share, code = get_share(pipe, server, name)
    if code == ACCESS_DENIED:
        share, code = get_share(pipe, server, name, 1)
        share = share and dataclasses.replace(share, error=ACCESS_DENIED)
    if code in _NO_SUCH_SHARE:
        return []
    return [share or Share(name, 0, "", error=code or ACCESS_DENIED)]


def read_enumeration(stub: bytes, level: int) -> tuple[list[Share], int]:
    """Read the response of NetrShareEnum. Raises BadRpc."""
    reader = Ndr(stub)
    if (reader.u32(), reader.u32()) != (level, level):
        raise BadRpc("another level than asked")
    shares: list[Share] = []
    if reader.u32():
        count = reader.u32()
        if reader.u32():
            if reader.u32() != count:
                raise BadRpc("two different numbers of shares")
            width = 3 if level == 1 else 10
            rows = [[reader.u32() for _ in range(width)] for _ in range(count)]
            shares = [_share(reader, row) for row in rows]
    reader.u32()  # TotalEntries
    if reader.u32():
        reader.u32()  # ResumeHandle
    return shares, reader.u32()


def read_info(stub: bytes, level: int = 502) -> tuple[Share | None, int]:
    """Read the response of NetrShareGetInfo at level 1 or 502. Raises BadRpc."""
    reader = Ndr(stub)
    if reader.u32() != level:
        raise BadRpc("another level than asked")
    share = _share(reader, [reader.u32() for _ in range(3 if level == 1 else 10)]) if reader.u32() else None
    return share, reader.u32()


def _share(reader: Ndr, row: list[int]) -> Share:
    """Read what a SHARE_INFO_1 (three numbers) or SHARE_INFO_502_I (ten) points at, in the order of its pointers."""
    name = reader.string() if row[0] else ""
    remark = reader.string() if row[2] else ""
    if len(row) == 3:  # noqa: PLR2004 - SHARE_INFO_1
        return Share(name, row[1], remark)
    path = reader.string() if row[6] else ""
    if row[7]:
        reader.string()  # a password of share-level security, never kept
    descriptor = reader.octets() if row[9] else None
    return Share(name, row[1], remark, path, descriptor or None, 0)


def _string(text: str) -> bytes:
    encoded = (text + "\0").encode("utf-16-le")
    units = len(encoded) // 2
    return struct.pack("<III", units, 0, units) + encoded + bytes(-len(encoded) % 4)


def _server(name: str) -> bytes:
    return struct.pack("<I", 0x20000) + _string("\\\\" + name)
