"""The account that asks, and the guard against locking it out."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from audits.transports import accounts
from audits.transports.accounts import Account, Guard, Tickets, log_on
from audits.transports.base import Target
from audits.transports.connecting import Refused, Trouble, server_name
from checks.questions import FailureKind


@pytest.mark.parametrize(
    ("user", "domain", "logon_name", "principal"),
    [
        ("auditor", "school.test", "auditor@school.test", "auditor@SCHOOL.TEST"),
        ("auditor@other.test", "school.test", "auditor@other.test", "auditor@OTHER.TEST"),
        ("SCHOOL\\auditor", "school.test", "SCHOOL\\auditor", "auditor@SCHOOL.TEST"),
        ("OTHER\\auditor", "school.test", "OTHER\\auditor", ""),
        (".\\local", "school.test", ".\\local", ""),
        ("bob", "", "bob", ""),
        ("", "school.test", "", ""),
    ],
)
def test_names(user: str, domain: str, logon_name: str, principal: str) -> None:
    account = Account(user, "secret", domain)
    assert (account.logon_name, account.principal) == (logon_name, principal)
    assert "secret" not in repr(account)
    assert "secret" not in str(account.key)


def test_the_targets_account_comes_first() -> None:
    server = Target("dc1", variables={"keuring_domain_user": "local", "keuring_domain_password": "a"}, domain="x.test")
    domain = Target("school.test", "domain", {"keuring_domain_user": "auditor"}, (server,))
    assert Account.of(domain, server) == Account("auditor", "a", "x.test")
    assert Account.of(server, server).user == "local"
    assert Account.of(Target("school.test", "domain"), Target("dc1")) == Account("", None, "school.test")


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("dc1", "10.0.0.1", "dc1.school.test"),
        ("dc1.school.test", "10.0.0.1", "dc1.school.test"),
        ("dc1", "dc1.elsewhere.test.", "dc1.elsewhere.test"),
        ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_server_names(name: str, address: str, expected: str) -> None:
    assert server_name(Target(name, variables={"ansible_host": address}), "school.test") == expected
    given = Target(name, variables={"ansible_host": address, "keuring_server_name": "real.school.test"})
    assert server_name(given, "school.test") == "real.school.test"


ACCOUNT = Account("auditor", "wrong", "school.test")


def refuse(guard: Guard, server: str, account: Account = ACCOUNT, *, by_domain: bool = False) -> None:
    with guard.turn(account, server) as turn:
        turn.refused("wrong password", by_domain=by_domain)


def test_a_domain_controllers_word_is_final() -> None:
    guard = Guard()
    refuse(guard, "dc1", by_domain=True)
    with pytest.raises(Trouble) as raised, guard.turn(ACCOUNT, "files1"):
        raise AssertionError
    assert raised.value.failure.kind is FailureKind.AUTHENTICATION_FAILED
    assert "said dc1" in raised.value.failure.detail


def test_one_member_cannot_speak_for_all() -> None:
    guard = Guard()
    refuse(guard, "student7")
    with pytest.raises(Trouble), guard.turn(ACCOUNT, "student7"):
        raise AssertionError
    refuse(guard, "student8")
    with pytest.raises(Trouble), guard.turn(ACCOUNT, "student9"):
        raise AssertionError


def test_an_accepted_account_goes_on() -> None:
    guard = Guard()
    with guard.turn(ACCOUNT, "dc1") as turn:
        turn.accepted()
    for i in range(5):
        refuse(guard, f"student{i}")
    with guard.turn(ACCOUNT, "files1") as turn:
        turn.accepted()


def test_local_accounts_are_each_servers_own() -> None:
    guard, local = Guard(), Account("bob", "wrong")
    for i in range(5):
        refuse(guard, f"nas{i}", local)
    with pytest.raises(Trouble), guard.turn(local, "nas1"):
        raise AssertionError


def test_refusals_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard()
    refuse(guard, "dc1", by_domain=True)
    later = time.monotonic() + 601
    monkeypatch.setattr(accounts, "time", SimpleNamespace(monotonic=lambda: later))
    with guard.turn(ACCOUNT, "dc1") as turn:
        turn.accepted()


def test_many_at_once_try_a_wrong_password_once() -> None:
    guard, tried, stopped = Guard(), [], []

    def one(i: int) -> None:
        try:
            with guard.turn(ACCOUNT, f"dc{i}") as turn:
                tried.append(i)
                time.sleep(0.02)
                turn.refused("wrong password", by_domain=True)
        except Trouble:
            stopped.append(i)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(tried), len(stopped)) == (1, 19)


def test_an_attempt_that_hangs_holds_the_others_up_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_PATIENCE", 0.05)
    guard = Guard()
    with guard.turn(ACCOUNT, "slow"), guard.turn(ACCOUNT, "quick") as turn:
        turn.accepted()
    with guard.turn(ACCOUNT, "third"):
        pass


class Krb5:
    """Stands in for the optional library."""

    class Krb5Error(Exception):
        def __init__(self, err_code: int) -> None:
            super().__init__(f"error {err_code}")
            self.err_code = err_code

    def __init__(self, code: int = 0) -> None:
        self.code, self.asked = code, 0

    def get_init_creds_password(self, *_: Any, password: bytes) -> Any:
        self.asked += 1
        assert password == b"wrong"
        if self.code:
            raise self.Krb5Error(self.code)
        return SimpleNamespace(client="auditor")

    def cc_get_name(self, *_: Any) -> bytes:
        return b"abc"

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: SimpleNamespace()


@pytest.fixture
def krb5(monkeypatch: pytest.MonkeyPatch) -> Krb5:
    made = Krb5()
    monkeypatch.setattr("importlib.import_module", lambda _name: made)
    monkeypatch.setattr(accounts, "has_kerberos", lambda: True)
    monkeypatch.setattr(accounts, "TICKETS", Tickets())
    return made


def tries(account: Account, hostname: str, outcomes: dict[str, BaseException | None]) -> list[tuple[str, Any]]:
    tried: list[tuple[str, Any]] = []

    def attempt(how: str, credential: Any) -> None:
        tried.append((how, credential))
        if error := outcomes.get(how):
            raise error

    with Guard().turn(account, "dc1") as turn:
        log_on(account, hostname, turn, attempt, by_domain=True)
    return tried


def test_kerberos_comes_first_and_asks_the_kdc_once(krb5: Krb5) -> None:
    for _ in range(3):
        ((how, credential),) = tries(ACCOUNT, "dc1.school.test", {})
        assert (how, credential.ccache) == ("kerberos", "MEMORY:abc")
    assert krb5.asked == 1


def test_the_password_itself_is_not_given_to_ntlm(krb5: Krb5) -> None:
    """Else pyspnego takes it to the KDC by itself, once more for every server."""
    ((how, credential),) = tries(Account("auditor", "Password", "school.test"), "10.0.0.1", {})
    assert (how, credential.supported_protocols) == ("ntlm", ["ntlm"])
    assert credential.nt_hash == "a4f49c406510bdcab6824ee7c30fd852"
    assert "Password" not in vars(credential).values()
    assert krb5.asked == 0


@pytest.mark.parametrize("hostname", ["10.0.0.1", "::1"])
def test_kerberos_needs_a_name(krb5: Krb5, hostname: str) -> None:
    assert [how for how, _ in tries(ACCOUNT, hostname, {})] == ["ntlm"]
    assert krb5.asked == 0


def test_kerberos_makes_way_for_ntlm(krb5: Krb5) -> None:
    ways = [how for how, _ in tries(ACCOUNT, "dc1.school.test", {"kerberos": Refused("no such service")})]
    assert ways == ["kerberos", "ntlm"]
    krb5.code = -1765328228  # no KDC for the realm
    other = Account("other", "wrong", "school.test")
    assert [how for how, _ in tries(other, "dc1.school.test", {})] == ["ntlm"]
    assert [how for how, _ in tries(other, "dc1.school.test", {})] == ["ntlm"]
    assert krb5.asked == 2


def test_a_kdc_that_does_not_answer(krb5: Krb5, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_KDC_PATIENCE", 0.05)
    over = threading.Event()
    monkeypatch.setattr(krb5, "init_context", lambda: over.wait(10), raising=False)
    for _ in range(2):
        started = time.monotonic()
        assert [how for how, _ in tries(ACCOUNT, "dc1.school.test", {})] == ["ntlm"]
        assert time.monotonic() - started < 5
    over.set()


def test_what_the_kdc_refuses_is_not_tried_with_ntlm(krb5: Krb5) -> None:
    krb5.code = -1765328360
    with pytest.raises(Refused) as raised:
        tries(ACCOUNT, "dc1.school.test", {})
    assert "password is wrong" in raised.value.failure.detail


def test_without_a_password_there_must_be_a_ticket(krb5: Krb5, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Account("", None, "school.test")
    ((how, credential),) = tries(nobody, "dc1.school.test", {})
    assert (how, credential.username) == ("kerberos", None)
    assert krb5.asked == 0
    with pytest.raises(Trouble, match=r"keuring_domain_user.*server's name"):
        tries(nobody, "10.0.0.1", {})
    monkeypatch.setattr(accounts, "has_kerberos", lambda: False)
    with pytest.raises(Trouble, match=r"keuring_domain_password.*not installed"):
        tries(Account("auditor", None, "school.test"), "dc1.school.test", {})
