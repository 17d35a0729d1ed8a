"""The Server Service's answers: as servers give them, cut up, refused and damaged."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.transports import srvsvc
from audits.transports.srvsvc import BadRpc, Pipe, RpcFault, Share


def string(text: str) -> bytes:
    encoded = (text + "\0").encode("utf-16-le")
    return struct.pack("<III", len(encoded) // 2, 0, len(encoded) // 2) + encoded + bytes(-len(encoded) % 4)


def level1(*shares: tuple[str, int, str]) -> bytes:
    rows = b"".join(struct.pack("<III", 1, kind, 2) for _, kind, _ in shares)
    texts = b"".join(string(name) + string(remark) for name, _, remark in shares)
    head = struct.pack("<IIIIII", 1, 1, 3, len(shares), 4, len(shares))
    return head + rows + texts + struct.pack("<IIII", len(shares), 5, 0, 0)


def info502(name: str, descriptor: bytes | None, password: str | None = None) -> bytes:
    row = struct.pack(
        "<10I", 1, 0, 2, 0, 0xFFFFFFFF, 0, 3, 4 if password else 0, len(descriptor or b""), 5 if descriptor else 0
    )
    texts = string(name) + string("remark") + string("C:\\x") + (string(password) if password else b"")
    octets = b"" if descriptor is None else struct.pack("<I", len(descriptor)) + descriptor
    return row + texts + octets


def get_info(name: str, descriptor: bytes | None, password: str | None = None) -> bytes:
    body = struct.pack("<II", 502, 1) + info502(name, descriptor, password)
    return body + bytes(-len(body) % 4) + struct.pack("<I", 0)


DENIED_ENUM = struct.pack("<IIIIIIII", 502, 502, 1, 0, 0, 0, 0, 5)
DENIED_INFO = struct.pack("<III", 502, 0, 5)


def test_level_1() -> None:
    read, code = srvsvc.read_enumeration(level1(("Docenten", 0, "voor docenten"), ("IPC$", 0x80000003, "")), 1)
    assert code == 0
    assert read == [Share("Docenten", 0, "voor docenten"), Share("IPC$", 0x80000003, "")]


@pytest.mark.parametrize("descriptor", [b"\1\0\4\x80xyz", None])
@pytest.mark.parametrize("password", ["geheim", None])
def test_level_502(descriptor: bytes | None, password: str | None) -> None:
    share = Share("Docenten", 0, "remark", "C:\\x", descriptor, 0)
    assert srvsvc.read_info(get_info("Docenten", descriptor, password)) == (share, 0)
    assert "geheim" not in repr(share)


def test_refusals() -> None:
    assert srvsvc.read_enumeration(DENIED_ENUM, 502) == ([], 5)
    assert srvsvc.read_info(DENIED_INFO) == (None, 5)


@pytest.mark.parametrize("cut", range(0, 100, 4))
def test_what_ends_too_early(cut: int) -> None:
    whole = level1(("Docenten", 0, "x"))
    assert len(whole) > cut
    with pytest.raises(BadRpc):
        srvsvc.read_enumeration(whole[:cut], 1)


@pytest.mark.parametrize(
    "stub",
    [
        struct.pack("<IIIIII", 1, 1, 3, 0xFFFFFFFF, 4, 0xFFFFFFFF),
        struct.pack("<IIIIII", 1, 1, 3, 1, 4, 2) + bytes(64),
        struct.pack("<IIIIIIIII", 1, 1, 3, 1, 4, 1, 1, 0, 0) + struct.pack("<III", 4, 1, 4) + bytes(64),
        struct.pack("<IIIIIIIII", 1, 1, 3, 1, 4, 1, 1, 0, 0) + struct.pack("<III", 4, 0, 0x7FFFFFFF) + bytes(64),
        struct.pack("<II", 2, 2) + bytes(64),
    ],
)
def test_numbers_without_sense(stub: bytes) -> None:
    with pytest.raises(BadRpc):
        srvsvc.read_enumeration(stub, 1)


@given(st.binary(max_size=300), st.sampled_from([1, 502]))
def test_any_bytes_are_shares_or_refused(data: bytes, level: int) -> None:
    for stub in (data, struct.pack("<IIII", level, level, 1, 1) + data):
        with contextlib.suppress(BadRpc):
            srvsvc.read_enumeration(stub, level)
        with contextlib.suppress(BadRpc):
            srvsvc.read_info(stub)


BIND_ACK = struct.pack("<HHIH", 4280, 4280, 1, 13) + b"\\PIPE\\srvsvc\0" + b"\0" + struct.pack("<IHH20x", 1, 0, 0)


def pdu(kind: int, body: bytes, call: int, flags: int = 3) -> bytes:
    return struct.pack("<BBBBIHHI", 5, 0, kind, flags, 0x10, 16 + len(body), 0, call) + body


class Server:
    """Answers calls from a list, cut into fragments and reads of given sizes."""

    def __init__(self, stubs: dict[int, bytes], fragment: int = 4000, read: int = 65536) -> None:
        self.stubs, self.fragment, self.read, self.left, self.calls = stubs, fragment, read, b"", []

    stubs: dict[int, bytes]
    calls: list[tuple[int, bytes]]

    def transceive(self, data: bytes) -> bytes:
        kind, (call,) = data[2], struct.unpack_from("<I", data, 12)
        if kind == 11:
            self.left = pdu(12, BIND_ACK, call)
        else:
            (operation,) = struct.unpack_from("<H", data, 22)
            self.calls.append((operation, data[24:]))
            (level,) = struct.unpack_from("<I", data, len(data) - (4 if operation == 16 else 28))
            stub = self.stubs[operation * 1000 + level]
            parts = [stub[i : i + self.fragment] for i in range(0, len(stub), self.fragment)]
            self.left = b"".join(
                pdu(2, struct.pack("<IHH", len(stub), 0, 0) + p, call, (i == 0) | (i == len(parts) - 1) << 1)
                for i, p in enumerate(parts)
            )
        return self.more()

    def more(self) -> bytes:
        part, self.left = self.left[: self.read], self.left[self.read :]
        return part

    def pipe(self) -> Pipe:
        return Pipe(self.transceive, self.more)


INFO_1 = 16 * 1000 + 1
ENUM_1 = 15 * 1000 + 1
ENUM_502 = 15 * 1000 + 502
INFO_502 = 16 * 1000 + 502


@pytest.mark.parametrize("fragment", [7, 100, 4000])
@pytest.mark.parametrize("read", [1, 16, 65536])
def test_fragments(fragment: int, read: int) -> None:
    many = [(f"klas{i}", 0, f"map van klas {i}") for i in range(40)]
    server = Server({ENUM_1: level1(*many)}, fragment, read)
    shares, code = srvsvc.enumerate_shares(server.pipe(), "files1", 1)
    assert code == 0
    assert [(s.name, s.type, s.remark) for s in shares] == many


def every(server: Server, *also: str) -> list[Share]:
    return srvsvc.all_shares(server.pipe(), "files1", also, lambda: None)


LEVEL_1 = level1(("a", 0, "x"), ("b$", 0, ""))


def test_windows_shows_descriptors_to_administrators_only() -> None:
    server = Server({ENUM_502: DENIED_ENUM, ENUM_1: LEVEL_1, INFO_502: DENIED_INFO, INFO_1: info1("a")})
    assert every(server) == [Share("a", 0, "", error=5), Share("a", 0, "", error=5)]
    assert [operation for operation, _ in server.calls] == [15, 15, 16, 16, 16, 16]


def test_shares_one_by_one() -> None:
    server = Server({ENUM_502: DENIED_ENUM, ENUM_1: LEVEL_1, INFO_502: get_info("a", b"\1abc")})
    assert every(server) == [Share("a", 0, "remark", "C:\\x", b"\1abc", 0)] * 2


def test_no_list_at_all() -> None:
    denied = struct.pack("<IIIIIIII", 1, 1, 1, 0, 0, 0, 0, 5)
    with pytest.raises(RpcFault) as fault:
        every(Server({ENUM_502: DENIED_ENUM, ENUM_1: denied}))
    assert fault.value.status == 5


def enum502(*descriptors: bytes | None) -> bytes:
    head = struct.pack("<IIIIII", 502, 502, 3, len(descriptors), 4, len(descriptors))
    rows, texts = b"", b""
    for i, descriptor in enumerate(descriptors):
        one = info502(f"s{i}", descriptor)
        rows, texts = rows + one[:40], texts + one[40:] + bytes(-len(one) % 4)
    return head + rows + texts + struct.pack("<IIII", len(descriptors), 5, 0, 0)


def test_all_with_one_call() -> None:
    server = Server({ENUM_502: enum502(b"\1abcde", None, b"\1xyz")})
    assert [(s.name, s.descriptor, s.error) for s in every(server)] == [
        ("s0", b"\1abcde", 0),
        ("s1", None, 0),
        ("s2", b"\1xyz", 0),
    ]
    assert len(server.calls) == 1


def test_a_server_that_cannot_read_its_own_table() -> None:
    server = Server({ENUM_502: enum502(None, None)})
    assert [(s.name, s.descriptor, s.error) for s in every(server)] == [("s0", None, 5), ("s1", None, 5)]


def info1(name: str) -> bytes:
    body = struct.pack("<IIIII", 1, 1, 2, 0, 3) + string(name) + string("")
    return body + bytes(-len(body) % 4) + struct.pack("<I", 0)


NONE = {ENUM_502: enum502(b"\1ab")}


def test_shares_that_are_not_listed() -> None:
    """Windows tells an ordinary account whether there is such a share, not who may use it."""
    there = Server({**NONE, INFO_502: DENIED_INFO, INFO_1: info1("Profielen$")})
    assert every(there, "S0", "profielen$")[1:] == [Share("Profielen$", 0, "", error=5)]
    for code in (2310, 123):
        gone = Server({**NONE, INFO_502: struct.pack("<III", 502, 0, code)})
        assert every(gone, "nope")[1:] == []
    broken = Server({**NONE, INFO_502: struct.pack("<III", 502, 0, 1)})
    assert every(broken, "odd")[1:] == [Share("odd", 0, "", error=1)]


def refused(answer: Callable[[int], bytes]) -> Pipe:
    calls = iter(range(1, 100))

    def transceive(_data: bytes) -> bytes:
        call = next(calls)
        return pdu(12, BIND_ACK, 1) if call == 1 else answer(call)

    return Pipe(transceive, lambda: b"")


def test_faults() -> None:
    with pytest.raises(RpcFault) as fault:
        refused(lambda call: pdu(3, struct.pack("<IHHI4x", 0, 0, 0, 5), call)).call(15, b"")
    assert fault.value.status == 5
    with pytest.raises(RpcFault):
        Pipe(lambda _: pdu(13, bytes(4), 1), lambda: b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\5\0\2",
        pdu(2, bytes(8), 99),
        pdu(12, bytes(8), 2),
        pdu(2, bytes(8), 2, 1),
        pdu(2, bytes(8), 2)[:-1],
        b"\4" + pdu(2, bytes(8), 2)[1:],
        struct.pack("<BBBBIHHI", 5, 0, 2, 3, 0x10, 3, 0, 2),
        struct.pack("<BBBBIHHI", 5, 0, 2, 3, 0, 24, 0, 2) + bytes(8),
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    with pytest.raises(BadRpc):
        refused(lambda _: answer).call(15, b"")


def test_fragments_without_end() -> None:
    with pytest.raises(BadRpc):
        Pipe(lambda _: pdu(12, b"", 1, 0), lambda: pdu(12, bytes(60_000), 1, 0))


def test_a_service_that_is_not_offered() -> None:
    refusal = BIND_ACK[:-24] + struct.pack("<HH20x", 2, 1)
    with pytest.raises(BadRpc):
        Pipe(lambda _: pdu(12, refusal, 1), lambda: b"")


@given(st.binary(max_size=200))
def test_any_bytes_from_a_pipe(data: bytes) -> None:
    with contextlib.suppress(BadRpc, RpcFault):
        Pipe(lambda _: data, lambda: b"")
    with contextlib.suppress(BadRpc, RpcFault):
        refused(lambda _: data).call(15, b"")
