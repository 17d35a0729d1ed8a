"""SSH against a real sshd: what comes back, and what fails in which words."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from audits.transports.base import Answer, Settings, Target
from audits.transports.ssh import SshTransport
from checks.questions import FailureKind, Shell
from tests.transports.ssh.conftest import Sshd, StartSshd, answers, free_port, keygen


def kinds(got: list[Answer]) -> list[Any]:
    """Give each answer's stdout, or the kind of its failure."""
    return [a.failure.kind if a.failure else a.value["stdout"] for a in got]


def test_answers_come_back_as_they_were(sshd: Sshd) -> None:
    got = sshd.ask(
        "printf 'one\\ntwo'",
        "printf '\\000\\303\\251\\377'; echo oops >&2; exit 3",
        "echo $LC_ALL; pwd; command -v sshd >/dev/null && echo sbin",
        "cat",
        "echo 'never closed",
        "nosuchprogram",
        "echo the end",
    )
    assert [a.failure for a in got] == [None] * 7
    assert got[0].value == {"status": 0, "stdout": "one\ntwo", "stderr": ""}
    assert got[1].value == {"status": 3, "stdout": "\x00é\ufffd", "stderr": "oops\n"}
    assert got[2].value["stdout"] == "C\n/\nsbin\n"
    assert got[3].value == {"status": 0, "stdout": "", "stderr": ""}
    assert got[4].value["status"] == 2
    assert got[5].value["status"] == 127
    assert got[6].value["stdout"] == "the end\n"
    assert all(a.at and a.took >= 0 for a in got)


def test_nothing_to_ask_is_no_answer(sshd: Sshd) -> None:
    assert sshd.ask() == []


def test_a_batch_is_one_connection_and_one_command(sshd: Sshd) -> None:
    sshd.ask(*(f"echo {i}" for i in range(150)))
    log = sshd.log.read_text()
    assert log.count("Accepted publickey") == 1
    assert log.count("Starting session: command") == 1


def test_a_script_too_long_for_a_command_line_goes_over_stdin(sshd: Sshd) -> None:
    got = sshd.ask(*(f"echo {i} # {'x' * 3000}" for i in range(200)))
    assert kinds(got) == [f"{i}\n" for i in range(200)]


def test_a_large_answer_comes_whole(sshd: Sshd) -> None:
    (got,) = sshd.ask("head -c 3000000 /dev/zero | tr '\\0' x")
    assert got.value["stdout"] == "x" * 3_000_000


def running(mark: str) -> list[str]:
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_questions_that_hang_or_flood_harm_no_other_and_are_gone_from_the_host(sshd: Sshd) -> None:
    mark = f"3{os.getpid()}"
    began = time.monotonic()
    got = sshd.ask(
        "echo a",
        Shell(f"sleep {mark}; echo never", timeout=0.2),
        "echo b",
        Shell(f"trap '' TERM; sleep {mark}.5; sleep {mark}.6", timeout=0.2),
        Shell("yes", limit=50_000),
        Shell("yes >&2", limit=50_000),
        "echo c",
        Shell(f"sleep {mark}", timeout=0.2),
    )
    assert kinds(got) == [
        "a\n",
        FailureKind.TIMED_OUT,
        "b\n",
        FailureKind.TIMED_OUT,
        FailureKind.TOO_LARGE,
        FailureKind.TOO_LARGE,
        "c\n",
        FailureKind.TIMED_OUT,
    ]
    assert time.monotonic() - began < 10
    end = time.monotonic() + 5
    while running(f"sleep {mark}") and time.monotonic() < end:
        time.sleep(0.1)
    left = subprocess.run(
        ["ps", "-ww", "-eo", "pid,ppid,pgid,etimes,args"], capture_output=True, text=True, check=False
    ).stdout
    assert not running(f"sleep {mark}"), [line for line in left.splitlines() if mark in line]


def test_a_command_that_kills_its_shell_fails_alone(sshd: Sshd) -> None:
    got = sshd.ask("echo a", "kill -9 $$", "echo b")
    assert kinds(got) == ["a\n", FailureKind.UNREADABLE, "b\n"]


