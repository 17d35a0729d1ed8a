"""What a definition may say of Linux hosts: mistakes are found while it is read, and a baseline knows exceptions."""

from __future__ import annotations

import typing
from importlib import resources
from pathlib import Path
from typing import Any

import pydantic
import pytest

from audits import catalogue, definition, schema
from checks import hardening
from checks.core import KINDS, Scope
from checks.facts.openssh import Sshd
from checks.questions import Shell


def read(word: str, **fields: Any) -> Any:
    return schema.adapter(schema.kinds(Scope.HOST)[word]).validate_python(fields)


@pytest.mark.parametrize(
    ("word", "fields", "message"),
    [
        ("identity", {"address": "10.0.0.300/24"}, "300"),
        ("identity", {"gateway": "router"}, "router"),
        ("identity", {"dns_servers": ["dns1"]}, "dns1"),
        ("software", {"name": "x", "version": "~>1"}, "no version constraint"),
        ("paths", {"path": "etc/passwd"}, "not an absolute path"),
        ("paths", {"path": "/etc/passwd", "mode": "rw-"}, "octal digits"),
        ("paths", {"path": "/etc/passwd", "mode": 640}, "string"),
        ("paths", {"path": "/etc/passwd", "mode_at_most": "0888"}, "octal digits"),
        ("firewall", {"allows": ["22/tcp"]}, "tcp/22"),
        ("firewall", {"allows": ["tcp/70000"]}, "tcp/22"),
        ("firewall", {"refuses": ["tcp/90-80"]}, "tcp/22"),
        ("interfaces", {"name": "eth0", "mac": "x"}, "hardware address"),
        ("routes", {"to": "10.0.0.1/8"}, "host bits"),
        ("nat", {"source": "10.0.0.1/8"}, "host bits"),
        ("dhcp", {"subnet": "10.0.0.0/8", "pool": "10.0.0.9-10.0.0.1"}, "last address"),
        ("dhcp", {"subnet": "10.0.0.0/8", "reservations": [{"mac": "1", "address": "10.0.0.1"}]}, "hardware address"),
        ("backups", {"name": "x"}, "nothing to judge"),
        ("backups", {"name": "x", "path": "b"}, "absolute"),
        ("backups", {"name": "x", "unit": "b", "off_host": True}, "needs `path`"),
        ("tasks", {"name": "x", "command": "y", "last_result": "success"}, "no results"),
        ("tasks", {"name": "x", "max_age_hours": 3}, "needs `last_result"),
        ("sshd", {"permit_root_login": "never"}, "permit_root_login"),
        ("hardening", {"without": ["root_can_log_in"]}, "without"),
        ("hardening", {"profile": "laptop"}, "profile"),
        ("services", {"name": "x", "runing": True}, "runing"),
    ],
)
def test_mistakes_are_found_while_reading(word: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        read(word, **fields)


def test_the_names_of_rules_are_those_of_the_checks() -> None:
    rules = {c.partition(".")[2] for c in catalogue.load() if c.startswith("hardening.")}
    assert set(typing.get_args(hardening.Rule)) == rules
    assert set().union(*hardening.LEFT_OUT.values()) <= rules


def _asked(want: Any) -> set[str]:
    return {id_.partition(".")[2] for id_, check in catalogue.load().items() if check.applies(want)}


def test_a_baseline_leaves_out_what_it_says() -> None:
    everything = _asked(read("hardening"))
    assert len(everything) == 27
    assert everything - _asked(read("hardening", profile="router")) == {"packets_are_not_forwarded"}
    assert everything - _asked(read("hardening", profile="workstation")) == {"ssh_refuses_passwords"}
    without = ["clock_follows_a_source", "syn_cookies_are_on"]
    assert everything - _asked(read("hardening", without=without)) == set(without)


def test_nobody_may_do_without_a_password_is_a_requirement() -> None:
    assert "sudo_asks_a_password" in _asked(read("administrators", without_password=[]))
    assert "sudo_asks_a_password" not in _asked(read("administrators", exactly=["root"]))


WANTS: dict[str, dict[str, Any]] = {
    "paths": {"path": "/x y", "contains": ["$a"], "lacks": ["`b`"], "acl": ["u:a:r--"], "root": True},
    "backups": {
        "name": "n",
        "unit": "u",
        "path": "/p",
        "root": True,
        "restic": {"repository": "r", "password_file": "f"},
    },
    "tasks": {"name": "n", "last_result": "success"},
    "membership": {"domain": "d", "user": "u"},
}
MODULES = {f"checks.{file.stem}" for file in (Path(__file__).parent / "cases").glob("*.yml")}


def test_a_question_for_root_is_one_simple_command() -> None:
    """No pipe, redirection, variable or list of commands, so that sudoers can name it."""
    asked_as_root = set()
    for check in catalogue.load().values():
        if check.want.__module__ not in MODULES:
            continue
        want = read(check.want.key, **WANTS[check.want.key]) if check.want.key in WANTS else None
        for need in check.needs.values():
            asked = need.fact.ask(want)
            several = asked if isinstance(asked, tuple) else (asked,)
            asked_as_root |= {q.command for q in several if isinstance(q, Shell) and q.root}
    assert len(asked_as_root) > 15
    assert [c for c in asked_as_root if set(_without_quotes(c)) & set("|&;<>$`\\\n()")] == []


def _without_quotes(command: str) -> str:
    return "".join(command.split("'")[::2])


def test_sshd_is_asked_for_once() -> None:
    assert {c.needs["sshd"].fact for c in catalogue.load().values() if "sshd" in c.needs} == {Sshd}


def test_every_kind_of_host_has_checks() -> None:
    judged = {c.want for c in catalogue.load().values()}
    assert {key for (scope, key), kind in KINDS.items() if scope == Scope.HOST and kind not in judged} == set()


def test_the_example_of_this_machine_is_a_definition() -> None:
    file = resources.files("audits") / "examples" / "this-machine.yml"
    made = definition.load(Path(str(file)))
    assert made.head.language == "nl"
    assert not made.needs_inventory()
    assert len(set(made.questions())) > 15
