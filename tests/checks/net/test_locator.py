"""The records by which clients find a domain, judged both ways."""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from audits.evaluate import Finding
from checks.core import Scope, Verdict
from checks.formats import dns_record
from checks.questions import DnsQuery, Failure, FailureKind, LdapSearch, Question

Judge = Callable[..., dict[str, list[Finding]]]
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
D = "school.test"
DC1, DC2 = f"dc1.{D}", f"dc2.{D}"
WANT = {"domain": "School.Test", "controllers": ["DC1.school.test", DC2]}
SITE = "default-first-site-name._sites"
Zone = dict[tuple[str, str], list[str]]


def good() -> Zone:
    """Give the zone of a domain in which all is well."""
    zone: Zone = {
        (DC1, "A"): ["10.0.0.1"],
        (DC2, "A"): ["10.0.0.2"],
        (DC2, "AAAA"): ["fd00::2"],
        (f"_ldap._tcp.pdc._msdcs.{D}", "SRV"): [f"0 100 389 {DC1}"],
    }
    for name in (D, f"gc._msdcs.{D}", f"domaindnszones.{D}", f"forestdnszones.{D}"):
        zone[name, "A"], zone[name, "AAAA"] = ["10.0.0.1", "10.0.0.2"], ["fd00::2"]
    for name in (D, f"_msdcs.{D}"):
        zone[name, "NS"] = [DC1, DC2]
    services = {
        389: ["_ldap._tcp", "_ldap._tcp.dc._msdcs", f"_ldap._tcp.{SITE}", f"_ldap._tcp.{SITE}.dc._msdcs",
              "_ldap._tcp.domaindnszones", "_ldap._tcp.forestdnszones"],
        88: ["_kerberos._tcp", "_kerberos._tcp.dc._msdcs", "_kerberos._udp", f"_kerberos._tcp.{SITE}",
             f"_kerberos._tcp.{SITE}.dc._msdcs"],
        464: ["_kpasswd._tcp", "_kpasswd._udp"],
        3268: ["_gc._tcp", "_ldap._tcp.gc._msdcs", f"_gc._tcp.{SITE}", f"_ldap._tcp.{SITE}.gc._msdcs"],
    }  # fmt: skip
    for port, names in services.items():
        for name in names:
            zone[f"{name}.{D}", "SRV"] = [f"0 100 {port} {dc}" for dc in (DC1, DC2)]
    return zone


def served(zone: Zone, other: Zone | None = None, asked: set[DnsQuery] | None = None) -> Callable[[str, Question], Any]:
    def answers(target: str, question: Question) -> Any:
        assert isinstance(question, DnsQuery)
        if asked is not None:
            asked.add(question)
        data = (other if other is not None and target == "dc2" else zone).get((question.name, question.type), [])
        rows = [{"name": question.name, "type": question.type, "ttl": 900, "data": d} for d in data]
        return {"rcode": "NOERROR" if rows else "NXDOMAIN", "flags": ["AA"], "answers": rows}

    return answers


def judged(judge: Judge, answers: Any, **want: Any) -> dict[str, Verdict]:
    found = judge(Scope.DNS, "locator", WANT | want, answers)["locator_record_is_registered"]
    assert len({f.subject for f in found}) == len(found)
    return {f.subject: f.verdict for f in found}


def test_a_complete_set_passes_and_nothing_is_asked_in_vain(judge: Judge) -> None:
    asked: set[DnsQuery] = set()
    verdicts = judged(judge, served(good(), asked=asked))
    assert set(verdicts.values()) == {PASS}
    assert {(q.name, q.type) for q in asked} == {*good(), (DC1, "AAAA")}
    assert len(verdicts) == 26


