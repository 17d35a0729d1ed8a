"""The lab's command line: `keuring lab WORD`, or `python -m audits.lab WORD`."""

from __future__ import annotations

import argparse
import sys

from audits.errors import KeuringError
from audits.lab import commands, faults

_FAILED = 3


def main(argv: list[str] | None = None) -> int:
    """Run one command; 3 when the lab has a problem, else the command's own exit code."""
    parser = argparse.ArgumentParser(prog="keuring lab", description="The practice domain on this machine.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start the lab; build it first if need be")
    actions.add_parser("down", help="end the lab and remove every trace of it")
    actions.add_parser("reset", help="back to the golden state").add_argument("host", nargs="?")
    actions.add_parser("status", help="what runs")
    inside = actions.add_parser("exec", help="run a command in a host, or in the place auditor")
    inside.add_argument("host")
    inside.add_argument("command", nargs=argparse.REMAINDER)
    play = actions.add_parser("play", help="run a playbook against the lab (--check: measure drift)")
    play.add_argument("words", nargs=argparse.REMAINDER)
    actions.add_parser("faults", help="list the catalogue of faults")
    fault = actions.add_parser("fault", help="make a fault, or undo it")
    fault.add_argument("name")
    fault.add_argument("--undo", action="store_true", help="undo it")
    wanted = parser.parse_args(argv)
    try:
        return _fault(wanted) if wanted.action.startswith("fault") else _run(wanted)
    except KeuringError as error:
        print(f"keuring lab: {error}", *([error.advice] if error.advice else []), sep="\n", file=sys.stderr)
        return _FAILED


def _run(wanted: argparse.Namespace) -> int:
    if wanted.action == "up":
        commands.up()
    elif wanted.action == "down":
        commands.down()
    elif wanted.action == "reset":
        commands.reset(wanted.host)
    elif wanted.action == "status":
        return 0 if all(word == "running" for word in commands.status().values()) else 1
    elif wanted.action == "exec":
        command = wanted.command[1:] if wanted.command[:1] == ["--"] else wanted.command
        return commands.exec_(wanted.host, command or ["bash"])
    else:
        words = wanted.words or ["site.yml"]
        playbook = [words.pop(0)] if not words[0].startswith("-") else ["site.yml"]
        for name, total in sorted(commands.play(*playbook, *words).items()):
            print(f"{name:<9} " + " ".join(f"{key}={count}" for key, count in total.items()))
    return 0


def _fault(wanted: argparse.Namespace) -> int:
    """List the faults, or make or undo one."""
    if wanted.action == "faults":
        catalogue = faults.load()
        for fault in catalogue.values():
            print(f"{fault.name:<28} {', '.join(fault.hosts):<18} {fault.what}")
        print(f"\n{len(catalogue)} faults")
        return 0
    fault = faults.find(wanted.name)
    if wanted.undo:
        faults.undo(fault)
        print(f"{fault.name}: undone")
    else:
        faults.make(fault)
        print(f"{fault.name}: {fault.what}; it must turn to fail: {', '.join(fault.fails) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
