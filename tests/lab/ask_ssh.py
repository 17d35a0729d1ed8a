"""Runs in the auditor's place: asks a host of the lab the shell questions on stdin, and prints the answers. JSON.

stdin: `{"variables": {…}, "questions": [{"command", "root", "timeout"}]}`, stdout: `[[value, kind, detail]]`.
"""

from __future__ import annotations

import json
import sys

from audits.lab import paths
from audits.transports.base import Settings, Target
from audits.transports.ssh import SshTransport
from checks.questions import Shell


def main() -> None:
    asked = json.load(sys.stdin)
    inventory = json.loads((paths.state() / "inventory" / "hosts.yml").read_text())["all"]
    variables = {**inventory["vars"], **asked["variables"]}
    questions = [Shell(**q) for q in asked["questions"]]
    got = dict(SshTransport(Settings()).ask(Target("asked", variables=variables), questions))
    answers = [got[q] for q in questions]
    told = [[a.value, a.failure and a.failure.kind, a.failure and a.failure.detail] for a in answers]
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
