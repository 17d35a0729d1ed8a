"""A run, stage by stage: each reads and writes the run directory, so each can be run on its own, later, elsewhere."""

from __future__ import annotations

import datetime as dt
import fnmatch
import getpass
import hashlib
import importlib.metadata
import platform
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits import catalogue, competences, decisions, evaluate, evidence, plan, summary, texts, transports
from audits.collect import Collector, Progress
from audits.definition import Audit, Definition, Hosts
from audits.definition import load as load_definition
from audits.errors import DefinitionError, EvidenceError, InventoryError, UsageError
from audits.evaluate import Finding
from audits.rundir import DECISIONS, DEFINITION, FINDINGS, MANIFEST, SUMMARY, TARGETS, RunDir
from audits.transports.base import Settings
from audits.transports.replay import ReplayTransport
from checks.core import Check, Severity, Verdict

_SECRET = re.compile(r"(pass(word|phrase|wd)?|secret|token|_key$|vault|credential)", re.IGNORECASE)
_NO_SECRET = re.compile(r"(_file|_path|private_key_file)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a definition is run."""

    limit: str | None = None
    checks: tuple[str, ...] = ()  # ids or globs
    competences: tuple[str, ...] = ()  # "16" or "16.6"

    def choose(self, known: Mapping[str, Check], bullets_of: Callable[[str], tuple[str, ...]]) -> list[Check]:
        """Give the checks that are asked for; UsageError when a word fits none."""
        chosen = list(known.values())
        for word in self.checks:
            if not fnmatch.filter(known, word):
                raise UsageError(f"--check {word}: there is no such check", "`keuring checks` lists them all.")
        if self.checks:
            chosen = [c for c in chosen if any(fnmatch.fnmatchcase(c.id, w) for w in self.checks)]
        for word in self.competences:
            if not any(_serves(b, word) for c in known for b in bullets_of(c)):
                raise UsageError(f"--competence {word}: no check serves it", "Say a number (16) or a bullet (16.6).")
        if self.competences:
            chosen = [c for c in chosen if any(_serves(b, w) for b in bullets_of(c.id) for w in self.competences)]
        return chosen


def _serves(bullet: str, word: str) -> bool:
    return bullet == word or bullet.startswith(f"{word}.")


def secrets_of(inventory: Hosts) -> set[str]:
    """Give the values of all variables whose names say that they are secret, so that they can be redacted."""
    found: set[str] = set()

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for k, v in value.items():
                walk(str(k), v)
        elif isinstance(value, str | int) and _SECRET.search(name) and not _NO_SECRET.search(name):
            found.add(str(value))

    for variables in inventory.hosts.values():
        for name, value in variables.items():
            walk(name, value)
    return found


def make_plan(audit: Audit, selection: Selection) -> plan.Plan:
    """Lay out what the audit asks for."""
    return plan.make(audit, selection.choose(catalogue.load(), competences.load().bullets_of))


def start(
    definition: Definition,
    audit: Audit,
    inventory: Hosts,
    parent: Path,
    *,
    paths: Sequence[str],
    selection: Selection,
    language: str,
) -> RunDir:
    """Make the run directory and write what is known before anything is asked."""
    secret = sorted(v for v in definition.template_variables() if _SECRET.search(v) and not _NO_SECRET.search(v))
    if secret:
        raise DefinitionError(
            f"{definition.document.file}: its templates use secret variables: {', '.join(secret)}",
            "A definition is recorded with the run: leave secrets in the inventory.",
        )
    run = RunDir.create(parent, audit.head.title)
    run.lock()
    run.write_yaml(DEFINITION, {k: v for k, v in audit.tree.items() if k != "variables"})
    run.write_json(TARGETS, _recorded_targets(definition, audit, inventory))
    source = Path(definition.document.file)
    run.write_json(
        MANIFEST,
        {
            "keuring": importlib.metadata.version("keuring"),
            "python": platform.python_version(),
            "run": run.path.name,
            "definition": {
                "path": source.name,
                "folder": str(source.resolve().parent),
                "digest": hashlib.sha256(source.read_bytes()).hexdigest(),
                "title": audit.head.title,
            },
            "inventory": {"paths": list(paths), "digest": getattr(inventory, "digest", "")},
            "language": language,
            "parties": audit.head.parties.model_dump(exclude_none=True),
            "scope": list(audit.head.scope),
            "out_of_scope": list(audit.head.out_of_scope),
            "options": {
                "limit": selection.limit,
                "checks": list(selection.checks),
                "competences": list(selection.competences),
            },
            "targets": [
                {
                    "name": t.name,
                    "kind": t.kind,
                    "address": t.address if t.kind == "host" else "",
                    "servers": [s.name for s in t.servers],
                    "groups": sorted(g for g, members in inventory.groups.items() if t.name in members),
                }
                for t in audit.targets.values()
            ],
            "auditor": _auditor(),
            "started": _now(),
            "finished": None,
            "state": "collecting",
        },
    )
    return run


def collect(
    run: RunDir,
    planned: plan.Plan,
    settings: Settings,
    secrets: Iterable[str],
    tick: Callable[[Progress], None] | None,
    *,
    replay: Path | None = None,
) -> Progress:
    """Ask what is not in the evidence yet; the evidence is kept whatever happens.

    `replay`: a run directory that answers instead of the network.
    """
    record = evidence.Evidence(run.file(evidence.FILE), evidence.Redactor(secrets))
    recorded_answers = ReplayTransport(evidence.read(replay / evidence.FILE).records) if replay else None
    collector = Collector(settings, transports.Transports(settings, recorded_answers).get)
    begin = time.monotonic()
    finished = False
    try:
        collector.run(planned.audit.targets, planned.questions(), record, tick)
        finished = True
    finally:
        record.close()
        manifest = run.read_json(MANIFEST)
        times = manifest.setdefault("times", {})
        times["collect"] = round(times.get("collect", 0) + time.monotonic() - begin, 3)
        manifest |= {
            "finished": _now() if finished else None,
            "state": "collected" if finished else "interrupted",
            "evidence_head": record.head,
        }
        run.write_json(MANIFEST, manifest)
    return collector.progress


def judge(
    run: RunDir, planned: plan.Plan, selection: Selection, *, language: str, today: dt.date | None = None
) -> dict[str, Any]:
    """Evaluate, decide and write findings.jsonl and summary.json; give the summary."""
    begin = time.monotonic()
    records = evidence.read(run.file(evidence.FILE)).records
    known, words = competences.load(), texts.load()
    judged = evaluate.Judge(
        lambda target, question: records.get((target, question)),
        lambda check: Severity(words.severity(check)),
        known.bullets_of,
    )
    findings = judged.findings(planned)
    findings += _attestations(planned.audit.head.attestations, known, selection)
    if run.file(DECISIONS).exists():
        decisions.apply(findings, decisions.load(run.file(DECISIONS)), today or dt.datetime.now(dt.UTC).date())
        evaluate.score_again(findings, planned)
    manifest = run.read_json(MANIFEST)
    times = manifest.get("times", {}) | {"evaluate": time.monotonic() - begin}
    minimum = planned.audit.head.acceptance.minimum_coverage
    total = summary.summarise(findings, known.bullets_by_competence(), times, minimum)
    run.write_lines(FINDINGS, (as_json(f, language, words) for f in findings))
    run.write_json(SUMMARY, total)
    manifest |= {"state": "evaluated", "times": {k: round(v, 3) for k, v in times.items()}}
    run.write_json(MANIFEST, manifest)
    return total


def as_json(finding: Finding, language: str, words: texts.Texts) -> dict[str, Any]:
    """Give a finding as it stands in findings.jsonl: an interface (reporting/schemas/finding.json)."""
    params = {"subject": finding.subject or finding.target, "target": finding.target} | finding.params
    return {
        "check": finding.check,
        "target": finding.target,
        "subject": finding.subject,
        "verdict": str(finding.verdict),
        "final": str(finding.final),
        "severity": str(finding.severity),
        "competences": list(finding.competences),
        "title": words.text(finding.check, "title", language, params),
        "expected": finding.expected,
        "observed": finding.observed,
        "remedy": words.text(finding.check, "remedy", language, params),
        "evidence": list(finding.evidence),
        "points": None
        if finding.possible is None or finding.earned is None
        else {"possible": summary.decimal(finding.possible), "earned": summary.decimal(finding.earned)},
        "requirement": finding.requirement,
        "note": finding.note,
        "failure": None
        if finding.failure is None
        else {"kind": str(finding.failure.kind), "detail": finding.failure.detail},
        "hint": finding.hint,
        "decision": finding.decision,
        "params": finding.params,
    }


def recorded(run: RunDir, definition: Path | None = None) -> tuple[Audit, Selection, str]:
    """Give the audit of a recorded run, from its own definition or a corrected one; no network and no inventory."""
    manifest, hosts = run.read_json(MANIFEST), RecordedHosts(run.read_json(TARGETS))
    options = manifest["options"]
    selection = Selection(options["limit"], tuple(options["checks"]), tuple(options["competences"]))
    loaded = load_definition(definition or run.file(DEFINITION))
    return loaded.expand(hosts, selection.limit if definition else None), selection, manifest["language"]


class RecordedHosts:
    """The part of an inventory that a run recorded."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.hosts: dict[str, dict[str, Any]] = data["hosts"]
        self.groups: dict[str, tuple[str, ...]] = {g: tuple(m) for g, m in data["groups"].items()}

    def match(self, pattern: str) -> tuple[str, ...]:
        """Give the hosts of a pattern, as the inventory would."""
        from audits.inventory import match_pattern  # noqa: PLC0415 - heavy for what does not need it

        return match_pattern(pattern, self.hosts, self.groups)


def _recorded_targets(definition: Definition, audit: Audit, inventory: Hosts) -> dict[str, Any]:
    """Record hosts and groups, with their addresses and the variables that the definition's templates use."""
    used = definition.template_variables() | {"ansible_host", "ansible_port"}
    names = {t.name for t in audit.targets.values() if t.kind == "host"}
    hosts = {n: {k: v for k, v in inventory.hosts[n].items() if k in used} for n in inventory.hosts if n in names}
    groups = {g: [m for m in members if m in names] for g, members in inventory.groups.items()}
    return {"hosts": hosts, "groups": {g: m for g, m in groups.items() if m}}


def _attestations(chosen: str | Sequence[str], known: competences.Competences, selection: Selection) -> list[Finding]:
    """Give the questions for people: none when only some checks are run, else those of the chosen competences."""
    ids = {a.id for a in known.attestations}
    if chosen == "none" or selection.checks:
        return []
    wanted = ids if chosen == "all" else set(chosen)
    if wanted - ids:
        raise UsageError(
            f"attestations: there is no {', '.join(sorted(wanted - ids))}",
            f"There are: {', '.join(sorted(ids))}.",
        )
    return [
        Finding(
            check=decisions.ATTESTATION + a.id,
            target="",
            subject=a.bullet,
            requirement=decisions.ATTESTATION + a.id,
            verdict=Verdict.MANUAL,
            final=Verdict.MANUAL,
            severity=Severity.MINOR,
            competences=a.bullets,
        )
        for a in known.attestations
        if a.id in wanted
        and (not selection.competences or any(_serves(b, w) for b in a.bullets for w in selection.competences))
    ]


def implicit_hosts(definition: Definition) -> Hosts:
    """Give the inventory of a run without `-i`: this machine."""
    from audits import inventory  # noqa: PLC0415 - heavy for what does not need it

    if definition.needs_inventory():
        raise InventoryError(
            f"{definition.document.file} names hosts, but there is no inventory", "Give one with -i INVENTORY."
        )
    return inventory.implicit_localhost()


def check_recorded(run: RunDir) -> list[str]:
    """Say what was changed in a run directory; empty when nothing was."""
    found = run.changes()
    try:
        record = evidence.read(run.file(evidence.FILE))
        if (head := run.read_json(MANIFEST).get("evidence_head")) and head != record.head:
            found.append(f"{evidence.FILE}: its last line is not the one that the manifest names")
    except EvidenceError as e:
        found.append(str(e))
    return found


def _auditor() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this uid
        user = ""
    return {"user": user, "host": platform.node(), "system": platform.platform()}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
