"""gPLink and gPOptions (MS-GPOL 2.2.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.core import Unreadable
from checks.formats import gp_link
from checks.formats.gp_link import Link

A, B, C = (f"{{{n * 8}-0000-0000-0000-000000000000}}" for n in ("A", "b", "3"))


def dn(guid: str) -> str:
    return f"cn={guid},cn=policies,cn=system,DC=school,DC=test"


def test_the_last_has_link_order_one() -> None:
    found = gp_link.parse(f"[LDAP://{dn(A)};0][ldap://{dn(B)};2][LDAP://{dn(C)};1]")
    assert found == (
        Link(dn(C), C, disabled=True, enforced=False),
        Link(dn(B), B.upper(), disabled=False, enforced=True),
        Link(dn(A), A, disabled=False, enforced=False),
    )


def test_disabled_and_enforced() -> None:
    (found,) = gp_link.parse(f"[LDAP://{dn(A)};3]")
    assert found.disabled
    assert found.enforced


@pytest.mark.parametrize("value", ["", " ", "\0"])
def test_no_links(value: str) -> None:
    assert gp_link.parse(value) == ()


@pytest.mark.parametrize(
    "value", ["x", f"[LDAP://{dn(A)}]", f"[LDAP://{dn(A)};x]", "[LDAP://cn=other;0]", f"[LDAP://{dn(A)};0]]"]
)
def test_what_is_no_link_is_unreadable(value: str) -> None:
    with pytest.raises(Unreadable):
        gp_link.parse(value)


@pytest.mark.parametrize(("value", "blocked"), [("", False), ("0", False), ("1", True), ("3", True), ("2", False)])
def test_inheritance(value: str, blocked: bool) -> None:
    assert gp_link.inheritance_is_blocked(value) is blocked


def test_options_that_are_no_number_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        gp_link.inheritance_is_blocked("yes")


@given(st.text(alphabet="[]LDAP:/;0123{}-cn=,x", max_size=200))
def test_anything_is_read_or_refused(value: str) -> None:
    try:
        gp_link.parse(value)
    except Unreadable:
        return
