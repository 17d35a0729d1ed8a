"""Hosts are hostile: whatever they said is made visible and bounded before it stands in a report.

Every renderer sends its text through `clean`, then escapes it for its own format.
"""

from __future__ import annotations

import re
import sys
from typing import Final

LONGEST: Final = 2_000
"""Characters of one value in a report; the whole of it stays in the evidence."""

_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_PILED = re.compile(f"([{_MARKS}]{{3}})[{_MARKS}]+")  # letters that grow over the lines above and below them

# C0 but tab and line feed, DEL, C1, soft hyphen, Arabic letter mark, Hangul fillers, zero-width and bidirectional
# controls, line and paragraph separators, invisible operators, variation of direction, interlinear marks, BOM, tags,
# surrogates, noncharacters
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\uffff\U000e0000-\U000e0fff\ud800-\udfff]"
)
_SPACES = re.compile(r"\s+")


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - the control pictures' block mirrors C0
        return chr(0x2400 + code)
    if code == 0x7F:  # noqa: PLR2004 - DEL
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF or code == 0xFFFD:  # noqa: PLR2004 - surrogates cannot be written as UTF-8
        return "\ufffd"
    return f"⟨U+{code:04X}⟩"


def clean(text: str, limit: int = LONGEST) -> str:
    """Make every control, bidirectional or invisible character visible, and cut what is too long.

    Tabs and line feeds stay. What was cut off is counted: `… (+98000)`.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    rest = len(text) - limit
    if rest > 0:
        text = text[:limit]
    text = _PILED.sub(r"\1", _INVISIBLE.sub(_visible, text.replace("\r\n", "\n")))
    return f"{text}… (+{rest})" if rest > 0 else text


def one_line(text: str, limit: int = LONGEST) -> str:
    """Clean, and put it on one line."""
    return _SPACES.sub(" ", clean(text, limit)).strip()


def number(value: float) -> str:
    """Give a number as text; one of absurd size (a hostile answer) as its order of magnitude."""
    if isinstance(value, int) and value.bit_length() > sys.int_info.default_max_str_digits * 3:
        return f"2^{value.bit_length() - 1}"
    return str(value)
