"""Versions compared as dpkg and rpm do; the cases are those of their own test suites and manuals."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.formats.versions import Version, compare, compare_dpkg, compare_rpm, constraints

DPKG = [
    ("1.0", "1.0", 0), ("1.0~rc1", "1.0", -1), ("1.0~~", "1.0~~a", -1), ("1.0~~a", "1.0~", -1), ("1.0", "1.0a", -1),
    ("1.0a", "1.0+", -1), ("1.2.10", "1.2.9", 1), ("1.01", "1.1", 0), ("0:1", "1", 0), ("2.0", "10.0", -1),
    ("1.0+dfsg", "1.0.1", -1), ("9.6p1", "9.10p1", -1), ("", "0", 0), ("a", "1", 1), ("1.", "1", 1),
]  # fmt: skip
RPM = [
    ("1.0", "1.0", 0), ("1.0", "2.0", -1), ("2.0.1", "2.0.1a", -1), ("5.5p1", "5.5p10", -1), ("10xyz", "10.1xyz", -1),
    ("xyz10", "xyz10.1", -1), ("xyz.4", "8", -1), ("5.5p2", "5.6p1", -1), ("6.0.rc1", "6.0", 1), ("10b2", "10a1", 1),
    ("7.4.051", "7.4.52", -1), ("1.0~rc1", "1.0", -1), ("1.0^", "1.0", 1), ("1.0^git1", "1.01", -1),
    ("1.0^git1", "1.0^git1~pre", 1), ("1.0~rc1^git1", "1.0~rc1", 1), ("1_0", "1.0", 0), ("fc4", "fc.4", 0),
    ("4.999.9", "5.0", -1), ("1.0^20160101", "1.0.1", -1),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "order"), DPKG)
def test_dpkg(a: str, b: str, order: int) -> None:
    assert compare(Version.parse(a), Version.parse(b), "dpkg") == order
    assert compare(Version.parse(b), Version.parse(a), "dpkg") == -order


@pytest.mark.parametrize(("a", "b", "order"), RPM)
def test_rpm(a: str, b: str, order: int) -> None:
    assert compare_rpm(a, b) == order
    assert compare_rpm(b, a) == -order


VERSIONS = st.text("0019.+~abAB", max_size=8).map(lambda s: "1" + s)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="compares with dpkg itself")
@settings(max_examples=60, deadline=None)
@given(VERSIONS, VERSIONS)
def test_dpkg_itself_agrees(a: str, b: str) -> None:
    ours = compare_dpkg(a, b)
    for word, order in (("lt", -1), ("eq", 0), ("gt", 1)):
        result = subprocess.run(["dpkg", "--compare-versions", a, word, b], check=False, capture_output=True)
        assert (result.returncode == 0) == (ours == order), (a, word, b)


@given(VERSIONS, VERSIONS)
def test_turning_round_turns_the_order(a: str, b: str) -> None:
    assert compare_dpkg(a, b) == -compare_dpkg(b, a)
    assert compare_rpm(a, b) == -compare_rpm(b, a)


@pytest.mark.parametrize(
    ("text", "installed", "holds"),
    [
        (">=1.24", "1.24.0-2", True),
        (">=1.24", "1:1.18.0-6", False),  # an epoch that nobody declared does not count
        (">=1:1.24", "1.30", True),
        (">=2:1.24", "1:1.30", False),
        ("<=1.24", "1.24-3", True),  # nor does a revision
        ("<=1.24-2", "1.24-3", False),
        ("1.24", "1.24.9-1", True),
        ("1.24", "1.240", False),
        ("1.24", "1.24~rc1", False),
        ("1.24", "1.24+dfsg-1", True),
        ("=1.24", "1.24.9-1", False),
        ("!=1.24", "1.24-1", False),
        (">1,<2", "1.5", True),
        (">1, <2", "2.1", False),
        (">>1", "1.0", True),
        ("<<1", "1~rc", True),
    ],
)
def test_constraints(text: str, installed: str, holds: bool) -> None:
    assert all(c.holds(installed, "dpkg") for c in constraints(text)) is holds


@pytest.mark.parametrize("text", ["", "~>1", ">=", "1.0 2.0", ">=1,,", "x:1"])
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"constraint|literal"):
        constraints(text)
