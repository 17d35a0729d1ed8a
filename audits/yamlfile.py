"""YAML as people write it, with the place of every value.

Two departures from PyYAML's YAML 1.1, both because they silently change what people mean: only `true` and `false` are
booleans (`permit_root_login: no` stays a word), and there are no base-60 numbers or dates (`52:54:00:12:34:56` and
`10:30` stay text). A key that stands twice is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from audits.errors import DefinitionError

Path_ = tuple[str | int, ...]
MOST_NODES = 2_000_000  # a definition with more is a bomb of aliases


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: 1-based line and column."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """A parsed file: its data, and the place of each key and value by its path."""

    file: str
    data: Any
    places: dict[Path_, Place] = field(default_factory=dict)

    def place(self, path: Path_) -> Place:
        """Give the place of a path, or of the nearest thing around it."""
        for end in range(len(path), -1, -1):
            if (found := self.places.get(path[:end])) is not None:
                return found
        return Place(1, 1)

    def where(self, path: Path_) -> str:
        """Say it as editors and terminals understand it: file:line:column."""
        place = self.place(path)
        return f"{self.file}:{place.line}:{place.column}"


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Safe loader with the two departures; the C parser is three times faster where there is one."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":int", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)


def load(path: Path, *, name: str | None = None) -> Document:
    """Read a YAML file; DefinitionError with file, line and column when it is none."""
    shown = name or str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DefinitionError(f"{shown}: there is no such file", "Check the path.") from None
    except IsADirectoryError:
        raise DefinitionError(f"{shown}: is a directory, not a file", "Name the YAML file itself.") from None
    except OSError as e:
        raise DefinitionError(f"{shown}: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise DefinitionError(f"{shown}: is not UTF-8 text (byte {e.start})", "Save it as UTF-8.") from None
    return parse(text, shown)


def parse(text: str, file: str) -> Document:
    """Parse YAML text; `file` is only for messages."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        document = Document(file, None)
        if node is not None:
            document.data = _Builder(loader, document).build(node, ())
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        problem = " ".join(str(part) for part in (e.context, e.problem) if part)
        raise DefinitionError(
            f"{where}: is not YAML: {problem}", "Look at the indentation and quotes around that line."
        ) from None
    except yaml.YAMLError as e:
        raise DefinitionError(f"{file}: is not YAML: {' '.join(str(e).split())}") from None
    finally:
        loader.dispose()
    return document


class _Builder:
    """Turns nodes into data and remembers their places."""

    def __init__(self, loader: Any, document: Document) -> None:
        self.loader, self.document, self.count = loader, document, 0

    def build(self, node: Any, path: Path_) -> Any:
        self.count += 1
        if self.count > MOST_NODES:
            raise DefinitionError(f"{self.document.file}: is too large", "Split it, or use fewer aliases.")
        self.document.places.setdefault(path, Place(node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode):
            self._refuse_twins(node)
            self.loader.flatten_mapping(node)
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
        return self.loader.construct_object(node, deep=True)

    def _refuse_twins(self, node: Any) -> None:
        """Refuse a key that stands twice; what comes in through a merge key (`<<`) may be written over."""
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            key, mark = str(key_node.value), key_node.start_mark
            if key in lines and isinstance(key_node, yaml.ScalarNode):
                raise DefinitionError(
                    f"{self.document.file}:{mark.line + 1}:{mark.column + 1}: "
                    f"the key '{key}' stands here for the second time (first on line {lines[key]})",
                    "Put both together.",
                )
            lines[key] = mark.line + 1

    def _mapping(self, node: Any, path: Path_) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(self.loader.construct_object(key_node, deep=True))
            self.document.places[(*path, key)] = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            data[key] = self.build(value_node, (*path, key))
        return data
