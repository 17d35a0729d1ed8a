# ruff: noqa: T201 - it prints
"""How fast the SSH transport is, in ratios to what is measured beside it in the same run.

    python tests/bench/bench_ssh.py [--hosts 1,50,200] [--repeat 3] [--json FILE]
                                    [--also 'NAME=COMMAND with {inventory} {hosts} {out}']

One sshd on loopback plays all hosts, each on an address 127.x of its own; it and its hosts' commands share the
machine with us, so read ratios, not seconds. Every contestant is a process of its own, measured from its start to its
end, and asks the same batch:

- floor: paramiko's Transport with the settings of the transport, one exec of the bare commands, nothing framed,
  nothing bounded, no host key verified;
- ours: `SshTransport`, every answer framed, bounded and parsed, host keys verified against as many known hosts;
- ssh: `ssh host sh -s`, with xargs -P 8 for several hosts, key exchange curve25519 as ours;
- `--also`: any other command, such as a whole `keuring run` over the inventory that is written for it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from checks.questions import Shell

POOL = 32
TARGETS = {"one host to ssh": 1.5, "several hosts to the floor": 1.25, "CPU per host, ms": 20.0, "memory, MB": 400.0}

# what some hundred checks of a Linux server look at, as whole tables
BATCH = (
    "date +%s; uname -a; cat /etc/os-release",
    "dpkg-query -W -f '${Package}\\t${Version}\\t${db:Status-Abbrev}\\n' 2>/dev/null || rpm -qa",
    "getent passwd; getent group",
    "awk -F: '{print $1, $3, $5, $8}' /etc/shadow",
    "sshd -T 2>/dev/null || /usr/sbin/sshd -T",
    "sysctl -a 2>/dev/null",
    "cat /proc/mounts; df -P -k",
    "ss -Htuln 2>/dev/null || cat /proc/net/tcp /proc/net/tcp6",
    "stat -c '%a %U %G %s %n' /etc/passwd /etc/shadow /etc/group /etc/ssh/sshd_config /etc/sudoers /root /tmp",
    "cat /etc/resolv.conf /etc/hosts; ip -o addr 2>/dev/null; ip route 2>/dev/null",
    "cat /etc/login.defs /etc/pam.d/common-password 2>/dev/null",
    "systemctl show '*' -p Id,ActiveState,UnitFileState 2>/dev/null; ls /etc/systemd/system",
    "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null",
    "find /etc/cron.d /etc/cron.daily -type f -exec stat -c '%a %n' {} +",
    "timedatectl show 2>/dev/null; cat /etc/timezone",
    "cat /proc/meminfo /proc/loadavg",
    "ls -l /boot /lib/modules",
    "cat /etc/fstab",
    "hostname; cat /etc/hostname",
    "lsmod 2>/dev/null || cat /proc/modules",
)


@dataclass(frozen=True, slots=True)
class Room:
    """The server's files."""

    path: Path
    port: int

    @property
    def key(self) -> Path:
        return self.path / "id"

    @property
    def known_hosts(self) -> Path:
        return self.path / "known_hosts"

    @property
    def plain(self) -> Path:
        return self.path / "plain.sh"


@dataclass(frozen=True, slots=True)
class Measured:
    """One contestant's run, seconds and MB; CPU is its own, without the server's and the commands'."""

    wall: float
    cpu: float
    memory: float


def address(number: int) -> str:
    return f"127.77.{number // 250}.{number % 250 + 1}"


