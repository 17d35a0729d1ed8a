"""XML from machines that may be hostile: no document type, so no entities that expand or fetch; bounded size and depth.

The standard library's expat reads it; external entities are never fetched, and a DOCTYPE is refused before any entity
could be declared (the attacks of CWE-776 and CWE-611).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from checks.questions import Unreadable

_DEPTH = 200
_ELEMENTS = 200_000


@dataclass(slots=True)
class Element:
    """An element: its name without namespace, its attributes without namespaces, its children, and its text."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def find(self, *names: str) -> Element | None:
        """Give the first element down this path of names, or None."""
        here: Element | None = self
        for name in names:
            here = next((c for c in here.children if c.name == name), None) if here else None
        return here

    def every(self, name: str | None = None) -> list[Element]:
        """Give this element and all below it, in the document's order, or only those of a name."""
        found, todo = [], [self]
        while todo:
            element = todo.pop()
            found.append(element)
            todo.extend(reversed(element.children))
        return [e for e in found if name is None or e.name == name]


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > _ELEMENTS or len(self.open) >= _DEPTH:
            raise Unreadable("the XML has too many elements, or is nested too deep")
        element = Element(_local(name), {_local(k): v for k, v in attributes.items()})
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _: str) -> None:
        self.open.pop()

    def text(self, data: str) -> None:
        if self.open:
            self.open[-1].text += data

    def refuse(self, *_: object) -> None:
        raise Unreadable("the XML has a document type declaration")


def parse(raw: bytes) -> Element:
    """Read a document and give its root; Unreadable when it is not well-formed or not safe."""
    parser = expat.ParserCreate(namespace_separator="}")
    builder = _Builder()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, ValueError, LookupError) as e:
        if isinstance(e, Unreadable):
            raise
        raise Unreadable(f"no well-formed XML: {e}") from None
    if builder.root is None:
        raise Unreadable("the XML has no root")
    return builder.root


def _local(name: str) -> str:
    return name.rpartition("}")[2]
