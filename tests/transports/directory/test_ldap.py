"""LDAP: logging on, searching, pages, ranges, and what must never happen."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audits.transports import ldap
from audits.transports.base import Answer, Target
from audits.transports.ldap import LdapTransport
from audits.transports.ldap_client import Limits
from checks.questions import FailureKind, LdapSearch, Question, SmbShares

BASE = "DC=school,DC=test"
Make = Callable[..., Any]


def ask(transport: LdapTransport, target: Target, *questions: Question) -> list[Answer]:
    answered = list(transport.ask(target, questions))
    assert [q for q, _ in answered] == list(questions)
    return [a for _, a in answered]


def failure(answer: Answer) -> tuple[FailureKind, str]:
    assert answer.failure is not None, answer
    assert answer.value is None
    return answer.failure.kind, answer.failure.detail


def test_sealed_with_ntlm_hides_everything(fake: Any, aim: Make, transport: Make) -> None:
    fake.entries[f"CN=Geheim,{BASE}"] = {"cn": [b"Geheim"], "description": [b"classified-value"]}
    sent = bytearray()
    real = fake._one

    def tap(connection: Any) -> None:
        class Tap:
            def __getattr__(self, name: str) -> Any:
                return getattr(connection, name)

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                connection.close()

            def recv(self, size: int) -> bytes:
                data: bytes = connection.recv(size)
                sent.extend(data)
                return data

            def sendall(self, data: bytes) -> None:
                sent.extend(data)
                connection.sendall(data)

        real(Tap())

    fake._one = tap
    (answer,) = ask(transport(), aim(fake), LdapSearch("(cn=Geheim)", ("description",), rdn="CN=Geheim"))
    assert answer.value == [{"dn": f"CN=Geheim,{BASE}", "attributes": {"description": ["classified-value"]}}]
    assert answer.via == "dc1"
    assert fake.binds == ["auditor@school.test"]
    assert b"NTLMSSP" in sent
    assert b"classified" not in sent
    assert b"Geheim" not in sent


@pytest.mark.parametrize("user", ["auditor", "auditor@school.test", "SCHOOL\\auditor"])
def test_all_forms_of_the_name(fake: Any, aim: Make, transport: Make, user: str) -> None:
    (answer,) = ask(
        transport(), aim(fake, keuring_domain_user=user), LdapSearch(nc="root", attributes=("dnsHostName",))
    )
    assert answer.value == [{"dn": "", "attributes": {"dnshostname": ["dc1.school.test"]}}]


def test_a_wrong_password_is_tried_once(start: Make, aim: Make, transport: Make) -> None:
    one, two = start(), start()
    made = transport()
    target = aim(one, two, keuring_domain_password="wrong")
    for _ in range(3):
        kind, detail = failure(ask(made, target, LdapSearch(), LdapSearch(nc="root"))[1])
        assert kind is FailureKind.AUTHENTICATION_FAILED
        assert "wrong name or password" in detail
    assert one.binds == ["refused"]
    assert two.binds == []
    assert "not tried again" in detail
    (answer,) = ask(made, aim(one), LdapSearch())
    assert answer.failure is None  # another password is another matter


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("52e", "wrong name or password"),
        ("533", "disabled"),
        ("775", "locked"),
        ("532", "expired"),
        ("773", "changed first"),
        ("530", "hour"),
        ("999", "wrong name or password"),
    ],
)
def test_sub_codes_are_explained(start: Make, aim: Make, transport: Make, data: str, words: str) -> None:
    fake = start(sasl_code=(49, f"8009030C: LdapErr: DSID-0, comment: AcceptSecurityContext error, data {data}, v1"))
    kind, detail = failure(ask(transport(), aim(fake), LdapSearch())[0])
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert words in detail
    assert data in detail


def test_no_credentials(fake: Any, aim: Make, transport: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audits.transports.accounts.has_kerberos", lambda: False)
    kind, detail = failure(ask(transport(), aim(fake, keuring_domain_password=None), LdapSearch())[0])
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "keuring_domain_password" in detail
    assert "keuring[kerberos]" in detail


def test_ldaps_verified(start: Make, aim: Make, transport: Make, authority: Any) -> None:
    fake = start(tls=authority.context)
    (answer,) = ask(transport(ca_file=authority.ca_file), aim(fake, keuring_ldap="ldaps"), LdapSearch(scope="base"))
    assert answer.value == [{"dn": BASE, "attributes": {"objectclass": ["domainDNS"]}}]
    assert fake.binds == ["auditor@school.test"]


def test_ldaps_with_an_unknown_authority(start: Make, aim: Make, transport: Make, authority: Any) -> None:
    fake = start(tls=authority.context)
    kind, detail = failure(ask(transport(), aim(fake, keuring_ldap="ldaps"), LdapSearch())[0])
    assert kind is FailureKind.CERTIFICATE_UNTRUSTED
    assert "dc1.school.test" in detail
    assert fake.binds == []


def test_ldaps_with_the_certificate_of_another(start: Make, aim: Make, transport: Make, authority: Any) -> None:
    fake = start(tls=authority.context)
    target = aim(1, fake, keuring_ldap="ldaps")  # the second server is dc2
    kind, detail = failure(ask(transport(ca_file=authority.ca_file), target, LdapSearch())[0])
    assert kind is FailureKind.CERTIFICATE_UNTRUSTED
    assert "dc2.school.test" in detail
    assert fake.binds == []


def test_ldaps_to_something_without_tls(fake: Any, aim: Make, transport: Make) -> None:
    made = transport(Limits(silence=1, whole=2))
    kind, _ = failure(ask(made, aim(fake, keuring_ldap="ldaps"), LdapSearch())[0])
    assert kind in (FailureKind.UNREADABLE, FailureKind.TIMED_OUT, FailureKind.UNREACHABLE)


@pytest.fixture
def both(start: Make, authority: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    clear, tls = start(), start(tls=authority.context)
    monkeypatch.setattr(ldap, "SEALED_PORT", clear.port)
    monkeypatch.setattr(ldap, "TLS_PORT", tls.port)
    return clear, tls


def auto(target: Target) -> Target:
    (server,) = target.servers
    return replace(target, servers=(replace(server, variables={"ansible_host": "127.0.0.1"}),))


def test_auto_prefers_sealed(both: Any, aim: Make, transport: Make, authority: Any) -> None:
    clear, tls = both
    assert ask(transport(ca_file=authority.ca_file), auto(aim(1)), LdapSearch())[0].failure is None
    assert (clear.binds, tls.binds) == (["auditor@school.test"], [])


@pytest.mark.parametrize("code", [(7, "no such mechanism"), (8, "stronger")])
def test_auto_falls_back(both: Any, aim: Make, transport: Make, authority: Any, code: tuple[int, str]) -> None:
    clear, tls = both
    clear.sasl_code = code
    assert ask(transport(ca_file=authority.ca_file), auto(aim(1)), LdapSearch())[0].failure is None
    assert tls.binds == ["auditor@school.test"]


def test_auto_falls_back_when_389_is_closed(
    both: Any, aim: Make, transport: Make, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ldap, "SEALED_PORT", 1)
    assert ask(transport(ca_file=authority.ca_file), auto(aim(1)), LdapSearch())[0].failure is None
    kind, detail = failure(ask(transport(), auto(aim(1)), LdapSearch())[0])
    assert kind is FailureKind.CERTIFICATE_UNTRUSTED
    assert "sealed:" in detail
    assert both[1].binds == ["auditor@school.test"]


def test_auto_does_not_try_a_refused_password_again(both: Any, aim: Make, transport: Make, authority: Any) -> None:
    target = auto(aim(1, keuring_domain_password="wrong"))
    kind, _ = failure(ask(transport(ca_file=authority.ca_file), target, LdapSearch())[0])
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert both[1].binds == []


def test_pages(fake: Any, aim: Make, transport: Make) -> None:
    for i in range(2500):
        fake.entries[f"CN=u{i},{BASE}"] = {"cn": [f"u{i}".encode()]}
    (answer,) = ask(transport(), aim(fake), LdapSearch("(cn=*)", ("cn",)))
    assert len(answer.value) == 2501
    assert [e["dn"] for e in answer.value] == sorted(fake.entries)
    assert len(fake.searches) == 4  # the rootDSE, and three pages
    assert fake.searches[1].time_limit == 120


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("count", [1500, 1501, 3200])
def test_ranges(fake: Any, aim: Make, transport: Make, count: int, empty: bool) -> None:
    members = [f"CN=u{i},{BASE}" for i in range(count)]
    fake.empty_beside_range = empty
    fake.entries[f"CN=Big,{BASE}"] = {"member": [m.encode() for m in members], "cn": [b"Big"]}
    fake.entries[f"CN=Empty,{BASE}"] = {"member": [], "cn": [b"Empty"]}
    (answer,) = ask(transport(), aim(fake), LdapSearch("(cn=*)", ("cn", "member")))
    assert answer.value == [
        {"dn": f"CN=Big,{BASE}", "attributes": {"cn": ["Big"], "member": members}},
        {"dn": f"CN=Empty,{BASE}", "attributes": {"cn": ["Empty"]}},
        {"dn": BASE, "attributes": {}},
    ]


@pytest.mark.parametrize("again", ["member;range=0-1499", "member;range=1500-1400", "member;range=x-*", "cn", None])
def test_a_range_that_goes_wrong_is_no_group(fake: Any, aim: Make, transport: Make, again: str | None) -> None:
    fake.entries[f"CN=Big,{BASE}"] = {"member": [b"x"] * 2000}
    real = fake._attributes

    def attributes(dn: str, search: Any) -> Any:
        if not any("1500-" in a for a in search.attributes):
            return real(dn, search)
        return {again: [b"x"]} if again else {"member;range=1500-*": []}

    fake._attributes = attributes
    kind, _ = failure(ask(transport(), aim(fake), LdapSearch(attributes=("member",)))[0])
    assert kind is FailureKind.UNREADABLE


def test_values(fake: Any, aim: Make, transport: Make) -> None:
    fake.entries[f"CN=Zoë,{BASE}"] = {
        "sAMAccountName": ["zoë".encode()],
        "objectSid": [b"\x01\x05\xff"],
        "description": [b"a\xffb", b""],
    }
    question = LdapSearch(
        attributes=("sAMAccountName", "description"), binary=("objectSid",), rdn="CN=Zoë", scope="base"
    )
    (answer,) = ask(transport(), aim(fake), question)
    assert answer.value[0]["dn"] == f"CN=Zoë,{BASE}"
    assert answer.value[0]["attributes"] == {
        "samaccountname": ["zoë"],
        "objectsid": [base64.b64encode(b"\x01\x05\xff").decode()],
        "description": ["a\ufffdb", ""],
    }


def test_naming_contexts(fake: Any, aim: Make, transport: Make) -> None:
    contexts: tuple[Any, ...] = ("default", "configuration", "schema", "domaindns", "forestdns")
    answers = ask(transport(), aim(fake), *(LdapSearch(nc=nc, rdn="CN=x") for nc in contexts))
    assert [a.value for a in answers] == [[]] * 5
    assert [s.base for s in fake.searches[1:]] == [
        f"CN=x,{BASE}",
        f"CN=x,CN=Configuration,{BASE}",
        f"CN=x,CN=Schema,CN=Configuration,{BASE}",
        f"CN=x,DC=DomainDnsZones,{BASE}",
        f"CN=x,DC=ForestDnsZones,{BASE}",
    ]


def test_security_descriptors_need_a_control(fake: Any, aim: Make, transport: Make) -> None:
    ask(transport(), aim(fake), LdapSearch(scope="base", sd_flags=7))
    assert fake.searches[-1].controls[b"1.2.840.113556.1.4.801"] == b"\x30\x03\x02\x01\x07"


@pytest.mark.parametrize("name", ["unicodePwd", "ms-Mcs-AdmPwd", "msLAPS-Password", "msFVE-RecoveryPassword;binary"])
def test_secrets_are_never_asked_for(fake: Any, aim: Make, transport: Make, name: str) -> None:
    made, target = transport(), aim(fake)
    for question in (LdapSearch(attributes=("cn", name)), LdapSearch(binary=(name,))):
        kind, detail = failure(ask(made, target, question)[0])
        assert kind is FailureKind.DENIED
        assert name in detail
    assert fake.searches == []


def test_secrets_that_come_anyway_are_dropped(fake: Any, aim: Make, transport: Make) -> None:
    fake.entries[BASE] = {"cn": [b"x"], "ms-Mcs-AdmPwd": [b"Welkom01"], "supplementalCredentials": [b"z"]}
    (answer,) = ask(transport(), aim(fake), LdapSearch(scope="base"))
    assert answer.value == [{"dn": BASE, "attributes": {"cn": ["x"]}}]


@pytest.mark.parametrize("filter_", ["(cn=x", "", "(&)", "cn=x", "(!(a=b)(c=d))", "((cn=x))"])
def test_a_malformed_filter_fails_alone(fake: Any, aim: Make, transport: Make, filter_: str) -> None:
    bad, good = ask(transport(), aim(fake), LdapSearch(filter_), LdapSearch(scope="base"))
    assert failure(bad)[0] is FailureKind.UNREADABLE
    assert good.failure is None


def test_a_question_of_another_transport_fails_alone(fake: Any, aim: Make, transport: Make) -> None:
    bad, good = ask(transport(), aim(fake), SmbShares(), LdapSearch(scope="base"))
    assert failure(bad)[0] is FailureKind.UNREADABLE
    assert good.failure is None


def test_the_first_server_that_answers(start: Make, aim: Make, transport: Make) -> None:
    fake = start()
    answers = ask(transport(), aim(1, fake, start()), LdapSearch(), LdapSearch(nc="root"))
    assert [a.via for a in answers] == ["dc2", "dc2"]
    assert [a.failure for a in answers] == [None, None]


def test_the_most_telling_failure(start: Make, aim: Make, transport: Make) -> None:
    stuck = start(sasl_code=(53, "not now"))
    (answer,) = ask(transport(), aim(1, stuck, 2), LdapSearch())
    assert failure(answer) == (FailureKind.DENIED, "the server is not willing: not now")
    assert answer.via == "dc2"


def test_a_host_is_asked_itself(fake: Any, transport: Make, aim: Make) -> None:
    variables = {**aim(fake).variables, "ansible_host": "127.0.0.1", "keuring_ldap_port": fake.port}
    (answer,) = ask(transport(), Target("dc9", variables=variables, domain="school.test"), LdapSearch(nc="root"))
    assert answer.failure is None
    assert answer.via == ""


def test_names_that_do_not_resolve(transport: Make) -> None:
    target = Target("nowhere.invalid", variables={"keuring_domain_user": "a", "keuring_domain_password": "b"})
    assert failure(ask(transport(), target, LdapSearch())[0])[0] is FailureKind.NAME_NOT_FOUND


@pytest.mark.parametrize(
    "variables", [{"keuring_ldap": "clear"}, {"keuring_ldap_port": "many"}, {"keuring_ldap_port": 0}]
)
def test_variables_without_sense(transport: Make, variables: dict[str, Any]) -> None:
    target = Target("localhost", variables={"keuring_domain_user": "a", "keuring_domain_password": "b", **variables})
    kind, detail = failure(ask(transport(), target, LdapSearch())[0])
    assert kind is FailureKind.UNREADABLE
    assert next(iter(variables)) in detail
