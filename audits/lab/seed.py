"""The first files of a host, as an installer would leave them: a name, an address, host keys, and Ansible's key login.

Nothing more: the rest is Ansible's, which also owns these files from then on.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from audits.lab.tools import run, write
from audits.lab.topology import DNS_SERVERS, DOMAIN, SEGMENTS, Host

ANSIBLE_UID = 900  # below the people's range


def plant(host: Host, root: Path, secrets: Path) -> None:
    """Write the first files into a mounted root."""
    write(root / "etc/hostname", f"{host.name}\n")
    write(root / "etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    own = f"{host.address or '127.0.1.1'} {host.fqdn} {host.name}"
    write(root / "etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{own}\n")
    write(root / "etc/resolv.conf", f"search {DOMAIN}\n" + "".join(f"nameserver {ip}\n" for ip in DNS_SERVERS))
    for number, segment in enumerate(host.segments):
        write(root / f"etc/systemd/network/10-eth{number}.network", _network(host, number, segment))
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    _link(wants / "systemd-networkd.service", "/usr/lib/systemd/system/systemd-networkd.service")
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    shutil.copy(secrets / "hosts" / host.name, root / "etc/ssh/ssh_host_ed25519_key")
    shutil.copy(secrets / "hosts" / f"{host.name}.pub", root / "etc/ssh/ssh_host_ed25519_key.pub")
    (root / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    run([
        "chroot", root, "useradd", "--system", "--uid", str(ANSIBLE_UID), "--create-home",
        "--home-dir", "/var/lib/ansible", "--shell", "/bin/bash", "ansible",
    ])  # fmt: skip
    ssh = root / "var/lib/ansible/.ssh"
    write(ssh / "authorized_keys", (secrets / "keys" / "ansible.pub").read_text(), 0o600)
    ssh.chmod(0o700)
    run(["chroot", root, "chown", "-R", "ansible:ansible", "/var/lib/ansible"])
    write(root / "etc/sudoers.d/ansible", "ansible ALL=(ALL) NOPASSWD: ALL\n", 0o440)


def _network(host: Host, number: int, segment: str) -> str:
    if host.address is None:
        return f"[Match]\nName=eth{number}\n[Network]\nDHCP=ipv4\n[DHCPv4]\nClientIdentifier=mac\n"
    address = host.address if number == 0 else f"{SEGMENTS[segment]}.1"
    gateway = "" if "clients" in host.segments else f"Gateway={SEGMENTS[segment]}.1\n"
    return f"[Match]\nName=eth{number}\n[Network]\nAddress={address}/24\n{gateway}"


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
