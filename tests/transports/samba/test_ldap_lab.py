"""LDAP against the lab's controllers: sealed, over TLS, with Kerberos, and compared with samba-tool."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from audits.transports.accounts import Guard
from audits.transports.base import Settings
from audits.transports.ldap import LdapTransport
from checks.questions import FailureKind, LdapSearch

pytestmark = pytest.mark.lab
ROOT = LdapSearch(nc="root", scope="base", attributes=("dnsHostName",))


@pytest.mark.parametrize("how", ["sealed", "ldaps", "auto"])
@pytest.mark.parametrize("controller", ["dc1", "dc2"])
@pytest.mark.usefixtures("no_kerberos")
def test_every_way_to_log_on(lab: Any, how: str, controller: str) -> None:
    target = lab.domain(lab.host(controller), keuring_ldap=how)
    (answer,) = lab.ask(LdapTransport(lab.settings), target, ROOT)
    assert answer.failure is None, answer
    assert answer.via == controller
    assert answer.value[0]["attributes"]["dnshostname"] == [f"{controller}.school.test"]


@pytest.mark.usefixtures("no_kerberos")
def test_ntlm(lab: Any, ways: list[str]) -> None:
    assert lab.ask(LdapTransport(lab.settings), lab.domain(keuring_ldap="sealed"), ROOT)[0].failure is None
    assert ways == ["ntlm"]


@pytest.mark.usefixtures("kerberos")
def test_kerberos(lab: Any, ways: list[str]) -> None:
    assert lab.ask(LdapTransport(lab.settings), lab.domain(keuring_ldap="sealed"), ROOT)[0].failure is None
    assert ways == ["kerberos"]


def test_a_certificate_is_not_trusted_without_its_authority(lab: Any) -> None:
    (answer,) = lab.ask(LdapTransport(Settings()), lab.domain(keuring_ldap="ldaps"), ROOT)
    assert answer.failure is not None
    assert answer.failure.kind is FailureKind.CERTIFICATE_UNTRUSTED


@pytest.mark.usefixtures("no_kerberos")
def test_a_wrong_password(lab: Any) -> None:
    target = lab.domain(keuring_domain_user="nobody", keuring_domain_password="wrong")
    answers = lab.ask(LdapTransport(lab.settings, guard=Guard()), target, ROOT, LdapSearch())
    assert {a.failure.kind for a in answers} == {FailureKind.AUTHENTICATION_FAILED}


@pytest.mark.usefixtures("no_kerberos")
def test_the_same_as_samba_tool(lab: Any) -> None:
    question = LdapSearch("(&(objectClass=group)(sAMAccountName=G_Docenten))", ("member",))
    everyone = LdapSearch(
        "(&(objectClass=user)(!(objectClass=computer)))", ("sAMAccountName", "objectSid"), binary=("objectSid",)
    )
    group, users = lab.ask(LdapTransport(lab.settings), lab.domain(), question, everyone)
    truth = lab.run("dc1", "samba-tool", "group", "listmembers", "--full-dn", "G_Docenten").splitlines()
    assert group.value[0]["attributes"]["member"]
    assert sorted(group.value[0]["attributes"]["member"]) == sorted(truth)
    names = {u["attributes"]["samaccountname"][0] for u in users.value}
    assert names == set(lab.run("dc1", "samba-tool", "user", "list").splitlines())
    sids = {base64.b64decode(u["attributes"]["objectsid"][0])[:8] for u in users.value}
    assert sids == {b"\x01\x05\x00\x00\x00\x00\x00\x05"}


@pytest.mark.usefixtures("no_kerberos")
def test_descriptors_zones_and_pages(lab: Any) -> None:
    policies = LdapSearch(
        "(objectClass=groupPolicyContainer)",
        ("displayName", "nTSecurityDescriptor"),
        binary=("nTSecurityDescriptor",),
        sd_flags=7,
    )
    without = LdapSearch(
        "(objectClass=groupPolicyContainer)", ("nTSecurityDescriptor",), binary=("nTSecurityDescriptor",)
    )
    zones = LdapSearch("(objectClass=dnsNode)", ("dnsRecord",), nc="domaindns", binary=("dnsRecord",))
    schema = LdapSearch("(objectClass=attributeSchema)", ("lDAPDisplayName",), nc="schema")
    missing = LdapSearch(rdn="OU=Bestaat niet")
    first, bare, nodes, attributes, none = lab.ask(
        LdapTransport(lab.settings), lab.domain(), policies, without, zones, schema, missing
    )
    assert "School - Wachtwoordbeleid" in {e["attributes"]["displayname"][0] for e in first.value}
    assert all(base64.b64decode(e["attributes"]["ntsecuritydescriptor"][0])[0] == 1 for e in first.value)
    assert not any("ntsecuritydescriptor" in e["attributes"] for e in bare.value)
    assert len(nodes.value) > 20
    assert len(attributes.value) > 1000
    assert none.value == []
