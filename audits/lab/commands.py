"""The lab's commands, as the command line calls them; each says what it does and raises LabError.

Resetting: a host's own layer is dropped and it boots from its golden layer. A domain controller never goes back
alone: its partner would keep newer update sequence numbers and ignore what it writes next, so
`reset dc1` (or dc2) resets both. Member machine passwords are those of the golden state on both sides, so members
stay joined.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from audits.errors import LabError
from audits.lab import auditor, credentials, golden, inventory, layers, machine, network, paths, seed
from audits.lab.tools import raise_watcher_limit, require_root, require_tools, run, say
from audits.lab.topology import DOMAIN_CONTROLLERS, HOSTS, STOP_ORDER, Host

_READY_SECONDS = 90.0


def up() -> None:
    """Start the lab: build what is not in the cache, then boot every host from its golden layer."""
    require_root()
    require_tools()
    raise_watcher_limit()
    with _instance():
        if paths.load_state().get("up"):
            if all(machine.alive(host) for host in HOSTS.values()):
                say("the lab is up already")
                return
            say("the lab is up in part: starting over")
        _clean()
        wanted = golden.digest()
        if not golden.is_built(wanted):
            with paths.locked(paths.home() / "build.lock", "building the lab"):
                layers.ensure()
                if not golden.is_built(wanted):
                    _build(wanted)
        paths.save_state(golden=wanted)
        golden.tidy(wanted)
        secrets = golden.directory(wanted) / "secrets"
        network.up()
        auditor.prepare(secrets)
        _boot(list(HOSTS.values()), golden.directory(wanted))
        auditor.write_known_hosts(secrets)  # again: leased addresses are known now
        inventory.generate(secrets)
        paths.save_state(up=True)
        say("the lab is up")


def down() -> None:
    """End every host and remove everything that carries this instance's name, also after a crash."""
    require_root()
    with _instance():
        _clean()
    say("the lab is down")


def reset(name: str | None = None) -> None:
    """Back to the golden state: every host, or one (a domain controller takes its partner along)."""
    require_root()
    with _instance():
        recorded = paths.load_state()
        if not recorded.get("up"):
            raise LabError("The lab is not up.", "keuring lab up starts it.")
        hosts = _selected(name)
        state = golden.directory(recorded["golden"])
        _parallel(machine.kill, hosts)
        for host in hosts:
            machine.unmount(host, drop=True)
            network.disconnect(host)
        _boot(hosts, state)
        if any(host.address is None for host in hosts):
            auditor.write_known_hosts(state / "secrets")
            inventory.generate(state / "secrets")
        say(f"reset: {', '.join(host.name for host in hosts)}")


def status() -> dict[str, str]:
    """Per host one word; also printed."""
    require_root()
    words = {host.name: machine.status(host) for host in HOSTS.values()}
    known = auditor.addresses()
    for name, word in words.items():
        print(f"{name:<9} {known.get(name, '-'):<15} {word}")
    return words


def exec_(name: str, argv: Sequence[str]) -> int:
    """Run a command in a host as root, or in the auditor's place; gives its exit code."""
    require_root()
    if name == "auditor":
        return auditor.call(argv)
    (host,) = _selected(name, partner=False)
    return subprocess.run(machine.enter(host, list(argv)), check=False).returncode


def play(playbook: str = "site.yml", *options: str) -> dict[str, dict[str, int]]:
    """Run a playbook against the running lab, in the auditor's place; gives Ansible's totals per host.

    Options are those of `audits.lab.deploy`: --check, --limit, --tags. LabError when a host failed.
    """
    argv = [sys.executable, "-m", "audits.lab.deploy", playbook, *options]
    env = {**auditor.environment(), "PYTHONPATH": str(paths.REPOSITORY)}
    done = subprocess.run(auditor.enter(argv), env=env, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    totals: dict[str, dict[str, int]] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    if done.returncode != 0:
        raise LabError(f"The playbook {playbook} failed.")
    return totals


def _instance() -> contextlib.AbstractContextManager[None]:
    return paths.locked(paths.home() / "instances" / f"{paths.instance_name()}.lock", "this instance is busy")


def _selected(name: str | None, *, partner: bool = True) -> list[Host]:
    if name is None:
        return list(HOSTS.values())
    if name not in HOSTS:
        raise LabError(f"No host {name!r}.", f"There are {', '.join(HOSTS)}, and the place auditor.")
    names = DOMAIN_CONTROLLERS if partner and name in DOMAIN_CONTROLLERS else (name,)
    return [HOSTS[one] for one in names]


def _parallel(what: Callable[[Host], object], hosts: Iterable[Host]) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(what, hosts))


