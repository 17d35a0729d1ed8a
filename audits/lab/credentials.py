"""What is secret or unique in one build: passwords, SSH keys, host keys, the lab's CA and its certificates.

All of it is random per build and kept beside the golden layers (directories 0700, files 0600), never in the repository.
"""

from __future__ import annotations

import csv
import json
import secrets
import shutil
import string
from pathlib import Path

from audits.lab import paths
from audits.lab.tools import run, write
from audits.lab.topology import DOMAIN, HOSTS

_ALPHABET = string.ascii_letters + string.digits
_CERTIFICATES = {"dc1": [DOMAIN], "dc2": [DOMAIN], "files1": [], "web1": [f"intranet.{DOMAIN}"]}
_CA_DAYS = 3650
_DAYS = 397


def password(length: int = 20) -> str:
    """Give a random password that any complexity rule takes, without characters that shells or YAML care about."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(length - 4))
    return (
        f"{body}-"
        + secrets.choice(string.ascii_lowercase)
        + secrets.choice(string.ascii_uppercase)
        + secrets.choice("23456789")
    )


def make(folder: Path) -> None:
    """Make all of a build's secrets in `folder`."""
    for part in ("keys", "hosts", "pki"):
        (folder / part).mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    for user in ("ansible", "audit", "backup", "sysvol"):
        _ssh_key(folder / "keys" / user, f"{user}@{DOMAIN}")
    for host in HOSTS.values():
        _ssh_key(folder / "hosts" / host.name, f"root@{host.name}")
    _pki(folder / "pki")
    write(folder / "vault-password", password(32) + "\n", 0o600)
    _vaults(folder)


def _ssh_key(path: Path, comment: str) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def _vaults(folder: Path) -> None:
    """Two vaults: what the deployment needs, and only what an audit needs."""
    with (paths.PLAYBOOKS / "files" / "users.csv").open(newline="", encoding="utf-8") as file:
        users = [row["sAMAccountName"] for row in csv.DictReader(file)]
    auditor = password()
    deploy = {
        "lab_admin_password": password(),
        "lab_auditor_password": auditor,
        "lab_join_password": password(),
        "lab_intranet_db_password": password(),
        "lab_user_passwords": {user: password() for user in users},
    }
    audit = {"keuring_domain_user": f"auditor@{DOMAIN}", "keuring_domain_password": auditor}
    vault = shutil.which("ansible-vault", path=paths.tool_path()) or "ansible-vault"
    for name, values in (("deploy", deploy), ("audit", audit)):
        path = folder / f"{name}-vault.yml"
        # JSON is YAML
        encrypted = run([vault, "encrypt", "--vault-password-file", folder / "vault-password", "--output", "-"],
                        stdin=json.dumps(values, indent=1) + "\n")  # fmt: skip
        write(path, encrypted, 0o600)


def _pki(folder: Path) -> None:
    """Make the lab's CA and the servers' certificates, RSA 2048."""
    ca_key, ca = folder / "ca.key", folder / "ca.pem"
    run([
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", str(_CA_DAYS),
        "-keyout", ca_key, "-out", ca,
        "-subj", "/O=School/CN=School Lab CA", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    ])  # fmt: skip
    for name, more in _CERTIFICATES.items():
        host = HOSTS[name]
        names = [f"DNS:{host.fqdn}", *(f"DNS:{other}" for other in more), f"IP:{host.address}"]
        request = folder / f"{name}.csr"
        run([
            "openssl", "req", "-newkey", "rsa:2048", "-noenc", "-subj", f"/O=School/CN={host.fqdn}",
            "-keyout", folder / f"{name}.key", "-out", request,
        ])  # fmt: skip
        extensions = folder / f"{name}.ext"
        write(extensions, f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n"
                          "keyUsage=digitalSignature,keyEncipherment\n")  # fmt: skip
        run([
            "openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-days", str(_DAYS), "-extfile", extensions, "-out", folder / f"{name}.pem",
        ])  # fmt: skip
        request.unlink()
        extensions.unlink()
    for key in folder.glob("*.key"):
        key.chmod(0o600)
