# ruff: noqa: T201 - it prints
"""How fast a recorded run is judged: many hosts, each with the answers that this machine gave.

    python tests/bench/bench_evaluate.py [--hosts 1000] [--json FILE]

Records one audit of this machine (audits/examples/this-machine.yml), writes it into a run directory as often as there
are hosts, and measures `keuring evaluate` as a process of its own: seconds, memory, findings. As a floor, the same
evidence is only read and its chain verified.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from audits import evidence

ROOT = Path(__file__).parents[2]


def _keuring(*words: object) -> tuple[float, float]:
    """Run keuring; gives seconds and the most memory in MB."""
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "audits", *map(str, words)], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) == 3:
        raise SystemExit(f"keuring {' '.join(map(str, words))} did not run")
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def _multiply(run: Path, hosts: int) -> None:
    """Write the one host's evidence for every host."""
    one = evidence.read(run / evidence.FILE)
    (run / evidence.FILE).unlink()
    many = evidence.Evidence(run / evidence.FILE)
    names = [f"host{n:04}" for n in range(hosts)]
    for name in names:
        for record in one.records.values():
            many.append(name, record.question, record.answer)
    many.close()
    definition = yaml.safe_load((run / "definition.yml").read_text())
    definition["hosts"] = {"all": definition["hosts"]["localhost"]}
    (run / "definition.yml").write_text(yaml.safe_dump(definition, sort_keys=False))
    (run / "targets.json").write_text(json.dumps({"hosts": {n: {} for n in names}, "groups": {"all": names}}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _keuring("collect", ROOT / "audits" / "examples" / "this-machine.yml", "--quiet", "--out", folder)
        run = (Path(folder) / "latest").resolve()
        _multiply(run, wanted.hosts)
        begin = time.monotonic()
        evidence.read(run / evidence.FILE)
        floor = time.monotonic() - begin
        seconds, memory = _keuring("evaluate", run, "--quiet", "--format", "csv")
        findings = sum(1 for _ in (run / "findings.jsonl").open())
        size = (run / evidence.FILE).stat().st_size
        times = json.loads((run / "manifest.json").read_text())["times"]
    result = {
        "hosts": wanted.hosts,
        "findings": findings,
        "findings_per_host": round(findings / wanted.hosts, 1),
        "evidence_kb_per_host": round(size / wanted.hosts / 1024, 1),
        "seconds": round(seconds, 2),
        "judging_seconds": times["evaluate"],
        "reading_and_verifying_seconds": round(floor, 2),
        "ratio_to_reading": round(seconds / floor, 2),
        "memory_mb": round(memory),
    }
    print(json.dumps(result, indent=2))
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
