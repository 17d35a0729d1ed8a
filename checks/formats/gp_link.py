r"""gPLink and gPOptions: which group policies are linked to a site, domain or unit (MS-GPOL 2.2.2).

gPLink is text: `[LDAP://<dn>;<options>]` repeated. The rightmost link has the highest precedence, which the consoles
show as link order 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.questions import Unreadable

_LINK = re.compile(r"\[LDAP://([^;\[\]]{1,2000});(-?[0-9]{1,10})\]", re.IGNORECASE)
_GUID = re.compile(r"^CN=(\{[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}\})", re.IGNORECASE)
_DISABLED, _ENFORCED = 1, 2


@dataclass(frozen=True, slots=True)
class Link:
    """A link: the policy's distinguished name, its id in upper case with braces, and the link's options."""

    dn: str
    guid: str
    disabled: bool
    enforced: bool


def parse(value: str) -> tuple[Link, ...]:
    """Give the links, link order 1 (which wins) first. Unreadable when something in it is no link."""
    rest = _LINK.sub("", value).strip("\0 ")
    if rest:
        raise Unreadable(f"gPLink holds something that is no link: {rest[:80]!r}")
    links = []
    for dn, options in _LINK.findall(value):
        guid = _GUID.match(dn)
        if not guid:
            raise Unreadable(f"gPLink names something that is no group policy: {dn[:80]!r}")
        bits = int(options)
        links.append(Link(dn, guid[1].upper(), bool(bits & _DISABLED), bool(bits & _ENFORCED)))
    return tuple(reversed(links))


def inheritance_is_blocked(options: str) -> bool:
    """Read gPOptions; empty means that nothing is blocked."""
    try:
        return bool(int(options or "0") & 1)
    except ValueError:
        raise Unreadable(f"gPOptions is no number: {options[:40]!r}") from None
