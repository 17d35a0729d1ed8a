"""Templates in a definition: `{{ variables }}` in parsed strings, sandboxed and strict, never on YAML text.

A string that is one expression and nothing else keeps the type of its value (`"{{ ports }}"` may be a list); any
other gives text. A variable that is not there is an error, never an empty string.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import SandboxedEnvironment

Path_ = tuple[str | int, ...]


@functools.cache
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)


@functools.cache
def _expression(source: str) -> Callable[..., Any] | None:
    """Compile a string that is just `{{ expression }}`; None when it is more than that."""
    text = source.strip()
    if not (text.startswith("{{") and text.endswith("}}")) or "{{" in text[2:] or "}}" in text[2:-2] or "{%" in text:
        return None
    return _environment().compile_expression(text[2:-2], undefined_to_none=False)


@functools.cache
def _template(source: str) -> jinja2.Template:
    return _environment().from_string(source)


def is_template(value: Any) -> bool:
    """Tell whether a string holds template syntax."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def variables_of(source: str) -> frozenset[str]:
    """Name the variables that a template refers to; ValueError when it is no template that can be read."""
    try:
        return frozenset(jinja2.meta.find_undeclared_variables(_environment().parse(source)))
    except jinja2.TemplateSyntaxError as e:
        raise ValueError(f"template: {e.message}") from None


def expand(source: str, variables: Mapping[str, Any]) -> Any:
    """Expand one string; ValueError says which variable is missing or what is wrong with the template."""
    try:
        expression = _expression(source)
        if expression is None:
            return _template(source).render(variables)
        value = expression(**variables)
        if isinstance(value, jinja2.Undefined):
            value._fail_with_undefined_error()  # noqa: SLF001 - jinja2's documented way to raise it
    except jinja2.UndefinedError as e:
        raise ValueError(f"template: {e.message}") from None
    except jinja2.TemplateError as e:
        raise ValueError(f"template: {e}") from None
    except Exception as e:  # noqa: BLE001 - an expression may do anything that Python does
        raise ValueError(f"template: {type(e).__name__}: {e}") from None
    return value


def expand_tree(
    data: Any, variables: Mapping[str, Any], problem: Callable[[Path_, str], None], path: Path_ = ()
) -> Any:
    """Expand every string of a tree; problems are reported with their path, and the string stays as it is."""
    if isinstance(data, dict):
        return {k: expand_tree(v, variables, problem, (*path, k)) for k, v in data.items()}
    if isinstance(data, list):
        return [expand_tree(v, variables, problem, (*path, i)) for i, v in enumerate(data)]
    if not is_template(data):
        return data
    try:
        return expand(data, variables)
    except ValueError as e:
        problem(path, str(e))
        return data
