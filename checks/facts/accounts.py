"""Facts about local accounts: users, groups, states of passwords, and what sudo allows. No hash is ever asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Output
from checks.facts.sections import sections
from checks.questions import Shell, Unreadable


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A line of passwd(5)."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str

    @property
    def can_log_in(self) -> bool:
        """Whether its shell lets anyone in."""
        return self.shell.rpartition("/")[2] not in ("nologin", "false", "sync", "shutdown", "halt")


@dataclass(frozen=True, slots=True)
class LocalAccounts(Fact):
    """The users and groups that stand in the files of the host itself (passwd(5), group(5)); no domain users.

    `sudo`: whether there is a sudoers file at all.
    """

    question = Shell(
        "echo '@@ passwd' && cat /etc/passwd && echo '@@ group' && cat /etc/group && echo '@@ sudoers' && "
        "ls -d /etc/sudoers 2>/dev/null; true"
    )

    users: tuple[LocalUser, ...]
    groups: Mapping[str, tuple[int, frozenset[str]]]
    sudo: bool

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read both files; lines for NIS (`+…`) are left out."""
        told = sections(answer.text())
        users = []
        for line in told["passwd"].splitlines():
            if line and line[0] not in "+-#":
                name, _, uid, gid, _, home, shell = line.split(":")
                users.append(LocalUser(name, int(uid), int(gid), home, shell or "/bin/sh"))
        groups: dict[str, tuple[int, frozenset[str]]] = {}
        for line in told["group"].splitlines():
            if line and line[0] not in "+-#":
                name, _, number, members = line.split(":")
                groups.setdefault(name, (int(number), frozenset(m for m in members.split(",") if m)))
        if not users:
            raise Unreadable("/etc/passwd holds no user")
        return cls(tuple(users), groups, bool(told.get("sudoers")))

    def user(self, name: str) -> LocalUser | None:
        """Give a user by name."""
        return next((u for u in self.users if u.name == name), None)

    def groups_of(self, user: LocalUser) -> frozenset[str]:
        """Name the groups of a user: the primary one and those that list it."""
        return frozenset(g for g, (gid, members) in self.groups.items() if gid == user.gid or user.name in members)

    def members(self, group: str) -> frozenset[str]:
        """Name the members of a local group, those whose primary group it is among them."""
        gid, members = self.groups.get(group, (-1, frozenset()))
        return members | {u.name for u in self.users if u.gid == gid}


@dataclass(frozen=True, slots=True)
class PasswordStates(Fact):
    """Per local user whether its password is usable (P), locked (L) or empty (NP): passwd(1) `-S -a`, shadow-utils.

    This instead of /etc/shadow: no hash comes into the evidence. RHEL before 10 has another passwd, without `-a`.
    """

    question = Shell("passwd -S -a", root=True)

    states: Mapping[str, str]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read `name state …` lines."""
        states = {}
        for line in answer.text().splitlines():
            words = line.split()
            if len(words) > 1:
                states[words[0]] = {"LK": "L", "PS": "P"}.get(words[1], words[1])
        if not states or set(states.values()) - {"P", "L", "NP"}:
            raise Unreadable("passwd -S did not print names and states")
        return cls(states)


@dataclass(frozen=True, slots=True)
class SudoRule:
    """One rule: who (`%group` for a group), may run what as root, and whether without a password."""

    who: str
    commands: tuple[str, ...]
    password: bool

    @property
    def everything(self) -> bool:
        """Whether it makes an administrator: all commands as root."""
        return "ALL" in self.commands


@dataclass(frozen=True, slots=True)
class Sudoers(Fact):
    """The rules of sudo that give root, includes read and aliases expanded (cvtsudoers(1)).

    Rules for other hosts are kept: a name of this host cannot be told from another, and more is safer to show.
    Exceptions (`ALL, !/bin/su`) are left out: they do not hold anyone who can run everything else.
    """

    question = Shell("cvtsudoers -e -f json /etc/sudoers", root=True)

    rules: tuple[SudoRule, ...]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read User_Specs; an empty file has none."""
        data = json.loads(answer.text() or "{}")
        general = [d for d in data.get("Defaults", ()) if "Binding" not in d]
        asks = not any(option.get("authenticate") is False for d in general for option in d.get("Options", ()))
        return cls(
            tuple(
                _rule(who, commands, asks)
                for spec in data.get("User_Specs", ())
                for entry in spec["User_List"]
                for who in _names(entry)
                for commands in spec["Cmnd_Specs"]
                if _as_root(commands)
            )
        )


def _rule(who: str, commands: Mapping[str, Any], asks: bool) -> SudoRule:
    allowed = tuple(c["command"] for c in commands["Commands"] if "command" in c and not c.get("negated"))
    told = [o["authenticate"] for o in commands.get("Options", ()) if "authenticate" in o]
    return SudoRule(who, allowed, told[-1] if told else asks)


def _names(entry: Mapping[str, Any]) -> list[str]:
    """Name whom an element of a User_List stands for."""
    if entry.get("negated"):
        return []
    signs = {
        "username": "", "userid": "#", "usergroup": "%", "groupid": "%#", "usergid": "%#", "nonunixgroup": "%:",
        "nonunixgid": "%:#", "netgroup": "+", "useralias": "",
    }  # fmt: skip
    return [signs[key] + str(value) for key, value in entry.items() if key in signs]


def _as_root(commands: Mapping[str, Any]) -> bool:
    """Tell whether the commands run as root: without a run-as list, or with one that holds root."""
    users = commands.get("runasusers")
    if users is None:
        return "runasgroups" not in commands
    return any(u.get("username") in ("ALL", "root") or str(u.get("userid")) == "0" for u in users)
