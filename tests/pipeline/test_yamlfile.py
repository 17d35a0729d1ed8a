"""YAML is read as people mean it, and every value knows its place."""

import pytest

from audits import yamlfile
from audits.errors import DefinitionError


def test_words_numbers_and_booleans() -> None:
    text = "a: no\nb: true\nc: 10:30\nd: 52:54:00:12:34:56\ne: 2026-11-24\nf: 0x1F\ng: -3\nh: 1.5\ni: null\nj: 010\n"
    assert yamlfile.parse(text, "x").data == {
        "a": "no",
        "b": True,
        "c": "10:30",
        "d": "52:54:00:12:34:56",
        "e": "2026-11-24",
        "f": 31,
        "g": -3,
        "h": 1.5,
        "i": None,
        "j": "010",
    }


def test_places_are_those_of_keys_and_items() -> None:
    document = yamlfile.parse("hosts:\n  web1:\n    services:\n      - name: nginx\n        runing: true\n", "a.yml")
    assert document.where(("hosts", "web1", "services", 0, "runing")) == "a.yml:5:9"
    assert document.where(("hosts", "web1", "services", 0, "no", "such")) == "a.yml:4:9"


def test_merge_keys_and_anchors() -> None:
    data = yamlfile.parse("base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\n", "x").data
    assert data["more"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", "x:2:1: the key 'a' stands here for the second time (first on line 1)"),
        ("a: [1, 2\n", "x:2:1: is not YAML"),
        ("a: !!python/object:os.system x\n", "x:1:4: is not YAML"),
        ("a: *nothing\n", "x:1:4: is not YAML"),
        ("a: \x00\n", "is not YAML"),
    ],
)
def test_bad_yaml_is_one_clear_message(text: str, words: str) -> None:
    with pytest.raises(DefinitionError) as e:
        yamlfile.parse(text, "x")
    assert words in str(e.value)


def test_an_alias_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlfile, "MOST_NODES", 10_000)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(DefinitionError, match="too large"):
        yamlfile.parse("\n".join(lines), "bomb.yml")
