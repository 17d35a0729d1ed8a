"""Evidence is chained, survives a torn end, hides secrets, and shows any change."""

import json
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits import evidence
from audits.errors import EvidenceError, OutputError
from audits.transports.base import Answer
from checks.questions import DnsQuery, Failure, FailureKind, LdapSearch, Question, Shell, from_json, to_json

AT = "2026-11-24T10:00:00.000+00:00"


def _write(path: Path, n: int = 3) -> evidence.Evidence:
    record = evidence.Evidence(path)
    for i in range(n):
        record.append(
            "web1", Shell(f"echo {i}"), Answer({"status": 0, "stdout": f"{i}é\n", "stderr": ""}, None, AT, 0.1)
        )
    record.append("web1", DnsQuery("a.test"), Answer(None, Failure(FailureKind.TIMED_OUT, "4 s"), AT, 4.0, "dc1"))
    record.close()
    return record


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = _write(tmp_path / "e.jsonl")
    read = evidence.read(tmp_path / "e.jsonl")
    assert read.records == written.records
    assert read.head == written.head
    assert [r.seq for r in read.records.values()] == [1, 2, 3, 4]


def test_a_torn_last_line_is_dropped_and_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    whole = _write(path)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    again = evidence.Evidence(path)
    assert ("web1", Shell("echo 2")) in again
    assert ("web1", DnsQuery("a.test")) not in again
    again.append("web1", DnsQuery("a.test"), whole.records["web1", DnsQuery("a.test")].answer)
    again.close()
    assert path.read_bytes() == content


def test_interrupted_answers_are_asked_again(tmp_path: Path) -> None:
    record = evidence.Evidence(tmp_path / "e.jsonl")
    record.append("h", Shell("x"), Answer(None, Failure(FailureKind.INTERRUPTED), AT))
    record.append("h", Shell("y"), Answer(None, Failure(FailureKind.REFUSED), AT))
    assert ("h", Shell("x")) not in record
    assert ("h", Shell("y")) in record


def test_any_changed_byte_shows(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    _write(path, 1)
    content = path.read_bytes()
    for i in range(len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        try:
            head = evidence.read(path).head
        except EvidenceError:
            continue
        # only the newline at the very end may go unseen by the chain: then the line is torn and the head differs
        assert head != evidence.GENESIS
        assert i == len(content) - 1


@pytest.mark.parametrize("change", ["swap", "drop"])
def test_moved_and_removed_lines_show(tmp_path: Path, change: str) -> None:
    path = tmp_path / "e.jsonl"
    _write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]] if change == "swap" else lines[1:]))
    with pytest.raises(EvidenceError, match="does not follow"):
        evidence.read(path)


def test_secrets_are_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    record = evidence.Evidence(path, evidence.Redactor(['p"w\n1', "hunter22", "abc"]))
    answer = Answer({"status": 0, "stdout": 'password: hunter22 p"w\n1 abc', "stderr": "hunter22"}, None, AT)
    record.append("h", Shell("getent hunter"), answer)
    assert b"hunter22" not in path.read_bytes()
    value = json.loads(path.read_text())["value"]
    assert value["stdout"] == "password: [redacted] [redacted] abc"
    assert record.records["h", Shell("getent hunter")].answer.value == value


@given(st.text(), st.text(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_text_survives(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "any.jsonl"
    path.unlink(missing_ok=True)
    record = evidence.Evidence(path)
    record.append(name, Shell(text), Answer({"stdout": text}, None, AT))
    record.close()
    assert evidence.read(path).records == record.records


def test_a_disk_that_takes_no_more_is_one_message_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    _write(path)
    record = evidence.Evidence(path)
    size = path.stat().st_size
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, old[1]))
    try:
        with pytest.raises(OutputError, match="too large"):  # EFBIG: the way a limit shows, as ENOSPC does a disk
            record.append("h", Shell("x" * 100), Answer({}, None, AT))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert path.stat().st_size == size
    assert len(evidence.read(path).records) == 4


@pytest.mark.parametrize(
    "question",
    [
        Shell("id", root=True, timeout=3.5),
        LdapSearch("(objectClass=user)", ("a", "b"), rdn="CN=System", binary=("objectsid",), sd_flags=7),
        DnsQuery("a.test", "SRV", recursion=False),
    ],
)
def test_questions_are_read_back(question: Question) -> None:
    assert from_json(json.loads(json.dumps(to_json(question)))) == question
