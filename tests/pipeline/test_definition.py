"""Definitions: every problem at once, each with its place; patterns, templates, CSV and the expanded tree."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from audits import definition, schema
from audits.definition import Audit, Definition
from audits.errors import DefinitionError, InventoryError
from audits.run import RecordedHosts
from checks.core import Severity

HEAD = "keuring: 1\ntitle: Test\n"
HOSTS = RecordedHosts(
    {
        "hosts": {
            "files1": {"ansible_host": "192.0.2.20", "room": "B12"},
            "files2": {"ansible_host": "192.0.2.21"},
            "dc1": {"keuring_domain_user": "auditor", "keuring_domain_password": "hunter22"},
            "dc2": {},
        },
        "groups": {"all": ["files1", "files2", "dc1", "dc2"], "files": ["files1", "files2"], "dcs": ["dc1", "dc2"]},
    }
)


def _read(tmp_path: Path, text: str, overrides: Mapping[str, Any] | None = None) -> Definition:
    path = tmp_path / "a.yml"
    path.write_text(HEAD + text)
    return definition.load(path, overrides, name="a.yml")


def _audit(tmp_path: Path, text: str, **overrides: Any) -> Audit:
    return _read(tmp_path, text, overrides).expand(HOSTS)


def _problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DefinitionError) as e:
        _read(tmp_path, text).expand(HOSTS)
    return str(e.value).splitlines()


def test_all_problems_at_once_with_their_places(tmp_path: Path) -> None:
    text = """hosts:
  files1:
    shares:
      - name: homes
        hiden: true
      - {path: /srv/x}
      - name: 5
    shres: []
    sysvol: {}
directory:
  domain: d.test
  servers: dcs
  policies:
    - name: X
      enabled: sometimes
titel: x
"""
    assert _problems(tmp_path, text) == [
        "a.yml:7:9: unknown key 'hiden': did you mean 'hidden'?",
        "a.yml:8:9: the key 'name' is missing",
        'a.yml:9:9: name: should be a valid string (put quotes around it: "5")',
        "a.yml:10:5: unknown key 'shres': did you mean 'shares'?",
        "a.yml:11:5: unknown key 'sysvol' here: it belongs under `directory`",
        "a.yml:17:7: enabled: should be 'all', 'computer', 'user' or 'none'",
        "a.yml:18:1: unknown key 'titel': did you mean 'title'?",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a.yml:1:1: nothing is declared: add `hosts`, `directory` or `dns`"),
        ("hosts: [x]\n", "a.yml:3:1: hosts is a mapping"),
        ("hosts: {files1: {shares: {name: x}}}\n", "a.yml:3:18: shares is a list of entries (each begins with `- `)"),
        ("hosts: {files1: 5}\n", "a.yml:3:9: is a mapping of kinds of requirement"),
        ("language: de\nhosts: {}\n", "a.yml:3:1: language: should be 'nl', 'en' or 'fr'"),
        (
            "hosts: {files1: {shares: [{name: '{{ nme }}'}]}}\n",
            "a.yml:3:28: template: 'nme' is undefined (for host files1)",
        ),
        (
            "hosts: {files1: {shares: [{csv: none.csv, name: x}]}}\n",
            "a.yml:3:28: cannot read none.csv: No such file or directory",
        ),
        ("directory: {servers: dcs}\n", "a.yml:3:1: the key 'domain' is missing"),
        (
            "directory: {domain: d.test, servers: dcs, ca: lab, sysvol: {}}\n",
            "a.yml:3:43: there is no 'lab' under `authorities`",
        ),
    ],
)
def test_one_problem(tmp_path: Path, text: str, words: str) -> None:
    assert words in _problems(tmp_path, text)


def test_a_definition_is_a_mapping_of_version_one(tmp_path: Path) -> None:
    path = tmp_path / "b.yml"
    path.write_text("- x\n")
    with pytest.raises(DefinitionError, match="is a mapping that begins with `keuring: 1`"):
        definition.load(path)
    path.write_text("keuring: 2\ntitle: x\nhosts: {}\n")
    with pytest.raises(DefinitionError, match=r"b\.yml:1:1: keuring: should be 1"):
        definition.load(path)


def test_patterns_lay_over_each_other(tmp_path: Path) -> None:
    audit = _audit(
        tmp_path,
        """hosts:
  files:
    shares: [{name: homes}]
    smb_server: {signing: required, smb1: false}
  files1:
    shares: [{name: extra, severity: blocking, id: x}]
    smb_server: {smb1: true}
""",
    )
    said = {(r.target, r.id): r.want for r in audit.requirements}
    assert set(said) == {
        ("files1", "hosts.files1.shares[homes]"),
        ("files1", "x"),
        ("files1", "hosts.files1.smb_server"),
        ("files2", "hosts.files2.shares[homes]"),
        ("files2", "hosts.files2.smb_server"),
    }
    assert said["files1", "x"].severity == Severity.BLOCKING
    assert vars(said["files1", "hosts.files1.smb_server"]) | {"signing": "required", "smb1": True} == vars(
        said["files1", "hosts.files1.smb_server"]
    )
    assert vars(said["files2", "hosts.files2.smb_server"])["smb1"] is False


def test_templates_take_variables_overrides_and_host_variables(tmp_path: Path) -> None:
    text = """variables: {base: /srv, homes: "{{ base }}/homes"}
