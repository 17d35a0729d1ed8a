"""Record what a real domain answered, as data for tests: `python -m tests.checks.directory.record RUN_DIRECTORY`.

The run is one of the `directory` section alone, of the lab and never of a domain that people use.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

FILE = Path(__file__).parent / "samba" / "answers.jsonl.gz"


def record(run: Path) -> None:
    """Keep target, question and value of every answer."""
    lines = []
    for line in (run / "evidence.jsonl").read_text("utf-8").splitlines():
        said = json.loads(line)
        kept = {key: said[key] for key in ("target", "question", "value")}
        lines.append(json.dumps(kept, separators=(",", ":"), ensure_ascii=False, sort_keys=True))
    with gzip.GzipFile(FILE, "wb", 9, mtime=0) as file:
        file.write("\n".join([*lines, ""]).encode())


if __name__ == "__main__":
    record(Path(sys.argv[1]))
