"""What keuring knows, for people: the list of checks, one check explained, and every command it runs on hosts."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib
import inspect
import json
import pkgutil
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import checks.facts
from audits import catalogue, competences, texts
from audits.errors import UsageError
from checks.core import Check, Fact
from checks.questions import Question, Shell

SUDO_SPECIAL = str.maketrans({c: f"\\{c}" for c in ",:=\\*?[]!"})
"""Characters that have a meaning in the arguments of a sudoers command (sudoers(5), "Wildcards" and "Other special
characters"): escaped, they stand for themselves."""

SEARCH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where sudoers rules look for programs: a rule names a full path (both sides of a merged /usr)."""


def _rows(competence: Sequence[str], language: str) -> list[dict[str, Any]]:
    known, words = competences.load(), texts.load()
    rows = []
    for check in catalogue.load().values():
        bullets = known.bullets_of(check.id)
        if competence and not any(b == c or b.startswith(f"{c}.") for b in bullets for c in competence):
            continue
        rows.append(
            {
                "check": check.id,
                "section": str(check.want.scope),
                "kind": check.want.key,
                "severity": words.severity(check.id),
                "competences": list(bullets),
                "title": words.text(check.id, "title", language, {}),
                "root": any(isinstance(q, Shell) and q.root for q in static_questions(check)),
            }
        )
    return rows


def list_checks(options: argparse.Namespace) -> int:
    """Print all checks as a table, JSON or Markdown."""
    rows = _rows(options.competence, options.language)
    if not rows:
        raise UsageError(f"--competence {' '.join(options.competence)}: no check serves it")
    if options.format == "json":
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
        return 0
    if options.format == "markdown":
        sys.stdout.write("| check | kind | severity | bullets | title |\n|---|---|---|---|---|\n")
        for r in rows:
            cells = (
                f"`{r['check']}`",
                f"`{r['section']}: {r['kind']}`",
                r["severity"],
                ", ".join(r["competences"]),
                r["title"],
            )
            sys.stdout.write("| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |\n")
        return 0
    wide = max(len(r["check"]) for r in rows)
    for r in rows:
        sys.stdout.write(f"{r['check']:{wide}}  {r['severity']:8}  {','.join(r['competences']):17}  {r['title']}\n")
    sys.stdout.write(f"\n{len(rows)} checks\n")
    return 0


def find(name: str) -> Check:
    """Give a check by its id, or by its last part when only one has it; UsageError with the nearest names."""
    known = catalogue.load()
    short = [c for c in known.values() if c.id == name or c.id.rpartition(".")[2] == name]
    if len(short) == 1:
        return short[0]
    near = difflib.get_close_matches(name, [*known, *(c.rpartition(".")[2] for c in known)], 3, 0.5)
    raise UsageError(
        f"{name}: there is no such check",
        f"Did you mean {', '.join(near)}?" if near else "`keuring checks` lists them.",
    )


def explain(options: argparse.Namespace) -> int:
    """Print what a check judges, why, how to mend it, and what it asks."""
    check = find(options.check)
    words, known = texts.load(), competences.load()
    language = options.language
    labels = {
        "nl": ("Waarom", "Herstel", "Ernst", "Dient", "Verklaar", "Vraagt", "als root"),
        "en": ("Why", "Remedy", "Severity", "Serves", "Declare", "Asks", "as root"),
        "fr": ("Pourquoi", "Remède", "Gravité", "Sert", "Déclarer", "Demande", "en root"),
    }[language]

    def text(part: texts.Part) -> str:
        return words.text(check.id, part, language, {})

    wanted = ", ".join(check.field) or "…"
    out = [
        check.id,
        f"  {text('title')}",
        "",
        f"{labels[0]}: {text('why')}",
        f"{labels[1]}: {text('remedy')}",
        "",
        f"{labels[2]}: {words.severity(check.id)}",
        *(f"{labels[3]}: {bullet} {known.bullet(bullet).text[language]}" for bullet in known.bullets_of(check.id)),
        f"{labels[4]}: {check.want.scope} / {check.want.key} / {wanted}",
        *(f"{labels[5]}: {_described(question, labels[6])}" for question in static_questions(check)),
        *(
            f"{labels[5]}: {need.fact.__name__}: {(inspect.getdoc(need.fact) or '').splitlines()[0]}"
            for need in check.needs.values()
            if not hasattr(need.fact, "question")
        ),
    ]
    sys.stdout.write("\n".join(out) + "\n")
    return 0


def _described(question: Question, as_root: str) -> str:
    if isinstance(question, Shell):
        return f"$ {question.command}" + (f"  ({as_root})" if question.root else "")
    fields = {f.name: getattr(question, f.name) for f in dataclasses.fields(question)}  # type: ignore[arg-type]
    return f"{type(question).__name__} " + " ".join(f"{k}={v}" for k, v in fields.items() if v)


def static_questions(check: Check) -> Iterator[Question]:
    """Give the questions of a check that do not depend on the definition."""
    for need in check.needs.values():
        yield from _questions_of(need.fact)


def _questions_of(fact: type[Fact]) -> tuple[Question, ...]:
    question = getattr(fact, "question", ())
    return question if isinstance(question, tuple) else (question,)


def all_facts() -> list[type[Fact]]:
    """Give every fact of checks/facts."""
    found: dict[str, type[Fact]] = {}
    for module in pkgutil.iter_modules(checks.facts.__path__):
        members = vars(importlib.import_module(f"checks.facts.{module.name}"))
        for value in members.values():
            if isinstance(value, type) and issubclass(value, Fact) and value is not Fact:
                found[f"{value.__module__}.{value.__name__}"] = value
    return [found[name] for name in sorted(found)]


def commands_of(definition: Path | None) -> list[Shell]:
    """Give every shell question: all static ones, or exactly those that a definition asks its hosts."""
    if definition is None:
        questions = [q for fact in all_facts() for q in _questions_of(fact)]
    else:
        from audits.definition import load  # noqa: PLC0415

        questions = list(load(definition).questions())
    shells = dict.fromkeys(q for q in questions if isinstance(q, Shell))
    return sorted(shells, key=lambda q: (not q.root, q.command))


def privileges(options: argparse.Namespace) -> int:
    """Print all commands, those that need root first; as a list, as sudoers rules, or as JSON."""
    shells = commands_of(options.definition)
    if options.format == "json":
        rows = [{"command": q.command, "root": q.root, "timeout": q.timeout, "limit": q.limit} for q in shells]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    elif options.format == "sudoers":
        sys.stdout.write(sudoers(shells, options.user))
    else:
        for question in shells:
            sys.stdout.write(f"{'root' if question.root else '    '}  {question.command}\n")
    return 0


def sudoers(shells: Sequence[Shell], user: str) -> str:
    """Give the sudoers rules with which everything that needs root can be asked, and nothing else."""
    lines = [
        f"# What keuring reads as root: {user} may run exactly these commands. Check with `visudo -cf FILE`.",
        f'Defaults:{user} !requiretty, secure_path="{":".join(("/usr/local/sbin", "/usr/local/bin", *SEARCH))}"',
    ]
    for question in shells:
        if not question.root:
            continue
        program, *arguments = shlex.split(question.command)
        said = " ".join(a.translate(SUDO_SPECIAL) for a in arguments) or '""'
        folders = ("",) if program.startswith("/") else tuple(f"{folder}/" for folder in SEARCH)
        lines += [f"{user} ALL=(root) NOPASSWD: {folder}{program} {said}" for folder in folders]
    return "\n".join(lines) + "\n"