CUT = (
    "p=$$; while [ \"$(cat /proc/$p/comm)\" != sshd ]; do p=$(ps -o ppid= -p $p | tr -d ' '); done; kill -9 $p; sleep 9"
)


def test_a_connection_cut_in_the_batch_keeps_what_came_and_is_tried_once_more(sshd: Sshd) -> None:
    got = sshd.ask("echo a", CUT, "echo b")
    assert kinds(got) == ["a\n", FailureKind.UNREACHABLE, FailureKind.UNREACHABLE]
    assert sshd.log.read_text().count("Accepted publickey") == 2


def test_a_connection_cut_once_costs_nothing(sshd: Sshd, open_room: Path) -> None:
    once = f"if mkdir {open_room}/once 2>/dev/null; then {CUT}; fi; echo back"
    assert kinds(sshd.ask("echo a", once, "echo b")) == ["a\n", "back\n", "b\n"]


def test_closing_in_the_middle_ends_the_connection(sshd: Sshd) -> None:
    asking = sshd.transport().ask(sshd.target(), [Shell("echo a"), Shell("sleep 60"), Shell("echo b")])
    assert next(asking)[1].value["stdout"] == "a\n"
    began = time.monotonic()
    asking.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 1
    end = time.monotonic() + 5
    while "Closing connection" not in (log := sshd.log.read_text()) and "Disconnect" not in log:
        assert time.monotonic() < end, log
        time.sleep(0.05)


def test_many_hosts_at_once_share_one_transport(sshd: Sshd) -> None:
    transport = sshd.transport(handshakes=3)
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda i: answers(transport, sshd.target(f"host{i}"), f"echo {i}"), range(40)))
    assert [kinds(g) for g in got] == [[f"{i}\n"] for i in range(40)]


def test_no_thread_and_no_descriptor_stays_behind(sshd: Sshd) -> None:
    transport = sshd.transport()
    answers(transport, sshd.target(), "true")
    time.sleep(0.3)
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        answers(transport, sshd.target(), "true", Shell("yes", limit=1000), "true")
        answers(transport, sshd.target(ansible_ssh_private_key_file="/nowhere"), "true")
    time.sleep(0.5)
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # noqa: PTH208


# --- the way there


def failure(transport: SshTransport, target: Target) -> tuple[FailureKind, str]:
    got = answers(transport, target, "echo a", "echo b")
    assert all(a.failure for a in got)
    assert len({a.failure for a in got}) == 1
    assert got[0].failure
    return got[0].failure.kind, got[0].failure.detail


def test_a_name_that_does_not_resolve(sshd: Sshd) -> None:
    kind, detail = failure(sshd.transport(), sshd.target(ansible_host="nowhere.invalid"))
    assert kind is FailureKind.NAME_NOT_FOUND
    assert "nowhere.invalid" in detail


@pytest.mark.parametrize("name", ["a" * 300, "under..dots", "with space", "-oProxyCommand=touch", "[::", "ünï.invalid"])
def test_names_that_are_none(sshd: Sshd, name: str) -> None:
    assert failure(sshd.transport(), sshd.target(ansible_host=name))[0] is FailureKind.NAME_NOT_FOUND


def test_a_closed_port(sshd: Sshd) -> None:
    kind, detail = failure(sshd.transport(), sshd.target(ansible_port=free_port()))
    assert kind is FailureKind.REFUSED
    assert "closed" in detail


def test_nonsense_in_the_inventory_is_told(sshd: Sshd) -> None:
    kind, detail = failure(sshd.transport(), sshd.target("web7", ansible_port="http"))
    assert kind is FailureKind.UNREACHABLE
    assert "web7" in detail
    assert "'http' is no port" in detail


def test_another_way_to_become_root_costs_roots_questions_only(sshd: Sshd) -> None:
    got = sshd.ask(Shell("id", root=True), "echo b", ansible_become_method="su")
    assert kinds(got) == [FailureKind.DENIED, "b\n"]
    assert "su is not supported" in str(got[0].failure)


# --- host keys


