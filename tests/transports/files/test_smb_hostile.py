"""File servers that refuse, hang, lie or forge: every question gets a typed failure, soon."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.transports.base import Answer
from audits.transports.connecting import Trouble
from audits.transports.smb_client import Limits, Listed, read_entries
from audits.transports.smb_tree import walk
from checks.questions import FailureKind, Question, SmbNegotiate, SmbRead, SmbShares, SmbTree

Make = Callable[..., Any]
EMPTY = SmbRead("docs", r"large\leeg.bin")
GPT = SmbRead("docs", r"Policies\{00000003}\GPT.INI")
SOON = Limits(silence=0.7, whole=3)


def ask(transport: Any, target: Any, *questions: Question) -> list[Answer]:
    started = time.monotonic()
    answered = dict(transport.ask(target, questions))
    assert time.monotonic() - started < 15
    return [answered[q] for q in questions]


def kinds(answers: list[Answer]) -> list[FailureKind | None]:
    return [a.failure.kind if a.failure else None for a in answers]


def test_closed_and_unknown(aim: Make, transport: Make) -> None:
    assert kinds(ask(transport(), aim(1), EMPTY, SmbNegotiate())) == [FailureKind.REFUSED] * 2
    nowhere = aim(445, ansible_host="nowhere.invalid")
    assert kinds(ask(transport(), nowhere, EMPTY)) == [FailureKind.NAME_NOT_FOUND]


HEADER = struct.Struct("<HHIHHIIQIIQ16x")  # SMB2 header after its protocol id
BAD = {
    "nothing": b"",
    "text": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "a huge packet announced": b"\x7f\xff\xff\xff",
    "half a packet": b"\x00\x00\x01\x00\xfeSMB",
    "an empty packet": b"\x00\x00\x00\x00",
    "a short header": b"\x00\x00\x00\x08\xfeSMB\x40\x00\x00\x00",
    "an unknown message": b"\x00\x00\x00\x40\xfeSMB" + HEADER.pack(64, 0, 0, 0, 1, 1, 0, 77, 0, 0, 0),
    "an encrypted message out of nothing": b"\x00\x00\x00\x40\xfdSMB" + bytes(60),
    "a loop of commands": b"\x00\x00\x00\x40\xfeSMB" + HEADER.pack(64, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("stay", [True, False])
def test_what_is_no_file_server(listen: Make, aim: Make, transport: Make, name: str, stay: bool) -> None:
    def handle(connection: Any) -> None:
        connection.recv(1000)
        connection.sendall(BAD[name])
        if stay:
            connection.recv(1000)

    answers = ask(transport(SOON), aim(listen(handle)), EMPTY, SmbNegotiate())
    told = {FailureKind.TIMED_OUT, FailureKind.UNREACHABLE, FailureKind.UNREADABLE}
    assert set(kinds(answers)) <= told, answers


def smb1_only(index: int, mode: int) -> Callable[[Any], None]:
    def handle(connection: Any) -> None:
        asked = connection.recv(1000)
        if asked[4:8] == b"\xffSMB":
            answer = b"\xffSMB\x72" + bytes(27) + b"\x11" + struct.pack("<HB", index, mode) + bytes(33)
            connection.sendall(len(answer).to_bytes(4, "big") + answer)

    return handle


@pytest.mark.parametrize(("mode", "signing"), [(0x03, False), (0x07, False), (0x0F, True)])
def test_smb1_only(listen: Make, aim: Make, transport: Make, mode: int, signing: bool) -> None:
    (answer,) = ask(transport(SOON), aim(listen(smb1_only(0, mode))), SmbNegotiate())
    assert answer.value == {"dialect": "1.0", "signing_required": signing, "encryption": False, "smb1": True}


def test_an_answer_is_not_smb1_yet(listen: Make, aim: Make, transport: Make) -> None:
    (answer,) = ask(transport(SOON), aim(listen(smb1_only(0xFFFF, 3))), SmbNegotiate())
    assert answer.failure is not None


def flags(packet: bytes) -> tuple[int, int]:
    """Give command and flags of a packet's first message."""
    command, _, flag = struct.unpack_from("<HHI", packet, 4 + 12)
    return command, flag


def test_answers_without_signature_are_refused(smbd: Any, aim: Make, transport: Make, proxy: Make) -> None:
    """Who stands between us and the server cannot strip signatures and then change what it says."""
    forged = []

    def strip(packet: bytes) -> bytes:
        command, flag = flags(packet)
        if command in (0, 1) or not flag & 8:
            return packet
        forged.append(command)
        return packet[:20] + struct.pack("<I", flag & ~8) + packet[24:52] + bytes(16) + packet[68:]

    answers = ask(transport(SOON), aim(proxy(smbd.port, strip)), GPT, SmbShares())
    assert forged
    assert kinds(answers) == [FailureKind.UNREADABLE] * 2
    assert answers[0].failure is not None
    assert "signature" in answers[0].failure.detail


