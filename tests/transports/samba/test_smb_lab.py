"""SMB against the lab: SYSVOL of the controllers, shares and descriptors of the file server."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from audits.transports.smb import SmbTransport
from checks.questions import SmbNegotiate, SmbRead, SmbSecurity, SmbShares, SmbTree

pytestmark = pytest.mark.lab
SHARES = {"Docenten", "Administratie", "examens", "homes", "Software", "Profiles$"}
POLICIES = SmbTree("sysvol", r"{domain}\Policies", ("gpt.ini", "*.pol", "*.inf", "*.xml"))


@pytest.mark.parametrize("controller", ["dc1", "dc2"])
@pytest.mark.usefixtures("no_kerberos")
def test_sysvol(lab: Any, controller: str) -> None:
    target = lab.domain(lab.host(controller))
    tree, offer, descriptor = lab.ask(
        SmbTransport(lab.settings), target, POLICIES, SmbNegotiate(), SmbSecurity("sysvol", "{domain}")
    )
    assert tree.failure is None, tree
    names = {name.rpartition("\\")[2].lower() for name in tree.value}
    assert {"gpt.ini", "registry.pol", "gpttmpl.inf", "drives.xml"} <= names
    assert not [name for name, row in tree.value.items() if "error" in row]
    truth = lab.run(controller, "find", "/var/lib/samba/sysvol/school.test/Policies", "-type", "f").splitlines()
    assert sum(not name.endswith("\\") for name in tree.value) == len(truth)
    assert offer.value == {"dialect": "3.1.1", "signing_required": True, "encryption": True, "smb1": False}
    assert base64.b64decode(descriptor.value)[0] == 1


@pytest.mark.usefixtures("no_kerberos")
def test_one_file(lab: Any) -> None:
    default = r"{domain}\Policies\{31B2F340-016D-11D2-945F-00C04FB984F9}\GPT.INI"
    found, missing = lab.ask(
        SmbTransport(lab.settings), lab.domain(), SmbRead("sysvol", default), SmbRead("sysvol", "x")
    )
    assert b"Version" in base64.b64decode(found.value)
    assert missing.value is None


def check_shares(lab: Any) -> None:
    questions = [SmbSecurity(share) for share in sorted(SHARES)]
    listed, *descriptors = lab.ask(
        SmbTransport(lab.settings), lab.host("files1"), SmbShares(also=("Profiles$",)), *questions
    )
    shares = {share["name"]: share for share in listed.value}
    assert set(shares) >= SHARES
    assert {shares[name]["error"] for name in SHARES} == {0}
    assert all(base64.b64decode(shares[name]["descriptor"])[0] == 1 for name in SHARES)
    assert all(base64.b64decode(answer.value)[0] == 1 for answer in descriptors)


@pytest.mark.usefixtures("no_kerberos")
def test_shares_with_ntlm(lab: Any, ways: list[str]) -> None:
    check_shares(lab)
    assert ways == ["ntlm"]


@pytest.mark.usefixtures("kerberos")
def test_shares_with_kerberos(lab: Any, ways: list[str]) -> None:
    check_shares(lab)
    assert ways == ["kerberos"]
