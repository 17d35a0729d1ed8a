"""Distinguished names and the paths that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.formats import distinguished_name as d
from checks.questions import Unreadable

BASE = "DC=school,DC=test"


@pytest.mark.parametrize(
    ("dn", "parts"),
    [
        ("", ()),
        ("CN=a,OU=b", (("CN", "a"), ("OU", "b"))),
        (r"CN=Peeters\, Jan,OU=x", (("CN", "Peeters, Jan"), ("OU", "x"))),
        (r"CN=caf\C3\A9,OU=x", (("CN", "café"), ("OU", "x"))),
        (r"CN=a\0ADEL:1,OU=x", (("CN", "a\nDEL:1"), ("OU", "x"))),
        (r"cn= a b , ou=c\ ", (("CN", "a b"), ("OU", r"c "))),
        ("2.5.4.3=a", (("2.5.4.3", "a"),)),
    ],
)
def test_split(dn: str, parts: tuple[tuple[str, str], ...]) -> None:
    assert d.split(dn) == parts


@pytest.mark.parametrize("dn", ["nothing", "=x", "CN=a,,OU=b", "a b=c", "CN=" + "a" * 9000])
def test_what_is_no_name(dn: str) -> None:
    with pytest.raises(Unreadable):
        d.split(dn)


@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda s: max(s) < "\ud800"), min_size=1, max_size=4))
def test_split_undoes_join(values: list[str]) -> None:
    parts = tuple(("CN", v) for v in values)
    assert d.split(d.join(parts)) == parts


def test_comparing() -> None:
    assert d.key(r"CN=Peeters\2C Jan,OU=Docenten," + BASE) == d.key(r"cn=peeters\, jan, ou=docenten, " + BASE)
    assert d.is_below("CN=a,OU=B," + BASE, "ou=b," + BASE)
    assert not d.is_below("OU=b," + BASE, "OU=b," + BASE)
    assert not d.is_below("CN=a,OU=bb," + BASE, "OU=b," + BASE)


def test_parent_and_name() -> None:
    assert d.parent(r"CN=Peeters\, Jan,OU=Docenten," + BASE) == "OU=Docenten," + BASE
    assert d.name(r"CN=Peeters\, Jan,OU=Docenten," + BASE) == "Peeters, Jan"
    assert d.parent("DC=test") == ""


@pytest.mark.parametrize(
    ("path", "dn", "back"),
    [
        ("Docenten", "OU=Docenten," + BASE, None),
        ("Studenten/INF1", "OU=INF1,OU=Studenten," + BASE, None),
        ("/Studenten/INF1/", "OU=INF1,OU=Studenten," + BASE, "Studenten/INF1"),
        ("CN=Users", "CN=Users," + BASE, None),
        (r"A\/B/C, D", r"OU=C\, D,OU=A/B," + BASE, None),
        ("", BASE, "/"),
        ("ou=x, dc=other,dc=test", "OU=x,DC=other,DC=test", "OU=x,DC=other,DC=test"),
    ],
)
def test_paths(path: str, dn: str, back: str | None) -> None:
    assert d.of_path(path, BASE) == dn
    assert d.path_of(dn, BASE) == (back or path)
