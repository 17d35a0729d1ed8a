"""Security descriptors as text (SDDL, MS-DTYP 2.5.1): written for the report, and read from templates and tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from checks.formats import security_descriptor as sd
from checks.formats.security_descriptor import Ace, Descriptor
from checks.questions import Unreadable

_MOST = 200_000  # characters
ALIASES = {
    "AO": "S-1-5-32-548", "RU": "S-1-5-32-554", "AN": "S-1-5-7", "AU": "S-1-5-11", "BA": "S-1-5-32-544",
    "BG": "S-1-5-32-546", "BO": "S-1-5-32-551", "BU": "S-1-5-32-545", "CD": "S-1-5-32-574", "CG": "S-1-3-1",
    "CO": "S-1-3-0", "ED": "S-1-5-9", "IU": "S-1-5-4", "LS": "S-1-5-19", "LU": "S-1-5-32-559", "MU": "S-1-5-32-558",
    "NO": "S-1-5-32-556", "NS": "S-1-5-20", "NU": "S-1-5-2", "OW": "S-1-3-4", "PO": "S-1-5-32-550", "PS": "S-1-5-10",
    "PU": "S-1-5-32-547", "RC": "S-1-5-12", "RD": "S-1-5-32-555", "RE": "S-1-5-32-552", "SO": "S-1-5-32-549",
    "SU": "S-1-5-6", "SY": "S-1-5-18", "WD": "S-1-1-0", "AC": "S-1-15-2-1", "ER": "S-1-5-32-573",
    "IS": "S-1-5-32-568", "CY": "S-1-5-32-569", "LW": "S-1-16-4096", "ME": "S-1-16-8192", "MP": "S-1-16-8448",
    "HI": "S-1-16-12288", "SI": "S-1-16-16384", "HA": "S-1-5-32-578", "RM": "S-1-5-32-580", "WR": "S-1-5-33",
    "AS": "S-1-18-1", "SS": "S-1-18-2", "UD": "S-1-5-84-0-0-0-0-0", "RA": "S-1-5-32-575", "ES": "S-1-5-32-576",
    "MS": "S-1-5-32-577", "AA": "S-1-5-32-579",
}  # fmt: skip
_DOMAIN_ALIASES = {
    "LA": 500, "LG": 501, "DA": 512, "DU": 513, "DG": 514, "DC": 515, "DD": 516, "CA": 517, "SA": 518, "EA": 519,
    "PA": 520, "RS": 553, "RO": 498, "CN": 522, "AP": 525, "KA": 526, "EK": 527,
}  # fmt: skip
_TYPES = {
    0: "A", 1: "D", 2: "AU", 3: "AL", 5: "OA", 6: "OD", 7: "OU", 8: "OL", 9: "XA", 10: "XD", 11: "ZA", 13: "XU",
    17: "ML", 18: "RA", 19: "SP",
}  # fmt: skip
_FLAGS = {"OI": 1, "CI": 2, "NP": 4, "IO": 8, "ID": 0x10, "SA": 0x40, "FA": 0x80}
_RIGHTS = {
    "GA": 0x10000000, "GR": 0x80000000, "GW": 0x40000000, "GX": 0x20000000, "RC": 0x20000, "SD": 0x10000,
    "WD": 0x40000, "WO": 0x80000, "RP": 0x10, "WP": 0x20, "CC": 1, "DC": 2, "LC": 4, "SW": 8, "LO": 0x80, "DT": 0x40,
    "CR": 0x100, "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0, "KA": 0xF003F, "KR": 0x20019,
    "KW": 0x20006, "KX": 0x20019,
}  # fmt: skip
_FILE_RIGHTS = {0x1F01FF: "FA", 0x120089: "FR", 0x120116: "FW", 0x1200A0: "FX", 0x10000000: "GA"}
_SID = re.compile(r"S-1-(?:0x[0-9a-f]{1,12}|[0-9]{1,15})(?:-[0-9]{1,10}){0,15}", re.IGNORECASE)
_SHORT = {sid: alias for alias, sid in ALIASES.items()}

Namer = Callable[[str], str]


def text(descriptor: Descriptor, name: Namer | None = None) -> str:
    """Write a descriptor; `name` tells how a SID is shown (default: its alias, else itself)."""
    show = name or (lambda sid: _SHORT.get(sid, sid))
    said = ""
    if descriptor.owner:
        said += "O:" + show(descriptor.owner)
    if descriptor.group:
        said += "G:" + show(descriptor.group)
    if descriptor.control & sd.DACL_PRESENT:
        said += "D:" + _acl(descriptor.dacl, _control(descriptor.control), show)
    if descriptor.control & sd.SACL_PRESENT:
        said += "S:" + _acl(descriptor.sacl, _control(descriptor.control >> 1), show)
    return said


def _control(bits: int) -> str:
    return "".join(
        word
        for word, bit in (("P", sd.DACL_PROTECTED), ("AR", sd.DACL_AUTO_INHERIT_REQ), ("AI", sd.DACL_AUTO_INHERITED))
        if bits & bit
    )


def _acl(aces: tuple[Ace, ...] | None, control: str, show: Namer) -> str:
    if aces is None:
        return control + "NO_ACCESS_CONTROL"
    return control + "".join(ace_text(ace, show) for ace in aces)


def ace_text(ace: Ace, name: Namer | None = None) -> str:
    """Write one entry, such as `(A;OICI;FA;;;BA)`."""
    show = name or (lambda sid: _SHORT.get(sid, sid))
    flags = "".join(word for word, bit in _FLAGS.items() if ace.flags & bit)
    kind = _TYPES.get(ace.type, f"0x{ace.type:x}")
    rights = _FILE_RIGHTS.get(ace.mask, f"0x{ace.mask:x}")
    more = ";" + ace.condition.hex() if ace.conditional else ""
    parts = (kind, flags, rights, ace.object_type or "", ace.inherited_type or "", show(ace.sid) if ace.sid else "")
    return f"({';'.join(parts)}{more})"


def parse(said: str, domain: str | None = None) -> Descriptor:
    """Read SDDL; Unreadable when it is none. `domain` is the domain's SID, which aliases such as DA need."""
    if len(said) > _MOST:
        raise Unreadable("the SDDL is too long")
    pieces = re.split(r"([OGDS]):", _outside(said.strip()))
    if pieces[0].strip():
        raise Unreadable(f"no SDDL: {said[:60]!r}")
    found: dict[str, str] = {}
    for key, value in zip(pieces[1::2], pieces[2::2], strict=True):
        if key in found:
            raise Unreadable(f"SDDL with {key} twice")
        found[key] = value.strip().replace("\0", ":")
    control = 0x8000
    acls: dict[str, tuple[Ace, ...] | None] = {"D": None, "S": None}
    for key, shift, present in (("D", 0, sd.DACL_PRESENT), ("S", 1, sd.SACL_PRESENT)):
        if key in found:
            bits, acls[key] = _read_acl(found[key], domain)
            control |= bits << shift | present
    owner, group = (_read_sid(found[k], domain) if found.get(k) else None for k in "OG")
    return Descriptor(control, owner, group, acls["D"], acls["S"])


