"""Walks a directory of a share: every file below it, and the contents of those that are wanted."""

from __future__ import annotations

import base64
import fnmatch
from typing import Any

from smbprotocol.tree import TreeConnect

from audits.transports.connecting import Trouble
from audits.transports.smb_client import FileServer, Limits, Listed
from checks.formats.preferences import without_passwords
from checks.questions import FailureKind, SmbTree

Found = dict[str, dict[str, Any]]


def walk(files: FileServer, tree: TreeConnect, top: str, question: SmbTree, limits: Limits) -> Found | None:
    """Give what SmbTree says; None when there is no such directory. Raises Trouble.

    All directories of one depth are listed together, then all wanted files are read together. Links (reparse points)
    are named but not followed. What may not be listed or read gets the kind of its failure as `error`.
    """
    found: Found = {}
    wanted: list[tuple[str, int]] = []
    level = [""]
    for _ in range(limits.depth):
        below = _list(files, tree, top, level, question, (found, wanted))
        if below is None:
            return None
        if not below:
            break
        level = below
    else:
        raise Trouble(FailureKind.TOO_LARGE, f"directories deeper than {limits.depth}")
    if sum(size for _, size in wanted) > limits.content:
        raise Trouble(FailureKind.TOO_LARGE, f"files of more than {limits.content} bytes together")
    contents = files.read_many(tree, [(_join(top, name), size) for name, size in wanted], question.limit)
    for (name, _), content in zip(wanted, contents, strict=True):
        if isinstance(content, bytes):
            told = base64.b64encode(kept(name, content)).decode()
            found[name] = {"size": len(content), "content": told}
        elif isinstance(content, Trouble):
            found[name]["error"] = content.failure.kind.value
    return dict(sorted(found.items()))


def _list(
    files: FileServer,
    tree: TreeConnect,
    top: str,
    level: list[str],
    question: SmbTree,
    into: tuple[Found, list[tuple[str, int]]],
) -> list[str] | None:
    """List directories of one depth and give those below them; None when the top itself is not there."""
    found, wanted = into
    below: list[str] = []
    listings = files.list_many(tree, [_join(top, path) for path in level], question.most)
    for path, listing in zip(level, listings, strict=True):
        if isinstance(listing, Trouble):
            if not path:
                raise listing
            found[path]["error"] = listing.failure.kind.value
        elif listing is None and not path:
            return None
        else:
            for entry in listing or ():
                name = path + entry.name + ("\\" if entry.directory else "")
                found[name] = {"size": 0 if entry.directory else entry.size, "content": None}
                if entry.directory and not entry.link:
                    below.append(name)
                elif _is_wanted(entry, question):
                    wanted.append((name, entry.size))
            if len(found) > question.most:
                raise Trouble(FailureKind.TOO_LARGE, f"more than {question.most} files and directories")
    return below


def _is_wanted(entry: Listed, question: SmbTree) -> bool:
    if entry.directory or entry.link or entry.size > question.limit:
        return False
    return any(fnmatch.fnmatchcase(entry.name.lower(), pattern) for pattern in question.read)


def kept(name: str, content: bytes) -> bytes:
    """Give a file's content as it may be kept: passwords of preferences are no evidence, that they are there is."""
    return without_passwords(content) if name.lower().endswith(".xml") else content


def _join(top: str, path: str) -> str:
    return f"{top}\\{path}".strip("\\")
