"""The running lab: these tests need root and `keuring lab up` (script/test does both)."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from audits.lab import paths

ROOT = Path(__file__).parents[2]
DEFINITION = ROOT / "audits" / "examples" / "school-domain.yml"
KEURING = [sys.executable, "-m", "audits"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def lab() -> None:
    """See that the lab is up; without root, or when it is down outside CI, the test skips and says so."""
    why = "the lab needs root" if os.geteuid() else ""
    if not why and not paths.load_state().get("up"):
        why = "the lab is down: keuring lab up"
    if why and os.environ.get("CI"):
        pytest.fail(why)
    if why:
        pytest.skip(why)


@dataclass
class Ran:
    """What one audit gave."""

    code: int
    out: str
    err: str
    path: Path
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def verdicts(self) -> dict[tuple[str, str, str, str], str]:
        """Verdict by check, target, requirement and subject."""
        return {(f["check"], f["target"], f["requirement"], f["subject"]): f["verdict"] for f in self.findings}

    def summary(self) -> Any:
        """Give summary.json."""
        return json.loads((self.path / "summary.json").read_text())


def in_place(*words: str | Path, timeout: float = 300, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the auditor's place."""
    argv = [*KEURING, "lab", "exec", "auditor", "--", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout, cwd=ROOT, **more)


def on_host(host: str, command: str) -> str:
    """Run a shell command as root in a host of the lab; gives its output."""
    argv = [*KEURING, "lab", "exec", host, "--", "sh", "-ec", command]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, f"{host}: {command}: {done.stderr}"
    return done.stdout


Audit = Callable[..., Ran]


@pytest.fixture(scope="session")
def audit(lab: None, tmp_path_factory: pytest.TempPathFactory) -> Audit:  # noqa: ARG001
    """Give a function that audits the lab, with more words for `keuring run`."""

    def run(*words: str | Path, definition: Path = DEFINITION) -> Ran:
        out = tmp_path_factory.mktemp("runs")
        done = in_place(*KEURING, "run", definition, "--out", out, "--quiet", "--format", "json", *words)
        latest = out / "latest"
        findings = []
        if (latest / "findings.jsonl").exists():
            findings = [json.loads(line) for line in (latest / "findings.jsonl").read_text().splitlines()]
        return Ran(done.returncode, done.stdout, done.stderr, latest.resolve(), findings)

    return run


@pytest.fixture(scope="session")
def clean(audit: Audit) -> Ran:
    """Audit the lab as it was built."""
    return audit()
