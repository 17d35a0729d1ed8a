"""Principals: names, SIDs and nested groups, so that rights are compared by SID and shown by name.

Made from the tables of `Accounts`, so nothing more is asked. It adds what rights need and membership does not: the
well-known principals that are no objects of the directory, and the groups as an access token has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from checks.core import Fact, Unreadable
from checks.facts.directory_accounts import Account, Accounts
from checks.formats import sid
from checks.formats.sid import AUTHENTICATED, EVERYONE, SYSTEM

NETWORK, THIS_ORGANIZATION, CONTROLLERS = "S-1-5-2", "S-1-5-15", "S-1-5-9"
_AUTHORITIES = ("builtin", "ingebouwd", "nt authority", "nt-autoriteit", "autorite nt", "autorité nt")
_FIRST = frozenset(sid.fold(sid.WELL_KNOWN[s][0]) for s in (EVERYONE, AUTHENTICATED, SYSTEM, "S-1-3-0", "S-1-3-4"))


@dataclass(frozen=True, slots=True)
class Principals(Fact):
    """Everybody who can have rights in the domain."""

    question = Accounts.question

    accounts: Accounts

    @classmethod
    def read(cls, *answers: list[Mapping[str, Any]]) -> Self:
        """Read the tables of accounts."""
        return cls(Accounts.read(*answers))

    @property
    def domain(self) -> str:
        """The domain's SID."""
        return self.accounts.sid

    def find(self, name: str) -> str | None:
        r"""Give the SID of a name: `G_Docenten`, `SCHOOL\G_Docenten`, `Everyone` (in four languages), or a SID.

        The names that nobody else should bear come first; then the directory's own, since a school may well have a
        group Beheerders; then what the other well-known ones are called.
        """
        if sid.is_sid(name):
            return sid.normal(name)
        authority, slash, rest = name.rpartition("\\")
        folded = sid.fold(rest if slash else name)
        if (slash and sid.fold(authority) in _AUTHORITIES) or (not slash and folded in _FIRST):
            return sid.well_known(folded)
        account = self.accounts.find(name)
        if account is not None and account.sid:
            return account.sid
        if number := sid.rid_of(folded):
            return f"{self.domain}-{number}"
        return None if slash else sid.well_known(folded)

    def require(self, name: str) -> str:
        """Give the SID of a name; Unreadable when nobody bears it: then nothing can be said of its rights."""
        found = self.find(name)
        if found is None:
            raise Unreadable(f"nobody in the directory is called {name}")
        return found

    def name(self, who: str) -> str:
        """Give the name that people know of a SID; itself when it has none (a deleted account, another domain)."""
        account = self.accounts.by_sid.get(who)
        return account.name if account else sid.WELL_KNOWN.get(who, (who,))[0]

    def names(self, sids: Iterable[str]) -> list[str]:
        """Give the names, sorted."""
        return sorted(map(self.name, sids), key=str.casefold)

    def is_group(self, who: str) -> bool:
        """Tell whether a SID is a group of the directory."""
        account = self.accounts.by_sid.get(who)
        return account is not None and account.kind == "group"

    def nested(self, *start: str) -> frozenset[str]:
        """Give these SIDs and those of every security group they are in, however deep; circles are no trouble.

        A distribution group is in no token, and what it is in does not count either (MS-PAC 4.1.2.2).
        """
        found, todo = set(start), list(start)
        while todo:
            account = self.accounts.by_sid.get(todo.pop())
            for group in self.accounts.direct_groups(account) if account else ():
                if group.sid not in found and _in_tokens(group):
                    found.add(group.sid)
                    todo.append(group.sid)
        return frozenset(found)

    def logged_on(self, who: str, *more: str) -> frozenset[str]:
        """Give every SID of somebody who logged on: Everyone, Authenticated Users, all nested groups, and `more`.

        Everyone itself stands for somebody of whom nothing else is known. A domain controller is one of the
        Enterprise Domain Controllers.
        """
        start = {who, EVERYONE, *more}
        if who != EVERYONE:
            start.add(AUTHENTICATED)
        account = self.accounts.by_sid.get(who)
        if account is not None and account.entry.has("useraccountcontrol") and account.is_controller:
            start.add(CONTROLLERS)
        return self.nested(*start)


def _in_tokens(group: Account) -> bool:
    return not group.entry.has("grouptype") or group.type == "security"
