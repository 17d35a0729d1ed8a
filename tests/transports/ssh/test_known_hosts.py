"""known_hosts: plain, hashed and wildcard names, ports, authorities, revoked keys; and its speed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.transports.known_hosts import KnownHosts, fingerprint


def key(name: str, type_: str = "ssh-ed25519") -> tuple[bytes, str]:
    """Make a blob that is a key as far as the file's format goes, and its line's end."""
    blob = len(type_).to_bytes(4, "big") + type_.encode() + hashlib.sha256(name.encode()).digest()
    return blob, f"{type_} {base64.b64encode(blob).decode()}"


A, LINE_A = key("a")
B, LINE_B = key("b")
RSA, LINE_RSA = key("r", "ssh-rsa")


def hashed(name: str, salt: bytes = b"0123456789abcdef0123") -> str:
    digest = hmac.new(salt, name.encode(), "sha1").digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def known(tmp_path: Path, *lines: str) -> KnownHosts:
    (tmp_path / "known_hosts").write_text("\n".join(lines) + "\n")
    return KnownHosts([tmp_path / "known_hosts"])


@pytest.mark.parametrize(
    ("line", "host", "port", "want"),
    [
        (f"web1 {LINE_A}", "web1", 22, "known"),
        (f"web1 {LINE_A} comment of words", "WEB1", 22, "known"),
        (f"WEB1 {LINE_A}", "web1", 22, "known"),
        (f"web1,10.0.0.1 {LINE_A}", "10.0.0.1", 22, "known"),
        (f"web1 {LINE_A}", "web2", 22, "unknown"),
        (f"web1 {LINE_B}", "web1", 22, "changed"),
        (f"web1 {LINE_RSA}", "web1", 22, "unknown"),
        (f"[web1]:2222 {LINE_A}", "web1", 2222, "known"),
        (f"[web1]:2222 {LINE_A}", "web1", 22, "unknown"),
        (f"[web1]:2222 {LINE_B}", "web1", 2222, "changed"),
        (f"web1 {LINE_A}", "web1", 2222, "known"),  # as ssh: the same key without the port
        (f"web1 {LINE_B}", "web1", 2222, "unknown"),
        (f"{hashed('web1')} {LINE_A}", "web1", 22, "known"),
        (f"{hashed('[web1]:2222')} {LINE_A}", "web1", 2222, "known"),
        (f"{hashed('web1')} {LINE_B}", "web1", 22, "changed"),
        (f"{hashed('web1')} {LINE_A}", "web2", 22, "unknown"),
        (f"*.school.test {LINE_A}", "web1.school.test", 22, "known"),
        (f"*.school.test,!web1.* {LINE_A}", "web1.school.test", 22, "unknown"),
        (f"web? {LINE_A}", "web1", 22, "known"),
        (f"web? {LINE_A}", "web12", 22, "unknown"),
        (f"[*]:2222 {LINE_A}", "web1", 2222, "known"),
        (f"!web1 {LINE_A}", "web1", 22, "unknown"),
        (f"2001:db8::1 {LINE_A}", "2001:db8::1", 22, "known"),
        (f"@revoked * {LINE_A}", "web1", 22, "revoked"),
        (f"web1 {LINE_A}\n@revoked web9 {LINE_A}", "web1", 22, "revoked"),
        (f"@cert-authority web1 {LINE_A}", "web1", 22, "unknown"),
        (f"@unheard-of web1 {LINE_A}", "web1", 22, "unknown"),
        (f"# web1 {LINE_A}", "web1", 22, "unknown"),
        ("web1", "web1", 22, "unknown"),
        ("web1 ssh-ed25519", "web1", 22, "unknown"),
        ("web1 2048 65537 1234567", "web1", 22, "unknown"),
        ("|1|not base64|at all ssh-ed25519 AAAA", "web1", 22, "unknown"),
        ("|1| ssh-ed25519 AAAA", "web1", 22, "unknown"),
    ],
)
def test_verdicts(tmp_path: Path, line: str, host: str, port: int, want: str) -> None:
    assert known(tmp_path, line).judge(host, port, "ssh-ed25519", A).verdict == want


def test_one_of_several_keys_suffices_and_a_change_names_its_line(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"web1 {LINE_B}", f"web1 {LINE_A}", f"web2 {LINE_B}")
    assert hosts.judge("web1", 22, "ssh-ed25519", A).verdict == "known"
    judged = hosts.judge("web2", 22, "ssh-ed25519", A)
    assert judged.entry
    assert judged.entry.where == f"{tmp_path}/known_hosts:3"
    assert judged.entry.fingerprint == fingerprint(B)


def test_known_types_are_told_in_order_and_authorities_apart(tmp_path: Path) -> None:
    hosts = known(
        tmp_path, f"web1 {LINE_RSA}", f"@cert-authority *.test {LINE_B}", f"web1 {LINE_A}", f"a.test {LINE_A}"
    )
    assert hosts.types("web1") == ["ssh-rsa", "ssh-ed25519"]
    assert hosts.types("web1", 2222) == ["ssh-rsa", "ssh-ed25519"]
    assert [e.key for e in hosts.authorities("a.test")] == [LINE_B.split()[1]]
    assert hosts.types("a.test") == ["ssh-ed25519"]
    assert hosts.authorities("web1") == []


def test_files_that_are_not_there_or_no_text_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(os.urandom(10_000))
    hosts = KnownHosts([tmp_path / "missing", tmp_path, tmp_path / "rubbish"])
    assert hosts.judge("web1", 22, "ssh-ed25519", A).verdict == "unknown"


@given(st.text(max_size=200))
def test_no_line_breaks_it(line: str) -> None:
    hosts = KnownHosts([])
    hosts._add(line, "here")
    assert hosts.judge("web1", 22, "ssh-ed25519", A).verdict in {"unknown", "known", "changed", "revoked"}


def test_ssh_keygen_finds_the_same(tmp_path: Path) -> None:
    """OpenSSH's own look-up is the measure, for names it hashed itself."""
    file = tmp_path / "known_hosts"
    lines = [f"host{i},10.0.0.{i} {LINE_A}" for i in range(20)] + [f"[port]:2222 {LINE_B}", f"*.wild {LINE_B}"]
    file.write_text("\n".join(lines) + "\n")
    program = shutil.which("ssh-keygen")
    assert program
    subprocess.run([program, "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    hosts = KnownHosts([file])
    for name, port in (("host3", 22), ("10.0.0.7", 22), ("port", 2222), ("a.wild", 22), ("nowhere", 22)):
        asked = name if port == 22 else f"[{name}]:{port}"
        found = subprocess.run([program, "-F", asked, "-f", str(file)], check=False, capture_output=True, text=True)
        want = {line.split()[-1] for line in found.stdout.splitlines() if not line.startswith("#")}
        assert {e.key for e in hosts.entries(name, port)} == want


def test_two_thousand_hosts_load_in_milliseconds(tmp_path: Path) -> None:
    lines = [f"host{i}.school.test,10.1.{i // 250}.{i % 250} {LINE_A}" for i in range(2000)]
    (tmp_path / "known_hosts").write_text("\n".join(lines))
    best = min(timed(lambda: KnownHosts([tmp_path / "known_hosts"])) for _ in range(5))
    assert best < 0.1  # some 5 ms on an idle machine
    hosts = KnownHosts([tmp_path / "known_hosts"])
    assert min(timed(lambda: hosts.judge("host1999.school.test", 22, "ssh-ed25519", A)) for _ in range(5)) < 0.005


def timed(what: object) -> float:
    began = time.perf_counter()
    assert callable(what)
    what()
    return time.perf_counter() - began