@pytest.mark.parametrize(
    ("known", "kind", "words"),
    [
        ("", FailureKind.HOST_KEY_UNKNOWN, "not in known_hosts"),
        ("other ssh-ed25519 AAAA\n", FailureKind.HOST_KEY_UNKNOWN, "SHA256:"),
        ("[127.0.0.1]:{port} ssh-ed25519 AAAA\n", FailureKind.HOST_KEY_CHANGED, "known_hosts:1"),
        ("[127.0.0.1]:{port} ssh-rsa AAAA\n", FailureKind.HOST_KEY_UNKNOWN, "known is only its ssh-rsa"),
    ],
)
def test_host_keys_are_verified(start_sshd: StartSshd, known: str, kind: FailureKind, words: str) -> None:
    sshd = start_sshd(known=known)
    got, detail = failure(sshd.transport(), sshd.target())
    assert got is kind
    assert words in detail
    assert "Accepted" not in sshd.log.read_text()


def test_a_revoked_host_key_is_refused_whatever_is_asked(sshd: Sshd) -> None:
    key = " ".join((sshd.room / "host_key.pub").read_text().split()[:2])
    with sshd.known_hosts.open("a") as file:
        file.write(f"@revoked * {key}\n")
    for checked in (True, False):
        kind, detail = failure(sshd.transport(check_host_keys=checked), sshd.target())
        assert kind is FailureKind.HOST_KEY_CHANGED
        assert "revoked" in detail


def test_verifying_can_be_switched_off_in_so_many_words(start_sshd: StartSshd) -> None:
    sshd = start_sshd(known="[127.0.0.1]:{port} ssh-ed25519 AAAA\n")
    lax = {"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}
    assert kinds(answers(sshd.transport(check_host_keys=False), sshd.target(), "echo a")) == ["a\n"]
    assert failure(sshd.transport(), sshd.target(**lax))[0] is FailureKind.HOST_KEY_CHANGED
    sshd.known_hosts.write_text("")
    assert kinds(answers(sshd.transport(), sshd.target(**lax), "echo a")) == ["a\n"]
    assert sshd.known_hosts.read_text() == ""


def test_the_key_type_that_is_known_is_asked_for(start_sshd: StartSshd, tmp_path: Path) -> None:
    keys = (keygen(tmp_path / "h1"), keygen(tmp_path / "h2", "-t", "rsa"), keygen(tmp_path / "h3", "-t", "ecdsa"))
    for key in keys:
        known = "[127.0.0.1]:{port} " + Path(f"{key}.pub").read_text()
        sshd = start_sshd(host_keys=keys, known=known)
        assert kinds(sshd.ask("echo a")) == ["a\n"]


def test_hashed_names_and_aliases(sshd: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(sshd.known_hosts)], check=True, capture_output=True)
    assert kinds(sshd.ask("echo a")) == ["a\n"]
    sshd.known_hosts.write_text("thelab " + (sshd.room / "host_key.pub").read_text())
    assert failure(sshd.transport(), sshd.target())[0] is FailureKind.HOST_KEY_UNKNOWN
    assert kinds(sshd.ask("echo a", ansible_ssh_common_args="-o HostKeyAlias=thelab")) == ["a\n"]


def certified(start_sshd: StartSshd, room: Path, *sign: str, known: str = "", type_: str = "ed25519") -> Sshd:
    """Start a server whose host key is certified by an authority with these options of ssh-keygen."""
    authority, key = keygen(room / "ca"), keygen(room / "certified", "-t", type_)
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "host", "-h", *sign, f"{key}.pub"],
        check=True,
        capture_output=True,
    )
    line = known or "@cert-authority [127.0.0.1]:{port} " + Path(f"{authority}.pub").read_text()
    return start_sshd(f"HostCertificate {key}-cert.pub", host_keys=(key,), known=line)