hosts:
  files1:
    shares: [{name: homes, path: "{{ homes }}", comment: "{{ room }} {{ inventory_hostname }}"}]
"""
    (requirement,) = _audit(tmp_path, text, base="/data").requirements
    assert vars(requirement.want)["path"] == "/data/homes"
    assert vars(requirement.want)["comment"] == "B12 files1"
    assert _problems(tmp_path, text.replace("  files1:", "  files2:")) == [
        "a.yml:6:49: template: 'room' is undefined (for host files2)"
    ]


def test_csv_rows_become_entries(tmp_path: Path) -> None:
    (tmp_path / "shares.csv").write_text("naam;wie\nhomes;a,b\nexamens;c\n", encoding="utf-8-sig")
    text = """hosts:
  files1:
    shares:
      - {csv: shares.csv, name: "{{ naam }}", comment: "van {{ wie.split(',') | first }}"}
"""
    wants = [vars(r.want) for r in _audit(tmp_path, text).requirements]
    assert [(w["name"], w["comment"]) for w in wants] == [("homes", "van a"), ("examens", "van c")]
    (tmp_path / "shares.csv").write_text("naam;wie\nhomes\n")
    assert _problems(tmp_path, text) == [
        "a.yml:6:10: cannot read shares.csv: a row has more or fewer columns than the first line"
    ]


def test_targets_of_the_directory_carry_its_account_and_servers(tmp_path: Path) -> None:
    audit = _audit(tmp_path, "directory: {domain: d.test, servers: [dc2, dc1], sysvol: {}}\n")
    domain = audit.targets["d.test"]
    assert [s.name for s in domain.servers] == ["dc2", "dc1"]
    assert (domain.kind, domain.domain, domain.servers[0].domain) == ("domain", "d.test", "d.test")
    assert "hunter22" not in repr(audit.targets)
    only = _read(tmp_path, "directory: {domain: d.test, servers: dcs, sysvol: {}}\n").expand(HOSTS, "dc1")
    assert only.targets["d.test"].variables["keuring_domain_user"] == "auditor"
    assert (
        not _read(tmp_path, "directory: {domain: d.test, servers: dcs, sysvol: {}}\n")
        .expand(HOSTS, "files")
        .requirements
    )


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="filez"):
        _audit(tmp_path, "hosts: {filez: {shares: [{name: x}]}}\n")


def test_the_expanded_tree_is_a_definition_that_says_the_same(tmp_path: Path) -> None:
    text = """variables: {n: 5}
parties: {customer: {name: School}}
hosts:
  files: {shares: [{name: homes, points: "{{ n }}"}], smb_server: {smb1: false}}
  files1: {access: [{share: homes, who: G, can: [read], comment: x}]}
directory: {domain: d.test, servers: dcs, policies: [{name: P, linked_to: ["", Docenten]}], links: [{unit: ""}]}
""".replace(", comment: x", "")
    audit = _audit(tmp_path, text)
    again_path = tmp_path / "again.yml"
    again_path.write_text(yaml.safe_dump(json.loads(json.dumps(audit.tree)), sort_keys=False))
    again = definition.load(again_path).expand(HOSTS)
    assert [(r.id, r.target, r.want) for r in again.requirements] == [
        (r.id, r.target, r.want) for r in audit.requirements
    ]
    assert json.loads(json.dumps(again.tree)) == json.loads(json.dumps(audit.tree))


def test_the_schema_accepts_what_the_loader_accepts() -> None:
    made = schema.json_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    validator = jsonschema.Draft202012Validator(made)
    good = {"keuring": 1, "title": "x", "hosts": {"a": {"shares": [{"name": "x", "points": 2, "severity": "major"}]}}}
    validator.validate(good)
    validator.validate(good | {"hosts": {"a": {"shares": [{"csv": "x.csv", "name": "{{ a }}"}]}}})
    for bad in (
        good | {"titel": 1},
        good | {"hosts": {"a": {"shares": [{"name": "x", "hiden": True}]}}},
        good | {"hosts": {"a": {"shares": {"name": "x"}}}},
        {"title": "x"},
    ):
        assert list(validator.iter_errors(bad)), bad


def test_every_key_in_the_schema_says_what_it_is_for() -> None:
    made = schema.json_schema()
    silent = []
    for name, definition_ in made["$defs"].items():
        for key, field in definition_.get("properties", {}).items():
            if not field.get("description"):
                silent.append(f"{name}.{key}")
    assert not silent


def test_needs_point_at_something_and_never_in_a_circle(tmp_path: Path) -> None:
    text = "hosts: {files1: {shares: [{name: a, id: a, needs: [b]}, {name: b, id: b, needs: [NEED]}]}}\n"
    assert "there is no requirement with the id 'typo'" in _problems(tmp_path, text.replace("NEED", "typo"))[0]
    assert "needs: a circle: " in _problems(tmp_path, text.replace("NEED", "a"))[0]
    assert len(_audit(tmp_path, text.replace(", needs: [NEED]", "")).requirements) == 2