def _clean() -> None:
    """Remove every trace of this instance: processes by control group and recorded pid, mounts, name spaces, files."""
    _parallel(machine.kill, HOSTS.values())
    machine.kill_groups()
    for point in machine.mounts_below(paths.state()):
        run(["umount", "--lazy", point])
    network.down()
    for folder in Path("/run/systemd/nspawn/propagate").glob(f"k{paths.instance_name()}-*"):
        shutil.rmtree(folder, ignore_errors=True)  # nspawn leaves it where /run is no tmpfs
    shutil.rmtree(paths.state(), ignore_errors=True)
    shutil.rmtree(paths.runtime(), ignore_errors=True)


def _boot(hosts: list[Host], state: Path | None) -> None:
    """Mount and start hosts, the one they depend on first, and wait until their services answer."""
    begun = time.monotonic()
    for host in hosts:
        machine.mount(host, state)
    _start(hosts)
    _parallel(machine.wait, hosts)
    say(f"systemd is up on {len(hosts)} hosts after {time.monotonic() - begun:.1f}s")
    _answering(hosts)
    say(f"services answer after {time.monotonic() - begun:.1f}s")


def _start(hosts: list[Host]) -> None:
    """Start hosts; those that get their address from the router once it gives addresses."""
    for host in hosts:
        if host.address is not None:
            machine.start(host)
    leased = [host for host in hosts if host.address is None]
    if leased:
        _until(lambda: _succeeds_in(HOSTS["router1"], ["systemctl", "is-active", "--quiet", "kea-dhcp4-server"]),
               "the router's DHCP server did not start")  # fmt: skip
        for host in leased:
            machine.start(host)


def _answering(hosts: list[Host]) -> None:
    """Wait for the hosts' ports, seen from the auditor, and for their own signs of being ready."""
    known: dict[str, str] = {}

    def addressed() -> bool:
        known.update(auditor.addresses())
        return all(host.name in known for host in hosts)

    _until(addressed, "a host got no address")
    targets = [f"{known[host.name]}:{port}" for host in hosts for port in host.ports]
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("probe.py")), str(_READY_SECONDS), *targets]
    done = subprocess.run(auditor.enter(argv), env=auditor.environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"No answer within {_READY_SECONDS:.0f} s from: {done.stdout.strip() or done.stderr.strip()}")
    for host in hosts:
        if host.ready:
            command = list(host.ready)
            _until(functools.partial(_succeeds_in, host, command), f"{host.name} is not ready")


def _succeeds_in(host: Host, argv: list[str]) -> bool:
    try:
        done = subprocess.run(machine.enter(host, argv), capture_output=True, check=False, timeout=15)
    except (LabError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _until(condition: Callable[[], bool], complaint: str, seconds: float = _READY_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"After {seconds:.0f} s {complaint}.")
        time.sleep(0.1)


def _build(wanted: str) -> None:
    """Build the golden state: boot hosts with only an address and a key, let Ansible configure them, freeze them."""
    say(f"building the golden state {wanted}")
    paths.save_state(building=wanted)
    secrets = paths.state() / "secrets"
    credentials.make(secrets)
    network.up()
    for host in HOSTS.values():
        machine.mount(host, None)
        seed.plant(host, machine.directory(host) / "root", secrets)
    auditor.prepare(secrets)
    inventory.generate(secrets)
    fixed = [host for host in HOSTS.values() if host.address is not None]
    _start(fixed)
    _parallel(machine.wait, fixed)
    say("hosts with fixed addresses are booted")
    play("router.yml")
    _start([host for host in HOSTS.values() if host.address is None])
    _until(lambda: len(auditor.addresses()) == len(HOSTS), "a host got no address")
    auditor.write_known_hosts(secrets)
    inventory.generate(secrets)
    play("site.yml")
    say("configured; stopping the hosts")
    for names in STOP_ORDER:
        _parallel(machine.stop, [HOSTS[name] for name in names])
    golden.freeze(wanted, secrets)
    _clean()
    say("golden layers are frozen")