@contextlib.contextmanager
def server() -> Iterator[Room]:
    """Run an sshd for all of 127.0.0.0/8, for keys from there only."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not program:
        sys.exit("openssh-server is not installed")
    path = Path(tempfile.mkdtemp(prefix="keuring-bench-"))
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path / name)], check=True)
    shutil.copy(path / "id.pub", path / "authorized")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        room = Room(path, s.getsockname()[1])
    host_key = (path / "host.pub").read_text()
    room.known_hosts.write_text("".join(f"[{address(i)}]:{room.port} {host_key}" for i in range(2000)))
    room.plain.write_text("\n".join(f"({command}) </dev/null" for command in BATCH) + "\n")
    (path / "config").write_text(
        f"Port {room.port}\nListenAddress 0.0.0.0\nHostKey {path}/host\nAuthorizedKeysFile {path}/authorized\n"
        f"PidFile {path}/pid\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nAllowUsers *@127.*\nMaxStartups 1000\nLogLevel ERROR\n"
        "SetEnv SHLVL=2\n"  # bash then leaves .bashrc alone
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([program, "-D", "-f", str(path / "config"), "-E", str(path / "log")])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", room.port), 1):
                break
            time.sleep(0.02)
        else:
            sys.exit(f"sshd did not start: {(path / 'log').read_text()}")
        yield room
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(path)


def floor(room: Room, hosts: int) -> None:
    """Ask with nothing but paramiko."""
    from audits.transports.paramiko_import import paramiko  # noqa: PLC0415 - only this contestant pays for it

    key = paramiko.Ed25519Key.from_private_key_file(str(room.key))
    script = room.plain.read_text()
    user = os.environ.get("USER") or "root"

    def one(number: int) -> None:
        sock = socket.create_connection((address(number), room.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(sock)
        security = transport.get_security_options()
        security.kex = ("curve25519-sha256@libssh.org",)
        security.ciphers = ("aes128-gcm@openssh.com",)
        transport.start_client()
        transport.auth_publickey(user, key)
        channel = transport.open_session()
        channel.exec_command(script)
        out, err = channel.makefile("rb"), channel.makefile_stderr("rb")
        if len(out.read()) < 1000:
            sys.exit(f"the floor got nothing: {err.read()!r}")
        sock.shutdown(socket.SHUT_RDWR)
        transport.close()

    with ThreadPoolExecutor(min(POOL, hosts)) as pool:
        list(pool.map(one, range(hosts)))


def ours(room: Room, hosts: int) -> None:
    """Ask with the transport."""
    from audits.transports.base import Settings, Target  # noqa: PLC0415
    from audits.transports.ssh import SshTransport  # noqa: PLC0415

    transport = SshTransport(Settings(known_hosts=(room.known_hosts,)))
    user = os.environ.get("USER") or "root"
    questions = [Shell(command) for command in BATCH]

    def one(number: int) -> None:
        variables = {"ansible_port": room.port, "ansible_user": user, "ansible_private_key_file": str(room.key)}
        target = Target(f"host{number}", variables={"ansible_host": address(number), **variables})
        got = list(transport.ask(target, questions))
        if len(got) != len(BATCH) or any(answer.failure for _, answer in got):
            sys.exit(f"an answer is missing: {[a.failure for _, a in got if a.failure]}")

    with ThreadPoolExecutor(min(POOL, hosts)) as pool:
        list(pool.map(one, range(hosts)))


WORKERS: dict[str, Callable[[Room, int], None]] = {"floor": floor, "ours": ours}


def ssh_command(room: Room, hosts: int) -> str:
    options = f"-F none -i {room.key} -o UserKnownHostsFile={room.known_hosts} -p {room.port}"
    one = f"ssh {options} -o KexAlgorithms=curve25519-sha256 HOST sh -s <{room.plain} >/dev/null 2>&1 || true"
    return f"printf '%s\\n' {' '.join(address(i) for i in range(hosts))} | xargs -P 8 -I HOST sh -c '{one}'"


def worker_command(room: Room, name: str, hosts: int) -> list[str]:
    return [
        sys.executable,
        __file__,
        "--worker",
        name,
        "--room",
        str(room.path),
        "--port",
        str(room.port),
        "--hosts",
        str(hosts),
    ]


def inventory(room: Room, hosts: int) -> Path:
    """Write the hosts as an Ansible inventory, for a whole run."""
    path = room.path / f"inventory{hosts}.ini"
    lines = [f"host{i} ansible_host={address(i)}" for i in range(hosts)]
    variables = {
        "ansible_port": room.port,
        "ansible_user": os.environ.get("USER") or "root",
        "ansible_ssh_private_key_file": room.key,
        "ansible_ssh_common_args": f"'-o UserKnownHostsFile={room.known_hosts}'",
    }
    path.write_text("\n".join([*lines, "[all:vars]", *(f"{k}={v}" for k, v in variables.items())]) + "\n")
    return path


def measure(room: Room, command: list[str]) -> Measured:
    """Run a process; its CPU is its own and that of its children as far as they were waited for."""
    # compiled modules are kept, as for whoever has installed it
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(room.path / "pycache")
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{shlex.join(command)[:200]}: {errors.read().decode(errors='replace')[-2000:]}")
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def compare(room: Room, hosts: int, repeat: int, also: dict[str, str]) -> dict[str, Measured]:
    """Measure all contestants in turn, several times, and give the medians."""
    commands: dict[str, list[str]] = {name: worker_command(room, name, hosts) for name in WORKERS}
    commands["ssh"] = ["sh", "-c", ssh_command(room, hosts)]
    for name, command in also.items():
        places = {"inventory": str(inventory(room, hosts)), "hosts": str(hosts), "out": str(room.path / "out")}
        commands[name] = ["sh", "-c", f"rm -rf {places['out']}; " + command.format(**places)]
    for argv in commands.values():
        measure(room, argv)  # warms what is cached
    runs: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(repeat):
        for name, argv in commands.items():
            runs[name].append(measure(room, argv))
    return {
        name: Measured(
            statistics.median(m.wall for m in got), statistics.median(m.cpu for m in got), max(m.memory for m in got)
        )
        for name, got in runs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--hosts", default="1,50")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    parser.add_argument("--room", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        WORKERS[given.worker](Room(given.room, given.port), int(given.hosts))
        return
    also = dict(word.split("=", 1) for word in given.also)
    results: dict[int, dict[str, Measured]] = {}
    with server() as room:
        for hosts in map(int, given.hosts.split(",")):
            results[hosts] = got = compare(room, hosts, given.repeat, also)
            print(f"{hosts} host{'s' * (hosts > 1)}, {len(BATCH)} commands each")
            for name, m in got.items():
                ratios = f"{m.wall / got['ssh'].wall:5.2f} x ssh  {m.wall / got['floor'].wall:5.2f} x floor"
                each = f"CPU {m.cpu * 1000 / hosts:6.1f} ms a host  {m.memory:4.0f} MB"
                print(f"  {name:8} {m.wall:7.2f} s  {ratios}  {each}")
    if given.json:
        said = {
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
            "targets": TARGETS,
            "results": {str(h): {n: asdict(m) for n, m in got.items()} for h, got in results.items()},
        }
        given.json.write_text(json.dumps(said, indent=2) + "\n")


if __name__ == "__main__":
    main()
