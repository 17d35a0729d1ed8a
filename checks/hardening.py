"""A baseline of hardening for Linux hosts: the rules with the most effect, each a check of its own.

They are those on which CIS, ANSSI BP-028 and the BSI's SYS.1.3 agree, where a wrong value has an attack that uses it
and the right one costs nothing on a usual server. `hardening: {profile: server, without: [...]}` asks for all of them.
"""
# ruff: noqa: ARG001 - a rule looks at the host alone; `want` says that the definition asks for it

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, passed
from checks.facts.accounts import LocalAccounts, PasswordStates
from checks.facts.files import FileState, SecurityFiles, WorldWritable
from checks.facts.firewall import Firewall
from checks.facts.hosts import Clock
from checks.facts.journal import JournalStorage
from checks.facts.kernel import SecurityModules, Sysctl
from checks.facts.openssh import Sshd
from checks.facts.software import AutomaticUpdates, Packages
from checks.facts.units import Units
from checks.firewall import judge_active
from checks.kernel import is_confined
from checks.openssh import weak_algorithms
from checks.questions import Unreadable
from checks.software import automatic_updates

Rule = Literal[
    "root_cannot_log_in_over_ssh", "ssh_refuses_passwords", "ssh_refuses_empty_passwords",
    "ssh_refuses_weak_algorithms",
    "no_account_has_an_empty_password", "only_root_has_uid_zero", "account_numbers_are_unique",
    "system_accounts_cannot_log_in", "password_files_are_protected", "sudo_rules_are_protected",
    "scheduled_tasks_are_protected", "system_files_are_not_world_writable", "packets_are_not_forwarded",
    "redirects_are_ignored", "source_routing_is_refused", "spoofed_addresses_are_dropped", "syn_cookies_are_on",
    "memory_layout_is_random", "core_dumps_hold_no_secrets", "links_are_protected", "kernel_addresses_are_hidden",
    "firewall_refuses_by_default", "no_legacy_services_are_installed", "security_updates_install_themselves",
    "journal_survives_a_restart", "clock_follows_a_source", "programs_are_confined",
]  # fmt: skip
"""The rules by name: each is a check of this module."""

LEFT_OUT: dict[str, frozenset[str]] = {
    "server": frozenset(),
    "router": frozenset({"packets_are_not_forwarded"}),
    "workstation": frozenset({"ssh_refuses_passwords"}),
}
"""Rules that do not belong to a profile: a router forwards, and on a workstation people log on with a password."""

LEGACY = (
    "telnetd", "telnet-server", "inetutils-telnetd", "telnetd-ssl", "rsh-server", "rsh-redone-server", "nis", "ypserv",
    "ypbind", "tftp-server", "tftpd", "atftpd", "talkd", "talk-server", "xinetd", "openbsd-inetd", "inetutils-inetd",
    "fingerd", "finger-server", "proftpd-basic", "vsftpd", "rsync-daemon",
)  # fmt: skip
"""Packages of services that send passwords or data in the clear, by their Debian and RHEL names."""


@kind("hardening", Scope.HOST, many=False)
class Hardening(Expectation):
    """A baseline of hardening: every rule of a profile, but those that are left out."""

    profile: Literal["server", "router", "workstation"] = "server"
    """Which rules: router allows forwarding; workstation allows passwords over SSH."""
    without: tuple[Rule, ...] = ()
    """Rules that do not count here, by name."""

    def leaves_out(self, check_id: str) -> bool:
        """Whether the rule is left out, by the profile or by name."""
        rule = check_id.rpartition(".")[2]
        return rule in self.without or rule in LEFT_OUT[self.profile]


# -- logging on -------------------------------------------------------------------------------------------------------


@check
def root_cannot_log_in_over_ssh(sshd: Sshd, want: Hardening) -> Outcome:
    """Whether root has no SSH logon at all, so that every session carries a person's name."""
    return expect(sshd.permit_root_login, equals="no")


@check
def ssh_refuses_passwords(sshd: Sshd, want: Hardening) -> Outcome:
    """Whether only keys open a session: passwords are guessed day and night."""
    return expect({"value": sshd.takes_passwords}, equals={"value": False})


@check
def ssh_refuses_empty_passwords(sshd: Sshd, want: Hardening) -> Outcome:
    """Whether an account without a password cannot log on."""
    return expect({"value": sshd.yes("permitemptypasswords")}, equals={"value": False})


@check
def ssh_refuses_weak_algorithms(sshd: Sshd, want: Hardening) -> Outcome:
    """Whether nothing is offered that is known as weak."""
    return expect({"weak": weak_algorithms(sshd)}, equals={"weak": []})


@check
def no_account_has_an_empty_password(passwords: PasswordStates, want: Hardening) -> Outcome:
    """Whether every account has a password or is locked."""
    return _none("members", sorted(name for name, state in passwords.states.items() if state == "NP"))


