r"""GptTmpl.inf: the security settings of a group policy (MS-GPSB 2.2).

Four shapes of lines: `name = value` (System Access, Kerberos Policy, Event Audit, Privilege Rights, Group Membership,
the event logs), `MACHINE\path=type,data` (Registry Values), and `"name",mode,"SDDL"` without an equals sign (Service
General Setting, Registry Keys, File Security). Principals are `*S-1-…` or a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from checks.formats import ini
from checks.questions import Unreadable

Value = str | int
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_MULTI_SZ, _DWORD = 7, 4
_NOT_VALUES = ("unicode", "version", "profile description")
_OBJECTS = ("service general setting", "registry keys", "file security")


@dataclass(frozen=True, slots=True)
class RegistryValue:
    """A registry value: hive and key and name as one path, the type's number (MS-RRP), and the data by its type."""

    path: str
    type: int
    data: str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Secured:
    """A service, registry key or file: its section (lower case), its mode (services: how it starts), its SDDL."""

    section: str
    name: str
    mode: int
    sddl: str


@dataclass(frozen=True, slots=True)
class SecurityTemplate:
    """The whole file. Keys are in lower case; principals are SIDs or names, without the star."""

    values: dict[tuple[str, str], Value] = field(default_factory=dict)  # (section, name)
    registry: dict[str, RegistryValue] = field(default_factory=dict)  # path
    rights: dict[str, tuple[str, ...]] = field(default_factory=dict)  # right
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)  # group: exactly these are its members
    member_of: dict[str, tuple[str, ...]] = field(default_factory=dict)  # group: it is added to these
    objects: tuple[Secured, ...] = ()

    def get(self, path: str) -> Value | tuple[str, ...] | None:
        r"""Give a setting by `Section/Name`: a value, `Registry Values/MACHINE\…`, or how a service starts."""
        section, _, name = (part.strip().casefold() for part in path.partition("/"))
        if section == "registry values":
            found = self.registry.get(name)
            return found.data if found else None
        if section == "privilege rights":
            return self.rights.get(name)
        if section in _OBJECTS:
            return next((o.mode for o in self.objects if o.section == section and o.name.casefold() == name), None)
        return self.values.get((section, name))


def parse(raw: bytes) -> SecurityTemplate:
    """Read a file; Unreadable when a line does not fit its section, or when it has no section at all."""
    found = ini.sections(ini.decode(raw))
    if not found:
        raise Unreadable("GptTmpl.inf has no sections")
    template = SecurityTemplate()
    objects: list[Secured] = []
    for title, lines in found:
        section = title.casefold()
        if section in _NOT_VALUES:
            continue
        if section in _OBJECTS:
            objects.extend(_secured(section, line) for line in lines)
        else:
            for name, value in _pairs(title, lines):
                _put(template, section, name, value)
    return SecurityTemplate(
        template.values, template.registry, template.rights, template.members, template.member_of, tuple(objects)
    )


def _pairs(section: str, lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals:
            raise Unreadable(f"GptTmpl.inf [{section[:40]}]: {line[:80]!r}")
        yield name.strip().strip('"'), value.strip()


def _put(template: SecurityTemplate, section: str, name: str, value: str) -> None:
    key = name.casefold()
    if section == "registry values":
        template.registry[key] = _registry_value(name, value)
    elif section == "privilege rights":
        template.rights[key] = _principals(value)
    elif section == "group membership":
        group, _, word = name.rpartition("__")
        if word.casefold() not in ("members", "memberof"):
            raise Unreadable(f"GptTmpl.inf [Group Membership]: {name[:80]!r}")
        table = template.members if word.casefold() == "members" else template.member_of
        table[group.strip().removeprefix("*").casefold()] = _principals(value)
    else:
        template.values[section, key] = int(value) if _INTEGER.fullmatch(value) else _unquote(value)


def _registry_value(path: str, value: str) -> RegistryValue:
    number, _, rest = value.partition(",")
    if not re.fullmatch("[0-9]{1,2}", number.strip()):
        raise Unreadable(f"GptTmpl.inf [Registry Values]: {path[:80]}={value[:40]!r}")
    kind, rest = int(number), rest.strip()
    if kind == _MULTI_SZ:
        return RegistryValue(path, kind, tuple(part for part in split(rest) if part))
    if kind == _DWORD and _INTEGER.fullmatch(_unquote(rest)):
        return RegistryValue(path, kind, int(_unquote(rest)) & 0xFFFFFFFF)
    return RegistryValue(path, kind, _unquote(rest))


def _secured(section: str, line: str) -> Secured:
    # some writers number the lines: `1="name",mode,"SDDL"`
    parts = split(re.sub(r"^[0-9]{1,6}\s*=\s*", "", line))
    if len(parts) < 2 or not re.fullmatch("[0-9]{1,3}", parts[1]):  # noqa: PLR2004 - name and mode
        raise Unreadable(f"GptTmpl.inf [{section}]: {line[:80]!r}")
    return Secured(section, parts[0], int(parts[1]), parts[2] if len(parts) > 2 else "")  # noqa: PLR2004


def split(text: str) -> list[str]:
    """Split at the commas that do not stand between quotes, and drop the quotes: `a"," b,c` gives `a, b` and `c`."""
    parts, quoted = [""], False
    for piece in re.split(r'([",])', text):
        if piece == '"':
            quoted = not quoted
        elif piece == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


def _principals(value: str) -> tuple[str, ...]:
    return tuple(part.removeprefix("*") for part in split(value) if part)


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
