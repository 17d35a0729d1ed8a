"""DNS questions with dnspython: all of a target at once, over UDP with TCP when an answer is cut off.

A host is asked at its own address; a target with several servers (the DNS, a domain) at the first that answers. The
variable `keuring_dns_port` of a server's host tells another port than 53. Names and data come in one shape (lower case,
no last dot), so that what two servers say can be compared as text.

Sources: RFC 1035 (messages), RFC 5936 (AXFR), RFC 6891 (EDNS), RFC 9715 and DNS flag day 2020 (1232 octets).
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, cast

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype

from audits.transports.base import JSON, Answer, Answered, Settings, Stopwatch, Target
from checks.questions import DnsQuery, FailureKind, Question

IN_FLIGHT = 32  # queries at once
PAYLOAD = 1232  # octets of UDP that pass every path
MOST_RECORDS = 2_000  # kept of one answer
FIRST_RECORDS = 20  # kept of a zone transfer: enough to tell that there was one
ATTEMPTS = 2

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EACCES, errno.EPERM}
_NEXT = (FailureKind.UNREACHABLE, FailureKind.NAME_NOT_FOUND, FailureKind.REFUSED, FailureKind.TIMED_OUT)


class DnsTransport:
    """Carries DnsQuery."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def ask(self, target: Target, questions: Sequence[Question]) -> Iterator[Answered]:
        """Ask everything at once; answers come as they come."""
        with asyncio.Runner() as runner:  # closing it cancels what still waits
            talk = _Talk(target.servers or (target,))
            runner.run(talk.start([q for q in questions if isinstance(q, DnsQuery)]))
            for _ in range(talk.asked):
                yield runner.run(talk.answers.get())