def test_changed_answers_are_refused(smbd: Any, aim: Make, transport: Make, proxy: Make) -> None:
    changed = proxy(smbd.port, lambda packet: packet.replace(b"Version=3", b"Version=9"))
    answers = ask(transport(SOON), aim(changed), GPT)
    assert kinds(answers) == [FailureKind.UNREADABLE], answers
    assert kinds(ask(transport(SOON), aim(proxy(smbd.port)), GPT)) == [None]


def test_a_downgrade_is_refused(smbd: Any, aim: Make, transport: Make, proxy: Make) -> None:
    """A server said to offer only SMB 3.0.2 must prove it when the tree is connected (MS-SMB2 3.2.5.5)."""

    def lower(packet: bytes) -> bytes:
        if flags(packet)[0] == 0 and packet[4:8] == b"\xfeSMB":
            return packet[:72] + struct.pack("<H", 0x0302) + packet[74:]
        return packet

    (answer,) = ask(transport(SOON), aim(proxy(smbd.port, lower)), GPT)
    assert answer.failure is not None


def test_a_server_that_falls_silent(smbd: Any, aim: Make, transport: Make, proxy: Make) -> None:
    def mute(packet: bytes) -> bytes:
        command, _ = flags(packet)
        if command == 5:
            time.sleep(3)
        return packet

    answers = ask(transport(SOON), aim(proxy(smbd.port, mute)), GPT, EMPTY)
    assert kinds(answers) == [FailureKind.TIMED_OUT] * 2
    assert answers[1].failure is not None
    assert answers[1].failure.detail.startswith("not asked")


def test_a_server_that_goes_away(smbd: Any, aim: Make, transport: Make, proxy: Make) -> None:
    answers = ask(
        transport(SOON), aim(proxy(smbd.port, lambda p: None if flags(p)[0] == 5 else p)), GPT, SmbShares(), EMPTY
    )
    assert kinds(answers) == [FailureKind.UNREACHABLE] * 3


def entry(name: str, size: int = 0, attributes: int = 0, step: int = 0) -> bytes:
    encoded = name.encode("utf-16-le")
    return struct.pack("<II32xQ8xII", step, 0, size, attributes, len(encoded)) + encoded


def test_directory_entries() -> None:
    first = entry(".", 0, 0x10, 72) + bytes(6)
    second = entry("été", 5, 0x20, 72) + bytes(2)
    assert read_entries(first + second + entry("sub", 0, 0x410)) == [
        Listed("été", 5, directory=False, link=False),
        Listed("sub", 0, directory=True, link=True),
    ]


@pytest.mark.parametrize("name", ["..\\windows", "a/b", "", "a\0b"])
def test_names_that_are_paths_are_refused(name: str) -> None:
    with pytest.raises(Trouble):
        read_entries(entry(name))


@pytest.mark.parametrize("buffer", [b"", entry("abc")[:-1], entry("a", step=8) + bytes(64), entry("a", step=66) + b"x"])
def test_entries_without_sense_are_refused(buffer: bytes) -> None:
    with pytest.raises(Trouble):
        read_entries(buffer)


@given(st.binary(max_size=400))
def test_any_bytes_are_entries_or_refused(data: bytes) -> None:
    with contextlib.suppress(Trouble):
        read_entries(data)


class Endless:
    """A file server whose every directory holds itself, a link and a file that is not as large as it was."""

    def list_many(self, _tree: Any, paths: list[str], _most: int) -> Any:
        for _ in paths:
            yield [
                Listed("again", 0, directory=True, link=False),
                Listed("elsewhere", 0, directory=True, link=True),
                Listed("link.pol", 1, directory=False, link=True),
                Listed("a.pol", 1, directory=False, link=False),
            ]

    def read_many(self, _tree: Any, files: list[tuple[str, int]], _limit: int) -> Any:
        for name, _ in files:
            yield Trouble(FailureKind.TOO_LARGE) if "again" in name else None


def test_trees_without_end() -> None:
    endless: Any = Endless()
    with pytest.raises(Trouble) as deep:
        walk(endless, None, "", SmbTree("docs", ""), Limits(depth=10))
    with pytest.raises(Trouble) as many:
        walk(endless, None, "", SmbTree("docs", "", most=20), Limits(depth=10))
    assert {deep.value.failure.kind, many.value.failure.kind} == {FailureKind.TOO_LARGE}


def test_links_are_named_and_not_followed() -> None:
    class Flat(Endless):
        def list_many(self, tree: Any, paths: list[str], most: int) -> Any:
            if paths != [""]:
                assert paths == ["again"]
                return iter([[]])
            return super().list_many(tree, paths, most)

    flat: Any = Flat()
    assert walk(flat, None, "", SmbTree("docs", "", ("*.pol",)), Limits()) == {
        "a.pol": {"size": 1, "content": None},
        "again\\": {"size": 0, "content": None},
        "elsewhere\\": {"size": 0, "content": None},
        "link.pol": {"size": 1, "content": None},
    }
