"""Package layers: a minimal Debian, and per role an overlay filled with apt. Cached by suite, packages and recipe."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from audits.errors import LabError
from audits.lab import paths
from audits.lab.tools import run, say, write
from audits.lab.topology import LAYER_PARENTS, SUITE

_RECIPE = 2  # raise when this file makes other layers from the same lists
# Services of the role layers do not start before Ansible has configured and enabled them.
_SERVICES = {"smbd", "nmbd", "winbind", "samba", "sssd", "kea", "nginx", "postgresql"}
_LOCALE = "nl_BE.UTF-8"
_EXCLUDES = ("man", "locale", "doc", "info", "lintian")
# Installs in a process name space of its own: what a package starts ends with it. $1 root, $2.. packages.
_INSTALL = """set -eu
root=$1; shift
mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; mount -t tmpfs tmpfs "$root/run"
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 \
  http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" sh -c '
  apt-get -q -y -o APT::Sandbox::User=root install --no-install-recommends "$@"' _ "$@"
"""


def packages() -> dict[str, list[str]]:
    """Package names per layer, the same file that the playbooks declare them from."""
    listed: dict[str, list[str]] = json.loads((paths.PLAYBOOKS / "files" / "packages.json").read_text())
    return listed


def digest(name: str) -> str:
    """Digest of what makes a layer, its parents included."""
    parent = LAYER_PARENTS[name]
    made_of = [_RECIPE, SUITE, name, sorted(packages()[name]), digest(parent) if parent else None, _LOCALE]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12]


def directory(name: str) -> Path:
    """Where a layer lies, built or not."""
    return paths.home() / "layers" / f"{SUITE}-{name}-{digest(name)}"


def ensure() -> None:
    """Build the layers that are missing; two at a time. The caller holds the build lock."""
    (paths.home() / "layers").mkdir(parents=True, exist_ok=True)
    if not directory("base").exists():
        _base()
    waiting = [name for name in LAYER_PARENTS if not directory(name).exists()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        while waiting:
            ready = [name for name in waiting if directory(LAYER_PARENTS[name] or "base").exists()]
            list(pool.map(_role, sorted(ready, key=lambda name: -len(packages()[name]))))
            waiting = [name for name in waiting if name not in ready]


def _sources() -> str:
    """Give the machine's own Debian sources with our suite in place of its own, in one-line or deb822 form."""
    own = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    lists = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.sources"))]
    for path in lists:
        text = path.read_text() if path.exists() else ""
        if own and re.search(rf"\b{own[1]}\b", text) and "debian" in text:
            return re.sub(rf"\b{own[1]}\b", SUITE, text)
    return f"deb http://deb.debian.org/debian {SUITE} main\n"


def _base() -> None:
    """Build a minimal system by mmdebstrap, without identity: no host keys, no machine id, no name."""
    say(f"building layer base ({SUITE})")
    target = directory("base")
    scratch = Path(tempfile.mkdtemp(prefix="base-", dir=target.parent))
    sources = scratch / ("lab.sources" if "Types:" in _sources() else "lab.list")
    write(sources, _sources())
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _EXCLUDES]
    cleanup = 'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf "$1"/etc/hostname; : > "$1/etc/machine-id"'
    preseed = (
        f"printf 'locales locales/locales_to_be_generated multiselect {_LOCALE} UTF-8\\nlocales "
        f'locales/default_environment_locale select {_LOCALE}\\n\' | chroot "$1" debconf-set-selections'
    )
    run([
        "mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt/lists",
        f"--include={','.join(packages()['base'])}",
        '--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=Acquire::http::Timeout "10"', *excludes,
        f"--essential-hook={preseed}", f"--customize-hook={cleanup}",
        SUITE, scratch / "root", sources,
    ])  # fmt: skip
    # the package lists stay: the role layers install from them without another download
    (scratch / "root").chmod(0o755)
    (scratch / "root").rename(target)
    shutil.rmtree(scratch)


def lower_directories(names: list[str]) -> str:
    """Give the overlay option for these layers, topmost first."""
    return ":".join(str(directory(name)) for name in names)


def _role(name: str) -> None:
    """Build an overlay on the parent layers, filled with apt."""
    say(f"building layer {name}: {len(packages()[name])} packages")
    target = directory(name)
    parents: list[str] = []
    parent = LAYER_PARENTS[name]
    while parent:
        parents.append(parent)
        parent = LAYER_PARENTS[parent]
    scratch = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=target.parent))
    for part in ("up", "work", "root"):
        (scratch / part).mkdir(mode=0o755)
    options = f"lowerdir={lower_directories(parents)},upperdir={scratch}/up,workdir={scratch}/work"
    script = f'mount -t overlay layer -o "{options}" "{scratch}/root"\n{_INSTALL}'
    # mounts live in a mount name space that ends with the installation, whatever happens
    root = scratch / "root"
    prepare = (
        f'cp -L /etc/resolv.conf "{root}/etc/resolv.conf"\n'
        f'printf "#!/bin/sh\\nexit 101\\n" > "{root}/usr/sbin/policy-rc.d"\n'
        f'chmod 755 "{root}/usr/sbin/policy-rc.d"\n'
    )
    script = script.replace("set -eu\n", "", 1).replace("root=$1; shift\n", f"root=$1; shift\n{prepare}", 1)
    log = target.parent / f"{target.name}.log"
    with log.open("w") as out:
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", script, "_", root,
             *packages()[name]],
            stdout=out, stderr=subprocess.STDOUT, check=False, env=dict(os.environ),
        )  # fmt: skip
    if done.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise LabError(f"Layer {name} was not built (apt ended with {done.returncode}); log {log}:\n{tail}")
    for leftover in ("etc/resolv.conf", "usr/sbin/policy-rc.d"):
        (scratch / "up" / leftover).unlink(missing_ok=True)
    for key in (scratch / "up" / "etc" / "ssh").glob("ssh_host_*"):
        key.unlink()
    for wanted in (scratch / "up" / "etc/systemd/system").glob("*.wants/*"):
        if wanted.name.removesuffix(".service").removesuffix(".socket").partition("-")[0] in _SERVICES:
            wanted.unlink()
    shutil.rmtree(scratch / "up" / "var" / "cache" / "apt", ignore_errors=True)
    shutil.rmtree(scratch / "up" / "run", ignore_errors=True)
    (scratch / "up").rename(target)
    shutil.rmtree(scratch)
