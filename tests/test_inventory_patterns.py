"""Ansible's pattern language, held against Ansible itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from audits.errors import InventoryError
from audits.inventory import match_pattern

HOSTS = ["dc1", "dc2", "files1", "web1", "web2", "web10", "client1.school.test", "fe80::1"]
GROUPS = {
    "all": tuple(HOSTS),
    "ungrouped": ("fe80::1",),
    "controllers": ("dc1", "dc2"),
    "web": ("web1", "web2", "web10"),
    "servers": ("dc1", "dc2", "files1", "web1", "web2", "web10"),
    "clients": ("client1.school.test",),
}
PATTERNS = {
    "all": HOSTS,
    "*": HOSTS,
    "dc1": ["dc1"],
    "web2,dc1": ["web2", "dc1"],
    "web2, dc1 , web2": ["web2", "dc1"],
    "controllers:files1": ["dc1", "dc2", "files1"],
    "servers:!web": ["dc1", "dc2", "files1"],
    "servers,!web,!nothing": ["dc1", "dc2", "files1"],
    "!web": ["dc1", "dc2", "files1", "client1.school.test", "fe80::1"],
    "servers:&web": ["web1", "web2", "web10"],
    "all,&servers,!dc*": ["files1", "web1", "web2", "web10"],
    "web?": ["web1", "web2"],
    "web*": ["web1", "web2", "web10"],
    "*.school.test": ["client1.school.test"],
    "~web[0-9]+$": ["web1", "web2", "web10"],
    "~(dc|files)1": ["dc1", "files1"],
    "web[0]": ["web1"],
    "web[-1]": ["web10"],
    "web[1:]": ["web2", "web10"],
    "web[0:1]": ["web1", "web2"],
    "web[0:1]:controllers[1]": ["web1", "web2", "dc2"],
    "fe80::1": ["fe80::1"],
    "[dw]*1": ["dc1", "web1"],
}


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS.items(), ids=str)
def test_match(pattern: str, expected: list[str]) -> None:
    assert list(match_pattern(pattern, HOSTS, GROUPS)) == expected


@pytest.mark.parametrize(
    ("pattern", "message", "advice"),
    [
        ("files2", "matches 'files2'", "Did you mean 'files1'?"),
        ("contollers", "matches 'contollers'", "Did you mean 'controllers'?"),
        ("dc1,weeb", "matches 'weeb' (in 'dc1,weeb')", "Did you mean 'web'?"),
        ("web[7]", "matches 'web[7]'", ""),
        ("web:!web", "leaves no host", "The inventory has: dc1"),
        ("dc1:&web", "leaves no host", "The inventory has: dc1"),
        ("", "is not a pattern", "For example"),
        (" , ", "is not a pattern", "For example"),
        ("dc1:!", "is not a pattern", "For example"),
        ("~(", "not a regular expression", ""),
        ("localhost", "matches 'localhost'", "The inventory has"),
    ],
)
def test_nothing_matches(pattern: str, message: str, advice: str) -> None:
    with pytest.raises(InventoryError) as raised:
        match_pattern(pattern, HOSTS, GROUPS)
    assert message in str(raised.value)
    assert advice in raised.value.advice


def test_ansible_agrees(tmp_path: Path) -> None:
    """Every pattern above means to Ansible's own code what it means here."""
    manager: Any = pytest.importorskip("ansible.inventory.manager")
    loader: Any = pytest.importorskip("ansible.parsing.dataloader")
    inventory = {
        "ungrouped": {"hosts": {"fe80::1": {}}},
        "servers": {
            "children": {
                "controllers": {"hosts": {"dc1": {}, "dc2": {}}},
                "web": {"hosts": {"web1": {}, "web2": {}, "web10": {}}},
            },
            "hosts": {"files1": {}},
        },
        "clients": {"hosts": {"client1.school.test": {}}},
    }
    file = tmp_path / "hosts.yml"
    file.write_text(json.dumps(inventory))
    theirs = manager.InventoryManager(loader.DataLoader(), sources=[str(file)])
    for pattern, expected in PATTERNS.items():
        assert {h.name for h in theirs.get_hosts(pattern)} == set(expected), pattern
