"""The lab's real domain (Samba 4.22), asked from the auditor's place."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audits import inventory
from audits.lab import machine, paths
from audits.lab.topology import HOSTS
from audits.transports import accounts
from audits.transports.base import Answer, Settings, Target, Transport
from audits.transports.ldap_client import Directory
from audits.transports.smb_client import FileServer
from checks.questions import Question

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


@dataclass(frozen=True)
class Lab:
    """The running lab."""

    state: Path
    hosts: dict[str, dict[str, Any]]

    @property
    def settings(self) -> Settings:
        """Trust the lab's own CA."""
        return Settings(ca_file=self.state / "auditor" / "ca.pem")

    def host(self, name: str, **variables: Any) -> Target:
        """Give a host as a target."""
        return Target(name, "host", {**self.hosts[name], **variables}, domain="school.test")

    def domain(self, *servers: Target, **variables: Any) -> Target:
        """Give the domain as a target, with dc1 and dc2 or other servers."""
        account = {k: v for k, v in self.hosts["dc1"].items() if k.startswith("keuring_domain_")}
        among = servers or (self.host("dc1"), self.host("dc2"))
        return Target("school.test", "domain", {**account, **variables}, among)

    def ask(self, transport: Transport, target: Target, *questions: Question) -> list[Answer]:
        """Ask in the auditor's network."""
        answers = inside(lambda: dict(transport.ask(target, questions)))
        return [answers[question] for question in questions]

    def run(self, host: str, *command: str) -> str:
        """Run a command in a host as root, for the truth: what it printed."""
        done = subprocess.run(machine.enter(HOSTS[host], list(command)), capture_output=True, text=True, check=True)
        return done.stdout


def inside(work: Callable[[], Any]) -> Any:
    """Run something in a thread that is in the auditor's network name space."""
    given: list[Any] = []
    raised: list[BaseException] = []

    def body() -> None:
        try:
            _enter()
            given.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return given[0]


def _enter() -> None:
    """Move this thread into the auditor's network."""
    with Path("/run/netns", paths.netns("auditor")).open() as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")


@pytest.fixture(scope="session")
def lab() -> Lab:
    """Find the lab; without it there is nothing real to ask."""
    missing = ""
    if os.geteuid() != 0:
        missing = "the lab needs root"
    elif not Path("/run/netns", paths.netns("auditor")).exists():
        missing = f"the lab {paths.instance_name()!r} is not up (keuring lab up)"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    state = paths.state()
    read = inventory.load(
        [str(paths.INVENTORY), str(state / "inventory")], vault_password_file=state / "vault-password"
    )
    return Lab(state, {name: dict(variables) for name, variables in read.hosts.items()})


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note with which kind of credential each logon was made."""
    made: list[str] = []

    def note(cls: type, name: str) -> None:
        real = getattr(cls, name)

        def log_on(self: Any, credential: Any, *more: str) -> None:
            real(self, credential, *more)
            made.extend(credential.supported_protocols)

        monkeypatch.setattr(cls, name, log_on)

    note(Directory, "bind_sealed")
    note(FileServer, "log_on")
    return made


@pytest.fixture
def kerberos(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have Kerberos with the lab's KDC, where the optional extra is installed."""
    if not accounts.has_kerberos():
        pytest.skip("the optional extra is not installed: pip install 'keuring[kerberos]'")
    config = tmp_path / "krb5.conf"
    config.write_text(
        "[libdefaults]\ndefault_realm = SCHOOL.TEST\ndns_lookup_kdc = false\nrdns = false\n"
        f"[realms]\nSCHOOL.TEST = {{\nkdc = {lab.hosts['dc1']['ansible_host']}\n}}\n"
        "[domain_realm]\n.school.test = SCHOOL.TEST\n"
    )
    monkeypatch.setenv("KRB5_CONFIG", str(config))
    monkeypatch.setattr(accounts, "TICKETS", accounts.Tickets())


@pytest.fixture
def no_kerberos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without Kerberos, installed or not."""
    monkeypatch.setattr(accounts, "has_kerberos", lambda: False)