class _Talk:
    """One target's queries."""

    def __init__(self, servers: Sequence[Target]) -> None:
        self._servers = servers
        self._silent: set[str] = set()
        self._answered: set[str] = set()
        self._addresses: dict[str, asyncio.Task[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = asyncio.Semaphore(IN_FLIGHT)
        self.answers: asyncio.Queue[Answered] = asyncio.Queue()
        self.asked = 0

    async def start(self, questions: Sequence[DnsQuery]) -> None:
        """Start all queries, each in its turn."""
        self.asked = len(questions)
        self._tasks = [asyncio.create_task(self._one(question)) for question in questions]

    async def _one(self, question: DnsQuery) -> None:
        async with self._turn:
            watch = Stopwatch()
            try:
                answer = await self._of_first(question, watch)
            except Exception as e:  # noqa: BLE001 - a server may send anything, and every question gets an answer
                answer = watch.failure(FailureKind.UNREADABLE, f"{type(e).__name__}: {e}")
            self.answers.put_nowait((question, answer))

    async def _of_first(self, question: DnsQuery, watch: Stopwatch) -> Answer:
        """Ask the servers in turn until one answers; one that kept silent once is not waited for again."""
        answer = watch.failure(FailureKind.UNREACHABLE, "none of the servers answers")
        several = len(self._servers) > 1
        for server in self._servers:
            if several and server.name in self._silent:
                continue
            answer = await self._of(server, question, watch)
            if answer.failure is None:
                self._answered.add(server.name)
                return answer
            if answer.failure.kind not in _NEXT or not several:
                return answer
            if server.name not in self._answered:
                self._silent.add(server.name)
        return answer

    async def _of(self, server: Target, question: DnsQuery, watch: Stopwatch) -> Answer:
        try:
            address = await self._address(server)
        except OSError as e:
            return watch.failure(FailureKind.NAME_NOT_FOUND, f"{server.address}: {e.strerror or e}", server.name)
        try:
            port = int(server.variables.get("keuring_dns_port") or 53)
            value = await exchange(address, port, question)
        except (dns.exception.Timeout, TimeoutError):
            kind, words = FailureKind.TIMED_OUT, f"{address} gave no answer within {question.timeout:g} s"
        except OSError as e:
            kind, words = _kind_of(e), f"{address}: {e.strerror or e}"
        except (dns.name.NameTooLong, dns.name.LabelTooLong, dns.name.EmptyLabel, dns.rdatatype.UnknownRdatatype) as e:
            kind, words = FailureKind.UNREADABLE, f"{question.name} {question.type} cannot be asked: {e}"
        except (dns.exception.DNSException, EOFError, ValueError) as e:
            kind, words = FailureKind.UNREADABLE, f"{address}: {type(e).__name__}: {e}"
        else:
            return watch.answer(value, server.name)
        return watch.failure(kind, words, server.name)

    async def _address(self, server: Target) -> str:
        """Give the server's address, looked up once."""
        if server.name not in self._addresses:
            self._addresses[server.name] = asyncio.create_task(_look_up(server.address))
        return await asyncio.shield(self._addresses[server.name])


async def _look_up(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        return str(found[0][4][0])


def _kind_of(error: OSError) -> FailureKind:
    if isinstance(error, ConnectionRefusedError):
        return FailureKind.REFUSED
    return FailureKind.UNREACHABLE if error.errno in _UNREACHABLE else FailureKind.UNREADABLE


async def exchange(address: str, port: int, question: DnsQuery) -> JSON:
    """Ask one server one question and give the answer's JSON; raises what dnspython and the system raise."""
    if question.type.upper() == "AXFR":
        return await _transfer(address, port, question)
    query = dns.message.make_query(
        _name(question.name), question.type, use_edns=0, payload=PAYLOAD, flags=_flags(question)
    )
    response = await _patiently(lambda: _over_udp(query, address, port, question.timeout))
    if response.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):  # a server from before EDNS
        query.use_edns(False)
        response = await _patiently(lambda: _over_udp(query, address, port, question.timeout))
    return _json(response, MOST_RECORDS)


async def _patiently(attempt: Any) -> dns.message.Message:
    """Try again once after silence: a datagram may get lost."""
    for left in reversed(range(ATTEMPTS)):
        try:
            return cast("dns.message.Message", await attempt())
        except (dns.exception.Timeout, TimeoutError):
            if not left:
                raise
    raise AssertionError


def _over_udp(
    query: dns.message.Message, address: str, port: int, timeout: float
) -> Coroutine[Any, Any, dns.message.Message]:
    async def ask() -> dns.message.Message:
        backend: Any = dns.asyncbackend.get_backend("asyncio")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        # a connected socket, so that "port unreachable" is heard and not waited out
        sock = await backend.make_socket(family, socket.SOCK_DGRAM, 0, None, (address, port))
        async with sock:
            response, _ = await dns.asyncquery.udp_with_fallback(
                query, address, timeout=timeout, port=port, backend=backend, udp_sock=sock
            )
        return response

    return ask()


async def _transfer(address: str, port: int, question: DnsQuery) -> JSON:
    """Ask for a zone and read only the first message; a server that says no may also just hang up (Samba does)."""
    query = dns.message.make_query(_name(question.name), "AXFR", flags=0)
    refused = {"rcode": "REFUSED", "flags": [], "answers": []}
    try:
        backend = dns.asyncbackend.get_backend("asyncio")
        response = await dns.asyncquery.tcp(query, address, timeout=question.timeout, port=port, backend=backend)
    except ConnectionRefusedError:
        raise  # not the transfer but the port: nothing was asked
    except (dns.exception.FormError, EOFError, ConnectionResetError, BrokenPipeError):
        return refused
    return _json(response, FIRST_RECORDS)


def _flags(question: DnsQuery) -> int:
    return int(dns.flags.RD) if question.recursion else 0


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _json(message: dns.message.Message, most: int) -> JSON:
    answers: list[dict[str, Any]] = []
    for rrset in message.answer:
        owner, type_ = _plain(rrset.name), dns.rdatatype.to_text(rrset.rdtype)
        for rdata in rrset:
            if len(answers) == most:
                break
            answers.append({"name": owner, "type": type_, "ttl": int(rrset.ttl), "data": data(type_, rdata)})
    return {
        "rcode": dns.rcode.to_text(message.rcode()),
        "flags": dns.flags.to_text(message.flags).split(),
        "answers": sorted(answers, key=lambda a: (a["name"], a["type"], a["data"])),
    }


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else "."


def data(type_: str, rdata: Any) -> str:
    """Give a record's data as in a zone file, its names in lower case and without the last dot."""
    if type_ in ("CNAME", "NS", "PTR", "DNAME"):
        return _plain(rdata.target)
    if type_ == "MX":
        return f"{rdata.preference} {_plain(rdata.exchange)}"
    if type_ == "SRV":
        return f"{rdata.priority} {rdata.weight} {rdata.port} {_plain(rdata.target)}"
    if type_ == "SOA":
        times = f"{rdata.serial} {rdata.refresh} {rdata.retry} {rdata.expire} {rdata.minimum}"
        return f"{_plain(rdata.mname)} {_plain(rdata.rname)} {times}"
    return str(rdata.to_text())
