"""The auditor's place: a network name space among the servers, with its own resolver and Kerberos files.

Programs there are the machine's own; only /etc/resolv.conf and /etc/hosts are others, in a mount name space of theirs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from audits.errors import LabError
from audits.lab import network, paths
from audits.lab.tools import write
from audits.lab.topology import DNS_SERVERS, DOMAIN, HOSTS, REALM, RESERVED_ADDRESSES

# $1 the auditor's directory; the rest is the command. Joins the instance's control groups, so that `down` finds it.
_ENTER = """for group in $KEURING_CGROUPS; do echo $$ > "$group/cgroup.procs"; done
unset KEURING_CGROUPS
mount --bind "$1/resolv.conf" /etc/resolv.conf; mount --bind "$1/hosts" /etc/hosts
[ ! -e /etc/ssh/ssh_config ] || mount --bind "$1/ssh_config" /etc/ssh/ssh_config
shift; exec "$@" """


def directory() -> Path:
    """Where the auditor's files lie."""
    return paths.state() / "auditor"


def addresses() -> dict[str, str]:
    """Give the hosts' addresses as far as they are known: fixed, reserved, or leased right now."""
    known = {}
    for host in HOSTS.values():
        address = host.address or RESERVED_ADDRESSES.get(host.name)
        if address is None and Path("/run/netns", paths.netns(host.name)).exists():
            address = network.address(host)
        if address:
            known[host.name] = address
    return known


def prepare(secrets: Path) -> None:
    """Write the auditor's resolver, Kerberos and SSH files, from the build's secrets."""
    own = directory()
    servers = "".join(f"nameserver {server}\n" for server in DNS_SERVERS)
    write(own / "resolv.conf", f"search {DOMAIN}\n{servers}options timeout:2 attempts:2\n")
    write(
        own / "krb5.conf",
        f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_realm = false\n dns_lookup_kdc = true\n rdns = false\n"
        f" dns_canonicalize_hostname = false\n[domain_realm]\n .{DOMAIN} = {REALM}\n {DOMAIN} = {REALM}\n",
    )
    write(own / "ca.pem", (secrets / "pki" / "ca.pem").read_text())
    ssh = f"UserKnownHostsFile {own}/known_hosts\nStrictHostKeyChecking yes\nIdentityFile {paths.state()}/keys/audit\n"
    write(own / "ssh_config", f"{ssh}IdentitiesOnly yes\nUser audit\n")
    for user in ("ansible", "audit"):
        write(paths.state() / "keys" / user, (secrets / "keys" / user).read_text(), 0o600)
    write_known_hosts(secrets)


def write_known_hosts(secrets: Path) -> None:
    """Write the hosts' keys by name, full name and address, and the guests' names."""
    known = addresses()
    # guests have no DNS records: only here do they get a name
    guests = [f"{known[h.name]} {h.fqdn} {h.name}\n" for h in HOSTS.values() if "guests" in h.segments and not h.address
              and h.name in known]  # fmt: skip
    write(directory() / "hosts", "127.0.0.1 localhost\n::1 localhost\n" + "".join(guests))
    lines = []
    for host in HOSTS.values():
        names = ",".join(filter(None, (host.name, host.fqdn, known.get(host.name))))
        kind, key = (secrets / "hosts" / f"{host.name}.pub").read_text().split()[:2]
        lines.append(f"{names} {kind} {key}\n")
    write(directory() / "known_hosts", "".join(lines))


def enter(argv: Sequence[str]) -> list[str]:
    """Give the command that runs `argv` in the auditor's place; LabError when the lab is down."""
    if not Path("/run/netns", paths.netns("auditor")).exists() or not directory().exists():
        raise LabError("The auditor's place is not there.", "keuring lab up starts the lab.")
    place = ["nsenter", f"--net=/run/netns/{paths.netns('auditor')}", "unshare", "--mount"]
    return [*place, "sh", "-ec", _ENTER, "sh", str(directory()), *argv]


def environment() -> dict[str, str]:
    """Give the environment of programs there: ours, with the auditor's Kerberos, SSH and CA files."""
    own = directory()
    groups = paths.cgroups("auditor")
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "KEURING_CGROUPS": " ".join(map(str, groups)),
        "KEURING_LAB_STATE": str(paths.state()),
        "KRB5_CONFIG": str(own / "krb5.conf"),
        "KRB5CCNAME": f"FILE:{own / 'krb5cc'}",
        "LDAPTLS_CACERT": str(own / "ca.pem"),
        "KEURING_CA": str(own / "ca.pem"),
        "KEURING_INVENTORY": os.pathsep.join((str(paths.INVENTORY), str(paths.state() / "inventory"))),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(paths.state() / "vault-password"),
    }


def call(argv: Sequence[str]) -> int:
    """Run a command there on our standard streams and give its exit code."""
    return subprocess.run(enter(argv), env=environment(), check=False).returncode
