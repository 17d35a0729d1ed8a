"""Asking Ansible, through ansible-runner, what an inventory says.

`ansible-inventory --list` tells hosts, groups and variables, but leaves templates and inline vault values as they
stand. When there are any, a playbook of one task resolves them (see `inventory_action`). Nothing of Ansible's output
reaches the terminal; all files live in a folder of ours, in memory where there is such a place, and go with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits import inventory_files
from audits.errors import InventoryError
from audits.inventory_files import Sources

TIMEOUT = 300  # seconds; a cloud's inventory may take its time
# Variables that must come out resolved: with these, a host is reached.
CONNECTION = re.compile(r"ansible_(host|port|user|password|connection|become|ssh_|winrm_|psrp_)|keuring_")
_UNPARSED = re.compile(r"(?:Unable to|Completely failed to) parse (.+?)(?: as an inventory source|$)", re.MULTILINE)
_UNPARSED_SOURCE = re.compile(r"parse inventory source (.+)$", re.MULTILINE)
_REASON = re.compile(r"^(?:Failed to parse inventory|YAML parsing failed|Invalid [^:\n]*): (.+)$", re.MULTILINE)
_SCRIPT_ERROR = re.compile(r"Standard error from inventory script:\n(.+)")
_LOCKED = re.compile(
    r"no vault secrets|vault secrets found|Decryption failed|[Vv]ault password|AnsibleVault", re.DOTALL
)
_OUTSIDE = re.compile(r"\b(lookup|query|q|now|random|shuffle|password_hash|ansible_env|fileglob)\b")
_HOSTS_LIKE = ("", ".yml", ".yaml", ".json", ".ini", ".toml")


@dataclass(frozen=True, slots=True)
class Listing:
    """What Ansible tells: groups as it lists them, and every host's variables."""

    groups: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, Mapping[str, Any]]
    pure: bool  # depends on nothing but the files


