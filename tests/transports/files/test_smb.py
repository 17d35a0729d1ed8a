"""SMB against a real smbd: files, trees, descriptors, shares, and what the server offers."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from audits.transports.base import Answer, Target
from audits.transports.smb_client import Limits
from checks.questions import (
    FailureKind,
    LdapSearch,
    Question,
    SmbNegotiate,
    SmbRead,
    SmbSecurity,
    SmbShares,
    SmbTree,
)

Make = Callable[..., Any]
POLICIES = SmbTree("docs", "Policies", ("gpt.ini", "*.pol", "drives.xml"))


def ask(transport: Any, target: Target, *questions: Question) -> list[Answer]:
    answered: dict[Question, Answer] = dict(transport.ask(target, questions))
    assert set(answered) == set(questions)
    return [answered[q] for q in questions]


def value(answer: Answer) -> Any:
    assert answer.failure is None, answer
    return answer.value


def failure(answer: Answer) -> tuple[FailureKind, str]:
    assert answer.failure is not None, answer
    return answer.failure.kind, answer.failure.detail


def test_files(smbd: Any, aim: Make, transport: Make) -> None:
    read = ask(
        transport(),
        aim(smbd.port),
        SmbRead("docs", r"Policies\{00000003}\GPT.INI"),
        SmbRead("DOCS", "policies/{00000003}/gpt.ini"),
        SmbRead("docs", r"\large\één spatie.bin"),
        SmbRead("docs", r"large\leeg.bin"),
        SmbRead("docs", r"large\groot.bin"),
    )
    contents = [base64.b64decode(value(a)) for a in read]
    assert contents[:4] == [b"[General]\r\nVersion=3\r\n"] * 2 + [b"x", b""]
    assert contents[4] == (smbd.home / "docs/large/groot.bin").read_bytes()


def test_what_is_not_there_is_null(smbd: Any, aim: Make, transport: Make) -> None:
    answers = ask(
        transport(),
        aim(smbd.port),
        SmbRead("docs", "nope.txt"),
        SmbRead("docs", r"nope\nope.txt"),
        SmbRead("docs", "large"),
        SmbRead("docs", r"large\leeg.bin\x"),
        SmbRead("docs", "a:b?c"),
        SmbRead("nope", "x"),
        SmbSecurity("docs", "nope"),
        SmbSecurity("nope"),
        SmbTree("docs", "nope"),
        SmbTree("docs", r"large\leeg.bin"),
        SmbTree("nope", ""),
    )
    assert [value(a) for a in answers] == [None] * len(answers)


def test_a_tree(smbd: Any, aim: Make, transport: Make) -> None:
    (answer,) = ask(transport(), aim(smbd.port), POLICIES)
    tree = value(answer)
    assert len(tree) == 12 * (1 + 1 + 2 * (1 + 1 + 2 + 1))
    assert list(tree) == sorted(tree)
    assert tree["{00000003}\\"] == {"size": 0, "content": None}
    assert tree["{00000003}\\GPT.INI"] == {
        "size": 22,
        "content": base64.b64encode(b"[General]\r\nVersion=3\r\n").decode(),
    }
    assert base64.b64decode(tree[r"{00000003}\User\Registry.pol"]["content"]) == b"PReg\1\0\0\0\x03"
    assert base64.b64decode(tree[r"{00000003}\User\Preferences\Drives\Drives.xml"]["content"]) == b"<Drives/>"


def test_trees_are_walked_in_few_round_trips(smbd: Any, aim: Make, transport: Make, proxy: Make) -> None:
    """85 directories and 60 files one after the other would take 145 round trips, more than four seconds."""
    port = proxy(smbd.port, delay=0.03)
    started = time.monotonic()
    (answer,) = ask(transport(), aim(port), POLICIES)
    assert len(value(answer)) == 144
    assert time.monotonic() - started < 2.5


def test_a_tree_reads_only_what_is_wanted(smbd: Any, aim: Make, transport: Make) -> None:
    some, none = ask(
        transport(),
        aim(smbd.port),
        SmbTree("docs", "large", ("*.bin",), limit=1000),
        SmbTree("docs", "large"),
    )
    assert value(some) == {
        "groot.bin": {"size": 3_072_000, "content": None},
        "leeg.bin": {"size": 0, "content": ""},
        "één spatie.bin": {"size": 1, "content": "eA=="},
    }
    assert {row["content"] for row in value(none).values()} == {None}


def test_what_may_not_be_seen_in_a_tree_is_told(smbd: Any, aim: Make, transport: Make) -> None:
    (answer,) = ask(transport(), aim(smbd.port), SmbTree("docs", "closed", ("*.txt",)))
    assert value(answer) == {
        "dir\\": {"size": 0, "content": None, "error": "denied"},
        "file.txt": {"size": 2, "content": None, "error": "denied"},
        "open.txt": {"size": 3, "content": "eWVz"},
    }


def test_denied(smbd: Any, aim: Make, transport: Make) -> None:
    questions = (
        SmbRead("dicht", "x"),
        SmbTree("dicht", ""),
        SmbSecurity("dicht"),
        SmbRead("docs", r"closed\file.txt"),
        SmbTree("docs", r"closed\dir"),
    )
    answers = ask(transport(), aim(smbd.port), *questions)
    assert [failure(a)[0] for a in answers] == [FailureKind.DENIED] * 5
    assert "0xC0000022" in failure(answers[0])[1]


def test_large_directories(smbd: Any, aim: Make, transport: Make) -> None:
    whole, most = ask(transport(), aim(smbd.port), SmbTree("docs", "many"), SmbTree("docs", "many", most=2000))
    assert len(value(whole)) == 2500
    assert failure(most)[0] is FailureKind.TOO_LARGE


def test_bounds(smbd: Any, aim: Make, transport: Make) -> None:
    questions = (
        SmbRead("docs", r"large\groot.bin", limit=3_071_999),
        SmbRead("docs", r"large\groot.bin", limit=3_072_000),
        SmbTree("docs", "Policies", most=100),
    )
    over, exact, most = ask(transport(), aim(smbd.port), *questions)
    assert (failure(over)[0], failure(most)[0]) == (FailureKind.TOO_LARGE,) * 2
    assert exact.failure is None
    (deep,) = ask(transport(Limits(depth=3)), aim(smbd.port), POLICIES)
    assert failure(deep)[0] is FailureKind.TOO_LARGE
    (much,) = ask(transport(Limits(content=500)), aim(smbd.port), POLICIES)
    assert failure(much)[0] is FailureKind.TOO_LARGE
    (late, after) = ask(transport(Limits(whole=0)), aim(smbd.port), POLICIES, SmbRead("docs", "x"))
    assert failure(late)[0] is FailureKind.TIMED_OUT
    assert failure(after)[1].startswith("not asked")


def test_descriptors(smbd: Any, aim: Make, transport: Make) -> None:
    questions = (SmbSecurity("docs"), SmbSecurity("docs", "large"), SmbSecurity("docs", r"large\leeg.bin"))
    for answer in ask(transport(), aim(smbd.port), *questions):
        descriptor = base64.b64decode(value(answer))
        control = int.from_bytes(descriptor[2:4], "little")
        assert descriptor[0] == 1
        assert control & 0x8004 == 0x8004  # self-relative, with a DACL
        owner = int.from_bytes(descriptor[4:8], "little")
        assert descriptor[owner : owner + 1] == b"\1"


def test_encrypted_shares(smbd: Any, aim: Make, transport: Make) -> None:
    questions = (SmbRead("versleuteld", r"large\leeg.bin"), SmbTree("versleuteld", "Policies", ("*.pol",)))
    empty, tree = ask(transport(), aim(smbd.port), *questions)
    assert value(empty) == ""
    assert len(value(tree)) == 144


def test_shares(smbd: Any, aim: Make, transport: Make) -> None:
    """Samba's table of share descriptors is root's; where the account may read it, they come with one call."""
    (answer,) = ask(transport(), aim(smbd.port), SmbShares())
    shares = {share["name"]: share for share in value(answer)}
    assert set(shares) == {
        "docs",
        "dicht",
        "versleuteld",
        "besloten",
        "IPC$",
    }  # Samba leaves out what is not browseable
    assert shares["docs"]["remark"] == "Documenten & café"
    assert shares["docs"]["type"] == 0
    assert shares["IPC$"]["type"] == 0x80000003
    assert shares["docs"]["path"].endswith("docs")
    table = smbd.home / "state" / "share_info.tdb"
    if shares["docs"]["descriptor"] is None:
        assert shares["docs"]["error"] == 5
    config = f"--configfile={smbd.home / 'smb.conf'}"
    command = ["sharesec", config, "besloten", "--replace", "S-1-5-32-544:ALLOWED/0/FULL"]
    subprocess.run(command, check=True, capture_output=True)
    for parent in (table.parent, table):
        parent.chmod(0o777)
    (answer,) = ask(transport(), aim(smbd.port), SmbShares())
    shares = {share["name"]: share for share in value(answer)}
    assert {share["error"] for share in shares.values()} == {0}
    (more,) = ask(transport(), aim(smbd.port), SmbShares(also=("Verborgen$", "nope", "DOCS")))
    hidden = [share for share in value(more) if share["name"] not in shares]
    assert [(share["name"], share["error"], bool(share["descriptor"])) for share in hidden] == [("verborgen$", 0, True)]
    administrators = bytes.fromhex("01020000000000052000000020020000")
    assert administrators in base64.b64decode(shares["besloten"]["descriptor"])
    assert administrators not in base64.b64decode(shares["docs"]["descriptor"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", {"dialect": "3.1.1", "signing_required": False, "encryption": True, "smb1": False}),
        (
            "server signing = mandatory\n server max protocol = SMB3_02\n server smb encrypt = off",
            {"dialect": "3.0.2", "signing_required": True, "encryption": False, "smb1": False},
        ),
        (
            "server min protocol = NT1\n server max protocol = SMB2_02",
            {"dialect": "2.0.2", "signing_required": False, "encryption": False, "smb1": True},
        ),
        (
            "server min protocol = NT1\n server max protocol = NT1\n server signing = mandatory",
            {"dialect": "1.0", "signing_required": True, "encryption": False, "smb1": True},
        ),
    ],
)
def test_what_is_offered(run_smbd: Make, aim: Make, transport: Make, options: str, expected: Any) -> None:
    target = aim(run_smbd(options).port, keuring_domain_user=None, keuring_domain_password=None)
    (answer,) = ask(transport(), target, SmbNegotiate())
    assert value(answer) == expected


@pytest.mark.parametrize(
    "options", ["server max protocol = SMB2_02", "server max protocol = SMB3_00", "smb encrypt = required"]
)
def test_older_and_sealed(run_smbd: Make, aim: Make, transport: Make, options: str) -> None:
    server = run_smbd(options)
    big = server.home / "docs" / "big.bin"
    big.write_bytes(b"z" * 300_000)
    questions = (SmbRead("docs", "big.bin"), SmbTree("docs", "", ("*",)), SmbSecurity("docs"), SmbShares())
    read, tree, descriptor, shares = ask(transport(), aim(server.port), *questions)
    assert base64.b64decode(value(read)) == b"z" * 300_000
    assert value(tree)["big.bin"] == {"size": 300_000, "content": value(read)}
    assert value(descriptor)
    assert "docs" in {share["name"] for share in value(shares)}


def test_logons(smbd: Any, aim: Make, transport: Make) -> None:
    made, question = transport(), SmbRead("docs", "x")
    wrong, offer = ask(made, aim(smbd.port, keuring_domain_password="wrong"), question, SmbNegotiate())
    kind, detail = failure(wrong)
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "0xC000006D" in detail
    assert value(offer)["dialect"] == "3.1.1"
    again = failure(ask(made, aim(smbd.port, keuring_domain_password="wrong"), question)[0])
    assert "not tried again" in again[1]
    disabled = failure(ask(made, aim(smbd.port, keuring_domain_user="news"), question)[0])
    assert disabled[0] is FailureKind.AUTHENTICATION_FAILED
    nobody = failure(ask(made, aim(smbd.port, keuring_domain_user=None, keuring_domain_password=None), question)[0])
    assert "keuring_domain_user" in nobody[1]


def test_guests_are_not_taken_for_accounts(run_smbd: Make, aim: Make, transport: Make) -> None:
    server = run_smbd("map to guest = bad user\n guest account = nobody")
    (answer,) = ask(transport(), aim(server.port, keuring_domain_user="whoever"), SmbRead("docs", "x"))
    kind, detail = failure(answer)
    assert kind is FailureKind.AUTHENTICATION_FAILED
    assert "guest" in detail


def test_a_domain_is_asked_at_the_first_server_that_answers(smbd: Any, transport: Make) -> None:
    def named(name: str, port: int) -> Target:
        return Target(name, variables={"ansible_host": "127.0.0.1", "keuring_smb_port": port})

    account = {"keuring_domain_user": ".\\games", "keuring_domain_password": "Welkom01!"}
    domain = Target("Policies", "domain", account, (named("dc1", 1), named("dc2", smbd.port)))
    questions = (SmbRead("docs", r"{domain}\{00000001}\GPT.INI"), SmbNegotiate())
    answers = ask(transport(), domain, *questions)
    assert [a.via for a in answers] == ["dc2", "dc2"]
    assert b"Version=1" in base64.b64decode(value(answers[0]))


def test_a_question_of_another_transport(smbd: Any, aim: Make, transport: Make) -> None:
    bad, good = ask(transport(), aim(smbd.port), LdapSearch(), SmbRead("docs", r"large\leeg.bin"))
    assert failure(bad)[0] is FailureKind.UNREADABLE
    assert value(good) == ""
