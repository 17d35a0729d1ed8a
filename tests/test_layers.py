"""Imports go one way: checks <- audits <- reporting; checks touch no network, no file, no clock."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"checks", "audits", "reporting"}
MAY = {"checks": {"checks"}, "audits": {"checks", "audits"}, "reporting": {"checks", "audits", "reporting"}}
COMMAND_LINE = {"audits/__main__.py", "audits/commands.py"}  # they may import everything
IMPURE = {"socket", "subprocess", "time", "os", "pathlib", "urllib", "http", "ssl", "random", "threading", "asyncio"}
FILES = [p.relative_to(ROOT) for room in sorted(OURS) for p in sorted((ROOT / room).rglob("*.py"))]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path) -> None:
    if str(path) in COMMAND_LINE:
        return
    tops = {name.partition(".")[0] for name in _imports(path)}
    assert tops & OURS <= MAY[path.parts[0]]
    if path.parts[0] == "checks":
        assert tops <= set(sys.stdlib_module_names) | {"checks"}
        assert not {n.partition(".")[0] for n in _imports(path) if n != "urllib.parse"} & IMPURE  # that one is pure


def test_nothing_is_too_long() -> None:
    long = {str(p): n for p in FILES if (n := len((ROOT / p).read_text().splitlines())) > 450}
    assert not long, "is each still one idea?"


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[0] == "checks"], ids=str)
def test_checks_open_nothing_and_ask_no_clock(path: Path) -> None:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in {"open", "eval", "exec"}, f"{path}:{node.lineno}"
            elif isinstance(node.func, ast.Attribute):
                assert node.func.attr not in {"now", "today", "utcnow"}, f"{path}:{node.lineno}: a clock"