class Ansible:
    """One folder for one reading, and the ways to run Ansible in it."""

    def __init__(self, sources: Sources, folder: Path, vault_password_file: Path | None) -> None:
        self._sources, self._folder = sources, folder
        self._arguments = [word for path in sources.given for word in ("-i", path)]
        if vault_password_file:
            self._arguments += ["--vault-password-file", str(vault_password_file.expanduser().absolute())]
        self._runs = 0

    def read(self) -> Listing:
        """Read the inventory; InventoryError says what is wrong with it, and where."""
        out, err, status = self._run("ansible-inventory", ["--list"])
        self._refuse_problems(out, err, status)
        try:
            listed = json.loads(out[out.index("{") :])
        except ValueError:
            raise InventoryError(f"Ansible told nothing that can be read: {_first_line(err or out)}") from None
        hosts_of, order = _groups(listed)
        variables = {host: dict(listed["_meta"]["hostvars"].get(host, {})) for host in order}
        pure = self._resolve(variables)
        return Listing(hosts_of, variables, pure)

    # -- templates and vault values -----------------------------------------------------------------------------------

    def _resolve(self, variables: dict[str, dict[str, Any]]) -> bool:
        """Resolve what Ansible left as it stands, in place; tell whether the result depends on the files only."""
        wanted = {h: [n for n, v in named.items() if _unresolved(v)] for h, named in variables.items()}
        wanted = {h: names for h, names in wanted.items() if names}
        if not wanted:
            return True
        pure = not any(_impure(variables[h][n]) for h, names in wanted.items() for n in names)
        resolved = self._run_task(wanted)
        for host, names in wanted.items():
            for name in names:
                answer = resolved.get(host, {}).get(name, {"error": "Ansible gave no value"})
                if "value" in answer:
                    variables[host][name] = answer["value"]
                elif _locked(variables[host][name]) or _LOCKED.search(answer["error"]):
                    raise self._vault_error(answer["error"])
                elif CONNECTION.match(name):
                    raise InventoryError(
                        f"{host}: the variable {name} cannot be resolved: {answer['error']}",
                        "Look at the template in the inventory: keuring knows no facts of the host when it reads it.",
                    )
        return pure

    def _run_task(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        project = self._folder / "project"
        (project / "action_plugins").mkdir(parents=True)
        (project / "library").mkdir()
        plugin = Path(__file__).with_name("inventory_action.py")
        shutil.copyfile(plugin, project / "action_plugins" / "keuring_resolve.py")
        (project / "library" / "keuring_resolve.py").write_text("# its work is done by the action plugin\n")
        task = {"keuring_resolve": {"work": str(self._folder)}, "no_log": True}
        play = {"hosts": "localhost", "gather_facts": False, "connection": "local", "become": False, "tasks": [task]}
        playbook = project / "resolve.yml"
        playbook.write_text(json.dumps([play]), "utf-8")
        (self._folder / "wanted.json").write_text(json.dumps(wanted), "utf-8")
        out, err, status = self._run("ansible-playbook", [str(playbook)])
        result = self._folder / "resolved.json"
        if not result.exists():
            if _LOCKED.search(out + err):
                raise self._vault_error(out + err)
            raise InventoryError(
                f"Ansible cannot resolve the inventory's templates (status {status}): {_first_line(err or out)}"
            )
        return json.loads(result.read_text("utf-8"))  # type: ignore[no-any-return]

    # -- what is wrong ------------------------------------------------------------------------------------------------

    def _refuse_problems(self, out: str, err: str, status: int) -> None:
        """Turn what Ansible complains of into one clear message; warnings about what it skipped count as well."""
        said = f"{err}\n{out}" if status else err
        if status == 254:  # noqa: PLR2004 - ansible-runner's status for a timeout
            raise InventoryError(
                f"the inventory was not read within {TIMEOUT} seconds", "A script or plugin in it hangs; try it alone."
            )
        if status and _LOCKED.search(said):
            raise self._vault_error(said)
        bad = [Path(p) for p in (*_UNPARSED_SOURCE.findall(said), *_UNPARSED.findall(said)) if Path(p).is_absolute()]
        bad = [p for p in bad if str(p) in self._sources.given or p.suffix.lower() in _HOSTS_LIKE]
        if not bad and not status:
            return
        if problem := inventory_files.yaml_problem([*(p for p in bad if p.is_file()), *self._sources.files]):
            raise InventoryError(problem, "Look at the indentation and quotes around that line.")
        text = bad[0] if bad and bad[0].is_file() and not os.access(bad[0], os.X_OK) else None
        if text and (problem := inventory_files.ini_problem(text)):
            raise InventoryError(problem, "A line is: name variable=value …")
        reasons = _REASON.findall(said)
        if bad and bad[0].is_dir():
            raise InventoryError(
                f"{bad[0]}: there is no inventory in this directory",
                "Name the inventory file itself, or put one there.",
            )
        if bad:
            reason = reasons[-1] if reasons else "Ansible cannot read it"
            if script := _SCRIPT_ERROR.search(said):
                reason = f"the inventory script failed: {script[1]}"
            elif reasons and "script" in said and (failed := re.search(r"script .*", reasons[0])):
                reason = failed[0]
            raise InventoryError(
                f"{inventory_files.line_of(bad[0], reason)}: is not an inventory: {reason[:300]}",
                "`ansible-inventory -i … --list` tells more.",
            )
        raise InventoryError(
            f"Ansible cannot read the inventory: {_first_line(said)}", "`ansible-inventory -i … --list` tells more."
        )

    def _vault_error(self, said: str) -> InventoryError:
        file = self._sources.vaulted[0] if self._sources.vaulted else Path(self._sources.given[0])
        if "Decryption failed" in said or "--vault-password-file" in self._arguments:
            return InventoryError(
                f"{file}: the vault password does not open it", "Check --vault-password-file (or the vault id)."
            )
        return InventoryError(
            f"{file}: is in a vault, and there is no password for it",
            "Give --vault-password-file FILE, or set ANSIBLE_VAULT_PASSWORD_FILE.",
        )

    # -- running ------------------------------------------------------------------------------------------------------

    def _run(self, program: str, arguments: Sequence[str]) -> tuple[str, str, int]:
        import ansible_runner  # noqa: PLC0415 - takes 55 ms

        self._runs += 1
        out, err = self._folder / f"out{self._runs}", self._folder / f"err{self._runs}"
        # Files and not pipes: a script that hangs must not keep us waiting for the end of its output.
        with out.open("wb") as stdout, err.open("wb") as stderr, Path(os.devnull).open("rb") as nothing:
            _, _, status = ansible_runner.run_command(
                executable_cmd=_program(program),
                cmdline_args=[*self._arguments, *arguments],
                private_data_dir=str(self._folder),
                host_cwd=str(Path.cwd()),
                envvars=_environment(self._folder),
                runner_mode="subprocess",
                input_fd=nothing,
                output_fd=stdout,
                error_fd=stderr,
                timeout=TIMEOUT,
                quiet=True,
            )
        return out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace"), int(status)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for one reading: mode 700, in memory where the system has such a place, gone afterwards."""
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"]  # noqa: S108 - mkdtemp makes it safe
    place = next((p for p in places if p and os.access(p, os.W_OK | os.X_OK)), None)
    with tempfile.TemporaryDirectory(prefix="keuring-", dir=place, ignore_cleanup_errors=True) as made:
        yield Path(made)


def _program(name: str) -> str:
    """Find a program of Ansible's: beside our own Python first, for keuring is installed with Ansible."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise InventoryError(f"{name} is not there", "Install keuring with its dependencies (ansible-core).")
    return found


def _environment(folder_: Path) -> dict[str, str]:
    """Set what makes Ansible quiet and tidy; the person's own ansible.cfg counts for the rest."""
    return {
        "LC_ALL": "C.UTF-8",  # Ansible demands UTF-8
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_VERBOSITY": "0",
        "ANSIBLE_DEBUG": "0",
        "ANSIBLE_LOG_PATH": os.devnull,  # what it prints holds secrets
        "ANSIBLE_LOCAL_TEMP": str(folder_ / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
    }


def _groups(listed: Mapping[str, Any]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Give all hosts of each group, children included, nearest first, and all hosts in the order of the inventory."""
    order: dict[str, None] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for name in ("all", *(g for g in listed if g not in ("all", "_meta"))):
        waiting, seen, members = [name], {name}, dict[str, None]()
        while waiting:
            group = listed.get(waiting.pop(0), {})
            members.update(dict.fromkeys(group.get("hosts", ())))
            for child in group.get("children", ()):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
        if name == "all":
            members.update(dict.fromkeys(listed.get("_meta", {}).get("hostvars", {})))
            order = members
        groups[name] = tuple(members)
    return groups, list(order)


def _unresolved(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return "__ansible_vault" in value or any(_unresolved(v) for v in value.values())
    return isinstance(value, list) and any(_unresolved(v) for v in value)


def _locked(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "__ansible_vault" in value or any(_locked(v) for v in value.values())
    return isinstance(value, list) and any(_locked(v) for v in value)


def _impure(value: Any) -> bool:
    """Tell whether a template asks anything outside the inventory: a lookup, the clock, chance."""
    if isinstance(value, str):
        return bool(_OUTSIDE.search(value))
    if isinstance(value, Mapping):
        return any(_impure(v) for v in value.values())
    return isinstance(value, list) and any(_impure(v) for v in value)


def _first_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line] or lines or ["it said nothing"]
    return errors[0].removeprefix("[ERROR]:").removeprefix("ERROR!").strip()[:300]
