"""The files that an inventory is made of: which, their digest, and what they need (a vault password, a program).

Ansible reads, for a source that is a directory, all that is in it, and for any source the folders `group_vars` and
`host_vars` beside it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from audits.errors import InventoryError

VAULT = b"$ANSIBLE_VAULT;"
_PLUGIN = re.compile(rb"^plugin\s*:\s*['\"]?([\w.]+)", re.MULTILINE)
_PURE_PLUGINS = (b"constructed", b"ansible.builtin.constructed")  # depend on the other sources only
_MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Sources:
    """What was given with `-i`, and every file that belongs to it."""

    given: tuple[str, ...]
    files: tuple[Path, ...]
    digest: str  # SHA-256 over names and contents
    vaulted: tuple[Path, ...]
    dynamic: bool  # a program or a service tells the hosts: another time it may tell others


def look(paths: Sequence[str]) -> Sources:
    """Read the files of an inventory; InventoryError when one is missing or may not be read."""
    if not paths:
        raise InventoryError("there is no inventory", "Give one with -i INVENTORY.")
    total = hashlib.sha256()
    files: list[Path] = []
    vaulted: list[Path] = []
    given: list[str] = []
    dynamic = False
    for path in paths:
        if "," in path and not Path(path).exists():  # a list of hosts, such as `-i 10.0.0.1,`
            total.update(f"list\0{path}\0".encode())
            given.append(path)
            continue
        root = Path(path).expanduser()
        given.append(str(root.absolute()))
        for name, file in _files(root):
            if len(files) >= _MOST_FILES:
                raise InventoryError(
                    f"{path}: holds more than {_MOST_FILES} files",
                    "Name the inventory itself, not the folder that everything lies in.",
                )
            content = _read(file)
            total.update(f"file\0{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
            files.append(file)
            if VAULT in content:
                vaulted.append(file)
            dynamic = dynamic or _is_dynamic(file, content)
    return Sources(tuple(given), tuple(files), total.hexdigest(), tuple(vaulted), dynamic)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Give every file below a source and its variables beside it, sorted, by its name below the source's folder."""
    if not root.exists():
        raise InventoryError(f"{root}: there is no such inventory", "Check the path after -i.")
    if root.is_dir():
        tops = [root]
    else:
        yield root.name, root
        tops = [root.parent / "group_vars", root.parent / "host_vars"]
    base = root if root.is_dir() else root.parent
    for top in tops:
        for folder, folders, names in os.walk(top, followlinks=False):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for name in sorted(names):
                file = Path(folder, name)
                if not name.startswith(".") and file.is_file():
                    yield str(file.relative_to(base)), file


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as e:
        raise InventoryError(f"{file}: {e.strerror}", "Check who may read it.") from None


def _is_dynamic(file: Path, content: bytes) -> bool:
    if content.startswith(b"#!") and os.access(file, os.X_OK):
        return True
    if file.suffix.lower() in (".yml", ".yaml"):
        found = _PLUGIN.search(content)
        return bool(found) and found[1] not in _PURE_PLUGINS  # type: ignore[index]
    return False


def yaml_problem(files: Sequence[Path]) -> str | None:
    """Find the first YAML file that is none, and say where: `file:line:column: why`. For after Ansible gave up."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in files:
        in_vars = {"group_vars", "host_vars"} & set(file.parts)
        if file.suffix.lower() not in (".yml", ".yaml", ".json") and not (in_vars and not file.suffix):
            continue
        content = file.read_bytes()
        if content.startswith(VAULT):
            continue
        try:
            yaml.compose(content, Loader=loader)
        except yaml.MarkedYAMLError as e:
            mark = e.problem_mark or e.context_mark
            where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
            return f"{where}: is not YAML: {' '.join(str(p) for p in (e.context, e.problem) if p)}"
        except yaml.YAMLError as e:
            return f"{file}: is not YAML: {' '.join(str(e).split())}"
    return None


def ini_problem(file: Path) -> str | None:
    """Find the first line of an INI inventory that is none, and say where. For after Ansible gave up."""
    section = ""
    for number, line in enumerate(file.read_bytes().decode("utf-8", "replace").splitlines(), 1):
        words = line.strip()
        if not words or words[0] in "#;":
            continue
        if words[0] == "[":
            section = words.partition("]")[0]
            if "]" not in words:
                return f"{file}:{number}: the bracket of this section is not closed"
        elif not section.endswith((":vars", ":children")):
            try:
                odd = [w for w in shlex.split(words, comments=True)[1:] if "=" not in w]
            except ValueError as e:
                return f"{file}:{number}: is not an inventory line: {str(e).lower()}"
            if odd:
                return f"{file}:{number}: is not an inventory line: '{odd[0]}' is not name=value"
    return None


def line_of(file: Path, words: str) -> str:
    """Say in which line of a file the words of an error message stand: `file:line`, or `file` when nowhere."""
    quoted = re.findall(r"'([^']+)'|got: (\S+)|(\[[^\]]+\])", words)
    wanted = [w for found in quoted for w in found if w]
    try:
        lines = file.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError:
        return str(file)
    for word in wanted:
        rule = re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])")
        for number, line in enumerate(lines, 1):
            if rule.search(line) and not line.lstrip().startswith(("#", ";")):
                return f"{file}:{number}"
    return str(file)
