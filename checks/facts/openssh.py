"""Facts about the OpenSSH server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from checks.core import Fact, Output
from checks.questions import Shell, Unreadable


@dataclass(frozen=True, slots=True)
class Sshd(Fact):
    """The server's settings in force outside Match blocks: keyword (lower case) to values, as `sshd -T` prints them.

    A keyword that is printed more than once (port, hostkey, acceptenv) has all its values. sshd(8), sshd_config(5).
    """

    question = Shell("sshd -T", root=True)

    settings: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, answer: Output) -> Self:
        """Read `keyword value` lines."""
        found: dict[str, tuple[str, ...]] = {}
        for line in answer.text().splitlines():
            keyword, _, value = line.partition(" ")
            if keyword.isalnum():
                found[keyword.lower()] = (*found.get(keyword.lower(), ()), value.strip())
        if "port" not in found:
            raise Unreadable("sshd -T did not print its settings")
        return cls(found)

    def one(self, keyword: str) -> str:
        """Give the value of a keyword; KeyError when this sshd does not know it."""
        return self.settings[keyword.lower()][0]

    def words(self, keyword: str) -> tuple[str, ...]:
        """Give all words of a keyword that holds a list, over its lines; empty when it is not set."""
        return tuple(w for value in self.settings.get(keyword.lower(), ()) for w in value.split())

    def yes(self, keyword: str) -> bool:
        """Tell whether a yes/no keyword is on."""
        return self.one(keyword) == "yes"

    @property
    def permit_root_login(self) -> str:
        """no, prohibit-password, forced-commands-only or yes."""
        value = self.one("permitrootlogin")
        return "prohibit-password" if value == "without-password" else value  # its old name

    @property
    def takes_passwords(self) -> bool:
        """Whether a password opens a session: also by way of PAM's keyboard-interactive questions."""
        asks = self.settings.get("kbdinteractiveauthentication") or self.settings.get("challengeresponseauthentication")
        by_pam = self.settings.get("usepam", ("no",))[0] == "yes" and (asks or ("no",))[0] == "yes"
        return self.yes("passwordauthentication") or by_pam