@pytest.mark.parametrize("type_", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("sign", [("-n", "127.0.0.1"), ()])
def test_a_certified_host_key_counts(start_sshd: StartSshd, tmp_path: Path, type_: str, sign: tuple[str, ...]) -> None:
    assert kinds(certified(start_sshd, tmp_path, *sign, type_=type_).ask("echo a")) == ["a\n"]


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (("-n", "elsewhere"), "it is for elsewhere"),
        (("-V", "20200101:20210101"), "not valid now"),
        (("-V", "20900101:20910101"), "not valid now"),
    ],
)
def test_a_certificate_that_does_not_count(
    start_sshd: StartSshd, tmp_path: Path, sign: tuple[str, ...], words: str
) -> None:
    sshd = certified(start_sshd, tmp_path, *sign)
    kind, detail = failure(sshd.transport(), sshd.target())
    assert kind is FailureKind.HOST_KEY_UNKNOWN
    assert words in detail


def test_an_authority_for_other_hosts_or_a_revoked_one_does_not_count(start_sshd: StartSshd, tmp_path: Path) -> None:
    sshd = certified(start_sshd, tmp_path)
    authority = (tmp_path / "ca.pub").read_text()
    stranger = Path(f"{keygen(tmp_path / 'stranger')}.pub").read_text()
    for known, words in (
        (f"@cert-authority other {authority}", "not in known_hosts"),
        (f"@cert-authority * {stranger}", "not known for this host"),
        (f"@cert-authority * {authority}@revoked * {authority}", "revoked"),
    ):
        sshd.known_hosts.write_text(known)
        kind, detail = failure(sshd.transport(), sshd.target())
        assert kind in {FailureKind.HOST_KEY_UNKNOWN, FailureKind.HOST_KEY_CHANGED}
        assert words in detail


# --- logging on


FORMS = [("ed25519",), *((t, *form) for t in ("rsa", "ecdsa") for form in ((), ("-m", "PEM"), ("-m", "PKCS8")))]


@pytest.mark.parametrize("form", FORMS)
def test_keys_of_all_types_and_formats(sshd: Sshd, tmp_path: Path, form: tuple[str, ...]) -> None:
    key = keygen(tmp_path / "k", "-t", *form)
    (sshd.room / "authorized").write_text(Path(f"{key}.pub").read_text())
    assert kinds(sshd.ask("echo a", ansible_ssh_private_key_file=str(key))) == ["a\n"]


@pytest.mark.parametrize("form", [(), ("-m", "PEM"), ("-m", "PKCS8")])
def test_a_key_with_a_passphrase(sshd: Sshd, tmp_path: Path, form: tuple[str, ...]) -> None:
    key = keygen(tmp_path / "k", "-t", "rsa", "-N", "secret words", *form)
    (sshd.room / "authorized").write_text(Path(f"{key}.pub").read_text())
    variables = {"ansible_ssh_private_key_file": str(key)}
    assert kinds(sshd.ask("echo a", **variables, ansible_private_key_passphrase="secret words")) == ["a\n"]
    for more, words in (({}, f"ssh-add {key}"), ({"ansible_private_key_passphrase": "wrong"}, "with this passphrase")):
        kind, detail = failure(sshd.transport(), sshd.target(**variables, **more))
        assert kind is FailureKind.AUTHENTICATION_FAILED
        assert words in detail


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "No such file"), ("rubbish", "no private key"), ("", "no private key"), ("dir", "directory")],
)
def test_a_key_file_that_is_none(sshd: Sshd, tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "k"
    if text == "dir":
        path.mkdir()
    elif text is not None:
        path.write_text(text)
    kind, detail = failure(sshd.transport(), sshd.target(ansible_ssh_private_key_file=str(path)))
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert words in detail


def test_a_wrong_key_is_told_with_what_the_server_takes(sshd: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "wrong")
    kind, detail = failure(sshd.transport(), sshd.target(ansible_ssh_private_key_file=str(key)))
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert str(key) in detail


def test_a_key_given_but_a_password_meant(start_sshd: StartSshd) -> None:
    sshd = start_sshd("PasswordAuthentication no", "KbdInteractiveAuthentication no")
    variables = {"ansible_password": "x", "ansible_ssh_private_key_file": ""}
    kind, detail = failure(sshd.transport(), sshd.target(**variables))
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "the server takes publickey" in detail


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run an ssh-agent of our own and let the environment point at it."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 5
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))

    def add(key: Path) -> None:
        subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)

    yield add
    process.terminate()
    process.wait(5)


