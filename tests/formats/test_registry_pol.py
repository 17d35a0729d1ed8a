"""Registry.pol (MS-GPREG 2.2.1)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.core import Unreadable
from checks.formats import registry_pol
from checks.formats.registry_pol import SIGNATURE, Entry


def w(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def entry(key: str, value: str, kind: int, data: bytes) -> bytes:
    numbers = w(";") + struct.pack("<I", kind) + w(";") + struct.pack("<I", len(data)) + w(";")
    return w("[") + w(key + "\0") + w(";") + w(value + "\0") + numbers + data + w("]")


def made(*entries: tuple[str, str, int, bytes]) -> bytes:
    return SIGNATURE + b"".join(entry(*e) for e in entries)


@pytest.mark.parametrize(
    ("kind", "raw", "name", "data"),
    [
        (0, b"", "REG_NONE", b""),
        (1, w("abc\0"), "REG_SZ", "abc"),
        (1, b"", "REG_SZ", ""),
        (1, b"abc", "REG_SZ", b"abc"),
        (2, w("%windir%\0"), "REG_EXPAND_SZ", "%windir%"),
        (3, b"\x01\x02\x03", "REG_BINARY", b"\x01\x02\x03"),
        (4, b"\x05\0\0\0", "REG_DWORD", 5),
        (4, b"\xff\xff\xff\xff", "REG_DWORD", 0xFFFFFFFF),
        (4, b"\x05\0", "REG_DWORD", b"\x05\0"),
        (5, b"\0\0\0\x05", "REG_DWORD_BIG_ENDIAN", 5),
        (6, w("\\Registry\0"), "REG_LINK", "\\Registry"),
        (7, w("a\0b c\0\0"), "REG_MULTI_SZ", ("a", "b c")),
        (7, b"", "REG_MULTI_SZ", ()),
        (11, b"\x05" + b"\0" * 7, "REG_QWORD", 5),
        (99, b"\x01", "99", b"\x01"),
    ],
)
def test_types(kind: int, raw: bytes, name: str, data: object) -> None:
    (found,) = registry_pol.parse(made((r"Software\A", "V", kind, raw)))
    assert (found.key, found.value, found.type_name, found.data) == (r"Software\A", "V", name, data)


def test_text_that_looks_like_marks_is_text() -> None:
    entries = (("a;b", "]", 1, w("];[\0")), ("k", "", 3, b"];["), ("k2", "v", 4, b"\0\0\0\0"))
    assert [(e.key, e.value, e.type, e.raw) for e in registry_pol.parse(made(*entries))] == list(entries)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"PReg",
        b"PReg\x02\0\0\0",
        SIGNATURE + b"x",
        SIGNATURE + w("["),
        made(("k", "v", 1, w("abc")))[:-1],
        made(("k", "v", 1, w("abc")))[:-2],
        SIGNATURE + w("[k\0;v\0;") + struct.pack("<I", 1) + w(";") + b"\xff\xff\xff\xff" + w(";]"),
        SIGNATURE + w("[k\0;v\0;") + b"\x01",
    ],
)
def test_what_is_cut_off_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        registry_pol.parse(raw)


def test_the_last_entry_counts_and_case_does_not() -> None:
    found = registry_pol.settings(
        registry_pol.parse(made((r"Software\A", "V", 4, b"\x01\0\0\0"), (r"SOFTWARE\a", "v", 4, b"\x02\0\0\0")))
    )
    there = found.get(r"software\A", "V")
    assert there is not None
    assert there.data == 2
    assert found.get(r"Software\A", "other") is None
    assert not found.removes(r"Software\A", "V")


def test_commands() -> None:
    one = b"\x01\0\0\0"
    found = registry_pol.settings(
        registry_pol.parse(
            made(
                ("K", "Gone", 4, one),
                ("K", "**del.Gone", 1, w(" \0")),
                ("L", "A", 4, one),
                ("L", "**delvals.", 1, w(" \0")),
                ("L", "B", 4, one),
                ("M", "**DeleteValues", 1, w("X;Y\0")),
                ("N\\Sub\\Deep", "A", 4, one),
                ("N", "**DeleteKeys", 1, w("Sub\0")),
                ("O", "**soft.S", 4, one),
                ("P", "S", 4, b"\x02\0\0\0"),
                ("P", "**soft.S", 4, one),
                ("Q", "**Comment:x", 1, w("x\0")),
            )
        )
    )
    assert found.get("K", "Gone") is None
    assert found.removes("K", "gone")
    assert found.removes("L", "A")
    assert found.get("L", "B") is not None
    assert not found.removes("L", "B")
    assert found.removes("M", "x")
    assert found.removes("M", "Y")
    assert found.get("N\\Sub\\Deep", "A") is None
    assert found.removes("N\\sub", "anything")
    assert found.get("O", "S") is not None
    assert found.get("P", "S") == Entry("P", "S", 4, b"\x02\0\0\0")
    assert not any(key == "q" for key, _ in found.values)


@given(st.binary(max_size=400))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    for candidate in (raw, SIGNATURE + raw):
        try:
            registry_pol.settings(registry_pol.parse(candidate))
        except Unreadable:
            continue


plain = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(plain, plain, st.integers(0, 0xFFFFFFFF), st.binary(max_size=30)), max_size=8))
def test_what_is_written_is_read_back(entries: list[tuple[str, str, int, bytes]]) -> None:
    found = registry_pol.parse(made(*entries))
    assert [(e.key, e.value, e.type, e.raw) for e in found] == entries
    for e in found:
        assert e.data is not None


@given(st.data())
def test_a_file_that_is_damaged_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(made((r"Software\A", "Value", 4, b"\x01\0\0\0"), ("B", "", 7, w("a\0b\0\0"))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        registry_pol.parse(bytes(whole))
    except Unreadable:
        return
