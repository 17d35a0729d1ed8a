"""The definition: read, check, and expand it into requirements for the hosts of an inventory.

`load` reads a file and finds every problem that can be found without an inventory; `Definition.expand` applies the
patterns and host variables and gives the `Audit`: targets, requirements and the expanded tree that the run records.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pydantic

from audits import catalogue, needs, schema, templates, yamlfile
from audits.errors import DefinitionError
from audits.transports.base import Target
from checks.core import Expectation, Scope
from checks.questions import Question

Path_ = tuple[str | int, ...]
_SECTIONS = (Scope.HOST, Scope.DOMAIN, Scope.DNS)


class Hosts(Protocol):
    """What a definition needs to know of an inventory."""

    @property
    def hosts(self) -> Mapping[str, Mapping[str, Any]]:
        """Variables by host."""
        ...

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Hosts by group."""
        ...

    def match(self, pattern: str) -> tuple[str, ...]:
        """Give the hosts of an Ansible pattern; InventoryError when there are none."""
        ...


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of the definition for one target."""

    id: str
    target: str
    want: Expectation
    where: str  # file:line:column


@dataclass(frozen=True, slots=True)
class Audit:
    """A definition applied to an inventory."""

    head: schema.Head
    targets: Mapping[str, Target]
    requirements: tuple[Requirement, ...]
    tree: Mapping[str, Any]  # the expanded definition, a definition itself
    authorities: Mapping[str, Path]
    directory_ca: Path | None = None


class _Problems:
    """Collects every problem with its place; raised together."""

    def __init__(self, document: yamlfile.Document) -> None:
        self.document = document
        self.found: dict[tuple[int, int, str], str] = {}

    def add(self, path: Path_, message: str) -> None:
        place = self.document.place(path)
        self.found.setdefault((place.line, place.column, message), f"{self.document.where(path)}: {message}")

    def raise_if_any(self) -> None:
        if self.found:
            lines = [self.found[k] for k in sorted(self.found)]
            n = len(lines)
            raise DefinitionError(
                "\n".join(lines),
                f"{n} problem{'s' * (n > 1)} in {self.document.file}; `keuring schema` prints what it may hold.",
            )


@dataclass(slots=True)
class _Section:
    """The entries of one section: kind word -> list of (path, raw entry); and whether host variables are needed."""

    entries: dict[str, list[tuple[Path_, Any]]] = field(default_factory=dict)
    templated: bool = False


class Definition:
    """A definition that was read and checked as far as it can be without an inventory."""

    def __init__(self, document: yamlfile.Document, folder: Path, overrides: Mapping[str, Any]) -> None:
        self.document, self.folder = document, folder
        self._problems = _Problems(document)
        data = document.data
        if not isinstance(data, dict):
            self._problems.add((), "a definition is a mapping that begins with `keuring: 1`")
            self._problems.raise_if_any()
        self._variables = self._read_variables(data, overrides)
        raw_head = {k: v for k, v in data.items() if k not in _SECTIONS and k != "variables"}
        raw_head = templates.expand_tree(raw_head, self._variables, self._problems.add)
        self._sections: dict[Path_, _Section] = {}
        self._section_heads: dict[Scope, Any] = {}
        self.head = self._validate(schema.Head, raw_head | {"variables": self._variables}, ())
        for scope in _SECTIONS:
            if data.get(scope) is not None:
                self._read_section(scope, data[scope])
        self._check_entries()
        if not self._sections and (self.head is None or self.head.attestations == "none"):
            self._problems.add((), "nothing is declared: add `hosts`, `directory` or `dns`")
        self._problems.raise_if_any()

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read_variables(self, data: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        raw = data.get("variables") or {}
        if not isinstance(raw, dict):
            self._problems.add(("variables",), "variables is a mapping of names to values")
            return dict(overrides)
        variables: dict[str, Any] = {}
        for name, value in (raw | dict(overrides)).items():
            variables[name] = templates.expand_tree(value, variables, self._problems.add, ("variables", name))
        return variables

    def _read_section(self, scope: Scope, raw: Any) -> None:
        if not isinstance(raw, dict):
            self._problems.add((scope,), f"{scope} is a mapping")
            return
        if scope == Scope.HOST:
            for pattern, part in raw.items():
                self._read_kinds(scope, (scope, pattern), part)
            return
        model = schema.HEADS[scope]
        head = {k: v for k, v in raw.items() if k in model.model_fields}
        head = templates.expand_tree(head, self._variables, self._problems.add, (scope,))
        self._section_heads[scope] = self._validate(model, head, (scope,))
        self._read_kinds(
            scope, (scope,), {k: v for k, v in raw.items() if k not in model.model_fields}, list(model.model_fields)
        )

    def _read_kinds(self, scope: Scope, path: Path_, raw: Any, also: Sequence[str] = ()) -> None:
        if not isinstance(raw, dict):
            self._problems.add(path, "is a mapping of kinds of requirement")
            return
        known = schema.kinds(scope)
        section = self._sections[path] = _Section()
        for word, value in raw.items():
            here = (*path, word)
            if word not in known:
                self._problems.add(
                    here, _unknown_key(word, [*known, *also], {k: s for s in Scope for k in schema.kinds(s)}, scope)
                )
            elif not known[word].many:
                section.entries[word] = [(here, value if value is not None else {})]
            elif isinstance(value, list):
                section.entries[word] = list(self._rows(here, value))
            else:
                self._problems.add(here, f"{word} is a list of entries (each begins with `- `)")
        for word, entries in section.entries.items():
            section.entries[word] = [(p, self._expand_early(p, e, section)) for p, e in entries]

    def _expand_early(self, path: Path_, entry: Any, section: _Section) -> Any:
        """Expand what the definition's own variables suffice for; what needs host variables waits."""

        def later(where: Path_, problem: str) -> None:
            if path[0] == Scope.HOST and "undefined" in problem:
                section.templated = True
            else:
                self._problems.add(where, problem)

        return templates.expand_tree(entry, self._variables, later, path)

    def _rows(self, path: Path_, items: list[Any]) -> Iterator[tuple[Path_, Any]]:
        """Give the entries of a list; one that names a `csv` stands for an entry per row of that file."""
        for i, item in enumerate(items):
            here = (*path, i)
            if not (isinstance(item, dict) and "csv" in item):
                yield here, item
                continue
            try:
                rows = list(self._csv(item))
            except (OSError, ValueError, csv.Error) as e:
                self._problems.add((*here, "csv"), f"cannot read {item['csv']}: {getattr(e, 'strerror', None) or e}")
                continue
            rest = {k: v for k, v in item.items() if k not in ("csv", "delimiter")}
            for row in rows:
                yield here, templates.expand_tree(rest, self._variables | row, self._problems.add, here)

    def _csv(self, item: Mapping[str, Any]) -> Iterable[dict[str, str]]:
        source = templates.expand(str(item["csv"]), self._variables)
        text = (self.folder / source).read_bytes().decode("utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = str(item.get("delimiter") or max(",;\t", key=first.count))
        for row in csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True):
            if None in row or None in row.values():
                raise ValueError("a row has more or fewer columns than the first line")
            yield {k.strip(): v.strip() for k, v in row.items()}

    # -- validating ---------------------------------------------------------------------------------------------------

    def _check_entries(self) -> None:
        for path, section in self._sections.items():
            scope = Scope(str(path[0]))
            for word, entries in section.entries.items():
                for where, entry in entries:
                    self._entry(schema.kinds(scope)[word], entry, where, defer=section.templated)

    def _entry(self, kind: type[Expectation], raw: Any, path: Path_, *, defer: bool = False) -> Expectation | None:
        try:
            return schema.adapter(kind).validate_python(raw)  # type: ignore[no-any-return]
        except pydantic.ValidationError as e:
            for error in e.errors():
                if defer and _holds_template(error.get("input")):
                    continue
                self._add_error(error, path, schema.field_names(kind))
            return None

    def _validate(self, model: type[pydantic.BaseModel], raw: Any, path: Path_) -> Any:
        try:
            return model.model_validate(raw)
        except pydantic.ValidationError as e:
            for error in e.errors():
                self._add_error(error, path, [*model.model_fields, *(_SECTIONS if model is schema.Head else ())])
            return None

    def _add_error(self, error: Any, path: Path_, keys: Sequence[str]) -> None:
        where = (*path, *error["loc"])
        kind, last = error["type"], str(error["loc"][-1]) if error["loc"] else ""
        if kind in ("unexpected_keyword_argument", "extra_forbidden"):
            self._problems.add(where, _unknown_key(last, keys if len(error["loc"]) == 1 else (), {}, None))
        elif kind == "missing":
            self._problems.add(path, f"the key '{last}' is missing")
        else:
            advice = ""
            if kind == "string_type" and isinstance(error["input"], bool | int | float):
                advice = f' (put quotes around it: "{str(error["input"]).lower()}")'
            name = ".".join(str(p) for p in error["loc"] if not str(p)[:1].isupper())
            message = error["msg"].removeprefix("Input s").removeprefix("Value error, ")
            message = "s" + message if error["msg"].startswith("Input s") else message
            self._problems.add(where, f"{name}: {message}{advice}" if name else f"{message}{advice}")

    def template_variables(self) -> set[str]:
        """Name the variables that its templates use."""
        found: set[str] = set()

        def walk(value: Any) -> None:
            if isinstance(value, dict):
                for v in value.values():
                    walk(v)
            elif isinstance(value, list):
                for v in value:
                    walk(v)
            elif templates.is_template(value):
                found.update(templates.variables_of(value))

        walk(self.document.data)
        return found

    def questions(self) -> Iterator[Question]:
        """Give what its checks ask, as far as can be told without an inventory (host templates stay as they are)."""
        known = catalogue.load().values()
        for path, section in self._sections.items():
            for word, entries in section.entries.items():
                kind = schema.kinds(Scope(str(path[0])))[word]
                for where, raw in entries:
                    want = self._entry(kind, raw, where, defer=True)
                    for check in known:
                        if want is not None and check.want is kind and check.applies(want):
                            for need in check.needs.values():
                                asked = need.fact.ask(want)
                                yield from asked if isinstance(asked, tuple) else (asked,)

    def needs_inventory(self) -> bool:
        """Tell whether it names more than this machine."""
        patterns = {str(p[1]) for p in self._sections if p[0] == Scope.HOST}
        return bool(self._section_heads) or not patterns <= {"localhost", "all"}

    # -- expanding ----------------------------------------------------------------------------------------------------

    def expand(self, inventory: Hosts, limit: str | None = None) -> Audit:
        """Apply the definition to an inventory.

        `limit` is a pattern: requirements of other hosts are left out (those of the directory and DNS stay when one
        of their servers is in it). DefinitionError or InventoryError when something does not fit.
        """
        self._problems = _Problems(self.document)
        allowed = set(inventory.match(limit)) if limit else set(inventory.hosts)
        domain = self._section_heads[Scope.DOMAIN].domain if Scope.DOMAIN in self._section_heads else ""
        targets: dict[str, Target] = {}

        def host(name: str) -> Target:
            return targets.setdefault(name, Target(name, "host", inventory.hosts[name], domain=domain))

        tree: dict[str, Any] = {"keuring": schema.FORMAT} | self.head.model_dump(exclude_none=True, exclude={"keuring"})
        requirements = self._expand_hosts(inventory, allowed, tree)
        for requirement in requirements:
            host(requirement.target)
        for scope, name in ((Scope.DOMAIN, domain), (Scope.DNS, "dns")):
            if scope not in self._section_heads:
                continue
            servers = self._servers(scope, inventory)
            if not allowed & set(servers):
                continue
            variables = _domain_variables(inventory.hosts[servers[0]]) if scope == Scope.DOMAIN else {}
            members = tuple(host(s) for s in servers)
            targets[name] = Target(name, "domain" if scope == Scope.DOMAIN else "dns", variables, members, domain)
            section = self._sections.get((scope,), _Section())
            tree[scope] = (
                self._section_heads[scope].model_dump() | {"servers": list(servers)} | _tree_of(section, scope)
            )
            requirements += self._requirements(section, name, scope)
        ca = self._section_heads[Scope.DOMAIN].ca if Scope.DOMAIN in self._section_heads else None
        authorities = self.authorities()
        if ca and ca not in authorities:
            self._problems.add((Scope.DOMAIN, "ca"), f"there is no '{ca}' under `authorities`")
        if not limit:
            for problem in needs.problems((r.id, r.want.needs) for r in requirements):
                self._problems.add((), problem)
        self._problems.raise_if_any()
        return Audit(
            self.head, targets, tuple(_unique(requirements)), tree, authorities, authorities.get(ca) if ca else None
        )

    def authorities(self) -> dict[str, Path]:
        """Give the CA files by the names that the definition gives them."""
        return {name: (self.folder / Path(file).expanduser()).resolve() for name, file in self.head.authorities.items()}

    def _servers(self, scope: Scope, inventory: Hosts) -> tuple[str, ...]:
        said = self._section_heads[scope].servers
        patterns = [said] if isinstance(said, str) else list(said)
        names: dict[str, None] = {}
        for pattern in patterns:
            names.update(dict.fromkeys(inventory.match(pattern)))
        return tuple(names)

    def _expand_hosts(self, inventory: Hosts, allowed: set[str], tree: dict[str, Any]) -> list[Requirement]:
        """Give the requirements of all hosts; hosts under the same patterns share the parsed entries."""
        by_host: dict[str, list[Path_]] = {}
        for path in self._sections:
            if path[0] == Scope.HOST:
                for name in inventory.match(str(templates.expand(str(path[1]), self._variables))):
                    by_host.setdefault(name, []).append(path)
        shared: dict[tuple[Path_, ...], _Section] = {}
        grouped: dict[int, tuple[_Section, list[str]]] = {}
        requirements: list[Requirement] = []
        for host in (h for h in inventory.hosts if h in by_host and h in allowed):
            paths = tuple(by_host[host])
            section = shared.get(paths)
            if section is None:
                section = _merge([self._sections[p] for p in paths])
                if section.templated:
                    section = self._with_host_variables(section, host, inventory)
                else:
                    shared[paths] = section
            grouped.setdefault(id(section), (section, []))[1].append(host)
            requirements += self._requirements(section, host, Scope.HOST)
        tree["hosts"] = {",".join(hosts): _tree_of(section, Scope.HOST) for section, hosts in grouped.values()}
        return requirements

    def _with_host_variables(self, section: _Section, host: str, inventory: Hosts) -> _Section:
        names = {
            "inventory_hostname": host,
            "group_names": [g for g, hosts in inventory.groups.items() if host in hosts],
        }
        variables = {**inventory.hosts[host], **self._variables, **names}

        def problem(path: Path_, message: str) -> None:
            self._problems.add(path, f"{message} (for host {host})")

        return _Section(
            {
                word: [(p, templates.expand_tree(e, variables, problem, p)) for p, e in entries]
                for word, entries in section.entries.items()
            }
        )

    def _requirements(self, section: _Section, target: str, scope: Scope) -> Iterator[Requirement]:
        for word, entries in section.entries.items():
            kind = schema.kinds(scope)[word]
            for path, raw in entries:
                want = self._entry(kind, raw, path)
                if want is None:
                    continue
                subject = f"[{want.subject}]" if want.subject else ""
                prefix = f"{scope}.{target}" if scope == Scope.HOST else str(scope)
                yield Requirement(want.id or f"{prefix}.{word}{subject}", target, want, self.document.where(path))