@pytest.mark.parametrize(
    "key", [k for k in good() if k[1] != "AAAA" and k != (DC2, "A")], ids=lambda k: f"{k[0]} {k[1]}"
)
def test_each_missing_record_fails_by_its_own_name(judge: Judge, key: tuple[str, str]) -> None:
    zone = good()
    del zone[key]
    verdicts = judged(judge, served(zone))
    assert verdicts.pop(f"{key[0]} {key[1]}") == FAIL
    others = {s for s, v in verdicts.items() if v != PASS}
    assert others == (
        {s for s in verdicts if s.endswith(" A") and not s.startswith("dc")} if key[0] in (DC1, DC2) else set()
    )


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ((f"_ldap._tcp.{D}", "SRV"), [f"0 100 389 {DC1}"]),
        ((f"_ldap._tcp.{D}", "SRV"), [f"0 100 389 {DC1}", f"0 100 389 {DC2}", "0 100 389 old.school.test"]),
        ((f"_ldap._tcp.{D}", "SRV"), [f"0 100 636 {DC1}", f"0 100 389 {DC2}"]),
        ((f"_kerberos._udp.{D}", "SRV"), [f"0 100 389 {DC1}", f"0 100 389 {DC2}"]),
        ((f"_ldap._tcp.pdc._msdcs.{D}", "SRV"), [f"0 100 389 {DC1}", f"0 100 389 {DC2}"]),
        ((f"_ldap._tcp.pdc._msdcs.{D}", "SRV"), ["0 100 389 old.school.test"]),
        ((D, "A"), ["10.0.0.1"]),
        ((D, "A"), ["10.0.0.1", "10.0.0.2", "10.0.0.9"]),
        ((D, "AAAA"), []),
        ((D, "NS"), [DC1]),
        ((D, "NS"), [DC1, DC2, "old.school.test"]),
    ],
)
def test_wrong_records_fail(judge: Judge, key: tuple[str, str], data: list[str]) -> None:
    verdicts = judged(judge, served(good() | {key: data}))
    type_ = "A" if key[1] == "AAAA" else key[1]
    assert {s for s, v in verdicts.items() if v == FAIL} == {f"{key[0]} {type_}"}


def test_every_server_must_know_them(judge: Judge) -> None:
    other = good()
    del other[f"_gc._tcp.{D}", "SRV"]
    found = judge(Scope.DNS, "locator", WANT, served(good(), other))["locator_record_is_registered"]
    (bad,) = [f for f in found if f.verdict == FAIL]
    assert (bad.subject, bad.note) == (f"_gc._tcp.{D} SRV", "dc2: NXDOMAIN")
    assert bad.observed == {"targets": [], "missing": [DC1, DC2]}

    def down(target: str, question: Question) -> Any:
        return Failure(FailureKind.TIMED_OUT, "silent") if target == "dc2" else served(good())(target, question)

    assert set(judged(judge, down).values()) == {UNKNOWN}
    assert set(judged(judge, lambda *_: None).values()) == {UNKNOWN}


def test_who_holds_what(judge: Judge) -> None:
    zone = good()
    for name in ("_gc._tcp", "_ldap._tcp.gc._msdcs", f"_gc._tcp.{SITE}", f"_ldap._tcp.{SITE}.gc._msdcs"):
        zone[f"{name}.{D}", "SRV"] = [f"0 100 3268 {DC1}"]
    zone[f"gc._msdcs.{D}", "A"], zone[f"gc._msdcs.{D}", "AAAA"] = ["10.0.0.1"], []
    assert set(judged(judge, served(zone), catalogues=[DC1]).values()) == {PASS}
    assert list(judged(judge, served(zone)).values()).count(FAIL) == 5
    assert judged(judge, served(good()), pdc=DC2)[f"_ldap._tcp.pdc._msdcs.{D} SRV"] == FAIL
    assert judged(judge, served(good()), pdc=DC1)[f"_ldap._tcp.pdc._msdcs.{D} SRV"] == PASS


def test_sites_and_a_forest_above(judge: Judge) -> None:
    zone = {(n.replace("default-first-site-name", r"hoofd\032campus"), t): d for (n, t), d in good().items()}
    assert set(judged(judge, served(zone), site="Hoofd campus").values()) == {PASS}
    split = good()
    for service, port in (("_ldap", 389), ("_kerberos", 88)):
        for below in ("", "dc._msdcs."):
            split[f"{service}._tcp.gent._sites.{below}{D}", "SRV"] = [f"0 100 {port} {DC2}"]
    for name in ("_gc._tcp.gent._sites", "_ldap._tcp.gent._sites.gc._msdcs"):
        split[f"{name}.{D}", "SRV"] = [f"0 100 3268 {DC2}"]
    sites = {"Default-First-Site-Name": [DC1], "Gent": [DC2]}
    assert set(judged(judge, served(split), sites=sites).values()) == {PASS}
    names = judged(judge, served(good()), forest="top.test")
    assert names["_gc._tcp.top.test SRV"] == FAIL
    assert names[f"_ldap._tcp.dc._msdcs.{D} SRV"] == PASS


# -- GUIDs ------------------------------------------------------------------------------------------------------------

GUIDS = {n: uuid.UUID(int=i) for i, n in enumerate(("dc1", "dc2", "domain"), 10)}


def counted(name: str) -> bytes:
    labels = [x.encode() for x in name.split(".")]
    wire = b"".join(bytes([len(x)]) + x for x in labels) + b"\0"
    return bytes([len(wire), len(labels)]) + wire


