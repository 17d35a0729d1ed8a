"""Templates keep types, miss nothing silently, and cannot leave the sandbox."""

from typing import Any

import pytest

from audits import templates


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ n }}", 3),
        ("{{ names }}", ["a", "b"]),
        ("x{{ n }}y", "x3y"),
        ("{{ n }}{{ n }}", "33"),
        ("{{ names | join('-') }}", "a-b"),
        ("{% if n > 2 %}many{% endif %}", "many"),
        ("{{ nothing is defined }}", False),
    ],
)
def test_expand(source: str, value: Any) -> None:
    assert templates.expand(source, {"n": 3, "names": ["a", "b"]}) == value


@pytest.mark.parametrize(
    "source",
    [
        "{{ missing }}",
        "a {{ missing }}",
        "{{ n.missing }}",
        "{{ n",
        "{% for %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ n / 0 }}",
        "x{{ 1 / 0 }}",
        "{{ range(9999999999) | list }}",
    ],
)
def test_what_cannot_be_expanded_is_a_value_error(source: str) -> None:
    with pytest.raises(ValueError, match="template"):
        templates.expand(source, {"n": 3})


def test_a_tree_reports_every_problem_with_its_path() -> None:
    found: list[tuple[tuple[str | int, ...], str]] = []
    tree = {"a": ["{{ x }}", "{{ y }}"], "b": {"c": "{{ z }}"}}
    result = templates.expand_tree(tree, {"x": 1}, lambda path, words: found.append((path, words)))
    assert result == {"a": [1, "{{ y }}"], "b": {"c": "{{ z }}"}}
    assert [path for path, _ in found] == [("a", 1), ("b", "c")]
