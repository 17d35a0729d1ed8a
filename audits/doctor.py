"""The doctor: reach every host, log on, try what audits need, and say in plain words what to mend."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audits import transports
from audits.transports.base import Answer, Settings, Target
from checks.questions import Failure, FailureKind, LdapSearch, Question, Shell, SmbNegotiate, SmbShares, TcpProbe

ADVICE = {
    FailureKind.UNREACHABLE: "Is it on? Ping it from here; look at firewalls, and at ansible_host in the inventory.",
    FailureKind.NAME_NOT_FOUND: "The name does not resolve: mend the DNS, or give ansible_host an address.",
    FailureKind.REFUSED: "Nothing listens on that port: is the service running, and is ansible_port right?",
    FailureKind.HOST_KEY_UNKNOWN: "Compare the key with the host's own, then: ssh-keyscan HOST >> ~/.ssh/known_hosts",
    FailureKind.HOST_KEY_CHANGED: "The host shows another key than before: find out why before you trust it.",
    FailureKind.CERTIFICATE_UNTRUSTED: "Give the authority's certificate with --ca, or under `authorities`.",
    FailureKind.AUTHENTICATION_FAILED: "Look at user and key or password in the inventory; is the account locked?",
    FailureKind.DENIED: "It may log on but not do this: see `keuring privileges --format sudoers`.",
    FailureKind.TIMED_OUT: "It answers too slowly or not at all; look at its load and at the network.",
    FailureKind.NOT_INSTALLED: "The program is not installed there.",
}

_SSH: tuple[tuple[str, Question], ...] = (
    ("log on", Shell("id -un")),
    ("run a shell", Shell("command -v timeout head printf")),
    ("read as root", Shell("id -u", root=True)),
)
_Attempt = tuple[str, tuple[tuple[str, Question], ...]]
_LDAP_PORT, _SMB_PORT = 389, 445
_LDAP: _Attempt = (
    "ldap",
    (("read the directory", LdapSearch(nc="root", scope="base", attributes=("dnshostname",))),),
)
_SMB: _Attempt = ("smb", (("negotiate SMB", SmbNegotiate()), ("list shares", SmbShares())))


@dataclass(frozen=True, slots=True)
class _Result:
    target: str
    what: str
    answer: Answer


def examine(inventory: Any, pattern: str | None, settings: Settings, *, quiet: bool) -> int:
    """Try the hosts; prints a line for each attempt, and advice. Exit code 0 when all works, else 2."""
    names = inventory.match(pattern) if pattern else tuple(inventory.hosts)
    results: dict[str, list[_Result]] = {}
    made = transports.Transports(settings)

    def one(name: str) -> None:
        variables = inventory.hosts[name]
        target = Target(name, "host", variables, domain=str(variables.get("keuring_domain", "")))
        results[name] = list(_try(target, made))

    gate = threading.BoundedSemaphore(settings.jobs)

    def guarded(name: str) -> None:
        with gate:
            one(name)

    threads = [threading.Thread(target=guarded, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    bad = 0
    for name, thread in zip(names, threads, strict=True):
        while thread.is_alive():
            thread.join(0.2)
        for result in results.get(name, []):
            failure = result.answer.failure
            bad += failure is not None
            if failure is None and quiet:
                continue
            sys.stdout.write(_line(result))
            if failure is not None and (advice := ADVICE.get(failure.kind)):
                sys.stdout.write(f"{'':16}  → {advice}\n")
    total = sum(len(r) for r in results.values())
    if not quiet or bad:
        sys.stdout.write(f"\n{len(names)} host{'s' * (len(names) != 1)}, {total - bad} of {total} attempts worked\n")
    return 2 if bad else 0


def _line(result: _Result) -> str:
    failure = result.answer.failure
    if failure is None:
        return f"{result.target:16}  ok    {result.what} ({result.answer.took:.2f} s)\n"
    words = "".join(c if c.isprintable() else "?" for c in failure.detail)
    return f"{result.target:16}  FAIL  {result.what}: {str(failure.kind).replace('_', ' ')}: {words}\n"


def _try(target: Target, made: transports.Transports) -> Iterable[_Result]:
    attempts: list[_Attempt] = [("ssh", _SSH)]
    if target.variables.get("keuring_domain_user"):  # what a host serves shows by its open ports
        served = {_LDAP_PORT: _LDAP, _SMB_PORT: _SMB}
        for question, answer in made.get("probe", target).ask(target, [TcpProbe(p, timeout=2) for p in served]):
            if isinstance(question, TcpProbe) and answer.failure is None and answer.value["state"] == "open":
                attempts.append(served[question.port])
    for transport, several in attempts:
        questions = [q for _, q in several]
        words = {q: what for what, q in several}
        for question, answer in made.get(transport, target).ask(target, questions):
            status = answer.value.get("status") if isinstance(question, Shell) and answer.failure is None else 0
            if status:
                detail = " ".join(str(answer.value.get("stderr") or f"exit status {status}").split())[:200]
                answer = Answer(None, Failure(FailureKind.DENIED, detail), answer.at, answer.took)  # noqa: PLW2901
            yield _Result(target.name, words[question], answer)
