"""Inventories as technicians have them, read by the real Ansible."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audits import inventory, inventory_ansible
from audits.errors import InventoryError

VAULT = Path(sys.executable).with_name("ansible-vault")
Load = Callable[..., inventory.Inventory]


@pytest.fixture(autouse=True)
def _own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No ansible.cfg, variables or cache of whoever runs the tests; and nothing is left behind."""
    for name in list(os.environ):
        if name.startswith("ANSIBLE_"):
            monkeypatch.delenv(name)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    yield
    assert list(runtime.iterdir()) == [], "files of a reading were left behind"


@pytest.fixture
def slow() -> list[str]:
    return []


@pytest.fixture
def load(slow: list[str]) -> Load:
    def read(*paths: str | Path, **options: Any) -> inventory.Inventory:
        return inventory.load([str(p) for p in paths], on_slow=slow.append, **options)

    return read


def write(path: Path, text: str, *, executable: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if executable:
        path.chmod(0o755)
    return path


def in_vault(text: str, password: Path) -> str:
    command = [str(VAULT), "encrypt_string", "--vault-password-file", str(password), text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


SCHOOL = """
all:
  vars:
    domain: school.test
    subnet: 10.77.10
  children:
    controllers:
      hosts:
        dc1: {ansible_host: "{{ subnet }}.11", ansible_port: 2222}
        dc2: {ansible_host: "{{ hostvars['dc1'].subnet }}.12"}
    members:
      hosts:
        files1: {ansible_host: 10.77.10.20, fqdn: "{{ inventory_hostname }}.{{ domain }}"}
    servers:
      children: {controllers: {}, members: {}}
      vars: {ansible_ssh_common_args: "-J {{ ansible_user }}@10.77.10.1"}
    clients:
      hosts:
        client[1:3]:
"""


def test_everything_comes_out_resolved(load: Load, tmp_path: Path, slow: list[str]) -> None:
    root = tmp_path / "school"
    write(root / "hosts.yml", SCHOOL)
    write(root / "group_vars/all.yml", "ansible_user: audit\nlist: [1, '{{ domain }}', {a: '{{ 1 + 1 }}'}]\n")
    write(root / "group_vars/clients/main.yml", "room: B12\nfacts: '{{ ansible_facts.kernel }}'\n")
    write(root / "host_vars/dc1.yml", "ansible_become: true\n")
    found = load(root)
    assert found.hosts["dc1"]["ansible_host"] == "10.77.10.11"
    assert found.hosts["dc1"]["ansible_port"] == 2222
    assert found.hosts["dc1"]["ansible_become"] is True
    assert found.hosts["dc2"]["ansible_host"] == "10.77.10.12"
    assert found.hosts["dc2"]["ansible_ssh_common_args"] == "-J audit@10.77.10.1"
    assert found.hosts["files1"]["fqdn"] == "files1.school.test"
    assert found.hosts["client2"]["list"] == [1, "school.test", {"a": 2}]
    assert found.hosts["client2"]["room"] == "B12"
    assert found.hosts["client2"]["facts"] == "{{ ansible_facts.kernel }}", "needs facts: stays what it is"
    assert found.groups["servers"] == ("dc1", "dc2", "files1")
    assert found.groups["all"] == ("dc1", "dc2", "files1", "client1", "client2", "client3")
    assert list(found.hosts) == list(found.groups["all"])
    assert found.match("servers:!dc1") == ("dc2", "files1")
    assert len(found.digest) == 64
    assert {f.name for f in found.files} == {"hosts.yml", "all.yml", "main.yml", "dc1.yml"}
    assert len(slow) == 1


def test_a_second_run_does_not_pay(load: Load, tmp_path: Path, slow: list[str]) -> None:
    root = tmp_path / "school"
    write(root / "hosts.yml", SCHOOL)
    write(root / "group_vars/all.yml", "ansible_user: audit\n")
    first, second = load(root), load(root)
    assert len(slow) == 1
    assert first == second
    (kept,) = (tmp_path / "cache/keuring/inventories").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    write(root / "group_vars/all.yml", "ansible_user: somebody\n")
    assert load(root).hosts["dc1"]["ansible_user"] == "somebody"
    assert len(slow) == 2
    kept.write_bytes(b"{")
    write(root / "group_vars/all.yml", "ansible_user: audit\n")
    assert load(root).hosts["dc1"]["ansible_user"] == "audit", "a damaged entry is read anew"


def test_variables_beside_a_file_count(load: Load, tmp_path: Path, slow: list[str]) -> None:
    file = write(tmp_path / "inv/hosts.ini", "[web]\nweb1 ansible_host=10.0.0.5 ansible_port=2200\n[all:vars]\na=1\n")
    write(tmp_path / "inv/group_vars/web", "ansible_user: first\n")
    assert load(file).hosts["web1"] == {
        "ansible_host": "10.0.0.5",
        "ansible_port": 2200,
        "a": 1,
        "ansible_user": "first",
    }
    write(tmp_path / "inv/group_vars/web", "ansible_user: second\n")
    assert load(file).hosts["web1"]["ansible_user"] == "second"
    assert len(slow) == 2


def test_vault(load: Load, tmp_path: Path, slow: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    password = write(tmp_path / "password", "correct horse\n")
    root = tmp_path / "school"
    write(root / "hosts.yml", "all: {hosts: {dc1: {login: '{{ ansible_password }}!'}}}\n")
    write(root / "group_vars/all/inline.yml", f"ansible_password: {in_vault('inline-secret', password)}\n")
    whole = write(root / "group_vars/all/whole.yml", "keuring_domain_password: whole-secret\n")
    subprocess.run([VAULT, "encrypt", "--vault-password-file", password, whole], check=True, capture_output=True)

    with pytest.raises(InventoryError, match="is in a vault, and there is no password"):
        load(root)
    wrong = write(tmp_path / "wrong", "battery staple\n")
    with pytest.raises(InventoryError, match="the vault password does not open it"):
        load(root, vault_password_file=wrong)
    with pytest.raises(InventoryError, match="no such vault password file"):
        load(root, vault_password_file=tmp_path / "nowhere")
    slow.clear()

    expected = {
        "ansible_password": "inline-secret",
        "keuring_domain_password": "whole-secret",
        "login": "inline-secret!",
    }
    assert load(root, vault_password_file=password).hosts["dc1"] == expected
    (kept,) = (tmp_path / "cache/keuring/inventories").iterdir()
    assert b"secret" not in kept.read_bytes(), "the cache must not undo the vault"
    assert load(root, vault_password_file=password).hosts["dc1"] == expected
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
    assert load(root).hosts["dc1"] == expected
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE")
    assert load(root, ask_vault_password=lambda: "correct horse").hosts["dc1"] == expected
    assert len(slow) == 2, "once for the environment's other key, once for the first"
    with pytest.raises(InventoryError):
        load(root, vault_password_file=wrong)


def test_a_program_that_tells_the_password_is_not_run_for_the_cache(
    load: Load, tmp_path: Path, slow: list[str]
) -> None:
    program = write(tmp_path / "password.sh", "#!/bin/sh\necho correct horse\n", executable=True)
    plain = write(tmp_path / "password", "correct horse\n")
    file = write(tmp_path / "hosts.yml", "all: {hosts: {a: }}\n")
    write(tmp_path / "group_vars/all.yml", f"secret: {in_vault('s', plain)}\n")
    for _ in range(2):
        assert load(file, vault_password_file=program).hosts["a"] == {"secret": "s"}
    assert len(slow) == 2
    assert not (tmp_path / "cache").exists()


def test_dynamic_inventories_are_asked_each_time(load: Load, tmp_path: Path, slow: list[str]) -> None:
    listed = {"web": {"hosts": ["web1"]}, "_meta": {"hostvars": {"web1": {"ansible_host": "10.0.0.1"}}}}
    script = write(tmp_path / "inv.sh", f"#!/bin/sh\necho '{json.dumps(listed)}'\n", executable=True)
    for _ in range(2):
        assert load(script).hosts["web1"] == {"ansible_host": "10.0.0.1"}
    assert len(slow) == 2


def test_what_comes_from_outside_is_not_kept(
    load: Load, tmp_path: Path, slow: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "hosts.yml", "all: {hosts: {a: {ansible_password: \"{{ lookup('env', 'SECRET') }}\"}}}\n")
    for secret in ("one", "two"):
        monkeypatch.setenv("SECRET", secret)
        assert load(file).hosts["a"] == {"ansible_password": secret}
    assert len(slow) == 2
    assert not (tmp_path / "cache").exists()


def test_several_sources_and_lists(load: Load, tmp_path: Path) -> None:
    one = write(tmp_path / "one.ini", "[web]\nweb1 x=1\n")
    two = write(tmp_path / "two.yml", "web: {hosts: {web2: {x: 2}}}\n")
    found = load(one, two, "10.0.0.9,")
    assert {h: v.get("x") for h, v in found.hosts.items()} == {"web1": 1, "web2": 2, "10.0.0.9": None}
    assert found.match("web") == ("web1", "web2")


BAD = {
    "missing": ("nowhere.yml", None, "nowhere.yml: there is no such inventory"),
    "empty": ("hosts", "", "there are no hosts"),
    "no hosts": ("hosts.yml", "all: {children: {web: {}}}\n", "there are no hosts"),
    "broken yaml": ("hosts.yml", "all:\n  hosts:\n    a:\n   b: {\n", "hosts.yml:4:4: is not YAML"),
    "tab": ("hosts.yml", "all:\n\thosts:\n", "hosts.yml:2:1: is not YAML"),
    "ini quote": ("hosts.ini", "[web]\nweb1 a='x\n", "hosts.ini:2: is not an inventory line: no closing quotation"),
    "ini word": ("hosts.ini", "[web]\nweb1\nweb2 port 22\n", "hosts.ini:3: is not an inventory line: 'port'"),
    "ini bracket": ("hosts.ini", "# x\n[web\nweb1\n", "hosts.ini:2: the bracket"),
    "ini group": ("hosts.ini", "# x\n[web]\na\n[all2:children]\nnope\n", "hosts.ini:4: is not an inventory"),
    "template": ("hosts.yml", "all: {hosts: {a: {ansible_host: '{{ nope }}'}}}\n", "a: the variable ansible_host"),
    "loop": ("hosts.yml", "all: {hosts: {a: {ansible_user: '{{ ansible_user }}'}}}\n", "the variable ansible_user"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, load: Load, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, text, message = BAD[name]
    if text is not None:
        write(tmp_path / file, text)
    with pytest.raises(InventoryError) as raised:
        load(tmp_path / file)
    assert message in str(raised.value)
    assert raised.value.advice
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", ""), "Ansible's output must not reach the terminal"


def test_directories(load: Load, tmp_path: Path) -> None:
    write(tmp_path / "only/group_vars/all.yml", "a: 1\n")
    with pytest.raises(InventoryError, match="no inventory in this directory"):
        load(tmp_path / "only")
    write(tmp_path / "half/good.ini", "web1\n")
    write(tmp_path / "half/readme.txt", "not { an inventory\n")
    assert list(load(tmp_path / "half").hosts) == ["web1"]
    write(tmp_path / "half/worse.yml", "all:\n  hosts:\n    a: [\n")
    with pytest.raises(InventoryError, match=r"worse\.yml:4:1: is not YAML"):
        load(tmp_path / "half")
    write(tmp_path / "vars/hosts", "web1\n")
    write(tmp_path / "vars/group_vars/all.yml", "a: [\n")
    with pytest.raises(InventoryError, match=r"all\.yml:2:1: is not YAML"):
        load(tmp_path / "vars")


def test_programs_that_fail(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = write(tmp_path / "inv.sh", "#!/bin/sh\necho the cloud is away >&2\nexit 3\n", executable=True)
    with pytest.raises(InventoryError, match="the cloud is away"):
        load(script)
    monkeypatch.setattr(inventory_ansible, "TIMEOUT", 3)
    hangs = write(tmp_path / "hangs.sh", "#!/bin/sh\nexec sleep 20\n", executable=True)
    with pytest.raises(InventoryError, match="was not read within"):
        load(hangs)


def test_implicit_localhost() -> None:
    found = inventory.implicit_localhost()
    assert found.hosts == {"localhost": {"ansible_connection": "local"}}
    assert found.match("all") == found.match("localhost") == ("localhost",)
