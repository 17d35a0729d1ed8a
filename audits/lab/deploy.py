"""Run the playbooks with ansible-runner; a program of its own, since it works inside the auditor's place.

    python -m audits.lab.deploy PLAYBOOK [--check] [--limit HOSTS] [--tags TAGS]

Environment: KEURING_LAB_STATE, the instance's directory. Prints one line per changed or failed task, and per host the
totals as one JSON line on standard output, last. Ends with 1 when a host failed, 0 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import ansible_runner

from audits.lab import paths
from audits.lab.tools import say

_SLOW = 4.0  # seconds from which a task is named even when it changed nothing


def detail(data: dict[str, Any]) -> str:
    """Tell what a module of ours says that it changed."""
    result = data.get("res", {})
    words = [str(word) for key in ("paths", "changes", "commands") for word in result.get(key) or []]
    return ", ".join(words)[:300]


class _Progress:
    """Tells what happens while it happens, and counts."""

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose
        self.totals: dict[str, dict[str, int]] = {}
        self.changed: list[str] = []
        self.task_started = time.monotonic()

    def event(self, event: dict[str, Any]) -> bool:
        data = event.get("event_data", {})
        kind = event.get("event")
        task, host = data.get("task", ""), data.get("host", "")
        if kind == "playbook_on_play_start":
            say(f"play: {data.get('name', '')}")
        elif kind == "runner_on_failed" and not data.get("ignore_errors"):
            result = data.get("res", {})
            words = [result.get(key) for key in ("msg", "stderr", "stdout", "module_stderr", "module_stdout")]
            say(f"FAILED {host}: {task}: " + "\n".join(str(word)[-1500:] for word in words if word))
        elif kind == "runner_on_unreachable":
            say(f"UNREACHABLE {host}: {data.get('res', {}).get('msg', '')}")
        elif kind in {"runner_on_ok", "runner_item_on_ok"}:
            changed = bool(data.get("res", {}).get("changed"))
            if changed and kind == "runner_on_ok":
                self.changed.append(f"{host}: {task}: {detail(data)}")
            if kind == "runner_on_ok" and (self.verbose or float(data.get("duration") or 0) > _SLOW):
                mark = f" (changed: {detail(data)})" if changed else ""
                say(f"  {host}: {task}{mark} {float(data.get('duration') or 0):.1f}s")
        elif kind == "playbook_on_stats":
            hosts = set(data.get("processed", {}))
            for name in hosts:
                self.totals[name] = {
                    key: data.get(key, {}).get(name, 0) for key in ("ok", "changed", "failures", "dark", "skipped")
                }
        return False  # keep no event files


def main() -> int:
    """Run one playbook."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("playbook")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--limit")
    parser.add_argument("--tags")
    parser.add_argument("--verbose", action="store_true")
    wanted = parser.parse_args()
    state = Path(os.environ["KEURING_LAB_STATE"])
    private = state / "runner"
    shutil.rmtree(private, ignore_errors=True)
    private.mkdir(mode=0o700)
    sockets = paths.runtime() / "ssh"
    sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
    progress = _Progress(verbose=wanted.verbose)
    words = [f"--vault-password-file={state / 'vault-password'}"]
    words += ["--check", "--diff"] if wanted.check else []
    result = ansible_runner.run(
        private_data_dir=str(private),
        project_dir=str(paths.PLAYBOOKS),
        playbook=wanted.playbook,
        inventory=[str(paths.INVENTORY), str(state / "deploy")],
        limit=wanted.limit,
        tags=wanted.tags,
        cmdline=" ".join(words),
        envvars={
            "PATH": paths.tool_path(),
            "ANSIBLE_CONFIG": str(paths.PLAYBOOKS / "ansible.cfg"),
            "ANSIBLE_HOST_KEY_CHECKING": "True",  # the runner's own default is no
            "ANSIBLE_HOME": str(state / "ansible"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
        },
        event_handler=progress.event,
        quiet=True,
    )
    for line in progress.changed if wanted.check else []:
        say(f"would change {line}")
    if result.rc != 0 and not progress.totals:
        say((private / "artifacts" / result.config.ident / "stdout").read_text()[-3000:])
    print(json.dumps(progress.totals), flush=True)
    shutil.rmtree(private, ignore_errors=True)  # artifacts may repeat variables
    return 0 if result.rc == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
