"""Evidence in a report: the lines that matter, bounded, whatever the answer is."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from reporting.excerpts import Evidence, Excerpt, asked


def write(path: Path, *lines: dict[str, Any]) -> Evidence:
    """Write evidence as the run does (the digests do not matter here)."""
    more = {"at": "2026-11-24T09:15:00.123+00:00", "took": 0.5, "target": "web1", "prev": "", "digest": "d"}
    text = "".join(json.dumps({"seq": n} | more | line) + "\n" for n, line in enumerate(lines, 1))
    path.write_text(text, "utf-8")
    return Evidence(path)


def shell(stdout: str, command: str = "x", status: int = 0, stderr: str = "") -> dict[str, Any]:
    return {
        "question": {"ask": "Shell", "command": command},
        "value": {"status": status, "stdout": stdout, "stderr": stderr},
    }


def shown(excerpt: Excerpt | None) -> list[str]:
    assert excerpt
    return [f"{line.number} {line.text}" if line.number else "…" for line in excerpt.lines]


TABLE = "".join(f"service{n:03} running\n" for n in range(200))


def test_the_lines_that_name_the_subject_are_shown(tmp_path: Path) -> None:
    evidence = write(tmp_path / "e", shell(TABLE))
    assert len(evidence) == 1
    excerpt = evidence.excerpt(1, ("SERVICE150",))
    assert shown(excerpt) == ["…", "151 service150 running", "…"]
    assert excerpt
    assert excerpt.size == ("lines", 200)
    assert (excerpt.ask, excerpt.kind, excerpt.at, excerpt.took) == ("x", "Shell", "2026-11-24T09:15:00.123+00:00", 0.5)


def test_the_subject_counts_more_than_other_words_and_short_words_do_not(tmp_path: Path) -> None:
    evidence = write(tmp_path / "e", shell(TABLE))
    assert shown(evidence.excerpt(1, ("service007", "running", "no"), most=2)) == [
        "1 service000 running",
        "…",
        "8 service007 running",
        "…",
    ]
    assert shown(evidence.excerpt(1, ("", "yes", "no"), most=2)) == [
        "1 service000 running",
        "2 service001 running",
        "…",
    ]


def test_a_small_answer_is_shown_whole_with_its_errors(tmp_path: Path) -> None:
    excerpt = write(tmp_path / "e", shell("a\nb\n", status=1, stderr="oops\n")).excerpt(1, ("a",))
    assert shown(excerpt) == ["1 a", "2 b", "3 oops"]
    assert excerpt
    assert excerpt.status == 1


def test_an_empty_answer_shows_nothing(tmp_path: Path) -> None:
    assert shown(write(tmp_path / "e", shell("")).excerpt(1)) == []


def test_a_failure_is_said(tmp_path: Path) -> None:
    failed = {"question": {"ask": "Shell", "command": "x"}, "failure": {"kind": "denied", "detail": "no"}, "via": "dc1"}
    excerpt = write(tmp_path / "e", failed).excerpt(1)
    assert excerpt
    assert (excerpt.failure, excerpt.lines, excerpt.via) == (("denied", "no"), (), "dc1")


@pytest.mark.parametrize(
    ("question", "value", "lines"),
    [
        (
            {"ask": "LdapSearch"},
            [{"dn": "CN=a", "attributes": {"member": ["CN=b", "CN=c"]}}],
            ["1 dn: CN=a", "2   member: CN=b", "3   member: CN=c"],
        ),
        (
            {"ask": "DnsQuery", "name": "a.test"},
            {
                "rcode": "NOERROR",
                "flags": ["AA"],
                "answers": [{"name": "a.test", "type": "A", "ttl": 5, "data": "10.0.0.1"}],
            },
            ["1 rcode: NOERROR", '2 flags: ["AA"]', "3 answers:", "4   a.test 5 A 10.0.0.1"],
        ),
        (
            {"ask": "SmbRead", "share": "s", "path": "p"},
            base64.b64encode("[General]\r\nVersion=1".encode("utf-16")).decode(),
            ["1 [General]", "2 Version=1"],
        ),
        (
            {"ask": "SmbRead", "share": "s", "path": "p"},
            base64.b64encode(b"\x01\x00\x04\x80" * 5).decode(),
            ["1 01 00 04 80 01 00 04 80 01 00 04 80 01 00 04 80", "2 01 00 04 80"],
        ),
        ({"ask": "SmbRead", "share": "s", "path": "p"}, None, ["1 null"]),
        (
            {"ask": "SmbShares"},
            [{"name": "homes", "type": 0, "descriptor": None}],
            ["1 name: homes, type: 0, descriptor: null"],
        ),
        (
            {"ask": "TcpProbe", "port": 22},
            {"state": "open", "ms": 0.4, "banner": None},
            ["1 state: open", "2 ms: 0.4", "3 banner: null"],
        ),
        ({"ask": "SmbTree", "share": "s"}, {"a.txt": {"size": 3}}, ['1 a.txt: {"size": 3}']),
        ({"ask": "Unheard"}, ["x", 3], ["1 x", "2 3"]),
        ({"ask": "Unheard"}, True, ["1 true"]),
    ],
)
def test_answers_read_as_their_field_writes_them(tmp_path: Path, question: Any, value: Any, lines: list[str]) -> None:
    assert shown(write(tmp_path / "e", {"question": question, "value": value}).excerpt(1)) == lines


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ({"ask": "Shell", "command": "a\nb"}, "a b"),
        (
            {"ask": "LdapSearch", "filter": "(x=1)", "rdn": "OU=a", "attributes": ["b", "c"]},
            "(x=1) in OU=a,<default>, sub: b, c",
        ),
        ({"ask": "LdapSearch", "nc": "root", "scope": "base"}, "(objectClass=*) in <root>, base"),
        ({"ask": "DnsQuery", "name": "a.test", "type": "MX", "recursion": False}, "a.test MX +norecurse"),
        ({"ask": "SmbTree", "share": "SYSVOL", "path": "x\\y"}, "SYSVOL\\x\\y"),
        ({"ask": "TcpProbe", "port": 22}, "tcp :22"),
        ({"ask": "TlsProbe", "host": "www"}, "tls www:443"),
        ({"ask": "HttpGet", "url": "http://a/", "connect_to": "10.0.0.1"}, "GET http://a/ (10.0.0.1)"),
        ({"ask": "SmbShares"}, ""),
        ({"ask": "New", "what": 1}, '{"what": 1}'),
    ],
)
def test_questions_read_as_a_technician_writes_them(question: dict[str, Any], text: str) -> None:
    assert asked(question) == text


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "[]",
        "3",
        '{"seq": 1}',
        '{"question": {"ask": "Shell"}, "value": 3}',
        "[" * 100_000,
        '{"question": {"ask": "SmbRead"}, "value": "%%%", "target": "a", "at": "", "took": 1}',
    ],
)
def test_evidence_that_cannot_be_read_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "e").write_text(line + "\n", "utf-8")
    assert Evidence(tmp_path / "e").excerpt(1) is None


def test_evidence_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert len(Evidence(tmp_path / "none")) == 0
    assert Evidence(tmp_path / "none").excerpt(1) is None
    evidence = write(tmp_path / "e", shell("x"))
    assert evidence.excerpt(0) is None
    assert evidence.excerpt(-1) is None
    assert evidence.excerpt(2) is None


def test_huge_answers_are_bounded_in_time_and_size(tmp_path: Path) -> None:
    evidence = write(
        tmp_path / "e", shell("A" * 5_000_000), shell("regel\n" * 500_000 + "naald\n"), shell("\u0130" * 100_000)
    )
    start = time.process_time()
    assert len(shown(evidence.excerpt(1, ("naald", "A" * 1000)))[0]) < 300
    assert shown(evidence.excerpt(2, ("naald",)))[0] == "1 regel"  # beyond what is looked through
    assert evidence.excerpt(3, ("i",))
    assert time.process_time() - start < 5


def test_many_answers_are_not_held_at_once(tmp_path: Path) -> None:
    evidence = write(tmp_path / "e", *(shell(str(n)) for n in range(200)))
    for n in range(1, 201):
        assert shown(evidence.excerpt(n)) == [f"1 {n - 1}"]
    assert len(evidence._kept) == 64