@check
def only_root_has_uid_zero(accounts: LocalAccounts, want: Hardening) -> Outcome:
    """Whether root alone is user number 0: another name for root is a back door."""
    return expect(sorted(u.name for u in accounts.users if u.uid == 0), equals=["root"])


@check
def account_numbers_are_unique(accounts: LocalAccounts, want: Hardening) -> Outcome:
    """Whether no two users, and no two groups, share a number or a name: they would own each other's files."""
    users = [u.name for u in accounts.users] + [str(u.uid) for u in accounts.users]
    groups = [str(gid) for gid, _ in accounts.groups.values()]
    return _none(
        "members", sorted({x for x in users if users.count(x) > 1} | {x for x in groups if groups.count(x) > 1})
    )


@check
def system_accounts_cannot_log_in(accounts: LocalAccounts, passwords: PasswordStates, want: Hardening) -> Outcome:
    """Whether accounts of programs (numbers below 1000, but root) have no shell, or at least no password."""
    shells = [u.name for u in accounts.users if 0 < u.uid < 1000 and u.can_log_in]  # noqa: PLR2004 - UID_MIN, login.defs(5)
    return _none("members", sorted(name for name in shells if passwords.states.get(name) in ("P", "NP")))


# -- files ------------------------------------------------------------------------------------------------------------


@check
def password_files_are_protected(files: SecurityFiles, want: Hardening) -> Outcome:
    """Whether root owns the password files, only root writes them, and others cannot read the hashes."""
    most = {"/etc/passwd": 0o644, "/etc/group": 0o644, "/etc/shadow": 0o640, "/etc/gshadow": 0o640}
    return _protected(files, most)


@check
def sudo_rules_are_protected(files: SecurityFiles, want: Hardening) -> Outcome:
    """Whether only root writes sudo's rules: who can, is root."""
    return _protected(files, {"/etc/sudoers": 0o440, "/etc/sudoers.d": 0o755, "/etc/sudoers.d/": 0o644})


@check
def scheduled_tasks_are_protected(files: SecurityFiles, want: Hardening) -> Outcome:
    """Whether only root writes what cron runs as root."""
    periods = ("cron.d", "cron.hourly", "cron.daily", "cron.weekly", "cron.monthly")
    folders = {f"/etc/{period}{end}": 0o755 for period in periods for end in ("", "/")}
    return _protected(files, {"/etc/crontab": 0o644} | folders)


@check
def system_files_are_not_world_writable(writable: WorldWritable, want: Hardening) -> Outcome:
    """Whether not everyone can change programs and settings of the system."""
    return _none("path", list(writable.paths[:50]))


def _protected(files: SecurityFiles, most: dict[str, int]) -> Outcome:
    """Judge owner and mode of files, and of those in a folder (`path/`); what is not there does no harm."""
    told: dict[str, tuple[FileState, int]] = {}
    for path, state in files.states.items():
        bits = most.get(path, most.get(path.rpartition("/")[0] + "/"))
        if bits is not None and state.type != "symlink":
            told[path] = state, bits
    wrong = [path for path, (state, bits) in told.items() if _is_open(path, state, bits)]
    shown = [(path, *told[path]) for path in (wrong or told)][:50]
    observed = [f"{path} {state.owner}:{state.group} {state.mode:04o}" for path, state, _ in shown]
    return (failed if wrong else passed)(observed, [f"{path} root ≤{bits:04o}" for path, _, bits in shown])


def _is_open(path: str, state: FileState, most: int) -> bool:
    foreign = state.mode & 0o070 and state.group not in ("root", "shadow") and path.endswith("shadow")
    return state.owner != "root" or bool(state.mode & ~most) or bool(foreign)


# -- network and kernel -----------------------------------------------------------------------------------------------


