"""Configurations of DHCP servers in one form: Kea's JSON, dhcpd.conf of ISC, and dnsmasq.

Sources: Kea's administrator manual (JSON with comments), dhcpd.conf(5), dhcp-options(5), dnsmasq(8). Option names are
those of IANA as Kea and ISC write them (`routers`, `domain-name-servers`), values are text, lists with `, ` in them.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Address = ipaddress.IPv4Address
Range = tuple[Address, Address]
Options = dict[str, str]

_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\n]*|#[^\n]*', re.DOTALL)
_TRAILING_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{};]|#[^\n]*|[^\s{};"#]+')
_CODES = {
    "1": "subnet-mask", "3": "routers", "6": "domain-name-servers", "12": "host-name", "15": "domain-name",
    "28": "broadcast-address", "42": "ntp-servers", "44": "netbios-name-servers", "66": "tftp-server-name",
    "67": "boot-file-name", "119": "domain-search", "121": "classless-static-route", "150": "tftp-server-address",
}  # fmt: skip
_ALIASES = {
    "router": "routers", "gateway": "routers", "dns-server": "domain-name-servers", "dns": "domain-name-servers",
    "dns-servers": "domain-name-servers", "ntp-server": "ntp-servers", "netmask": "subnet-mask",
    "tftp-server": "tftp-server-name", "bootfile-name": "boot-file-name", "domain": "domain-name",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reservation:
    """A fixed address for a hardware address (lower case, colons)."""

    mac: str
    address: str = ""
    host: str = ""


@dataclass(slots=True)
class Scope:
    """A subnet with what is leased in it. `lease` in seconds, None when it is not told."""

    subnet: ipaddress.IPv4Network
    pools: list[Range] = field(default_factory=list)
    options: Options = field(default_factory=dict)
    reservations: list[Reservation] = field(default_factory=list)
    lease: int | None = None


def option_name(name: str) -> str:
    """Give an option its usual name: by its number, or by another program's word."""
    word = name.strip().lower().removeprefix("option:").replace("_", "-")
    return _CODES.get(word) or _ALIASES.get(word, word)


def option_value(value: str) -> str:
    """Write a value in one way: without quotes, with `, ` between the elements of a list."""
    return ", ".join(part.strip().strip('"').rstrip(".").lower() for part in value.split(","))


def mac(text: str) -> str:
    """Write a hardware address in one way; ValueError when it is none."""
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    if len(digits) != 12:  # noqa: PLR2004 - six bytes
        raise ValueError(f"{text} is no hardware address")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def pool(text: str) -> Range:
    """Read `low - high` or a prefix; ValueError when it is neither or upside down."""
    if "/" in text:
        network = ipaddress.IPv4Network(text.strip(), strict=False)
        return network[0], network[-1]
    low, dash, high = text.partition("-")
    first = Address(low.strip())
    last = Address(high.strip()) if dash else first
    if last < first:
        raise ValueError(f"{text}: the last address comes before the first")
    return first, last


# -- Kea --------------------------------------------------------------------------------------------------------------


def read_json(text: str) -> Any:
    """Read JSON with comments and trailing commas, as Kea allows it."""
    bare = _COMMENT.sub(lambda m: m[0] if m[0][0] == '"' else " ", text)
    return json.loads(_TRAILING_COMMA.sub(lambda m: m[0] if m[0][0] == '"' else "", bare))


def read_kea(text: str) -> list[Scope]:
    """Read kea-dhcp4.conf. ValueError when parts of it stand in other files."""
    if "<?include" in text:
        raise ValueError("the configuration of Kea includes other files, which are not read")
    top = read_json(text)["Dhcp4"]
    general = _kea_options(top)
    scopes = [_kea_scope(subnet, general, top.get("valid-lifetime")) for subnet in top.get("subnet4", ())]
    for shared in top.get("shared-networks", ()):
        options = general | _kea_options(shared)
        lease = shared.get("valid-lifetime", top.get("valid-lifetime"))
        scopes += [_kea_scope(subnet, options, lease) for subnet in shared.get("subnet4", ())]
    for entry in top.get("reservations", ()):
        reservation = _kea_reservation(entry)
        for scope in scopes:
            if reservation and reservation.address and Address(reservation.address) in scope.subnet:
                scope.reservations.append(reservation)
    return scopes


def _kea_scope(entry: Mapping[str, Any], general: Options, lease: int | None) -> Scope:
    reservations = [r for r in map(_kea_reservation, entry.get("reservations", ())) if r]
    return Scope(
        subnet=ipaddress.IPv4Network(entry["subnet"], strict=False),
        pools=[pool(p["pool"]) for p in entry.get("pools", ())],
        options=general | _kea_options(entry),
        reservations=reservations,
        lease=entry.get("valid-lifetime", lease),
    )


def _kea_options(entry: Mapping[str, Any]) -> Options:
    found: Options = {}
    for option in entry.get("option-data", ()):
        name = option.get("name") or str(option.get("code"))
        if option.get("space", "dhcp4") == "dhcp4":
            found[option_name(name)] = option_value(str(option.get("data", "")))
    return found


def _kea_reservation(entry: Mapping[str, Any]) -> Reservation | None:
    if "hw-address" not in entry:
        return None
    return Reservation(mac(entry["hw-address"]), entry.get("ip-address", ""), entry.get("hostname", "").lower())


# -- ISC dhcpd --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Block:
    words: list[str]
    statements: list[list[str]] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)