@pytest.mark.parametrize("type_", ["ed25519", "rsa"])
def test_keys_in_an_agent(sshd: Sshd, agent: Any, type_: str, tmp_path: Path) -> None:
    key = keygen(tmp_path / "k", "-t", type_)
    (sshd.room / "authorized").write_text(Path(f"{key}.pub").read_text())
    agent(keygen(tmp_path / "another"))
    agent(key)
    transport = sshd.transport()
    with ThreadPoolExecutor(8) as pool:  # one agent, many threads
        got = list(
            pool.map(lambda _: answers(transport, sshd.target(ansible_ssh_private_key_file=""), "echo a"), range(16))
        )
    assert [kinds(g) for g in got] == [["a\n"]] * 16


def test_an_encrypted_key_that_the_agent_holds(sshd: Sshd, agent: Any, tmp_path: Path) -> None:
    key = keygen(tmp_path / "k")
    (sshd.room / "authorized").write_text(Path(f"{key}.pub").read_text())
    agent(key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(key)], check=True, capture_output=True)
    assert kinds(sshd.ask("echo a", ansible_ssh_private_key_file=str(key))) == ["a\n"]
    only = {"ansible_ssh_private_key_file": f"{key}.pub", "ansible_ssh_common_args": "-o IdentitiesOnly=yes"}
    assert kinds(sshd.ask("echo a", **only)) == ["a\n"]


def test_an_agent_that_is_gone_or_silent_holds_nothing_up(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert kinds(sshd.ask("echo a")) == ["a\n"]
    variables = {"ansible_ssh_private_key_file": "", "ansible_ssh_common_args": f"-i {sshd.key}"}
    assert kinds(sshd.ask("echo a", **variables)) == ["a\n"]


def test_a_user_certificate_beside_the_key(start_sshd: StartSshd, tmp_path: Path) -> None:
    authority = keygen(tmp_path / "ca")
    sshd = start_sshd(f"TrustedUserCAKeys {authority}.pub")
    (sshd.room / "authorized").write_text("")
    user = sshd.variables["ansible_user"]
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", user, f"{sshd.key}.pub"]
    subprocess.run(command, check=True, capture_output=True)
    assert kinds(sshd.ask("echo a")) == ["a\n"]


# --- jump hosts


@pytest.fixture
def pair(start_sshd: StartSshd) -> tuple[Sshd, Sshd]:
    """Start a jump host and a target; the configuration's file leads to the first."""
    return start_sshd(), start_sshd()


def through(gate: Sshd, target: Sshd, **more: Any) -> tuple[SshTransport, Target]:
    known = target.room / "both"
    known.write_text(gate.known_hosts.read_text() + target.known_hosts.read_text())
    config = f"Host gate\n HostName 127.0.0.1\n Port {gate.port}\n IdentityFile {gate.key}\n"
    return (
        target.transport(config=config, known_hosts=(known,)),
        target.target(**{"ansible_ssh_common_args": "-J gate", **more}),
    )


def test_a_jump_host_serves_many_with_one_connection(pair: tuple[Sshd, Sshd]) -> None:
    gate, behind = pair
    transport, target = through(gate, behind)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: answers(transport, target, f"echo {i}"), range(16)))
    assert [kinds(g) for g in got] == [[f"{i}\n"] for i in range(16)]
    assert gate.log.read_text().count("Accepted publickey") == 1
    assert behind.log.read_text().count("Accepted publickey") == 16
    transport.close()


def test_a_jump_host_that_died_is_connected_anew(pair: tuple[Sshd, Sshd]) -> None:
    gate, behind = pair
    transport, target = through(gate, behind)
    assert kinds(answers(transport, target, "echo a")) == ["a\n"]
    (link,) = transport._jumps.values()
    assert link.link
    link.link.close()
    assert kinds(answers(transport, target, "echo b")) == ["b\n"]
    transport.close()


