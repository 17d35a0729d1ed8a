"""Reads the BER of LDAP answers (RFC 4511 5.1, X.690 definite lengths), from servers that may send anything.

ldap3 builds our requests; its decoder is not used, since it has no bounds: a server could keep it busy for hours with
one long integer, or fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SEQUENCE, SET, INTEGER, OCTETS, ENUMERATED = 0x30, 0x31, 0x02, 0x04, 0x0A
BIND_RESPONSE, ENTRY, DONE, REFERENCE, EXTENDED = 0x61, 0x64, 0x65, 0x73, 0x78
_SASL_CREDENTIALS, _RESPONSE_NAME, _CONTROLS = 0x87, 0x8A, 0xA0
_LONGEST_LENGTH = 4  # octets of a length: 4 GiB, far above every bound
_LONGEST_INTEGER = 8  # octets
PAGED_RESULTS = "1.2.840.113556.1.4.319"  # RFC 2696


class BadBer(ValueError):
    """What came is no LDAP message."""


def header(data: bytes | bytearray | memoryview, at: int = 0) -> tuple[int, int, int] | None:
    """Read tag and length at `at`: (tag, start of the contents, end of the contents); None when more is needed."""
    if len(data) < at + 2:
        return None
    tag, length = data[at], data[at + 1]
    start = at + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 0 < octets <= _LONGEST_LENGTH:
            raise BadBer(f"a length of {octets} octets")
        if len(data) < start + octets:
            return None
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
    return tag, start, start + length


class Reader:
    """Reads the elements of one constructed value, each within its parent."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data, self._at, self._end = data, start, len(data) if end is None else end

    def more(self) -> bool:
        """Tell whether there is another element."""
        return self._at < self._end

    def peek(self) -> int:
        """Give the next element's tag, -1 at the end."""
        return self._data[self._at] if self.more() else -1

    def _next(self, tag: int | None = None) -> tuple[int, int, int]:
        found = header(self._data, self._at)
        if found is None or found[2] > self._end:
            raise BadBer("an element ends after its parent")
        if tag is not None and found[0] != tag:
            raise BadBer(f"tag {found[0]:#x} where {tag:#x} belongs")
        self._at = found[2]
        return found

    def inside(self, tag: int | None = None) -> Reader:
        """Go into a constructed element."""
        _, start, end = self._next(tag)
        return Reader(self._data, start, end)

    def octets(self, tag: int = OCTETS) -> bytes:
        """Read a string of octets."""
        _, start, end = self._next(tag)
        return self._data[start:end]

    def integer(self, tag: int = INTEGER) -> int:
        """Read an integer, or with its tag an enumerated value."""
        value = self.octets(tag)
        if not 0 < len(value) <= _LONGEST_INTEGER:
            raise BadBer(f"an integer of {len(value)} octets")
        return int.from_bytes(value, "big", signed=True)

    def skip(self) -> None:
        """Pass over an element."""
        self._next()


@dataclass(slots=True)
class Entry:
    """An object of the directory: its name, and values by attribute (names in lower case, options kept)."""

    dn: str
    attributes: dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class Result:
    """How an operation ended (RFC 4511 4.1.9), with SASL credentials or the cookie of the next page when given."""

    code: int
    message: str = ""
    credentials: bytes | None = None
    cookie: bytes = b""


@dataclass(slots=True)
class Message:
    """One LDAP message: the request it answers (0: none), its operation's tag, and an entry or a result."""

    id: int
    operation: int
    entry: Entry | None = None
    result: Result = field(default_factory=lambda: Result(0))


def read_message(data: bytes) -> Message:
    """Read one whole LDAPMessage. Raises BadBer."""
    message = Reader(data).inside(SEQUENCE)
    made = Message(message.integer(), message.peek())
    body = message.inside()
    if made.operation == ENTRY:
        made.entry = _entry(body)
    elif made.operation in (BIND_RESPONSE, DONE, EXTENDED):
        cookie = _cookie(message)
        made.result = _result(body, cookie)
    elif made.operation != REFERENCE:
        raise BadBer(f"operation {made.operation:#x} is no answer to ours")
    return made


def _entry(body: Reader) -> Entry:
    dn = body.octets().decode("utf-8", "replace")
    attributes: dict[str, list[bytes]] = {}
    listed = body.inside(SEQUENCE)
    while listed.more():
        one = listed.inside(SEQUENCE)
        name = one.octets().decode("utf-8", "replace").lower()
        values, found = one.inside(SET), attributes.setdefault(name, [])
        while values.more():
            found.append(values.octets())
    return Entry(dn, attributes)


def _result(body: Reader, cookie: bytes) -> Result:
    code = body.integer(ENUMERATED)
    body.skip()  # matchedDN
    message = body.octets().decode("utf-8", "replace").rstrip("\0")
    credentials = None
    while body.more():
        if body.peek() == _SASL_CREDENTIALS:
            credentials = body.octets(_SASL_CREDENTIALS)
        elif body.peek() == _RESPONSE_NAME:
            name = body.octets(_RESPONSE_NAME).decode("ascii", "replace")
            message = f"{message} ({name})"
        else:
            body.skip()
    return Result(code, message, credentials, cookie)


def _cookie(message: Reader) -> bytes:
    """Find the cookie of the paged results control among a message's controls."""
    if message.peek() != _CONTROLS:
        return b""
    controls = message.inside(_CONTROLS)
    while controls.more():
        control = controls.inside(SEQUENCE)
        name = control.octets()
        while control.more():
            if name == PAGED_RESULTS.encode() and control.peek() == OCTETS:
                value = Reader(control.octets()).inside(SEQUENCE)
                value.integer()
                return value.octets()
            control.skip()
    return b""
