"""How to reach a host, from the inventory's variables, ssh arguments and ssh_config files."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest

from audits.transports.base import Settings, Target
from audits.transports.batch import Become
from audits.transports.ssh_options import Configuration, Options, become_of, options_for
from checks.questions import Failure, FailureKind


def options(tmp_path: Path, config: str = "", settings: Settings | None = None, **variables: Any) -> Options:
    file = tmp_path / "config"
    file.write_text(config)
    return options_for(Target("web1", variables=variables), settings or Settings(), Configuration((file,)))


def test_nothing_said_gives_what_ssh_does(tmp_path: Path) -> None:
    got = options(tmp_path)
    assert (got.host, got.port, got.user, got.strict) == ("web1", 22, getpass.getuser(), "yes")
    assert got.known_hosts == ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
    assert got.key_name == ("web1", 22)
    assert str(got) == f"{getpass.getuser()}@web1"


@pytest.mark.parametrize(
    ("variables", "field", "want"),
    [
        ({"ansible_host": "10.0.0.1"}, "host", "10.0.0.1"),
        ({"ansible_ssh_host": "10.0.0.1"}, "host", "10.0.0.1"),
        ({"ansible_port": 2222}, "port", 2222),
        ({"ansible_port": "2222"}, "port", 2222),
        ({"ansible_ssh_port": 2222}, "port", 2222),
        ({"ansible_user": "audit"}, "user", "audit"),
        ({"ansible_ssh_user": "audit"}, "user", "audit"),
        ({"ansible_password": "x y"}, "password", "x y"),
        ({"ansible_ssh_pass": 1234}, "password", "1234"),
        ({"ansible_ssh_private_key_file": "~/k"}, "keys", ("~/k",)),
        ({"ansible_private_key_file": "~/k"}, "keys", ("~/k",)),
        ({"ansible_private_key_passphrase": "s"}, "passphrase", "s"),
        ({"ansible_ssh_common_args": "-i a -i 'b c' -o IdentityFile=d"}, "keys", ("a", "b c", "d")),
        ({"ansible_ssh_common_args": "-i a", "ansible_private_key_file": "k"}, "keys", ("k", "a")),
        ({"ansible_ssh_common_args": "-p 2200"}, "port", 2200),
        ({"ansible_ssh_common_args": "-p 2200", "ansible_port": 2222}, "port", 2222),
        ({"ansible_ssh_extra_args": "-l audit"}, "user", "audit"),
        ({"ansible_ssh_common_args": "-o 'User audit'"}, "user", "audit"),
        ({"ansible_ssh_common_args": "-oUser=audit"}, "user", "audit"),
        ({"ansible_ssh_common_args": "-o User=one -o User=two"}, "user", "one"),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}, "strict", "new"),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=accept-new"}, "strict", "new"),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=ask"}, "strict", "yes"),
        ({"ansible_host_key_checking": False}, "strict", "new"),
        ({"ansible_ssh_host_key_checking": "no"}, "strict", "new"),
        ({"ansible_ssh_host_key_checking": True}, "strict", "yes"),
        (
            {"ansible_ssh_common_args": "-o ProxyCommand='nc %h %p %r'", "ansible_port": 23, "ansible_user": "u"},
            "proxy_command",
            "nc web1 23 u",
        ),
        (
            {"ansible_ssh_common_args": "-o UserKnownHostsFile=/tmp/kh"},
            "known_hosts",
            ("/tmp/kh", "/etc/ssh/ssh_known_hosts"),
        ),
        ({"ansible_ssh_common_args": "-o 'ProxyCommand=nc -x p:1 %h %p %% %r'", "ansible_ssh_extra_args": "-l me"},
         "proxy_command", "nc -x p:1 web1 22 % me"),
        ({"ansible_ssh_common_args": "-o 'ProxyCommand ssh -o A=B -W %h:%p gate'"}, "proxy_command",
         "ssh -o A=B -W web1:22 gate"),
        ({"ansible_ssh_common_args": "-o ProxyCommand=none"}, "proxy_command", ""),
        ({"ansible_ssh_common_args": "-o HostKeyAlias=lab"}, "key_name", ("lab", 22)),
        ({"ansible_ssh_common_args": "-C -4 -q -o ControlMaster=auto -o ControlPersist=60s"}, "port", 22),
        ({"ansible_ssh_timeout": 3}, "timeout", 3.0),
        ({"ansible_ssh_common_args": "-o ConnectTimeout=5"}, "timeout", 5.0),
        ({"ansible_ssh_common_args": "-o IdentitiesOnly=yes"}, "only_keys", True),
        ({"ansible_ssh_common_args": "-o IdentityAgent=none"}, "agent", False),
    ],
)  # fmt: skip
def test_variables_and_arguments(tmp_path: Path, variables: dict[str, Any], field: str, want: object) -> None:
    assert getattr(options(tmp_path, **variables), field) == want


CONFIG = """
Include extra.d/*.conf
Host web1
  HostName 10.0.0.9
  User fromconfig
  Port 2022
  IdentityFile ~/.ssh/special
  UserKnownHostsFile /tmp/mine /tmp/theirs
Host gate
  HostName 192.0.2.1
  User keeper
Host *
  User everyone
  ServerAliveInterval 3
"""


def test_the_configuration_counts_where_the_inventory_is_silent(tmp_path: Path) -> None:
    got = options(tmp_path, CONFIG)
    assert (got.host, got.user, got.port) == ("10.0.0.9", "fromconfig", 2022)
    assert got.keys == (str(Path("~/.ssh/special").expanduser()),)
    assert got.known_hosts[:2] == ("/tmp/mine", "/tmp/theirs")
    got = options(tmp_path, CONFIG, ansible_user="audit", ansible_port=22)
    assert (got.host, got.user, got.port) == ("10.0.0.9", "audit", 22)


def test_includes_are_read_in_their_place_and_leave_what_follows_alone(tmp_path: Path) -> None:
    (tmp_path / "extra.d").mkdir()
    (tmp_path / "extra.d" / "a.conf").write_text("Host web1\n  Port 2999\nHost other\n  User nobody\n")
    (tmp_path / "extra.d" / "b.conf").write_text("Include ../config\nUser included\n")  # a circle ends by its depth
    got = options(tmp_path, CONFIG)
    assert (got.port, got.host, got.user) == (2999, "10.0.0.9", "fromconfig")


def test_jump_hosts_are_reached_by_their_own_configuration(tmp_path: Path) -> None:
    got = options(
        tmp_path, CONFIG, ansible_ssh_common_args="-J gate,me@[2001:db8::2]:2201", ansible_private_key_file="k"
    )
    assert [(j.user, j.host, j.port) for j in got.jumps] == [
        ("keeper", "192.0.2.1", 22),
        ("me", "2001:db8::2", 2201),
    ]
    assert all("k" in j.keys for j in got.jumps)
    config = "Host web1\n ProxyJump b\nHost b\n ProxyJump a\nHost a\n User first\n"
    assert options(tmp_path, config).jumps[0].user == "first"
    assert [j.host for j in options(tmp_path, config).jumps] == ["a", "b"]
    assert options(tmp_path, config, ansible_ssh_common_args="-o ProxyJump=none").jumps == ()
    assert options(tmp_path, config, ansible_ssh_common_args="-o ProxyJump=ssh://x@c:23/").jumps[0].port == 23


def test_a_proxy_command_of_the_configuration_gets_the_inventorys_port(tmp_path: Path) -> None:
    assert options(tmp_path, "Host *\n ProxyCommand nc %h %p\n", ansible_port=23).proxy_command == "nc web1 23"


def test_match_exec_works(tmp_path: Path) -> None:
    assert options(tmp_path, 'Match exec "true"\n  User matched\n').user == "matched"


@pytest.mark.parametrize(
    ("config", "variables", "words"),
    [
        ("", {"ansible_port": "http"}, "no port"),
        ("", {"ansible_port": 70000}, "no port"),
        ("", {"ansible_ssh_common_args": "-o 'unclosed"}, "ansible_ssh_common_args"),
        ("", {"ansible_ssh_common_args": "--verbose"}, "ansible_ssh_common_args"),
        ("", {"ansible_ssh_common_args": "-J gate:x"}, "no port"),
        ("", {"ansible_ssh_common_args": "-J @"}, "no name"),
        ("", {"ansible_ssh_timeout": "soon"}, "seconds"),
        ("Host web1\n ProxyJump b\nHost b\n ProxyJump web1\n", {}, "circle"),
        ("Host web1\n=====\n", {}, "config"),
    ],
)
def test_nonsense_is_told_in_words(tmp_path: Path, config: str, variables: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        options(tmp_path, config, **variables)


def test_the_command_line_decides_on_known_hosts_and_checking(tmp_path: Path) -> None:
    mine = Settings(known_hosts=(Path("/x"),), check_host_keys=False)
    got = options(tmp_path, settings=mine, ansible_ssh_common_args="-o UserKnownHostsFile=/y -J gate")
    assert got.known_hosts == got.jumps[0].known_hosts == ("/x",)
    assert got.strict == got.jumps[0].strict == "off"


def test_leniency_towards_a_target_is_none_towards_its_jump_host(tmp_path: Path) -> None:
    got = options(tmp_path, ansible_ssh_common_args="-o StrictHostKeyChecking=no -J gate")
    assert (got.strict, got.jumps[0].strict) == ("new", "yes")


def test_a_file_of_its_own_as_vagrant_has_it(tmp_path: Path) -> None:
    (tmp_path / "vagrant").write_text("Host web1\n HostName 127.0.0.1\n Port 2200\n StrictHostKeyChecking no\n")
    got = options(tmp_path, CONFIG, ansible_ssh_common_args=f"-F {tmp_path}/vagrant")
    assert (got.host, got.port, got.strict) == ("127.0.0.1", 2200, "new")
    assert options(tmp_path, CONFIG, ansible_ssh_common_args="-F none").host == "web1"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    got = options(tmp_path, ansible_password="hunter2", ansible_private_key_passphrase="hunter3")
    assert "hunter" not in repr(got)


@pytest.mark.parametrize(
    ("variables", "want"),
    [
        ({}, Become()),
        ({"ansible_become_password": "x"}, Become(password="x")),
        ({"ansible_become_pass": "x"}, Become(password="x")),
        ({"ansible_sudo_pass": "x"}, Become(password="x")),
        ({"ansible_become_exe": "/opt/sudo"}, Become("/opt/sudo")),
        ({"ansible_become_method": "sudo", "ansible_become": True}, Become()),
        ({"ansible_become_method": "ansible.builtin.sudo"}, Become()),
    ],
)
def test_become(variables: dict[str, Any], want: Become) -> None:
    assert become_of(variables) == want


def test_another_way_to_become_root_is_refused_in_words() -> None:
    for variables in ({"ansible_become_method": "su"}, {"ansible_become_password": "two\nlines"}):
        failure = become_of(variables)
        assert isinstance(failure, Failure)
        assert failure.kind is FailureKind.DENIED
