"""What requirements need of each other: ids that must exist, and never a circle."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Iterator


def problems(requirements: Iterable[tuple[str, Iterable[str]]]) -> Iterator[str]:
    """Say what is wrong with `needs` (id and needed ids of each requirement): it would skip what must be judged."""
    edges: dict[str, set[str]] = {}
    for id_, needed in requirements:
        edges.setdefault(id_, set()).update(needed)
    for id_, needed in edges.items():
        for name in sorted(needed - edges.keys()):
            yield f"{id_}: needs: there is no requirement with the id '{name}'"
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as e:
        yield f"needs: a circle: {' → '.join(e.args[1])}"