def load(path: Path, overrides: Mapping[str, Any] | None = None, *, name: str | None = None) -> Definition:
    """Read and check a definition file; DefinitionError holds every problem, each with file, line and column."""
    return Definition(yamlfile.load(path, name=name), path.resolve().parent, overrides or {})


def _merge(sections: Sequence[_Section]) -> _Section:
    """Lay the sections of several patterns over each other: lists add up, single mappings replace key by key."""
    merged = _Section(templated=any(s.templated for s in sections))
    for section in sections:
        for word, entries in section.entries.items():
            if word in merged.entries and not schema.kinds(Scope.HOST)[word].many:
                (_, below), (path, above) = merged.entries[word][0], entries[0]
                both = {**below, **above} if isinstance(below, dict) and isinstance(above, dict) else above
                merged.entries[word] = [(path, both)]
            else:
                merged.entries.setdefault(word, []).extend(entries)
    return merged


def _tree_of(section: _Section, scope: Scope) -> dict[str, Any]:
    kinds = schema.kinds(scope)
    return {w: [e for _, e in es] if kinds[w].many else es[0][1] for w, es in section.entries.items()}


def _unique(requirements: Iterable[Requirement]) -> Iterator[Requirement]:
    """Make ids unique: the second of the same name gets a number."""
    seen: dict[tuple[str, str], int] = {}
    for r in requirements:
        n = seen[r.target, r.id] = seen.get((r.target, r.id), 0) + 1
        yield r if n == 1 else Requirement(f"{r.id}#{n}", r.target, r.want, r.where)


def _domain_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in variables.items() if k.startswith("keuring_")}


def _holds_template(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_template(v) for v in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_template(v) for v in value)
    return templates.is_template(value)


def _unknown_key(word: str, keys: Sequence[str], elsewhere: Mapping[str, Scope], scope: Scope | None) -> str:
    if word in elsewhere and elsewhere[word] != scope:
        return f"unknown key '{word}' here: it belongs under `{elsewhere[word]}`"
    near = difflib.get_close_matches(word, keys, 1, 0.6)
    if near:
        return f"unknown key '{word}': did you mean '{near[0]}'?"
    hint = f" (possible: {', '.join(sorted(keys))})" if 0 < len(keys) <= 40 else ""  # noqa: PLR2004 - one screen
    return f"unknown key '{word}'{hint}"