def test_the_jump_hosts_key_is_verified_too(pair: tuple[Sshd, Sshd]) -> None:
    gate, behind = pair
    gate.known_hosts.write_text("")
    kind, detail = failure(*through(gate, behind))
    assert kind is FailureKind.HOST_KEY_UNKNOWN
    assert "jump host" in detail
    assert "Accepted" not in gate.log.read_text()


def test_what_the_jump_host_cannot_reach(pair: tuple[Sshd, Sshd], start_sshd: StartSshd) -> None:
    gate, behind = pair
    kind, detail = failure(*through(gate, behind, ansible_port=free_port()))
    assert kind is FailureKind.UNREACHABLE
    assert "jump host does not connect" in detail
    kind, _ = failure(*through(gate, behind, ansible_host="nowhere.invalid"))
    assert kind is FailureKind.UNREACHABLE
    closed = start_sshd("AllowTcpForwarding no")
    kind, detail = failure(*through(closed, behind))
    assert kind is FailureKind.DENIED


def test_a_jump_host_that_is_down_is_tried_once_for_all(pair: tuple[Sshd, Sshd]) -> None:
    gate, behind = pair
    gate.process.terminate()
    gate.process.wait(5)
    transport, target = through(gate, behind)
    kind, detail = failure(transport, target)
    assert kind is FailureKind.REFUSED
    assert detail.startswith("jump host")


def test_two_jumps_in_a_row(pair: tuple[Sshd, Sshd], start_sshd: StartSshd) -> None:
    gate, middle = pair
    behind = start_sshd()
    known = behind.room / "all"
    known.write_text("".join(s.known_hosts.read_text() for s in (gate, middle, behind)))
    config = "".join(
        f"Host {name}\n HostName 127.0.0.1\n Port {s.port}\n IdentityFile {s.key}\n"
        for name, s in (("one", gate), ("two", middle))
    )
    transport = behind.transport(config=config, known_hosts=(known,))
    target = behind.target(ansible_ssh_common_args="-o ProxyJump=one,two")
    assert kinds(answers(transport, target, "echo a")) == ["a\n"]
    assert all("Accepted publickey" in s.log.read_text() for s in (gate, middle, behind))
    transport.close()


def test_a_proxy_command(pair: tuple[Sshd, Sshd]) -> None:
    gate, behind = pair
    ssh = f"ssh -F none -i {gate.key} -o UserKnownHostsFile={gate.known_hosts} -p {gate.port} -W %h:%p 127.0.0.1"
    target = behind.target(ansible_ssh_common_args=f'-o ProxyCommand="{ssh}"')
    assert kinds(answers(behind.transport(), target, "echo a", "head -c 300000 /dev/zero | wc -c")) == [
        "a\n",
        "300000\n",
    ]
    with contextlib.suppress(AssertionError):
        time.sleep(0.2)
    assert not running(f"-p {gate.port} -W")
    for command in ("false", "nosuchprogram", "echo hello"):
        broken = behind.target(ansible_ssh_common_args=f'-o ProxyCommand="{command}"')
        assert failure(behind.transport(connect_timeout=1.0), broken)[0] in {
            FailureKind.UNREACHABLE,
            FailureKind.UNREADABLE,
        }


def test_settings_are_those_of_performance(sshd: Sshd) -> None:
    assert Settings().jobs == 32
    sshd.ask("true")
    log = sshd.log.read_text()
    assert "kex: algorithm: curve25519-sha256" in log
    assert "cipher: aes128-gcm@openssh.com" in log


@pytest.mark.parametrize("most", [1, 2])
def test_a_host_that_allows_few_sessions(start_sshd: StartSshd, most: int) -> None:
    sshd = start_sshd(f"MaxSessions {most}")
    got = sshd.ask("echo a", Shell("sleep 35", timeout=0.2), "echo b", "echo c")
    assert kinds(got) == ["a\n", FailureKind.TIMED_OUT, "b\n", "c\n"]


def test_a_dozen_floods_do_not_use_up_the_sessions(sshd: Sshd) -> None:
    got = sshd.ask(*(Shell(f"yes {i}", limit=10_000) for i in range(15)), "echo end")
    assert kinds(got) == [FailureKind.TOO_LARGE] * 15 + ["end\n"]