@check
def packets_are_not_forwarded(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether the host is no router by mistake."""
    return _sysctl(sysctl, {"net.ipv4.ip_forward": ("0",), "net.ipv6.conf.all.forwarding": ("0",)})


@check
def redirects_are_ignored(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether nobody on the network can bend this host's routes, nor this host those of others.

    The kernel combines `all` with each interface by AND or OR (ip-sysctl), so both must be 0; on the loopback it
    does not matter.
    """
    every = [
        key
        for key in sysctl.values
        if (key.startswith("net.ipv4.conf.") and key.endswith((".accept_redirects", ".send_redirects")))
        or (key.startswith("net.ipv6.conf.") and key.endswith(".accept_redirects"))
    ]
    if not every:
        raise Unreadable("the kernel shows no parameters of its interfaces")
    wrong = sorted(key for key in every if ".conf.lo." not in key and sysctl.values[key] != "0")
    return _none("members", wrong)


@check
def source_routing_is_refused(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether a sender cannot choose the way of its packets, past filters. The kernel asks `all` and the interface."""
    keys = {"net.ipv4.conf.all.accept_source_route": ("0",), "net.ipv6.conf.all.accept_source_route": ("0", "-1")}
    return _sysctl(sysctl, keys)


@check
def spoofed_addresses_are_dropped(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether packets with an impossible sender are dropped: rp_filter, the highest of `all` and the interface."""
    everywhere = sysctl.value("net.ipv4.conf.all.rp_filter")
    off = [
        key
        for key, value in sysctl.values.items()
        if key.startswith("net.ipv4.conf.") and key.endswith(".rp_filter") and value == "0"
        if not key.startswith(("net.ipv4.conf.all.", "net.ipv4.conf.lo.", "net.ipv4.conf.default."))
    ]
    wrong = sorted(off) if everywhere == "0" else []
    return _none("members", wrong)


@check
def syn_cookies_are_on(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether half-open connections cannot fill the queue."""
    return _sysctl(sysctl, {"net.ipv4.tcp_syncookies": ("1", "2")})


@check
def memory_layout_is_random(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether addresses of programs cannot be guessed."""
    return _sysctl(sysctl, {"kernel.randomize_va_space": ("2",)})


@check
def core_dumps_hold_no_secrets(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether privileged programs leave no readable memory: 0, or 2 with dumps that go to a program or a fixed path."""
    dumpable, pattern = sysctl.value("fs.suid_dumpable"), sysctl.value("kernel.core_pattern")
    good = dumpable == "0" or (dumpable == "2" and pattern[:1] in ("|", "/"))  # core(5)
    observed = [f"fs.suid_dumpable = {dumpable}", f"kernel.core_pattern = {pattern}"]
    return (passed if good else failed)(observed, ["fs.suid_dumpable = 0"])


@check
def links_are_protected(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether links in shared directories cannot lead programs astray (proc_sys_fs(5))."""
    return _sysctl(sysctl, {"fs.protected_hardlinks": ("1",), "fs.protected_symlinks": ("1",)})


@check
def kernel_addresses_are_hidden(sysctl: Sysctl, want: Hardening) -> Outcome:
    """Whether users see no addresses of the kernel, with which holes in it are used."""
    return _sysctl(sysctl, {"kernel.kptr_restrict": ("1", "2"), "kernel.dmesg_restrict": ("1",)})


def _sysctl(sysctl: Sysctl, wanted: Mapping[str, tuple[str, ...]]) -> Outcome:
    """Judge parameters; those of IPv6 do not count where the kernel has none."""
    here = {k: v for k, v in wanted.items() if not k.startswith("net.ipv6.") or k in sysctl.values}
    seen = {key: sysctl.value(key) for key in here}
    wrong = {key: value for key, value in seen.items() if value not in here[key]}
    shown = wrong or seen
    expected = [f"{key} = {' | '.join(here[key])}" for key in shown]
    return (failed if wrong else passed)([f"{key} = {value}" for key, value in shown.items()], expected)


# -- services ---------------------------------------------------------------------------------------------------------


@check
def firewall_refuses_by_default(firewall: Firewall, want: Hardening) -> Outcome:
    """Whether a packet filter drops what no rule lets in, for IPv4 and IPv6."""
    return judge_active(firewall, (4, 6))


@check
def no_legacy_services_are_installed(packages: Packages, want: Hardening) -> Outcome:
    """Whether no service is installed that sends passwords in the clear."""
    return _none("members", sorted(name for name in LEGACY if name in packages.versions))


@check
def security_updates_install_themselves(
    automatic: AutomaticUpdates, packages: Packages, units: Units, want: Hardening
) -> Outcome:
    """Whether holes are closed without anyone thinking of it."""
    found = automatic_updates(automatic, packages, units)
    return (passed if all(found.values()) else failed)(found, {"automatic": True})


@check
def journal_survives_a_restart(storage: JournalStorage, want: Hardening) -> Outcome:
    """Whether one can still read after a crash what led to it."""
    return expect({"persistent": storage.persistent}, equals={"persistent": True})


@check
def clock_follows_a_source(clock: Clock, want: Hardening) -> Outcome:
    """Whether the times in logs can be compared with those of other machines."""
    return expect({"synchronised": clock.synchronised}, equals={"synchronised": True}, note=clock.daemon)


@check
def programs_are_confined(modules: SecurityModules, want: Hardening) -> Outcome:
    """Whether AppArmor or SELinux keeps a program that is broken into from going further."""
    observed = {"apparmor": modules.apparmor, "selinux": modules.selinux}
    return (passed if is_confined(modules) else failed)(observed, {"enforcing": True})


def _none(key: str, found: list[str]) -> Outcome:
    """Judge a list that should be empty."""
    return (failed if found else passed)({key: found}, {key: []})
