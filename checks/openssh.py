"""Checks of the OpenSSH server's settings, as they are in force."""

from __future__ import annotations

from typing import Literal

from checks.core import Expectation, Outcome, Scope, check, expect, expect_members, failed, kind, passed
from checks.facts.openssh import Sshd

WEAK = {
    "ciphers": ("3des", "arcfour", "blowfish", "cast128", "-cbc"),
    "macs": ("md5", "sha1", "umac-64", "ripemd"),
    "kexalgorithms": ("group1-sha1", "group14-sha1", "group-exchange-sha1"),
    "hostkeyalgorithms": ("ssh-dss", "ssh-rsa"),
}
"""Algorithms that OpenSSH itself and BSI TR-02102-4 call broken or too short, by parts of their names."""


@kind("sshd", Scope.HOST, many=False)
class SshServer(Expectation):
    """Settings of the OpenSSH server in force (`sshd -T`)."""

    permit_root_login: Literal["no", "prohibit-password", "forced-commands-only", "yes"] | bool | None = None
    """Whether root may log on, and how."""
    password_authentication: bool | None = None
    """Whether a password opens a session, asked directly or by way of PAM (keyboard-interactive)."""
    public_key_authentication: bool | None = None
    """Whether a key opens a session."""
    permit_empty_passwords: bool | None = None
    """Whether an account with an empty password may log on."""
    x11_forwarding: bool | None = None
    """Whether programs with windows may be shown on the client."""
    max_auth_tries: int | None = None
    """Most attempts to log on in one connection."""
    ports: tuple[int, ...] = ()
    """Exactly these TCP ports."""
    allow_users: tuple[str, ...] = ()
    """Exactly these patterns of users may log on (AllowUsers)."""
    allow_groups: tuple[str, ...] = ()
    """Exactly these groups may log on (AllowGroups)."""
    strong_algorithms: bool | None = None
    """true: no cipher, MAC, key exchange or host key algorithm that is known as weak is offered."""
    settings: dict[str, str | int | bool] | None = None
    """Any other keywords of sshd_config with their values; true and false stand for yes and no."""


@check("permit_root_login")
def root_login_is_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether root's logon is as declared; without a person's own account nobody knows who did what."""
    return expect(sshd.permit_root_login, equals=_word(want.permit_root_login))


@check("password_authentication")
def passwords_are_accepted_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether passwords are accepted in any way: keyboard-interactive with PAM asks for one too."""
    observed = {"value": sshd.takes_passwords}
    if sshd.takes_passwords and not sshd.yes("passwordauthentication"):
        observed["by_pam"] = True
    good = sshd.takes_passwords == want.password_authentication
    return (passed if good else failed)(observed, {"value": want.password_authentication})


@check("public_key_authentication")
def keys_are_accepted_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether keys are accepted."""
    return expect(sshd.yes("pubkeyauthentication"), equals=want.public_key_authentication)


@check("permit_empty_passwords")
def empty_passwords_are_accepted_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether an account without a password may log on."""
    return expect(sshd.yes("permitemptypasswords"), equals=want.permit_empty_passwords)


@check("x11_forwarding")
def x11_is_forwarded_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether X11 is forwarded: a server that is broken into can then read keys typed on the client."""
    return expect(sshd.yes("x11forwarding"), equals=want.x11_forwarding)


@check("max_auth_tries")
def attempts_are_limited(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether one connection allows few enough attempts."""
    return expect(int(sshd.one("maxauthtries")), at_most=want.max_auth_tries)


@check("ports")
def ports_are_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether exactly these ports are configured (with socket activation the socket unit decides)."""
    return expect_members(sshd.settings["port"], (str(p) for p in want.ports))


@check("allow_users")
def allowed_users_are_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether exactly these patterns of users are let in."""
    return expect_members(sshd.words("allowusers"), want.allow_users)


@check("allow_groups")
def allowed_groups_are_as_declared(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether exactly these groups are let in; in lower case, as groups of a domain are."""
    return expect_members((g.lower() for g in sshd.words("allowgroups")), (g.lower() for g in want.allow_groups))


@check("strong_algorithms")
def weak_algorithms_are_refused(sshd: Sshd, want: SshServer) -> Outcome:
    """Whether no algorithm that is known as weak is offered."""
    weak = weak_algorithms(sshd)
    return (passed if (not weak) == want.strong_algorithms else failed)({"weak": weak}, {"weak": []})


def weak_algorithms(sshd: Sshd) -> list[str]:
    """Name the weak algorithms that the server offers."""
    found = []
    for keyword, parts in WEAK.items():
        for name in ",".join(sshd.settings[keyword]).split(","):
            plain = name.partition("@")[0]
            whole = keyword == "hostkeyalgorithms"  # `ssh-rsa` is weak (SHA-1), `rsa-sha2-256` is not
            if plain in parts if whole else any(p in plain for p in parts):
                found.append(name)
    return sorted(set(found))


@check("settings")
def settings_are_as_declared(sshd: Sshd, want: SshServer) -> list[Outcome]:
    """Whether each keyword has the declared value; a list in any order, where sshd prints one."""
    outcomes = []
    for keyword, value in (want.settings or {}).items():
        wanted = _word(value)
        seen = " ".join(sshd.settings.get(keyword.lower(), ()))
        if not seen:
            outcomes.append(failed({"exists": False}, {"value": wanted}, subject=keyword))
        elif "," in wanted or "," in seen:
            good = sorted(seen.lower().split(",")) == sorted(w.strip() for w in wanted.lower().split(","))
            outcomes.append((passed if good else failed)({"value": seen}, {"value": wanted}, subject=keyword))
        else:
            good = sorted(seen.lower().split()) == sorted(wanted.lower().split())
            outcomes.append((passed if good else failed)({"value": seen}, {"value": wanted}, subject=keyword))
    return outcomes


def _word(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
