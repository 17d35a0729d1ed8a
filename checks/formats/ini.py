"""Text of the INI family in SYSVOL: GPT.INI, GptTmpl.inf, scripts.ini.

Windows writes UTF-16LE with a byte order mark or the code page of the machine, Samba ASCII with LF; some tools UTF-8.
"""

from __future__ import annotations

from checks.questions import Unreadable

Section = tuple[str, tuple[str, ...]]
_MOST = 100_000  # lines


def decode(raw: bytes) -> str:
    """Give the text: by its byte order mark, else UTF-8, else Windows-1252 (nearly every byte is one)."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw[:200]:
        if raw[1:2] == b"\0":
            return raw.decode("utf-16-le", "replace")
        raise Unreadable("the text holds NUL bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def sections(text: str) -> tuple[Section, ...]:
    """Give the sections in their order: name as written, and the lines that say something. Text before is dropped."""
    found: list[tuple[str, list[str]]] = []
    for number, raw in enumerate(text.splitlines()):
        if number >= _MOST:
            raise Unreadable(f"the text has more than {_MOST} lines")
        line = raw.strip().strip("\ufeff\0")
        if not line or line[0] == ";":
            continue
        if line[0] == "[" and line[-1] == "]":
            found.append((line[1:-1].strip(), []))
        elif found:
            found[-1][1].append(line)
    return tuple((name, tuple(lines)) for name, lines in found)


def pairs(text: str, section: str) -> dict[str, str]:
    """Give `name = value` of the sections with this name, names in lower case; the last one counts."""
    found: dict[str, str] = {}
    for name, lines in sections(text):
        if name.casefold() == section.casefold():
            for line in lines:
                key, equals, value = line.partition("=")
                if equals:
                    found[key.strip().casefold()] = value.strip()
    return found
