"""`python -m audits.lab up|down|reset [HOST]|status|exec HOST -- CMD…|play [PLAYBOOK] [--check]`."""

from __future__ import annotations

import argparse
import sys

from audits.errors import KeuringError
from audits.lab import commands

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
    wanted = parser.parse_args(argv)
    try:
        return _run(wanted)
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


if __name__ == "__main__":
    sys.exit(main())
