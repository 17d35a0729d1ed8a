"""The generated half of the inventory: how to reach this instance's hosts, and the vaults with this build's passwords.

`inventories/lab` is static and holds no secret. Beside it stand, in the instance's directory:

    inventory/   for audits: user audit, its key, known hosts; the domain account keuring_domain_*
    deploy/      for the playbooks: user ansible, its key; every password of the build

Both are opened with the file `vault-password`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from audits.lab import auditor, paths
from audits.lab.tools import write
from audits.lab.topology import HOSTS


def generate(secrets: Path) -> None:
    """Write both inventories of this instance."""
    write(paths.state() / "vault-password", (secrets / "vault-password").read_text(), 0o600)
    for name, user in (("inventory", "audit"), ("deploy", "ansible")):
        folder = paths.state() / name
        connection = {
            "ansible_user": user,
            "ansible_ssh_private_key_file": str(paths.state() / "keys" / user),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={auditor.directory() / 'known_hosts'} "
            "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
            "keuring_ca_file": str(auditor.directory() / "ca.pem"),
            "keuring_known_hosts": str(auditor.directory() / "known_hosts"),
            "lab_secrets": str(secrets) if name == "deploy" else None,
        }
        known = auditor.addresses()
        leased = {
            host.name: {"ansible_host": known[host.name]}
            for host in HOSTS.values()
            if host.address is None and host.name in known
        }
        plain = {
            "all": {
                "vars": {key: value for key, value in connection.items() if value is not None},
                "hosts": leased,
            }
        }
        write(folder / "hosts.yml", json.dumps(plain, indent=1) + "\n", 0o600)  # JSON is YAML
        vault = folder / "group_vars" / "all" / "vault.yml"
        vault.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(secrets / f"{name.replace('inventory', 'audit')}-vault.yml", vault)
        vault.chmod(0o600)
