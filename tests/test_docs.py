"""The documentation is true: its definitions are right, its commands exist, its links lead somewhere."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from audits import definition, schema
from audits.__main__ import parser
from audits.run import RecordedHosts
from checks.core import Scope

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OURS = [p for p in PAGES if p.parent.name != "reference"]
DEFINITIONS = [
    (page, text)
    for page in OURS
    for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    if text.startswith("keuring:")
]
COMMANDS = [
    (page, line.partition("#")[0].strip())
    for page in OURS
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("keuring ")
]


@pytest.mark.parametrize(("page", "text"), DEFINITIONS, ids=[p.name for p, _ in DEFINITIONS])
def test_definitions_in_the_docs_are_right(page: Path, text: str, tmp_path: Path) -> None:
    assert page.exists()
    (tmp_path / "users.csv").write_text("sAMAccountName,unit\nan,Studenten\n")
    (tmp_path / "a.yml").write_text(text)
    definition.load(tmp_path / "a.yml")


def test_there_are_definitions_and_commands() -> None:
    assert len(DEFINITIONS) >= 2
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_commands_in_the_docs_are_understood(page: Path, line: str) -> None:
    words = shlex.split(line.partition(" > ")[0].partition("|")[0])[1:]
    options = parser().parse_args(words)
    assert options.command == words[0], page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_is_made_from_the_code_as_it_is() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "script" / "reference", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: run script/reference"


@pytest.mark.parametrize("path", sorted((ROOT / "audits" / "examples").glob("*.yml")), ids=lambda p: p.name)
def test_examples_are_right(path: Path) -> None:
    definition.load(path)


@pytest.mark.parametrize("path", sorted((ROOT / "audits" / "examples").glob("*.yml")), ids=lambda p: p.name)
def test_examples_are_recorded_as_definitions_that_say_the_same(path: Path, tmp_path: Path) -> None:
    names = ["localhost", "router1", "dc1", "dc2", "files1", "web1", "client1", "guest1"]
    groups = {
        "all": names,
        "linux": names[1:],
        "routers": ["router1"],
        "guests": ["guest1"],
        "domain_controllers": ["dc1", "dc2"],
        "servers": ["dc1", "dc2", "files1", "web1"],
    }
    hosts = RecordedHosts({"hosts": {n: {"ansible_host": "192.0.2.1"} for n in names}, "groups": groups})
    audit = definition.load(path).expand(hosts)
    (tmp_path / "again.yml").write_text(yaml.safe_dump(json.loads(json.dumps(audit.tree)), sort_keys=False))
    again = definition.load(tmp_path / "again.yml").expand(hosts)
    assert [(r.id, r.target, r.want) for r in again.requirements] == [
        (r.id, r.target, r.want) for r in audit.requirements
    ]


def test_every_kind_stands_in_an_example_or_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "definition.md").read_text()
    for scope in Scope:
        for word in schema.kinds(scope):
            assert f"### {scope}: {word}" in reference


def test_nothing_about_this_workplace_is_in_the_project() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not listed:
        pytest.skip("not a git checkout")
    for name in listed:
        text = (ROOT / name).read_bytes()
        for word in (b"/work" + b"/main", b"/work" + b"/shared", b"../" + b"shared"):
            assert word not in text, f"{name}: {word.decode()}"
