"""One host as a machine: its layered root file system, starting it with systemd as pid 1, entering and ending it.

The processes of a host live in a control group of their own and in a pid name space whose end ends them all, so a crash
of the launcher leaves nothing that `down` could not find: no process is ever looked up by its name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from audits.errors import LabError
from audits.lab import layers, network, paths
from audits.lab.tools import run, succeeds
from audits.lab.topology import HOSTS, Host

# Joins the control groups, then runs nspawn. With --keep-unit a reboot inside ends nspawn with 133: start it again.
_SUPERVISOR = """for group in $CGROUPS; do echo $$ > "$group/cgroup.procs"; done
unset CGROUPS
while :; do "$@" & wait $!; [ $? = 133 ] || break; done"""
_STOP_SECONDS = 40.0


def directory(host: Host) -> Path:
    """Give the host's own directory: up (what it wrote), work, root (where it is mounted)."""
    return paths.state() / "hosts" / host.name


def mount(host: Host, golden: Path | None) -> None:
    """Mount the host's root: its own layer on its golden layer, if there is one, on its package layers."""
    own = directory(host)
    if os.path.ismount(own / "root"):
        return
    for part in ("up", "work", "root"):
        (own / part).mkdir(parents=True, exist_ok=True, mode=0o755)
    lower = layers.lower_directories(host.layers())
    if golden is not None:
        lower = f"{golden / host.name}:{lower}"
    options = f"lowerdir={lower},upperdir={own}/up,workdir={own}/work"
    # volatile: no syncing, since a host's own layer is dropped after a crash anyway
    if not succeeds(["mount", "-t", "overlay", "keuring", "-o", f"{options},volatile", own / "root"]):
        run(["mount", "-t", "overlay", "keuring", "-o", options, own / "root"])


def unmount(host: Host, *, drop: bool) -> None:
    """Unmount the host's root, and drop what it wrote."""
    own = directory(host)
    if os.path.ismount(own / "root") and not succeeds(["umount", own / "root"]):
        run(["umount", "--lazy", own / "root"])
    if drop:
        shutil.rmtree(own, ignore_errors=True)


def start(host: Host) -> None:
    """Boot a mounted host; returns at once."""
    if alive(host):
        return
    network.connect(host)
    groups = paths.cgroups(host.name)
    booted_with_systemd = Path("/run/systemd/system").exists()
    if booted_with_systemd:
        groups = []  # there nspawn makes its own scope
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
    argv = [
        "systemd-nspawn", "--quiet", "--boot", f"--directory={directory(host) / 'root'}",
        f"--machine=k{paths.instance_name()}-{host.name}", f"--hostname={host.name}", "--register=no",
        *([] if booted_with_systemd else ["--keep-unit"]),
        f"--network-namespace-path=/run/netns/{paths.netns(host.name)}",
        "--capability=CAP_NET_ADMIN",  # withheld otherwise when a name space path is given
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe",
    ]  # fmt: skip
    env = {
        **os.environ,
        "CGROUPS": " ".join(map(str, groups)),
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
    }
    console = paths.state() / "console" / f"{host.name}.log"
    console.parent.mkdir(exist_ok=True)
    with console.open("ab") as out:
        supervisor = subprocess.Popen(
            ["sh", "-c", _SUPERVISOR, "sh", *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
            start_new_session=True, cwd="/",
        )  # fmt: skip
    record = paths.state() / "run" / host.name
    record.parent.mkdir(exist_ok=True)
    record.write_text(f"{supervisor.pid} {_started(supervisor.pid)}\n")


def _started(pid: int) -> str | None:
    """Give a process's start time in clock ticks (with the pid its identity), or None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def supervisor(host: Host) -> int | None:
    """Pid of the host's supervising shell, when that very process still lives."""
    try:
        pid, started = (paths.state() / "run" / host.name).read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _started(int(pid)) == started else None


def _child(pid: int) -> int | None:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def leader(host: Host) -> int | None:
    """Pid, as we see it, of the host's own pid 1."""
    pid = supervisor(host)
    nspawn = _child(pid) if pid else None
    return _child(nspawn) if nspawn else None


def alive(host: Host) -> bool:
    """Whether the host runs (which does not say that it is ready)."""
    return supervisor(host) is not None


def enter(host: Host, argv: list[str]) -> list[str]:
    """Give the command that runs `argv` inside the host, as root; LabError when it does not run."""
    pid = leader(host)
    if pid is None:
        raise LabError(f"{host.name} does not run.", "keuring lab up starts the lab.")
    clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"]
    return ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", *clean, *argv]


def wait(host: Host, seconds: float = 60) -> str:
    """Wait until the host's systemd has finished starting; gives "running" or "degraded"."""
    end = time.monotonic() + seconds
    told = "not started"
    while time.monotonic() < end:
        with contextlib.suppress(LabError, subprocess.TimeoutExpired):
            argv = enter(host, ["systemctl", "is-system-running"])
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
            told = done.stdout.strip() or told
            if told in {"running", "degraded"}:
                return told
        if not alive(host):
            break
        time.sleep(0.1)
    raise LabError(f"{host.name} did not start ({told}); console: {paths.state() / 'console' / host.name}.log")


def stop(host: Host) -> None:
    """Orderly power-off; what does not end in time is ended."""
    pid = supervisor(host)
    nspawn = _child(pid) if pid else None
    if nspawn:
        with contextlib.suppress(ProcessLookupError):
            os.kill(nspawn, signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        while alive(host) and time.monotonic() < end:
            time.sleep(0.05)
    kill(host)


def kill(host: Host) -> None:
    """End the host at once: its supervisor, its pid 1 and with it everything in its pid name space."""
    pids = [pid for pid in (supervisor(host), leader(host)) if pid]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    kill_groups(host.name)
    with contextlib.suppress(ChildProcessError):
        for pid in pids[:1]:
            os.waitpid(pid, 0)  # ours, when we started it in this process
    (paths.state() / "run" / host.name).unlink(missing_ok=True)


def kill_groups(place: str = "", seconds: float = 10) -> None:
    """End every process in the control groups of a place ("": of the whole instance) and remove the groups."""
    end = time.monotonic() + seconds
    for top in paths.cgroups(place):
        while top.exists() and time.monotonic() < end:
            pids = {int(pid) for group in [top, *top.rglob("*/")] for pid in _members(group)} - {os.getpid(), 0}
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if _remove(top):
                break
            time.sleep(0.02)


def _members(group: Path) -> list[str]:
    try:
        return (group / "cgroup.procs").read_text().split()
    except OSError:
        return []


def _remove(top: Path) -> bool:
    """Remove a tree of control groups, leaves first; False when something still lives there."""
    for group in sorted((group for group in top.rglob("*/")), key=lambda group: -len(group.parts)):
        with contextlib.suppress(OSError):
            group.rmdir()
    with contextlib.suppress(OSError):
        top.rmdir()
    return not top.exists()


def mounts_below(folder: Path) -> list[Path]:
    """Mount points under a folder, deepest first."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point = Path(line.split()[1].encode().decode("unicode_escape"))
        if point.is_relative_to(folder):
            found.append(point)
    return sorted(found, key=lambda point: -len(point.parts))


def status(host: Host) -> str:
    """Give one word: down, starting, running, degraded and the like."""
    if host.name not in HOSTS or not alive(host):
        return "down"
    with contextlib.suppress(LabError, subprocess.TimeoutExpired):
        argv = enter(host, ["systemctl", "is-system-running"])
        return (
            subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10).stdout.strip() or "starting"
        )
    return "starting"
