"""How to reach a host over SSH: what the inventory's variables, its ssh arguments and ~/.ssh/config say, in that order.

Variables are those of Ansible's ssh connection plugin; options are those of ssh(1) and ssh_config(5).
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from audits.transports.base import Settings, Target
from audits.transports.batch import Become
from checks.questions import Failure, FailureKind

SSH_PORT = 22
DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
MOST_JUMPS = 8

Strictness = Literal["yes", "new", "off"]
"""yes: only known keys; new: unknown hosts too, changed keys never; off: anything but a revoked key."""

_OPTIONS_OF_VARIABLES = {
    "user": ("ansible_user", "ansible_ssh_user", "ansible_remote_user"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "connecttimeout": ("ansible_ssh_timeout", "ansible_timeout"),
}

# ssh(1), OpenSSH 10: every letter, with `:` behind those that take an argument
_LETTERS = "46AaCfGgKkMNnqsTtVvXxYyB:b:c:D:E:e:F:I:i:J:L:l:m:O:o:P:p:Q:R:S:W:w:"


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that is needed to log on to one host."""

    host: str
    port: int = SSH_PORT
    user: str = ""
    keys: tuple[str, ...] = ()  # named for this host; empty: the default ones
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    agent: bool = True
    only_keys: bool = False  # IdentitiesOnly: of the agent's keys only those named
    alias: str = ""  # HostKeyAlias
    known_hosts: tuple[str, ...] = DEFAULT_KNOWN_HOSTS
    strict: Strictness = "yes"
    jumps: tuple[Options, ...] = ()
    proxy_command: str = ""
    timeout: float = 8.0

    @property
    def key_name(self) -> tuple[str, int]:
        """Give the name and port under which the host key is known."""
        return (self.alias, SSH_PORT) if self.alias else (self.host, self.port)

    def __str__(self) -> str:
        """Name it for messages: `user@host`, with the port when it is not 22."""
        port = "" if self.port == SSH_PORT else f":{self.port}"
        return f"{self.user}@{self.host}{port}"


