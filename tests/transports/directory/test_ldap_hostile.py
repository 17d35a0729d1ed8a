"""Directory servers that refuse, hang, lie or shout: every question gets a typed failure, soon."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.transports import ldap_ber
from audits.transports.base import Answer
from audits.transports.ldap_client import Limits
from checks.questions import FailureKind, LdapSearch

Make = Callable[..., Any]
BASE = "DC=school,DC=test"
THREE = (LdapSearch("(a=1)"), LdapSearch("(a=2)"), LdapSearch("(a=3)"))


def tlv(tag: int, *values: bytes) -> bytes:
    body = b"".join(values)
    return bytes([tag, 0x84]) + len(body).to_bytes(4, "big") + body


def message(number: int, operation: bytes) -> bytes:
    return tlv(0x30, tlv(2, bytes([number])), operation)


def done(code: int, text: str = "", tag: int = 0x65) -> bytes:
    return tlv(tag, tlv(10, bytes([code])), tlv(4), tlv(4, text.encode()))


def entry(dn: str, name: str = "cn", *values: bytes) -> bytes:
    return tlv(
        0x64, tlv(4, dn.encode()), tlv(0x30, tlv(0x30, tlv(4, name.encode()), tlv(0x31, *(tlv(4, v) for v in values))))
    )


def ask(transport: Any, target: Any, *questions: LdapSearch) -> list[Answer]:
    started = time.monotonic()
    answers = [answer for _, answer in transport.ask(target, questions)]
    assert time.monotonic() - started < 10
    assert len(answers) == len(questions)
    return answers


def kinds(answers: list[Answer]) -> list[FailureKind | None]:
    return [a.failure.kind if a.failure else None for a in answers]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, FailureKind.DENIED),
        (3, FailureKind.TIMED_OUT),
        (4, FailureKind.TOO_LARGE),
        (8, FailureKind.DENIED),
        (10, FailureKind.UNREADABLE),
        (11, FailureKind.TOO_LARGE),
        (12, FailureKind.UNREADABLE),
        (50, FailureKind.DENIED),
        (51, FailureKind.UNREACHABLE),
        (53, FailureKind.DENIED),
        (80, FailureKind.UNREADABLE),
    ],
)
def test_result_codes(fake: Any, aim: Make, transport: Make, code: int, kind: FailureKind) -> None:
    def bad(directory: Any, _connection: Any, number: int) -> bytes:
        directory.bad = None
        return message(number, done(code, "because"))

    fake.bad = bad
    answers = ask(transport(), aim(fake), *THREE)
    assert kinds(answers) == [kind, None, None]
    assert answers[0].failure is not None
    assert "because" in answers[0].failure.detail


BAD = {
    "garbage": (b"HTTP/1.1 400 Bad Request\r\n\r\n", FailureKind.UNREADABLE),
    "a huge message announced": (b"\x30\x84\x7f\xff\xff\xff", FailureKind.TOO_LARGE),
    "a length of nine octets": (b"\x30\x89" + b"\xff" * 9, FailureKind.UNREADABLE),
    "an indefinite length": (b"\x30\x80" + bytes(20), FailureKind.UNREADABLE),
    "another request's answer": (message(99, done(0)), FailureKind.UNREADABLE),
    "the answer to a bind": (message(3, done(0, tag=0x61)), FailureKind.UNREADABLE),
    "an operation out of place": (message(3, tlv(0x6B)), FailureKind.UNREADABLE),
    "an inner length past the end": (b"\x30\x0a\x02\x01\x03\x65\x7f\x0a\x01\x00\x04\x00", FailureKind.UNREADABLE),
    "a message number of a megabyte": (tlv(0x30, tlv(2, b"\x7f" * 2**20), done(0)), FailureKind.UNREADABLE),
    "a notice of disconnection": (message(0, done(52, "going down", tag=0x78)), FailureKind.UNREACHABLE),
    "nesting": (message(3, tlv(0x64, b"\x30\x84" * 100_000)), FailureKind.UNREADABLE),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_fails_all(fake: Any, aim: Make, transport: Make, name: str) -> None:
    data, kind = BAD[name]
    fake.bad = lambda *_: data
    answers = ask(transport(), aim(fake), *THREE[:1])
    assert kinds(answers) == [kind], answers


def test_a_lost_connection_fails_the_rest(fake: Any, aim: Make, transport: Make) -> None:
    def bad(directory: Any, connection: Any, number: int) -> bytes:
        if len(directory.searches) == 3:
            connection.shutdown(socket.SHUT_RDWR)
        return message(number, done(0))

    fake.bad = bad
    answers = ask(transport(), aim(fake), *THREE)
    assert kinds(answers) == [None, FailureKind.UNREACHABLE, FailureKind.UNREACHABLE]
    assert answers[2].failure is not None
    assert answers[2].failure.detail.startswith("not asked: ")


def test_half_an_answer(start: Make, aim: Make, transport: Make, authority: Any) -> None:
    def bad(_directory: Any, connection: Any, number: int) -> None:
        connection.sendall(message(number, entry(BASE))[:-5])

    target = aim(start(tls=authority.context, bad=bad), keuring_ldap="ldaps")
    assert kinds(ask(transport(ca_file=authority.ca_file), target, *THREE)) == [FailureKind.UNREACHABLE] * 3


def test_silence(fake: Any, aim: Make, transport: Make) -> None:
    fake.bad = lambda *_: b""
    answers = ask(transport(Limits(silence=0.5)), aim(fake), *THREE)
    assert kinds(answers) == [FailureKind.TIMED_OUT] * 3


def test_drops(start: Make, aim: Make, transport: Make, authority: Any) -> None:
    """A server that sends a byte now and then does not hold us longer than a whole question may take."""

    def bad(_directory: Any, connection: Any, _number: int) -> None:
        connection.sendall(b"\x30\x84\x00\x00\xff\xff")
        with contextlib.suppress(OSError):
            for _ in range(40):
                time.sleep(0.1)
                connection.sendall(b"\x04")

    fake = start(tls=authority.context, bad=bad)
    made = transport(Limits(silence=1, whole=1), ca_file=authority.ca_file)
    assert kinds(ask(made, aim(fake, keuring_ldap="ldaps"), *THREE)) == [FailureKind.TIMED_OUT] * 3


def test_pages_without_end(fake: Any, aim: Make, transport: Make) -> None:
    page = tlv(0xA0, tlv(0x30, tlv(4, b"1.2.840.113556.1.4.319"), tlv(4, tlv(0x30, tlv(2, b"\0"), tlv(4, b"more")))))
    fake.bad = lambda _d, _c, number: tlv(0x30, tlv(2, bytes([number % 128])), done(0), page)
    answers = ask(transport(Limits(silence=1, whole=0.3)), aim(fake), *THREE[:1])
    assert kinds(answers) in ([FailureKind.TIMED_OUT], [FailureKind.UNREADABLE])


def test_too_many_entries_fail_alone(fake: Any, aim: Make, transport: Make) -> None:
    for i in range(60):
        fake.entries[f"CN=u{i},{BASE}"] = {"cn": [b"x"]}
    made = transport(Limits(silence=2, whole=5, entries=50, page=20))
    answers = ask(made, aim(fake), LdapSearch(), LdapSearch(scope="base"))
    assert kinds(answers) == [FailureKind.TOO_LARGE, None]
    assert len(fake.binds) == 1


@pytest.mark.parametrize("limits", [Limits(silence=2, octets=30_000), Limits(silence=2, message=2_000)])
def test_too_many_bytes_fail_alone(fake: Any, aim: Make, transport: Make, limits: Limits) -> None:
    """We hang up on what is too large, and log on again for what is left."""
    for i in range(200):
        fake.entries[f"CN=u{i},{BASE}"] = {"cn": [b"x" * 5_000]}
    answers = ask(transport(limits), aim(fake), LdapSearch(), LdapSearch(scope="base"))
    assert kinds(answers) == [FailureKind.TOO_LARGE, None]
    assert len(fake.binds) == 2


def test_a_server_that_ignores_pages(fake: Any, aim: Make, transport: Make) -> None:
    fake.bad = lambda _d, _c, number: message(number, entry(BASE)) * 200
    made = transport(Limits(silence=1, entries=50, page=20))
    assert kinds(ask(made, aim(fake), *THREE[:1])) == [FailureKind.TOO_LARGE]


def test_no_domain_controller(fake: Any, aim: Make, transport: Make) -> None:
    fake._search = lambda number, _search: message(number, done(0))
    (answer,) = ask(transport(), aim(fake), *THREE[:1])
    assert answer.failure is not None
    assert "no domain controller" in answer.failure.detail


def test_answers_in_clear_on_a_sealed_connection(fake: Any, aim: Make, transport: Make) -> None:
    def bad(_directory: Any, connection: Any, number: int) -> None:
        plain = message(number, entry(BASE, "cn", b"forged")) + message(number, done(0))
        connection.sendall(len(plain).to_bytes(4, "big") + plain)
        time.sleep(0.2)

    fake.bad = bad
    (answer,) = ask(transport(), aim(fake), *THREE[:1])
    assert answer.failure is not None
    assert answer.failure.kind is FailureKind.UNREADABLE
    assert "seal" in answer.failure.detail


def test_no_seal(fake: Any, aim: Make, transport: Make) -> None:
    """A bind that succeeds before the server has proved that it knows the password is refused."""
    fake._bind = lambda *_: (0, "", b"")
    (answer,) = ask(transport(), aim(fake), *THREE[:1])
    assert answer.failure is not None
    assert "did not prove itself" in answer.failure.detail
    assert fake.searches == []


def test_something_else_listens(aim: Make, transport: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answers = ask(transport(Limits(silence=0.5)), aim(port, port), *THREE)
    assert kinds(answers) == [FailureKind.TIMED_OUT] * 3


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ldap_ber.BadBer):
        ldap_ber.header(data)
        ldap_ber.read_message(data)


PAGE = tlv(0x30, tlv(4, b"1.2.840.113556.1.4.319"), tlv(1, b"\xff"), tlv(4, tlv(0x30, tlv(2, b"\0"), tlv(4, b"c"))))
VALID = (
    message(1, entry("CN=x", "cn", b"a", b"b")),
    message(1, done(0)),
    tlv(0x30, tlv(2, b"\x01"), tlv(0x61, tlv(10, b"\x0e"), tlv(4), tlv(4), tlv(0x87, b"token"))),
    tlv(0x30, tlv(2, b"\x01"), done(0), tlv(0xA0, PAGE)),
)


@given(st.sampled_from(VALID), st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), max_size=4))
def test_damaged_messages_are_read_or_refused(data: bytes, damage: list[tuple[int, int]]) -> None:
    spoiled = bytearray(data)
    for at, byte in damage:
        spoiled[at % len(spoiled)] = byte
    with contextlib.suppress(ldap_ber.BadBer):
        ldap_ber.read_message(bytes(spoiled))


def test_messages() -> None:
    read = [ldap_ber.read_message(data) for data in VALID]
    assert read[0].entry == ldap_ber.Entry("CN=x", {"cn": [b"a", b"b"]})
    assert read[2].result.credentials == b"token"
    assert (read[2].result.code, read[3].result.cookie) == (14, b"c")
