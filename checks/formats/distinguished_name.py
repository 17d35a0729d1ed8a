r"""Distinguished names (RFC 4514), and the paths that people write instead: `Studenten/INF1`.

A path names organisational units from the top down; a part may carry its attribute (`CN=Users`). A slash that belongs
to a name is written `\/`. Whatever holds a `DC=` part is a distinguished name already.
"""

from __future__ import annotations

import functools
import re

from checks.questions import Unreadable

_LONGEST = 8192  # characters of a name
_TYPE = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)")
_HEX = "0123456789abcdefABCDEF"
_SPECIAL = ',+"\\<>;='
_WHOLE = re.compile(r"(?:^|,)\s*DC\s*=", re.IGNORECASE)

Rdn = tuple[str, str]


@functools.lru_cache(maxsize=8192)
def split(dn: str) -> tuple[Rdn, ...]:
    """Take a name apart: (type in upper case, value without escapes) from the object up; Unreadable if malformed.

    A part of several values (`CN=a+SN=b`) stays one: the directory of Windows and Samba has none.
    """
    if len(dn) > _LONGEST:
        raise Unreadable("a distinguished name is too long")
    if not dn.strip():
        return ()
    parts = []
    for raw in _cut(dn, ","):
        word, sign, value = raw.partition("=")
        if not sign or not _TYPE.fullmatch(word.strip()):
            raise Unreadable(f"{dn[:120]!r} is no distinguished name")
        parts.append((word.strip().upper(), _plain(value)))
    return tuple(parts)


def _cut(text: str, at: str) -> list[str]:
    """Cut at a character that no backslash precedes."""
    parts, start, i = [], 0, 0
    while i < len(text):
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == at:
            parts.append(text[start:i])
            start = i + 1
        i += 1
    return [*parts, text[start:]]


def _plain(value: str) -> str:
    r"""Take the escapes out of a value (RFC 4514 2.4): `\,` and `\2C`, the latter as octets of UTF-8."""
    value = value.lstrip(" ")
    if value.endswith(" ") and not value.endswith("\\ "):
        value = value.rstrip(" ")
    if "\\" not in value:
        return value
    octets, i = bytearray(), 0
    while i < len(value):
        pair = value[i + 1 : i + 3]
        if value[i] == "\\" and len(pair) == 2 and all(c in _HEX for c in pair):  # noqa: PLR2004
            octets.append(int(pair, 16))
            i += 3
        elif value[i] == "\\" and pair:
            octets += pair[0].encode()
            i += 2
        else:
            octets += value[i].encode("utf-8", "replace")
            i += 1
    return octets.decode("utf-8", "replace")


def escape(value: str) -> str:
    """Escape a value so that it can stand in a name."""
    told = "".join(f"\\{c}" if c in _SPECIAL else "\\00" if c == "\0" else c for c in value)
    if told.endswith(" "):
        told = told[:-1] + "\\ "
    return "\\" + told if told.startswith(("#", " ")) else told


def join(parts: tuple[Rdn, ...]) -> str:
    """Put a name together: the inverse of `split`."""
    return ",".join(f"{word}={escape(value)}" for word, value in parts)


def key(dn: str) -> str:
    """Give a name as it is compared: case and escapes do not count."""
    if "\\" not in dn and ", " not in dn and " =" not in dn and "= " not in dn:
        return dn.casefold()  # how directories write nearly all of theirs
    return join(split(dn)).casefold()


def parent(dn: str) -> str:
    """Give the name of the object above; empty at the top."""
    parts = _cut(dn, ",")
    return ",".join(parts[1:]).strip()


def name(dn: str) -> str:
    """Give the object's own name, without its type and escapes."""
    first = _cut(dn, ",")[0]
    return _plain(first.partition("=")[2])


def is_below(dn: str, base: str) -> bool:
    """Tell whether an object is somewhere below another."""
    return key(dn).endswith("," + key(base))


def of_path(path: str, domain: str) -> str:
    """Give the distinguished name of a path below a domain's; "" or "/" is the domain itself."""
    if _WHOLE.search(path):
        return join(split(path))
    parts: list[Rdn] = []
    for raw in _cut(path, "/"):
        part = raw.replace("\\/", "/").strip()
        if part:
            word, sign, rest = part.partition("=")
            typed = sign and word.strip().upper() in ("OU", "CN")
            parts.append((word.strip().upper(), rest.strip()) if typed else ("OU", part))
    return ",".join([*([join(tuple(reversed(parts)))] if parts else []), domain])


def path_of(dn: str, domain: str) -> str:
    """Give the path below a domain's name; the name itself when it is not below it, "/" for the domain."""
    if key(dn) == key(domain):
        return "/"
    if not is_below(dn, domain):
        return dn
    own = split(dn)[: len(split(dn)) - len(split(domain))]
    told = [value.replace("/", "\\/") if word == "OU" else f"{word}={value}" for word, value in own]
    return "/".join(reversed(told))
