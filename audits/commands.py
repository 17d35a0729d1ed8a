"""What each word of the command line does. They print for people, on standard error what goes along."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from audits import run as stages
from audits.collect import Progress
from audits.definition import Audit, Definition, Hosts
from audits.definition import load as load_definition
from audits.errors import DefinitionError, InventoryError, OutputError, UsageError
from audits.plan import Plan
from audits.rundir import DECISIONS, DEFINITION, MANIFEST, RunDir
from audits.transports.base import Settings

DEFAULT_FORMATS = ("html", "json")


def complain(message: str, advice: str = "") -> None:
    """Say what went wrong and what to do, on standard error."""
    red, bold, off = ("\x1b[31m", "\x1b[1m", "\x1b[0m") if _colours(sys.stderr) else ("", "", "")
    lines = message.splitlines() or [""]
    out = [f"{red}keuring:{off} {bold}{_clean(lines[0])}{off}", *(f"         {_clean(line)}" for line in lines[1:])]
    if advice:
        out.append(f"         {_clean(advice)}")
    sys.stderr.write("\n".join(out) + "\n")


def _clean(text: str) -> str:
    """Take control characters out: a host's or a file's words must not drive the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _colours(stream: Any) -> bool:
    return bool(stream.isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


# -- what a run needs -------------------------------------------------------------------------------------------------


def _overrides(words: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--set {word}: is not NAME=VALUE", "For example: --set domain=school.test")
        found[name] = value
    return found


def _load(options: argparse.Namespace, definition: Path) -> Definition:
    return load_definition(definition, _overrides(getattr(options, "set", [])))


def _inventory(options: argparse.Namespace, definition: Definition) -> Hosts:
    if not options.inventory:
        return stages.implicit_hosts(definition)
    return _read_inventory(options)


def _read_inventory(options: argparse.Namespace) -> Hosts:
    from audits import inventory  # noqa: PLC0415 - ansible-runner is slow to import

    quiet = getattr(options, "quiet", False)

    def slow(words: str) -> None:
        if not quiet:
            sys.stderr.write(f"keuring: {words}\n")

    read: Hosts = inventory.load(options.inventory, vault_password_file=options.vault_password_file, on_slow=slow)
    return read


def _settings(options: argparse.Namespace, audit: Audit | None = None) -> Settings:
    if not 1 <= options.jobs <= 256:  # noqa: PLR2004 - said in the help
        raise UsageError(f"--jobs {options.jobs}: is not between 1 and 256")
    for path in (*options.known_hosts, *([options.ca] if options.ca else [])):
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file", "Check the path.")
    authorities = dict(audit.authorities) if audit else {}
    for name, path in authorities.items():
        if not path.is_file():
            raise DefinitionError(f"authorities: {name}: there is no file {path}", "Check the path in the definition.")
    return Settings(
        known_hosts=tuple(options.known_hosts),
        check_host_keys=not options.no_host_key_check,
        ca_file=options.ca or (audit.directory_ca if audit else None),
        authorities=authorities,
        jobs=options.jobs,
    )


class _Line:
    """One line of progress on a terminal; silent elsewhere and when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._on = not quiet and sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, p: Progress) -> None:
        if not self._on or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.2
        busy = ", ".join(sorted(p.busy)[:4]) + (" …" if len(p.busy) > 4 else "")  # noqa: PLR2004 - fits a line
        words = f"{p.targets_done}/{p.targets} hosts · {p.questions_done}/{p.questions} answers · {_clean(busy)}"
        sys.stderr.write("\r\x1b[2K" + words[: shutil.get_terminal_size().columns - 1])
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._on:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


@contextlib.contextmanager
def _log_to(run: RunDir) -> Iterator[None]:
    """Write our own defects to the run directory, not over the screen."""
    handler = logging.FileHandler(run.file("errors.log"), delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    root = logging.getLogger()
    old, root.handlers = root.handlers, [handler]
    for noisy in ("paramiko", "smbprotocol", "spnego", "ldap3"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.handlers = old
        handler.close()


# -- commands ---------------------------------------------------------------------------------------------------------


def _take_environment(options: argparse.Namespace) -> None:
    """Take what was not said from the environment: KEURING_INVENTORY and KEURING_CA."""
    if not getattr(options, "inventory", True):
        options.inventory = [p for p in os.environ.get("KEURING_INVENTORY", "").split(os.pathsep) if p]
    if getattr(options, "ca", "") is None and (ca := os.environ.get("KEURING_CA")):
        options.ca = Path(ca)


def run(options: argparse.Namespace) -> int:
    """Collect, evaluate, report."""
    begun, planned, selection = _collected(options)
    language = options.language or begun.read_json(MANIFEST)["language"]
    if options.resume and options.decisions:
        _take_decisions(begun, options.decisions, None)
    total = stages.judge(begun, planned, selection, language=language)
    return _finish(begun, options, language, int(total["exit_code"]))


def collect(options: argparse.Namespace) -> int:
    """Only ask."""
    begun, *_ = _collected(options)
    begun.seal()
    begun.make_latest()
    if not options.quiet:
        sys.stdout.write(f"{begun.path}\n")
    return 0


def _collected(options: argparse.Namespace) -> tuple[RunDir, Plan, stages.Selection]:
    selection = stages.Selection(options.limit, tuple(options.check), tuple(options.competence))
    begun = None
    given = list(options.inventory)
    _take_environment(options)
    if options.resume:
        begun = resumed = RunDir.open(options.resume)
        resumed.lock()
        manifest = resumed.read_json(MANIFEST)
        options.inventory = given or manifest["inventory"]["paths"] or options.inventory
        recorded_options = manifest["options"]
        selection = stages.Selection(None, tuple(recorded_options["checks"]), tuple(recorded_options["competences"]))
        definition = _load(options, resumed.file(DEFINITION))
        definition.folder = Path(manifest["definition"]["folder"])
    elif options.definition:
        definition = _load(options, options.definition)
    else:
        raise UsageError("which definition?", "keuring run DEFINITION -i INVENTORY, or --resume RUNDIR")
    hosts = _inventory(options, definition)
    audit = definition.expand(hosts, selection.limit)
    planned = stages.make_plan(audit, selection)
    settings = _settings(options, audit)
    if not planned.steps and audit.head.attestations == "none":
        raise UsageError("nothing is left to check", "Look at --limit, --check and --competence.")
    if begun is None:
        language = getattr(options, "language", None) or audit.head.language
        begun = stages.start(
            definition, audit, hosts, options.out, paths=options.inventory, selection=selection, language=language
        )
        # before anything is asked: a run that is gone on with judges by the same decisions
        _take_decisions(begun, getattr(options, "decisions", None), options.definition)
    line = _Line(quiet=options.quiet)
    try:
        with _log_to(begun):
            stages.collect(begun, planned, settings, stages.secrets_of(hosts), line, replay=options.replay)
    except KeyboardInterrupt:
        line.clear()
        raise OutputError("interrupted", _how_to_resume(begun, options)) from None
    except OutputError as e:
        line.clear()
        raise OutputError(str(e), f"{e.advice} {_how_to_resume(begun, options)}".strip()) from None
    line.clear()
    return begun, planned, selection


def _how_to_resume(begun: RunDir, options: argparse.Namespace) -> str:
    inventories = "".join(f" -i {p}" for p in options.inventory)
    return f"What was collected is kept. Go on with: keuring {options.command} --resume {begun.path}{inventories}"


def _take_decisions(begun: RunDir, given: Path | None, definition: Path | None) -> None:
    """Copy the decisions that count into the run; bad ones are an error before anything is judged."""
    from audits import decisions  # noqa: PLC0415

    source = given or (definition.parent / DECISIONS if definition else None)
    if source is None or (not given and not source.exists()):
        return
    decisions.load(source)
    begun.write(DECISIONS, source.read_bytes())


def _finish(begun: RunDir, options: argparse.Namespace, language: str, code: int) -> int:
    from reporting import RecordedRun, render  # noqa: PLC0415 - jinja2 and rich are slow to import

    recorded = RecordedRun.load(begun.path)
    _write_reports(begun, recorded, options.format or DEFAULT_FORMATS, language)
    begun.seal()
    begun.make_latest()
    if not options.quiet:
        width = shutil.get_terminal_size((110, 40)).columns
        sys.stdout.flush()
        sys.stdout.buffer.write(render(recorded, "terminal", language, color=_colours(sys.stdout), width=width))
        sys.stdout.buffer.flush()
        for path in sorted(begun.file("reports").iterdir()):
            sys.stdout.write(f"{_shown(path)}\n")
    return code


def _shown(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _write_reports(begun: RunDir, recorded: Any, formats: Sequence[str], language: str) -> None:
    from reporting import FORMATS, render  # noqa: PLC0415

    names = [name for said in formats for name in said.split(",") if name]
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"--format {name}: there is no such format", f"There are: {', '.join(sorted(FORMATS))}.")
    for name in names:
        content = render(recorded, name, language)
        begun.write(f"reports/report-{language}.{FORMATS[name].ending}", content)


def evaluate(options: argparse.Namespace) -> int:
    """Judge a recorded run again."""
    begun = RunDir.open(options.rundir)
    begun.lock()
    audit, selection, language = stages.recorded(begun, options.definition)
    language = options.language or language
    _take_decisions(begun, options.decisions, options.definition)
    total = stages.judge(begun, stages.make_plan(audit, selection), selection, language=language)
    return _finish(begun, options, language, int(total["exit_code"]))


def report(options: argparse.Namespace) -> int:
    """Render a recorded run."""
    from reporting import FORMATS, RecordedRun, render  # noqa: PLC0415

    begun = RunDir.open(options.rundir)
    recorded = RecordedRun.load(begun.path)
    language = options.language or begun.read_json(MANIFEST)["language"]
    formats = options.format or list(DEFAULT_FORMATS)
    if options.output:
        name = formats[0]
        if len(formats) != 1 or name not in FORMATS:
            raise UsageError("--output takes one --format", f"There are: {', '.join(sorted(FORMATS))}.")
        content = render(recorded, name, language)
        if str(options.output) == "-":
            sys.stdout.buffer.write(content)
            return 0
        try:
            options.output.write_bytes(content)
        except OSError as e:
            raise OutputError(f"{options.output}: {e.strerror}", "Choose another place.") from None
        return 0
    begun.lock()
    _write_reports(begun, recorded, formats, language)
    begun.seal()
    if not options.quiet:
        for path in sorted(begun.file("reports").iterdir()):
            sys.stdout.write(f"{_shown(path)}\n")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Tell whether a run directory is as it was sealed."""
    begun = RunDir.open(options.rundir)
    changes = stages.check_recorded(begun)
    for change in changes:
        complain(change)
    if not changes and not options.quiet:
        sys.stdout.write(f"{begun.path}: nothing was changed\n")
    return 1 if changes else 0


def validate(options: argparse.Namespace) -> int:
    """Check a definition."""
    _take_environment(options)
    definition = _load(options, options.definition)
    words = "is right"
    if options.inventory:
        audit = definition.expand(_read_inventory(options), options.limit)
        n = len(audit.requirements)
        words += f": {n} requirement{'s' * (n != 1)} for {len(audit.targets)} target{'s' * (len(audit.targets) != 1)}"
    elif options.limit:
        raise InventoryError("--limit needs an inventory", "Give one with -i.")
    if not options.quiet:
        sys.stdout.write(f"{options.definition}: {words}\n")
    return 0


def schema(_: argparse.Namespace) -> int:
    """Print the JSON Schema of a definition."""
    from audits import schema as schemas  # noqa: PLC0415

    sys.stdout.write(json.dumps(schemas.json_schema(), ensure_ascii=False, indent=2) + "\n")
    return 0


def lab(options: argparse.Namespace) -> int:
    """Hand over to the lab."""
    from audits.lab.__main__ import main as lab_main  # noqa: PLC0415

    return int(lab_main(options.words) or 0)


def _reference(name: str) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        from audits import reference  # noqa: PLC0415

        return int(getattr(reference, name)(options))

    return command


def doctor(options: argparse.Namespace) -> int:
    """Try every host."""
    from audits import doctor as doctors  # noqa: PLC0415

    _take_environment(options)
    if not options.inventory:
        raise UsageError("which inventory?", "keuring doctor -i INVENTORY [HOST]")
    return doctors.examine(_read_inventory(options), options.host, _settings(options), quiet=options.quiet)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "collect": collect,
    "evaluate": evaluate,
    "report": report,
    "verify": verify,
    "validate": validate,
    "schema": schema,
    "checks": _reference("list_checks"),
    "explain": _reference("explain"),
    "privileges": _reference("privileges"),
    "doctor": doctor,
    "lab": lab,
}