def _outside(said: str) -> str:
    """Hide the colons inside entries, so that only those of O:, G:, D: and S: are left."""
    depth, out = 0, []
    for character in said:
        depth += (character == "(") - (character == ")")
        out.append("\0" if character == ":" and depth > 0 else character)
    return "".join(out)


def _read_acl(said: str, domain: str | None) -> tuple[int, tuple[Ace, ...] | None]:
    head, bracket, _ = said.partition("(")
    bits, rest = 0, head.strip().upper()
    null = rest.endswith("NO_ACCESS_CONTROL")
    rest = rest.removesuffix("NO_ACCESS_CONTROL")
    for word, bit in (("P", sd.DACL_PROTECTED), ("AR", sd.DACL_AUTO_INHERIT_REQ), ("AI", sd.DACL_AUTO_INHERITED)):
        if word in rest:
            bits |= bit
            rest = rest.replace(word, "", 1)
    if rest.strip():
        raise Unreadable(f"SDDL: {head[:40]!r}")
    if null and not bracket:
        return bits, None
    return bits, tuple(_read_ace(entry, domain) for entry in _entries(said[len(head) :]))


def _entries(body: str) -> Iterator[str]:
    """Split at the outer brackets; those of a condition stand inside."""
    depth, start = 0, 0
    for i, character in enumerate(body):
        if character == "(":
            depth += 1
            start = i + 1 if depth == 1 else start
        elif character == ")" and depth:
            depth -= 1
            if not depth:
                yield body[start:i]
        elif not depth and not character.isspace():
            raise Unreadable(f"SDDL: {body[i : i + 60]!r}")
    if depth:
        raise Unreadable("SDDL: a bracket is not closed")


def _read_ace(said: str, domain: str | None) -> Ace:
    parts = [p.strip() for p in said.split(";", 6)]
    if len(parts) < 6:  # noqa: PLR2004 - the fields of an entry
        raise Unreadable(f"SDDL entry: {said[:60]!r}")
    kind, flags, rights, object_type, inherited_type, sid = parts[:6]
    number = next((n for n, word in _TYPES.items() if word == kind.upper()), None)
    if number is None:
        raise Unreadable(f"SDDL entry of type {kind[:10]!r}")
    condition = b""
    if len(parts) > 6:  # noqa: PLR2004
        condition = bytes.fromhex(parts[6]) if re.fullmatch("(?:[0-9a-f]{2})*", parts[6]) else parts[6].encode()
    return Ace(
        number,
        _bits(flags, _FLAGS),
        int(rights, 0) if re.fullmatch("0[xX][0-9a-fA-F]{1,8}|0|[1-9][0-9]{0,8}", rights) else _bits(rights, _RIGHTS),
        _read_sid(sid, domain),
        object_type.lower() or None,
        inherited_type.lower() or None,
        condition,
    )


def _bits(said: str, table: dict[str, int]) -> int:
    words, found = said.upper(), 0
    for i in range(0, len(words), 2):
        if words[i : i + 2] not in table:
            raise Unreadable(f"SDDL: unknown {said[:40]!r}")
        found |= table[words[i : i + 2]]
    return found


def _read_sid(said: str, domain: str | None) -> str:
    word = said.upper()
    if word in ALIASES:
        return ALIASES[word]
    if word in _DOMAIN_ALIASES and domain:
        return f"{domain}-{_DOMAIN_ALIASES[word]}"
    if not _SID.fullmatch(said):
        raise Unreadable(f"SDDL: no SID: {said[:60]!r}")
    return "S" + said[1:].lower()
