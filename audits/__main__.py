"""The command line: words in, exit code out. Only this module and `commands` speak to the person and exit.

Exit codes: 0 all pass, 1 failures, 2 something could not be assessed and nothing failed, 3 the run itself could not be
done (bad input, disk full, interrupted). Imports here are few: `keuring --help` must be there at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

LANGUAGES = ("nl", "en", "fr")
EPILOG = """exit codes: 0 all pass · 1 failures · 2 something could not be assessed, nothing failed · 3 no run"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        sys.stderr.write(f"keuring: {message}\n")
        raise SystemExit(3)


def _definition(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    parser.add_argument("definition", nargs=nargs, type=Path, metavar="DEFINITION", help="the audit's YAML file")


def _inventory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i",
        "--inventory",
        action="append",
        default=[],
        metavar="INVENTORY",
        help="Ansible inventory (may repeat; else $KEURING_INVENTORY)",
    )
    parser.add_argument("--vault-password-file", type=Path, metavar="FILE", help="password of the inventory's vault")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="give a variable of the definition"
    )
    parser.add_argument("--limit", metavar="PATTERN", help="only these hosts")


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="append", default=[], metavar="ID", help="only this check, or glob (may repeat)"
    )
    parser.add_argument("--competence", action="append", default=[], metavar="N", help="only what serves 16, or 16.6")


def _connection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=32, metavar="N", help="hosts at once (1 to 256, default 32)")
    parser.add_argument(
        "--known-hosts", action="append", default=[], type=Path, metavar="FILE", help="host keys to trust"
    )
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificate authorities to trust besides the machine's (PEM)"
    )
    parser.add_argument("--no-host-key-check", action="store_true", help="connect to hosts whose key is not known")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language", choices=LANGUAGES, help="language of the report (default: the definition's, else nl)"
    )
    parser.add_argument(
        "--format", action="append", default=[], metavar="FORMAT", help="report to write: html, json, … (may repeat)"
    )
    parser.add_argument("--quiet", action="store_true", help="say only what went wrong")


def parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    top = _Parser(
        prog="keuring",
        description="Audits an IT installation before it is handed over, and writes the acceptance report.",
        epilog=EPILOG,
    )
    top.add_argument("--version", action="store_true", help="say the version")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, help_: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".", epilog=EPILOG)

    p = add("run", "collect, evaluate and report")
    _definition(p, "?")
    _inventory(p)
    _selection(p)
    _connection(p)
    _output(p)
    p.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where run directories go (default: runs)"
    )
    p.add_argument("--resume", type=Path, metavar="RUNDIR", help="go on with a run that was broken off")
    p.add_argument(
        "--replay", type=Path, metavar="RUNDIR", help="take the answers of a recorded run, without a network"
    )
    p.add_argument(
        "--decisions",
        type=Path,
        metavar="FILE",
        help="decisions of people (default: decisions.yml beside the definition)",
    )

    p = add("collect", "only ask, for evaluating later")
    _definition(p, "?")
    _inventory(p)
    _selection(p)
    _connection(p)
    p.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where run directories go (default: runs)"
    )
    p.add_argument("--resume", type=Path, metavar="RUNDIR", help="go on with a run that was broken off")
    p.add_argument(
        "--replay", type=Path, metavar="RUNDIR", help="take the answers of a recorded run, without a network"
    )
    p.add_argument("--quiet", action="store_true", help="say only what went wrong")

    p = add("evaluate", "judge a recorded run (again), without a network")
    p.add_argument("rundir", type=Path, metavar="RUNDIR")
    p.add_argument("--definition", type=Path, metavar="DEFINITION", help="a corrected definition")
    p.add_argument("--decisions", type=Path, metavar="FILE", help="decisions of people")
    _output(p)

    p = add("report", "render a recorded run")
    p.add_argument("rundir", type=Path, metavar="RUNDIR")
    _output(p)
    p.add_argument(
        "--output", type=Path, metavar="FILE", help="write there instead of RUNDIR/reports (- for standard output)"
    )

    p = add("verify", "tell whether anything in a run directory was changed")
    p.add_argument("rundir", type=Path, metavar="RUNDIR")
    p.add_argument("--quiet", action="store_true", help="say only what went wrong")

    _add_reference(add)
    return top


def _add_reference(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the commands that write no run."""
    p = add("validate", "check a definition, and with -i also its hosts")
    _definition(p)
    _inventory(p)
    p.add_argument("--quiet", action="store_true", help="say only what went wrong")

    add("schema", "print the JSON Schema of a definition")

    p = add("checks", "list the checks")
    p.add_argument("--competence", action="append", default=[], metavar="N", help="only those that serve 16, or 16.6")
    p.add_argument("--format", choices=("table", "json", "markdown"), default="table")
    p.add_argument("--language", choices=LANGUAGES, default="nl")

    p = add("explain", "tell what a check judges, why, and how to mend it")
    p.add_argument("check", metavar="CHECK")
    p.add_argument("--language", choices=LANGUAGES, default="nl")

    p = add("privileges", "print every command that is run on hosts, and what needs root")
    _definition(p, "?")
    p.add_argument("--format", choices=("list", "sudoers", "json"), default="list")
    p.add_argument("--user", default="audit", metavar="NAME", help="account of the sudoers rules (default: audit)")

    p = add("doctor", "try to reach and log on to the hosts of an inventory, and say what to mend")
    p.add_argument("host", nargs="?", metavar="HOST", help="only this host (or pattern)")
    p.add_argument("-i", "--inventory", action="append", default=[], metavar="INVENTORY")
    p.add_argument("--vault-password-file", type=Path, metavar="FILE")
    _connection(p)
    p.add_argument("--quiet", action="store_true", help="say only what went wrong")

    p = add("lab", "the practice domain: real hosts on this machine (root)")
    p.add_argument("words", nargs=argparse.REMAINDER, metavar="up|down|reset|status|exec|fault|faults …")


def main(argv: Sequence[str] | None = None) -> int:
    """Run keuring; gives the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(words)
    if options.version:
        import importlib.metadata  # noqa: PLC0415 - only here

        sys.stdout.write(f"keuring {importlib.metadata.version('keuring')}\n")
        return 0
    if options.command is None:
        parser().print_help()
        return 3
    signal.signal(signal.SIGTERM, _terminated)
    return _obey(options)


def _obey(options: argparse.Namespace) -> int:
    """Carry out a command; whatever goes wrong becomes one message and exit code 3."""
    from audits import commands  # noqa: PLC0415 - --help must not wait for it
    from audits.errors import KeuringError  # noqa: PLC0415

    try:
        code = commands.COMMANDS[options.command](options)
        sys.stdout.flush()
    except KeuringError as e:
        commands.complain(str(e), e.advice)
    except KeyboardInterrupt:
        commands.complain("interrupted")
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if os.environ.get("KEURING_DEBUG"):
            raise
        commands.complain(
            f"a defect in keuring itself: {type(e).__name__}: {e}",
            "What was collected is kept. KEURING_DEBUG=1 shows where; please report it with that text.",
        )
    else:
        return code
    return 3


def _terminated(*_: object) -> NoReturn:
    """End orderly on SIGTERM too: what is collected is kept."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