class Configuration:
    """ssh_config(5) files, read once each; lookups per host."""

    def __init__(self, files: tuple[Path, ...] | None = None) -> None:
        self._default = files if files is not None else (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
        self._read: dict[tuple[Path, ...], Any] = {}

    def lookup(self, host: str, file: str = "") -> dict[str, Any]:
        """Give what the files say of a host; ValueError when they cannot be read. `file` as with `ssh -F`."""
        files = self._default if not file else () if file == "none" else (Path(file),)
        if files not in self._read:
            self._read[files] = _parse(files)
        parsed = self._read[files]
        if parsed is None:
            return {}
        try:
            return dict(parsed.lookup(host))
        except Exception as e:  # noqa: BLE001 - paramiko raises what its parts raise
            raise ValueError(f"the ssh configuration cannot be applied to {host}: {e}") from None


def _parse(files: tuple[Path, ...]) -> Any:
    """Parse configuration files into one, the first value of an option counting; None when there is nothing."""
    lines: list[str] = []
    for file in files:
        if lines:
            lines.append("Host *")
        lines += _lines(file.expanduser(), 0)
    if not lines:
        return None
    from audits.transports.paramiko_import import load_config  # noqa: PLC0415 - slow to import

    try:
        return load_config("\n".join(lines))
    except Exception as e:  # noqa: BLE001 - paramiko raises what its parts raise
        raise ValueError(f"{', '.join(map(str, files))}: {e}") from None


def _lines(file: Path, depth: int) -> list[str]:
    """Read a file's lines, with its unconditional Includes in their place (paramiko knows none)."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    said: list[str] = []
    inside = False  # a Host or Match block: what it includes would count for its hosts only
    for line in lines:
        key, _, rest = _ASSIGNMENT.sub(r"\1\0", line.strip(), count=1).partition("\0")
        if key.lower() in ("host", "match"):
            inside = True
        if key.lower() != "include":
            said.append(line)
        elif not inside and depth < 16:  # noqa: PLR2004 - as ssh
            for pattern in shlex.split(rest):
                path = Path(pattern).expanduser()
                base = file.parent if not path.is_absolute() else Path("/")
                for found in sorted(base.glob(str(path.relative_to("/") if path.is_absolute() else path))):
                    said += [*_lines(found, depth + 1), "Host *"]
    return said


def become_of(variables: Mapping[str, Any]) -> Become | Failure:
    """Give how to become root; a failure when the inventory asks for a way that is not sudo."""
    method = str(variables.get("ansible_become_method") or "sudo")
    if method.removeprefix("ansible.builtin.") != "sudo":
        detail = f"ansible_become_method {method} is not supported; use sudo, or log on as root"
        return Failure(FailureKind.DENIED, detail)
    exe = variables.get("ansible_become_exe") or variables.get("ansible_sudo_exe") or "sudo"
    password = _first(
        variables, "ansible_become_password", "ansible_become_pass", "ansible_sudo_password", "ansible_sudo_pass"
    )
    try:
        return Become(str(exe), password)
    except ValueError as e:
        return Failure(FailureKind.DENIED, str(e))


def options_for(target: Target, settings: Settings, configuration: Configuration) -> Options:
    """Work out how to reach a host of the inventory; ValueError, with words for people, when that makes no sense."""
    variables = target.variables
    said = _arguments(variables) | {
        option: value for option, names in _OPTIONS_OF_VARIABLES.items() if (value := _first(variables, *names))
    }
    host = str(_first(variables, "ansible_host", "ansible_ssh_host") or target.name)
    config = configuration.lookup(host, said.get("configfile", ""))
    options = _options(host, said, config, settings)
    key = _first(variables, "ansible_ssh_private_key_file", "ansible_private_key_file")
    checked = _first(variables, "ansible_ssh_host_key_checking", "ansible_host_key_checking")
    options = replace(
        options,
        keys=((key, *options.keys) if key else options.keys),
        password=_first(variables, "ansible_password", "ansible_ssh_password", "ansible_ssh_pass"),
        passphrase=_first(variables, "ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase"),
    )
    if checked and checked.lower() in ("false", "no", "0", "off") and options.strict == "yes":
        options = replace(options, strict="new")
    jump = said.get("proxyjump") or str(config.get("proxyjump") or "")
    # what ssh does: whichever of the two stands first; arguments stand before the configuration
    if said.get("proxycommand") and not said.get("proxyjump"):
        jump = ""
    if jump and jump.lower() != "none":
        jumps = _jumps(jump, options, settings, configuration, 0)
        return replace(options, jumps=jumps, proxy_command="")
    return options


def _options(host: str, said: Mapping[str, str], config: Mapping[str, Any], settings: Settings) -> Options:
    """Put arguments and configuration together."""

    def get(name: str) -> str:
        return said.get(name) or str(config.get(name) or "")

    name = get("hostname").replace("%h", host) or host
    port = _port(get("port")) if get("port") else SSH_PORT
    user = get("user") or getpass.getuser()
    identities = said.get("identityfile")
    files = get("userknownhostsfile")
    command = get("proxycommand")
    keys = (*(identities.split("\0") if identities else ()), *config.get("identityfile", ()))
    tokens = {"%%": "%", "%h": name, "%n": host, "%p": str(port), "%r": user, "%d": str(Path.home())}
    return Options(
        host=name,
        port=port,
        user=user,
        keys=tuple(_expand(k, tokens) for k in keys if k.lower() != "none"),
        agent=get("identityagent").lower() != "none",
        only_keys=get("identitiesonly").lower() == "yes",
        alias=get("hostkeyalias"),
        known_hosts=_known_hosts(files, settings),
        strict=_strictness(get("stricthostkeychecking"), settings),
        proxy_command="" if command.lower() == "none" else _expand(command, tokens),
        timeout=_seconds(get("connecttimeout")) if get("connecttimeout") else settings.connect_timeout,
    )


def _jumps(
    spec: str, options: Options, settings: Settings, configuration: Configuration, depth: int
) -> tuple[Options, ...]:
    """Resolve `[user@]host[:port]` or ssh:// URIs with commas between, each by the configuration of its own.

    Unlike ssh, the keys and known hosts named for the target serve its jump hosts too, behind those of their own.
    """
    if depth > MOST_JUMPS:
        raise ValueError(f"the jump hosts of {options.host} go round in a circle")
    hops: list[Options] = []
    for number, word in enumerate(spec.split(",")):
        user, host, port = _destination(word.strip())
        config = configuration.lookup(host)
        hop = _options(host, {}, config, settings)
        own = hop.known_hosts
        hop = replace(
            hop,
            user=user or hop.user,
            port=port or hop.port,
            keys=(*hop.keys, *(k for k in options.keys if k not in hop.keys)),
            passphrase=options.passphrase,
            known_hosts=own if settings.known_hosts else tuple(dict.fromkeys((*own, *options.known_hosts))),
        )
        before = str(config.get("proxyjump") or "")
        if number == 0 and before and before.lower() != "none":
            hops += _jumps(before, options, settings, configuration, depth + 1)
            hop = replace(hop, proxy_command="")
        hops.append(hop)
    return tuple(hops)


def _destination(word: str) -> tuple[str, str, int]:
    """Take `user@host:port` apart; IPv6 addresses stand in brackets when a port follows."""
    word = word.removeprefix("ssh://").rstrip("/")
    user, _, place = word.rpartition("@")
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    else:
        host, port = place, ""
    if not host:
        raise ValueError(f"the jump host {word!r} has no name")
    return user, host, _port(port) if port else 0


def _arguments(variables: Mapping[str, Any]) -> dict[str, str]:
    """Read the ssh arguments of the inventory: option names in lower case; the first value of each counts."""
    import getopt  # noqa: PLC0415 - with gettext and locale in tow, for few inventories

    said: dict[str, str] = {}
    for name in ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"):
        text = str(variables.get(name) or "")
        try:
            given, _ = getopt.gnu_getopt(shlex.split(text), _LETTERS)
        except (getopt.GetoptError, ValueError) as e:
            raise ValueError(f"{name}: {e}") from None
        for letter, value in given:
            _take(said, letter, value)
    return said


_ASSIGNMENT = re.compile(r"^(\w+)(?:\s*=\s*|\s+)")
_SHORT = {"-J": "proxyjump", "-p": "port", "-l": "user", "-F": "configfile"}


def _take(said: dict[str, str], letter: str, value: str) -> None:
    key, text = _SHORT.get(letter, ""), value
    if letter == "-i":
        key = "identityfile"
    elif letter == "-o":
        key, _, text = _ASSIGNMENT.sub(r"\1\0", value.strip(), count=1).partition("\0")
        key, text = key.lower(), text.strip('"')
    if key == "identityfile" and key in said:
        said[key] += "\0" + text  # the one option that adds up
    elif key:
        said.setdefault(key, text)


def _known_hosts(files: str, settings: Settings) -> tuple[str, ...]:
    if settings.known_hosts:
        return tuple(str(f) for f in settings.known_hosts)
    if files.lower() == "none":
        return ()
    named = tuple(shlex.split(files))
    return (*named, DEFAULT_KNOWN_HOSTS[1]) if named else DEFAULT_KNOWN_HOSTS


def _strictness(word: str, settings: Settings) -> Strictness:
    if not settings.check_host_keys:
        return "off"
    return "new" if word.lower() in ("no", "off", "accept-new") else "yes"


def _expand(text: str, tokens: Mapping[str, str]) -> str:
    """Replace the `%` tokens of ssh_config(5), each once."""
    said, rest = "", text
    while "%" in rest:
        before, _, rest = rest.partition("%")
        said += before + tokens.get("%" + rest[:1], "%" + rest[:1])
        rest = rest[1:]
    return said + rest


def _first(variables: Mapping[str, Any], *names: str) -> str | None:
    """Give the first of these variables that is set, as text."""
    for name in names:
        if (value := variables.get(name)) not in (None, ""):
            return str(value)
    return None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):  # noqa: PLR2004 - TCP
        raise ValueError(f"{text!r} is no port")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return min(max(float(text), 1.0), 120.0)
    except ValueError:
        raise ValueError(f"{text!r} is no number of seconds") from None
