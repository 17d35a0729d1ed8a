"""The command line as people meet it: exit codes, one clear message for each mistake, runs that can be gone on with."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
GOOD = """keuring: 1
title: This machine
hosts:
  localhost:
    paths:
      - {path: /etc/passwd, owner: root, mode_at_most: "0644"}
      - {path: /no/such/thing, exists: false}
    accounts:
      - {name: root, present: true, uid: 0}
"""


def _keuring(*words: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "audits", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "KEURING_INVENTORY": "", **env},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yml").write_text(GOOD)
    return tmp_path


def _findings(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "findings.jsonl").read_text().splitlines()]


def test_a_run_on_this_machine(folder: Path) -> None:
    done = _keuring("run", "good.yml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    run = folder / "runs" / "latest"
    assert {f["verdict"] for f in _findings(run)} == {"pass"}
    assert {p.name for p in (run / "reports").iterdir()} == {"report-nl.html", "report-nl.json"}
    assert "\x1b" not in done.stdout  # no colours where there is no terminal
    assert _keuring("verify", run, cwd=folder).returncode == 0
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=run, check=False).returncode == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"owner: root": "owner: nobody"}, 1),
        ({"uid: 0": "uid: 1"}, 1),
        ({'mode_at_most: "0644"}': 'contains: [root], root: true}\n      - {path: "/etc/x", exists: false}'}, 0),
    ],
)
def test_exit_codes_follow_the_verdict(folder: Path, change: dict[str, str], code: int) -> None:
    text = GOOD
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "good.yml").write_text(text)
    done = _keuring("run", "good.yml", "--quiet", cwd=folder)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr


def test_what_cannot_be_assessed_is_exit_code_two(folder: Path) -> None:
    (folder / "hosts.yml").write_text(
        "all: {hosts: {gone: {ansible_host: 127.0.0.1, ansible_port: 9, ansible_user: x}}}"
    )
    (folder / "good.yml").write_text(GOOD.replace("localhost", "gone"))
    done = _keuring("run", "good.yml", "-i", "hosts.yml", "--quiet", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert {f["failure"]["kind"] for f in _findings(folder / "runs" / "latest")} == {"refused"}


@pytest.mark.parametrize(
    ("words", "message", "advice"),
    [
        (["run", "none.yml"], "none.yml: there is no such file", "Check the path"),
        (["run"], "which definition?", "keuring run DEFINITION"),
        (["run", "."], ".: is a directory", "Name the YAML file"),
        (["run", "typo.yml"], "typo.yml:5:5: unknown key 'pathz': did you mean 'paths'?", "1 problem in typo.yml"),
        (["run", "binary.yml"], "binary.yml: is not UTF-8 text", "Save it as UTF-8"),
        (["run", "good.yml", "-i", "none"], "none", ""),
        (["run", "good.yml", "-i", "empty.yml"], "empty.yml", ""),
        (["run", "good.yml", "--limit", "nowhere"], "nowhere", ""),
        (["run", "good.yml", "--check", "paths.none"], "--check paths.none: there is no such check", "keuring checks"),
        (["run", "good.yml", "--competence", "99"], "--competence 99: no check serves it", ""),
        (["run", "good.yml", "--format", "doc"], "--format doc: there is no such format", "html"),
        (["run", "good.yml", "--jobs", "0"], "--jobs 0: is not between 1 and 256", ""),
        (["run", "good.yml", "--ca", "none.pem"], "none.pem: there is no such file", ""),
        (["run", "good.yml", "--set", "x"], "--set x: is not NAME=VALUE", "--set domain=school.test"),
        (["run", "hosts.yml.txt"], "names hosts, but there is no inventory", "-i INVENTORY"),
        (["run", "--resume", "nothing"], "is not a run directory", "runs/latest"),
        (["run", "good.yml", "--out", "/proc/none"], "/proc/none", "--out"),
        (["report", "."], "is not a run directory", "runs/latest"),
        (["evaluate", "."], "is not a run directory", "runs/latest"),
        (["verify", "."], "is not a run directory", "runs/latest"),
        (["explain", "root_cannot"], "root_cannot: there is no such check", "root"),
        (["nothing"], "invalid choice", ""),
        (["validate", "typo.yml"], "did you mean 'paths'?", ""),
        (["doctor"], "which inventory?", "keuring doctor -i"),
    ],
)
def test_bad_input_gives_one_clear_message(folder: Path, words: list[str], message: str, advice: str) -> None:
    (folder / "typo.yml").write_text(GOOD.replace("    paths:", "    pathz:"))
    (folder / "binary.yml").write_bytes(b"\xff\xfe\x00\x01")
    (folder / "empty.yml").write_text("")
    (folder / "hosts.yml.txt").write_text(GOOD.replace("localhost", "web1"))
    done = _keuring(*words, cwd=folder)
    assert done.returncode == 3, done.stdout + done.stderr
    assert message in done.stderr
    assert advice in done.stderr
    assert "Traceback" not in done.stderr
    assert "a defect in keuring" not in done.stderr


def _normal(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in f.items() if k != "evidence"} for f in findings]


def test_a_killed_run_goes_on_and_finds_the_same(folder: Path) -> None:
    assert _keuring("run", "good.yml", "--quiet", cwd=folder).returncode == 0
    whole = (folder / "runs" / "latest").resolve()
    lines = (whole / "evidence.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    for kept in range(len(lines)):
        broken = folder / "runs" / f"broken{kept}"
        shutil.copytree(whole, broken)
        for name in ("findings.jsonl", "summary.json", "SHA256SUMS"):
            (broken / name).unlink()
        shutil.rmtree(broken / "reports")
        torn = b"".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2]
        (broken / "evidence.jsonl").write_bytes(torn)
        done = _keuring("run", "--resume", broken, "--quiet", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert _normal(_findings(broken)) == _normal(_findings(whole))
        after = (broken / "evidence.jsonl").read_bytes().splitlines(keepends=True)
        assert after[:kept] == lines[:kept]  # what was there was not asked again
        assert len(after) == len(lines)
        assert _keuring("verify", broken, "--quiet", cwd=folder).returncode == 0


def test_ctrl_c_is_orderly_and_says_how_to_go_on(folder: Path) -> None:
    (folder / "hosts.yml").write_text(
        "all: {hosts: {localhost: {ansible_connection: local}, silent: {ansible_host: 127.0.0.1, ansible_port: PORT}}}"
    )
    with _silent_server() as port:
        inventory = folder / "hosts.yml"
        inventory.write_text(inventory.read_text().replace("PORT", str(port)))
        (folder / "good.yml").write_text(GOOD.replace("localhost", "all"))
        process = subprocess.Popen(
            [sys.executable, "-m", "audits", "run", "good.yml", "-i", "hosts.yml", "--no-host-key-check"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = list((folder / "runs").glob("*/evidence.jsonl"))
            if found and found[0].read_bytes().count(b"\n") >= 2:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "interrupted" in err
    assert "Traceback" not in err
    resume = re.search(r"keuring run --resume (\S+)", err)
    assert resume
    run = Path(resume[1]) if Path(resume[1]).is_absolute() else folder / resume[1]
    assert json.loads((run / "manifest.json").read_text())["state"] == "interrupted"
    done = _keuring("run", "--resume", run, "-i", "hosts.yml", "--quiet", cwd=folder)
    assert done.returncode == 2, done.stderr  # the silent one has gone: refused, not assessed
    assert {f["verdict"] for f in _findings(run) if f["target"] == "localhost"} == {"pass"}


class _silent_server:  # noqa: N801 - used as a word
    """A server that takes connections and never says a word."""

    def __enter__(self) -> int:
        import socket  # noqa: PLC0415

        self.socket = socket.create_server(("127.0.0.1", 0))
        return int(self.socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_every_change_in_a_run_directory_is_found(folder: Path) -> None:
    assert _keuring("run", "good.yml", "--quiet", cwd=folder).returncode == 0
    run = (folder / "runs" / "latest").resolve()
    for path in sorted(p for p in run.rglob("*") if p.is_file() and p.name != ".lock"):
        content = path.read_bytes()
        path.write_bytes(
            content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
        )
        done = _keuring("verify", run, cwd=folder)
        assert done.returncode in (1, 3), f"{path.name}: {done.stdout}"
        path.write_bytes(content)
    (run / "extra").write_text("x")
    assert "extra: was added" in _keuring("verify", run, cwd=folder).stderr
    (run / "extra").unlink()
    assert _keuring("verify", run, cwd=folder).returncode == 0


def test_a_recorded_run_is_judged_again_with_a_corrected_definition(folder: Path) -> None:
    (folder / "wrong.yml").write_text(GOOD.replace("uid: 0", "uid: 5"))
    assert _keuring("run", "wrong.yml", "--quiet", cwd=folder).returncode == 1
    run = folder / "runs" / "latest"
    evidence = (run / "evidence.jsonl").read_bytes()
    assert _keuring("evaluate", run, "--quiet", cwd=folder).returncode == 1
    assert _keuring("evaluate", run, "--definition", "good.yml", "--quiet", cwd=folder).returncode == 0
    assert (run / "evidence.jsonl").read_bytes() == evidence
    assert _keuring("verify", run, "--quiet", cwd=folder).returncode == 0


def test_decisions_are_laid_over_the_measured_verdict(folder: Path) -> None:
    (folder / "wrong.yml").write_text(GOOD.replace("uid: 0", "uid: 5"))
    waiver = "waivers: [{check: 'accounts.*', reason: agreed, who: Jan, until: UNTIL}]\n"
    (folder / "decisions.yml").write_text(waiver.replace("UNTIL", "2999-01-01"))
    assert _keuring("run", "wrong.yml", "--quiet", cwd=folder).returncode == 0
    waived = [f for f in _findings(folder / "runs" / "latest") if f["decision"]]
    assert [(f["verdict"], f["final"], f["decision"]["who"]) for f in waived] == [("fail", "pass", "Jan")]
    (folder / "decisions.yml").write_text(waiver.replace("UNTIL", "2020-01-01"))
    assert _keuring("run", "wrong.yml", "--quiet", cwd=folder).returncode == 1
    (folder / "decisions.yml").write_text("waivers: [{check: x, reason: y, who: z}]\n")
    done = _keuring("run", "wrong.yml", cwd=folder)
    assert done.returncode == 3
    assert "decisions.yml:1:11: waivers.0.until" in done.stderr


def test_secrets_of_the_inventory_never_reach_the_run(folder: Path) -> None:
    (folder / "hosts.yml").write_text(
        "all: {hosts: {localhost: {ansible_connection: local, ansible_become_password: geheim-Q7w, "
        "extra: {api_token: t0ken-Zz9}}}}"
    )
    (folder / "note.txt").write_text("password geheim-Q7w and t0ken-Zz9\n")
    text = GOOD.replace(
        '/etc/passwd, owner: root, mode_at_most: "0644"', f"{folder}/note.txt, lacks: [nothing-like-it]"
    )
    (folder / "good.yml").write_text(text)
    assert _keuring("run", "good.yml", "-i", "hosts.yml", "--quiet", cwd=folder).returncode == 0
    for path in (folder / "runs" / "latest").resolve().rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"geheim-Q7w" not in content, path
            assert b"t0ken-Zz9" not in content, path


def test_checks_explain_privileges_and_schema(folder: Path) -> None:
    listed = json.loads(_keuring("checks", "--format", "json", cwd=folder).stdout)
    assert len(listed) >= 45
    serves = {b for c in listed for b in c["competences"]}
    only = json.loads(_keuring("checks", "--format", "json", "--competence", "16", cwd=folder).stdout)
    assert 0 < len(only) < len(listed)
    assert {"8.1", "15.1", "16.6", "18.2"} <= serves
    said = _keuring("explain", "root_login_is_as_declared", "--language", "en", cwd=folder).stdout
    assert "$ sshd -T" in said
    assert "Remedy:" in said
    rules = _keuring("privileges", "--format", "sudoers", "--user", "kijker", cwd=folder).stdout
    assert "kijker ALL=(root) NOPASSWD: /usr/sbin/sshd -T" in rules
    assert "NOPASSWD: ALL" not in rules
    schema = json.loads(_keuring("schema", cwd=folder).stdout)
    assert schema["title"] == "keuring audit definition"
    done = _keuring("validate", "good.yml", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "good.yml: is right\n")


def test_sudoers_rules_are_accepted_by_sudo(folder: Path) -> None:
    visudo = shutil.which("visudo") or shutil.which("visudo", path="/usr/sbin")
    if not visudo:
        if os.environ.get("CI"):
            pytest.fail("visudo is missing")
        pytest.skip("sudo is not installed")
    (folder / "rules").write_text(_keuring("privileges", "--format", "sudoers", cwd=folder).stdout)
    done = subprocess.run([visudo, "-cf", folder / "rules"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_recorded_run_answers_instead_of_the_network(folder: Path) -> None:
    (folder / "hosts.yml").write_text("all: {hosts: {box: {ansible_connection: local}}}")
    (folder / "good.yml").write_text(GOOD.replace("localhost", "box"))
    assert _keuring("run", "good.yml", "-i", "hosts.yml", "--quiet", cwd=folder).returncode == 0
    first = (folder / "runs" / "latest").resolve()
    (folder / "hosts.yml").write_text("all: {hosts: {box: {ansible_host: 127.0.0.1, ansible_port: 9}}}")
    again = _keuring("run", "good.yml", "-i", "hosts.yml", "--replay", first, "--quiet", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert _normal(_findings(folder / "runs" / "latest")) == _normal(_findings(first))
    (folder / "good.yml").write_text(GOOD.replace("localhost", "box") + "    journal: {persistent: true}\n")
    again = _keuring("run", "good.yml", "-i", "hosts.yml", "--replay", first, "--quiet", cwd=folder)
    assert again.returncode == 2
    kinds = {f["failure"]["kind"] for f in _findings(folder / "runs" / "latest") if f["failure"]}
    assert kinds == {"interrupted"}
