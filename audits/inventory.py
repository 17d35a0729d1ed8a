"""The inventory: Ansible's, as technicians already have it. Read once through ansible-runner, then from the cache.

    hosts = load(["inventories/school"], vault_password_file=Path("~/.vault"))
    hosts.match("servers:!router1")

Files and folders, group_vars and host_vars, vaulted files and values, templates, scripts and plugins: what Ansible
makes of them is what counts. Variables come out resolved; one that needs facts of its host stays a template, unless it
is one that keuring itself needs (`ansible_…`, `keuring_…`): that is an error.
"""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audits import inventory_ansible, inventory_cache, inventory_files
from audits.errors import InventoryError
from audits.inventory_files import Sources
from audits.inventory_patterns import match_pattern

__all__ = ["Inventory", "implicit_localhost", "load", "match_pattern"]

LOCALHOST = "localhost"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Hosts with their variables, groups with all their hosts, and where it came from."""

    hosts: Mapping[str, Mapping[str, Any]] = field(repr=False)  # may hold secrets
    groups: Mapping[str, tuple[str, ...]]
    digest: str = ""  # SHA-256 of the files
    files: tuple[Path, ...] = ()

    def match(self, pattern: str) -> tuple[str, ...]:
        """Give the hosts of an Ansible pattern, in its order; InventoryError with a suggestion when there are none."""
        return match_pattern(pattern, self.hosts, self.groups)


def load(
    paths: Sequence[str],
    *,
    vault_password_file: Path | None = None,
    cache: Path | None = None,
    on_slow: Callable[[str], None] | None = None,
    ask_vault_password: Callable[[], str] | None = None,
) -> Inventory:
    """Read an inventory; InventoryError is one clear message, with file and line where that can be told.

    `cache`: the folder to keep answers in, by default the person's own. `on_slow` is told when Ansible must be asked,
    which takes a second or more. `ask_vault_password` is called when there is a vault and no password file.
    """
    sources = inventory_files.look(paths)
    password_file = vault_password_file or _password_file_of_environment()
    if password_file and not password_file.expanduser().is_file():
        raise InventoryError(f"{password_file}: there is no such vault password file", "Check the path.")
    password = _password_of(password_file)
    if sources.vaulted and password_file is None and ask_vault_password and not _configured_otherwise():
        password = ask_vault_password().encode()
    kept = inventory_cache.Cache(cache or inventory_cache.folder(), sources, password)
    if (found := kept.get()) is not None:
        return _inventory(found["hosts"], found["groups"], sources)
    if on_slow:
        on_slow(f"reading the inventory with Ansible: {', '.join(paths)}")
    with inventory_ansible.folder() as work:
        if password is not None and password_file is None:
            password_file = work / "vault-password"
            password_file.touch(0o600)
            password_file.write_bytes(password)
        listing = inventory_ansible.Ansible(sources, work, password_file if sources.vaulted else None).read()
    if not listing.hosts:
        raise InventoryError(
            f"{', '.join(paths)}: there are no hosts in this inventory", "Add the hosts to be audited."
        )
    if listing.pure:
        kept.put({"hosts": listing.hosts, "groups": listing.groups})
    return _inventory(listing.hosts, listing.groups, sources)


def implicit_localhost() -> Inventory:
    """Give the inventory of a run without one: this machine, asked without SSH."""
    variables = {"ansible_connection": "local"}
    return Inventory(
        types.MappingProxyType({LOCALHOST: types.MappingProxyType(variables)}),
        types.MappingProxyType({"all": (LOCALHOST,), "ungrouped": (LOCALHOST,)}),
    )


def _inventory(
    hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]], sources: Sources
) -> Inventory:
    return Inventory(
        types.MappingProxyType({name: types.MappingProxyType(dict(v)) for name, v in hosts.items()}),
        types.MappingProxyType({name: tuple(members) for name, members in groups.items()}),
        sources.digest,
        sources.files,
    )


def _password_file_of_environment() -> Path | None:
    """Give the file that ANSIBLE_VAULT_PASSWORD_FILE names: Ansible would use it as well."""
    named = os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE", "")
    return Path(named) if named else None


def _configured_otherwise() -> bool:
    """Tell whether Ansible finds its vault password in a way of its own (vault ids, ansible.cfg)."""
    if os.environ.get("ANSIBLE_VAULT_IDENTITY_LIST"):
        return True
    candidates = [os.environ.get("ANSIBLE_CONFIG", ""), "ansible.cfg", str(Path.home() / ".ansible.cfg")]
    config = next((Path(c) for c in candidates if c and Path(c).is_file()), None)
    return config is not None and "vault_" in config.read_text("utf-8", "replace")


def _password_of(file: Path | None) -> bytes | None:
    """Give the password in a file, as Ansible reads it; None for a program that would tell it: it may ask a person."""
    if file is None or os.access(file.expanduser(), os.X_OK):
        return None
    try:
        return file.expanduser().read_bytes().strip()
    except OSError as e:
        raise InventoryError(f"{file}: {e.strerror}", "Check who may read the vault password file.") from None