def stored(number: int, data: bytes) -> str:
    return base64.b64encode(struct.pack("<HHBBHI", len(data), number, 5, 0xF0, 0, 1) + bytes(12) + data).decode()


def srv(target: str) -> bytes:
    return struct.pack(">HHH", 0, 100, 389) + counted(target)


def directory(changes: dict[str, list[str]] | None = None) -> Callable[[str, Question], Any]:
    nodes = {
        str(GUIDS["dc1"]): [stored(5, counted("DC1.school.test"))],
        str(GUIDS["dc2"]): [stored(5, counted(DC2))],
        f"_ldap._tcp.{GUIDS['domain']}.domains": [stored(33, srv(DC1)), stored(33, srv(DC2))],
        "@": [stored(6, b"\0" * 30), stored(2, counted(DC1))],
        **(changes or {}),
    }

    def entry(dn: str, **attributes: list[str]) -> dict[str, Any]:
        return {"dn": dn, "attributes": attributes}

    def guid(name: str) -> list[str]:
        return [base64.b64encode(GUIDS[name].bytes_le).decode()]

    def answers(target: str, question: Question) -> Any:
        if isinstance(question, DnsQuery):
            return served(good())(target, question)
        assert isinstance(question, LdapSearch)
        assert target == "school.test"
        if question.nc == "forestdns":
            assert question.rdn == "DC=_msdcs.school.test,CN=MicrosoftDNS"
            return [entry(f"DC={n}", name=[n], dnsrecord=v) for n, v in nodes.items()]
        if question.nc == "configuration":
            return [
                entry(f"CN=NTDS Settings,CN={n.upper()},CN=Servers,CN=X", objectguid=guid(n)) for n in ("dc1", "dc2")
            ]
        return [entry("DC=school,DC=test", objectguid=guid("domain"))]

    return answers


def guids(judge: Judge, answers: Any) -> list[Verdict]:
    found = judge(Scope.DNS, "locator", WANT | {"guids": True}, answers)
    return [f.verdict for f in found["guid_record_is_registered"]]


def test_guid_records(judge: Judge) -> None:
    assert guids(judge, directory()) == [PASS, PASS, PASS]
    assert guids(judge, directory({str(GUIDS["dc1"]): []})) == [FAIL, PASS, PASS]
    assert guids(judge, directory({str(GUIDS["dc2"]): [stored(5, counted("old.school.test"))]})) == [PASS, FAIL, PASS]
    name = f"_ldap._tcp.{GUIDS['domain']}.domains"
    assert guids(judge, directory({name: [stored(33, srv(DC1))]})) == [PASS, PASS, FAIL]
    assert guids(judge, directory({name: []})) == [PASS, PASS, FAIL]
    assert guids(judge, directory({name: ["AAAA"]})) == [UNKNOWN]
    assert guids(judge, lambda t, q: [] if isinstance(q, LdapSearch) else directory()(t, q)) == [UNKNOWN]
    assert guids(judge, lambda *_: Failure(FailureKind.DENIED, "no")) == [UNKNOWN]
    other = {"controllers": [DC1, DC2, "dc3.school.test"], "guids": True, "domain": D}
    found = judge(Scope.DNS, "locator", other, directory())["guid_record_is_registered"]
    assert [f.verdict for f in found] == [PASS, PASS, FAIL, FAIL]
    assert "guid_record_is_registered" not in judge(Scope.DNS, "locator", WANT, directory())


def test_stored_records() -> None:
    def parse(text: str) -> Any:
        return dns_record.parse(base64.b64decode(text))

    assert parse(stored(1, bytes([10, 0, 0, 1]))) == dns_record.StoredRecord("A", "10.0.0.1")
    assert parse(stored(28, bytes(15) + b"\1")) == dns_record.StoredRecord("AAAA", "::1")
    assert parse(stored(33, srv("DC1.x"))) == dns_record.StoredRecord("SRV", "0 100 389 dc1.x")
    assert parse(stored(16, b"\1a")) is None
    raw = base64.b64decode(stored(33, srv("dc1.school.test")))
    for cut in range(len(raw)):
        with pytest.raises(ValueError, match="early"):
            dns_record.parse(raw[:cut])
    for number, data in ((1, b"abc"), (33, b"abc"), (5, b""), (5, b"\x05\x02\x03abc"), (5, b"\x05\x01\xffabc")):
        with pytest.raises(ValueError, match=r"early|address"):
            parse(stored(number, data))
