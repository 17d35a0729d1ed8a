"""What a definition may hold: the head of the file as a model, the kinds of requirement from `checks`, and the schema.

Kinds are plain dataclasses in `checks/`; pydantic validates them here, so that the checks need no library.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from typing import Any, Literal

import pydantic

from audits import catalogue
from checks.core import KINDS, Expectation, Scope, modifier_doc

FORMAT = 1
SCHEMA_ID = "https://keuring.example/schemas/definition-1.json"
_CONFIG = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Party(pydantic.BaseModel):
    """Somebody who signs."""

    model_config = _CONFIG
    name: str
    """Name of the organisation or person."""
    contact: str | None = None
    """Who speaks for it."""
    address: str | None = None
    email: str | None = None
    phone: str | None = None
    number: str | None = None
    """Enterprise number (KBO/BCE) or student number."""


class Parties(pydantic.BaseModel):
    """Who hands over to whom, and what."""

    model_config = _CONFIG
    customer: Party | None = None
    """Who accepts (opdrachtgever)."""
    installer: Party | None = None
    """Who built and hands over (uitvoerder)."""
    assessor: Party | None = None
    """Who judges, in a school."""
    site: str | None = None
    """Where it stands."""
    contract: str | None = None
    """Reference of the contract, order or assignment."""


class Acceptance(pydantic.BaseModel):
    """When the installation may be accepted."""

    model_config = _CONFIG
    minimum_coverage: float = pydantic.Field(default=80, ge=0, le=100)
    """Least percentage of findings that must be assessed; below it nothing is decided."""


class Head(pydantic.BaseModel):
    """An audit definition: the declared, expected state, and what of it counts."""

    model_config = _CONFIG
    keuring: Literal[1]
    """Version of this format."""
    title: str
    """Title of the audit and its report."""
    language: Literal["nl", "en", "fr"] = "nl"
    """Language of the report."""
    parties: Parties = Parties()
    """Who hands over to whom."""
    scope: tuple[str, ...] = ()
    """What the audit covers, in lines for the report."""
    out_of_scope: tuple[str, ...] = ()
    """What it leaves out on purpose."""
    variables: dict[str, Any] = {}
    """Values for `{{ templates }}`; `--set NAME=VALUE` replaces one."""
    authorities: dict[str, str] = {}
    """Names for certificate authorities: NAME: PEM file, relative to the definition."""
    attestations: Literal["all", "none"] | tuple[str, ...] = "none"
    """Which questions for people the report asks: all, none, or a list of their ids."""
    acceptance: Acceptance = Acceptance()
    """When the installation may be accepted."""


class DirectoryHead(pydantic.BaseModel):
    """The domain, and who serves it."""

    model_config = _CONFIG
    domain: str
    """DNS name of the domain."""
    servers: str | tuple[str, ...]
    """Pattern of the inventory, or names, of its domain controllers; the first that answers is asked."""
    ca: str | None = None
    """Name (under `authorities`) of the certificate authority of its LDAPS certificates."""


class DnsHead(pydantic.BaseModel):
    """The name servers that are asked."""

    model_config = _CONFIG
    servers: str | tuple[str, ...]
    """Pattern of the inventory, or names, of the DNS servers; each record is asked of each of them."""


HEADS: dict[Scope, type[pydantic.BaseModel]] = {Scope.DOMAIN: DirectoryHead, Scope.DNS: DnsHead}


@functools.cache
def kinds(scope: Scope) -> dict[str, type[Expectation]]:
    """Give the kinds of requirement that may stand in this part of a definition."""
    catalogue.load()
    return {key: kind for (where, key), kind in sorted(KINDS.items()) if where == scope}


_ADAPTERS: dict[tuple[Scope, str], pydantic.TypeAdapter[Any]] = {}


def adapter(kind: type[Expectation]) -> pydantic.TypeAdapter[Any]:
    """Give the validator of one kind, made once; unknown keys are errors, all the way down."""
    made = _ADAPTERS.get((kind.scope, kind.key))
    if made is None:
        _strict(kind, set())
        made = _ADAPTERS[kind.scope, kind.key] = pydantic.TypeAdapter(kind)
    return made


def _strict(cls: Any, seen: set[Any]) -> None:
    """Forbid unknown keys in this dataclass and in those its fields hold."""
    if cls in seen:
        return
    seen.add(cls)
    if inspect.isclass(cls) and dataclasses.is_dataclass(cls):
        cls.__pydantic_config__ = _CONFIG  # type: ignore[attr-defined]
        for hint in typing.get_type_hints(cls).values():
            _strict(hint, seen)
    for argument in typing.get_args(cls):
        if not isinstance(argument, str | int | float | bool):
            _strict(argument, seen)


def field_names(kind: type[Expectation]) -> list[str]:
    """Name the keys that an entry of this kind may have."""
    return [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a definition, for editors and for other tools."""
    definitions: dict[str, Any] = {}
    everything = [
        (a, "validation", adapter(k)) for s in Scope for a, k in ((f"{s}.{n}", k) for n, k in kinds(s).items())
    ]
    by_key, rest = pydantic.TypeAdapter.json_schemas(
        [(key, typing.cast("Any", mode), a) for key, mode, a in everything],
        ref_template="#/$defs/{model}",
    )
    definitions.update(rest.get("$defs", {}))
    head = Head.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(head.pop("$defs", {}))
    _describe(definitions)
    sections: dict[Scope, dict[str, Any]] = {}
    for scope in Scope:
        properties: dict[str, Any] = {}
        for name, kind in kinds(scope).items():
            ref = by_key[typing.cast("Any", (f"{scope}.{name}", "validation"))]
            doc = inspect.getdoc(kind) or ""
            entry = {"anyOf": [ref, {"$ref": "#/$defs/FromCsv"}]} if kind.many else ref
            properties[name] = {"description": doc, **({"type": "array", "items": entry} if kind.many else entry)}
        section = {"type": "object", "additionalProperties": False, "properties": properties}
        if scope in HEADS:
            model = HEADS[scope].model_json_schema(ref_template="#/$defs/{model}")
            definitions.update(model.pop("$defs", {}))
            section["properties"] = {**model["properties"], **properties}
            section["required"] = model.get("required", [])
            section["description"] = inspect.getdoc(HEADS[scope]) or ""
        sections[scope] = section
    definitions["FromCsv"] = {
        "type": "object",
        "description": "One entry per row of a CSV file; the other keys may use {{ columns }} as variables.",
        "required": ["csv"],
        "properties": {
            "csv": {
                "type": "string",
                "description": "The file, relative to the definition; its first line names the columns.",
            },
            "delimiter": {
                "type": "string",
                "description": "What stands between columns; else , ; or a tab is found out.",
            },
        },
    }
    head["properties"] |= {
        "hosts": {
            "type": "object",
            "description": "Requirements per host: a pattern of the inventory, and what is declared for its hosts.",
            "additionalProperties": sections[Scope.HOST],
        },
        "directory": sections[Scope.DOMAIN],
        "dns": sections[Scope.DNS],
    }
    head["properties"]["variables"]["description"] = "Values for {{ templates }}; --set NAME=VALUE replaces one."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **head,
        "title": "keuring audit definition",
        "$defs": dict(sorted(definitions.items())),
    }


def _describe(definitions: dict[str, Any]) -> None:
    """Describe the modifiers, and keys without a description as the same key elsewhere, else by their own name."""
    fields = [(n, f) for d in definitions.values() for n, f in d.get("properties", {}).items()]
    told = {name: field["description"] for name, field in fields if "description" in field}
    for name, field in fields:
        field.setdefault(
            "description", modifier_doc(name) or told.get(name) or f"{name.replace('_', ' ').capitalize()}."
        )
