"""Facts about a Linux host as member of a domain: whether its machine account works and users of the domain resolve."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Output
from checks.facts.sections import first_line, is_missing, sections
from checks.questions import FailureKind, Shell, Unreadable, quote

_ADCLI_DOMAIN = re.compile(r"domain (\S+)\s*$")


@dataclass(frozen=True, slots=True)
class Join(Fact):
    """Whether the host's own account in the domain works, proved by logging on with it.

    net(8) `ads testjoin` for hosts that Samba joined (winbind), adcli(8) `testjoin` for those of SSSD and realmd;
    either suffices. `domains`: DNS names, lower case, of the domains that its configuration names. `detail`: why not.
    """

    question = (
        Shell("net ads testjoin", root=True, timeout=30),
        Shell("adcli testjoin", root=True, timeout=30),
        Shell(
            "echo '@@ samba'; testparm -s --parameter-name=realm 2>/dev/null; "
            "echo '@@ realm'; timeout 5 realm list --name-only 2>/dev/null; "
            "echo '@@ krb5'; sed -n 's/^[[:space:]]*default_realm[[:space:]]*=[[:space:]]*//p' /etc/krb5.conf "
            "2>/dev/null; true"
        ),
    )

    works: bool
    by: str
    domains: tuple[str, ...]
    detail: str

    @classmethod
    def read(cls, *answers: Output) -> Self:
        """Read what each program says; without both nothing can be told."""
        samba, adcli, names = answers
        told = sections(names.text())
        domains = [line.strip().lower() for body in told.values() for line in body.splitlines() if line.strip()]
        tried = [(name, a) for name, a in (("adcli", adcli), ("samba", samba)) if not is_missing(a)]
        if not tried:
            raise Unreadable("neither `net` (samba-common-bin) nor `adcli` is installed", FailureKind.NOT_INSTALLED)
        for name, answer in tried:
            if answer.status == 0:
                if name == "adcli" and (match := _ADCLI_DOMAIN.search(answer.stdout.strip())):
                    domains.append(match[1].lower())
                return cls(True, name, tuple(dict.fromkeys(domains)), "")
        name, answer = tried[-1]
        words = (answer.stderr.strip() or answer.stdout.strip()).splitlines() or ["no reason given"]
        return cls(False, name, tuple(dict.fromkeys(domains)), words[-1][:200])


@dataclass(frozen=True, slots=True)
class DomainUser(Fact):
    """A user of the domain as the host knows it by NSS (getent(1)), and its groups (id(1)).

    `found` is false when the host does not know it, or only as a user in its own /etc/passwd.
    """

    found: bool
    local: bool
    name: str
    uid: int | None
    home: str
    shell: str
    groups: frozenset[str]

    @classmethod
    def ask(cls, want: Any) -> Shell:
        """Ask for `want.user`."""
        user = quote(want.user)
        return Shell(
            f"echo '@@ entry'; getent passwd -- {user}; echo '@@ local'; getent -s files passwd -- {user}; "
            f"echo '@@ groups'; id -Gn -z -- {user} 2>/dev/null | tr '\\0' '\\n'; true"
        )

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read the passwd entry and the names of the groups, one a line."""
        told = sections(answer.text())
        entry, local = first_line(told["entry"]), bool(first_line(told["local"]))
        if not entry:
            return cls(False, False, "", None, "", "", frozenset())
        name, _, uid, _, _, home, shell = entry.split(":")
        groups = frozenset(g for g in told["groups"].splitlines() if g)
        return cls(not local, local, name, int(uid), home, shell, groups)
