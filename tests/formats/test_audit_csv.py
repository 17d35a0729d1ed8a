"""audit.csv (MS-GPAC 2.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.core import Unreadable
from checks.formats import audit_csv

HEAD = "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value\r\n"
LOGON = "{0cce9215-69ae-11d9-bed3-505054503030}"


def parse(*rows: str, head: str = HEAD) -> audit_csv.AuditPolicy:
    return audit_csv.parse((head + "\r\n".join(rows) + "\r\n").encode("utf-8-sig"))


@pytest.mark.parametrize(
    ("value", "audits"),
    [("0", None), ("1", ("success",)), ("2", ("failure",)), ("3", ("success", "failure")), ("4", ())],
)
def test_values(value: str, audits: tuple[str, ...] | None) -> None:
    found = parse(f",System,Audit Logon,{LOGON},words,,{value}").system(LOGON)
    assert found is not None
    assert found.audits == audits


def test_headings_and_names_in_other_languages_do_not_matter() -> None:
    head = "Naam van computer,Beleidsdoel,Subcategorie,GUID van subcategorie,Instelling,Uitsluiting,Waarde\n"
    found = parse(f"PC1,System,Aanmelden controleren,{LOGON.upper()},Geslaagd en mislukt,,3", head=head)
    assert found.system(LOGON) == audit_csv.Setting(LOGON.strip("{}"), "System", 3)


def test_a_users_own_policy_is_not_the_systems() -> None:
    found = parse(f",S-1-5-21-1-2-3-500,Audit Logon,{LOGON},x,,1")
    assert found.system(LOGON) is None
    assert len(found.settings) == 1


def test_options_and_global_lists() -> None:
    found = parse(
        ",,Option:CrashOnAuditFail,,Enabled,,1",
        ",,Option:AuditBaseObjects,,Disabled,,0",
        ',,FileGlobalSacl,,,,"S:(AU;SA;FA;;;WD)"',
        "",
    )
    assert found.options == {"crashonauditfail": True, "auditbaseobjects": False}
    assert found.sacls == {"fileglobalsacl": "S:(AU;SA;FA;;;WD)"}
    assert found.settings == ()


@pytest.mark.parametrize("row", ["a,b", ",System,x,no guid,,,1", f",System,x,{LOGON},,,many", f",System,x,{LOGON},,,"])
def test_a_row_that_is_none_is_unreadable(row: str) -> None:
    with pytest.raises(Unreadable):
        parse(row)


def test_too_many_rows_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        parse(*["x"] * 0, *[",,Option:x,,,,1"] * 10_001)


@pytest.mark.parametrize(
    ("name", "tail"),
    [
        ("Logon", "15"),
        ("Plug and Play Events", "48"),
        ("Audit Central Access Policy Staging", "46"),
        ("process_creation", "2b"),
        ("Audit Process Creation", "2b"),
        ("Other Logon/Logoff Events", "1c"),
        ("MPSSVC Rule-Level Policy Change", "32"),
        ("Non Sensitive Privilege Use", "29"),
        ("User / Device Claims", "47"),
        ("0CCE923F-69AE-11D9-BED3-505054503030", "3f"),
        (LOGON, "15"),
    ],
)
def test_subcategory(name: str, tail: str) -> None:
    assert audit_csv.subcategory(name) == f"0cce92{tail}-69ae-11d9-bed3-505054503030"


def test_all_subcategories_are_there_once() -> None:
    assert len(audit_csv.SUBCATEGORIES) == 59
    assert min(audit_csv.SUBCATEGORIES.values()).startswith("0cce9210")
    assert len(set(audit_csv.SUBCATEGORIES.values())) == 59
    assert audit_csv.subcategory("Logons") is None


@given(st.binary(max_size=300))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    for candidate in (raw, HEAD.encode() + raw, HEAD.encode() + b',,"' + raw):
        try:
            audit_csv.parse(candidate)
        except Unreadable:
            continue