def read_isc(text: str) -> list[Scope]:
    """Read dhcpd.conf: subnets, also those in shared networks and groups. ValueError for braces that do not close."""
    root = _isc_blocks(text)
    scopes: list[Scope] = []
    hosts: list[Reservation] = []
    _isc_block(root, {}, None, scopes, hosts)
    for reservation in hosts:
        for scope in scopes:
            if reservation.address and Address(reservation.address) in scope.subnet:
                scope.reservations.append(reservation)
    return scopes


def _isc_blocks(text: str) -> _Block:
    root = _Block([])
    stack, words = [root], list[str]()
    for part in _TOKEN.findall(text):
        if part[0] not in "{};":
            words += [part] if part[0] != "#" else []
            continue
        if part == "{":
            block = _Block(words)
            stack[-1].blocks.append(block)
            stack.append(block)
        elif part == ";":
            stack[-1].statements.append(words)
        elif len(stack) > 1:
            stack.pop()
        else:
            raise ValueError("dhcpd.conf closes a brace that was not opened")
        words = []
    if len(stack) > 1:
        raise ValueError("dhcpd.conf does not close all its braces")
    return root


def _isc_block(
    block: _Block, options: Options, lease: int | None, scopes: list[Scope], hosts: list[Reservation]
) -> None:
    ours = dict(options)
    pools: list[Range] = []
    for words in block.statements:
        if words[:1] == ["option"] and len(words) > 2:  # noqa: PLR2004 - option NAME VALUE
            ours[option_name(words[1])] = option_value(" ".join(words[2:]))
        elif words[:1] == ["default-lease-time"]:
            lease = int(words[1])
        elif words[:1] == ["range"]:
            ends = [w for w in words[1:] if w != "dynamic-bootp"]
            pools.append((Address(ends[0]), Address(ends[-1])))
    head = block.words
    if head[:1] == ["host"]:
        _isc_host(block, hosts)
    elif head[:1] == ["subnet"] and len(head) > 3:  # noqa: PLR2004 - subnet A netmask B
        inner = [p for b in block.blocks if b.words[:1] == ["pool"] for p in _isc_pools(b)]
        scopes.append(Scope(ipaddress.IPv4Network(f"{head[1]}/{head[3]}"), pools + inner, ours, [], lease))
    for inner_block in block.blocks:
        _isc_block(inner_block, ours, lease, scopes, hosts)


def _isc_pools(block: _Block) -> Iterator[Range]:
    for words in block.statements:
        if words[:1] == ["range"]:
            ends = [w for w in words[1:] if w != "dynamic-bootp"]
            yield Address(ends[0]), Address(ends[-1])


def _isc_host(block: _Block, hosts: list[Reservation]) -> None:
    told = {
        " ".join(words[:2]) if words[0] == "hardware" else words[0]: words[-1] for words in block.statements if words
    }
    if "hardware ethernet" in told:
        address = told.get("fixed-address", "")
        name = block.words[1] if len(block.words) > 1 else ""
        is_address = re.fullmatch(r"[0-9.]+", address)
        hosts.append(Reservation(mac(told["hardware ethernet"]), address if is_address else "", name.lower()))


# -- dnsmasq ----------------------------------------------------------------------------------------------------------


def read_dnsmasq(text: str) -> list[Scope]:
    """Read the lines of dnsmasq.conf. A range without a netmask is taken for a /24, as on most networks."""
    scopes: list[Scope] = []
    options: Options = {}
    hosts: list[Reservation] = []
    for line in text.splitlines():
        key, _, value = line.partition("#")[0].partition("=")
        parts = [p.strip() for p in value.split(",") if p.strip()]
        parts = [p for p in parts if not p.startswith(("tag:", "set:", "interface:", "net:"))]
        if key.strip() == "dhcp-range" and len(parts) > 1:
            scopes += _dnsmasq_range(parts)
        elif key.strip() in ("dhcp-option", "dhcp-option-force") and len(parts) > 1:
            options[option_name(parts[0])] = option_value(",".join(parts[1:]))
        elif key.strip() == "dhcp-host":
            hosts += _dnsmasq_host(parts)
    for scope in scopes:
        scope.options = dict(options)
        scope.reservations = [r for r in hosts if r.address and Address(r.address) in scope.subnet]
    return scopes


def _dnsmasq_range(parts: list[str]) -> Iterator[Scope]:
    if ":" in parts[0] or not re.fullmatch(r"[0-9.]+", parts[0]):  # IPv6
        return
    first = Address(parts[0])
    last = Address(parts[1]) if re.fullmatch(r"[0-9.]+", parts[1]) else first  # `static`, `proxy`
    masks = [p for p in parts[2:] if p.startswith("255.")]
    network = ipaddress.IPv4Network(f"{first}/{masks[0] if masks else 24}", strict=False)
    spans = [m for p in parts[2:] if (m := re.fullmatch(r"(\d+)([smhdw]?)", p))]
    seconds = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    lease = int(spans[-1][1]) * seconds[spans[-1][2]] if spans else 3600
    yield Scope(network, [(first, last)] if last > first else [], {}, [], lease)


def _dnsmasq_host(parts: list[str]) -> Iterator[Reservation]:
    macs = [p for p in parts if re.fullmatch(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", p)]
    addresses = [p for p in parts if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", p)]
    names = [p for p in parts if re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", p) and p not in ("ignore", "infinite")]
    for one in macs:
        yield Reservation(mac(one), addresses[0] if addresses else "", names[0].lower() if names else "")
