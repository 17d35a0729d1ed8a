# shellcheck shell=bash
# Shared by the scripts: Debian packages and the virtual environment. Sourced, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=${PYTHONDONTWRITEBYTECODE:-}
started=$SECONDS

step() { printf '\n\033[1m%s\033[0m (%d s)\n' "$*" "$((SECONDS - started))" >&2; }

is_root() { [ "$(id -u)" = 0 ]; }

# Install Debian packages that are missing; without root, say which and go on.
packages() {
  local missing=() name
  command -v dpkg-query >/dev/null || { echo "not a Debian-like system: these packages are yours to install: $*" >&2; return 0; }
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return 0
  if ! is_root; then
    echo "without root these packages are not installed: ${missing[*]}" >&2
    return 0
  fi
  step "Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}" >/dev/null
}

# A Python that is new enough, with venv.
python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    echo "$candidate"
    return 0
  done
  echo "keuring needs Python 3.11 or newer" >&2
  return 1
}

# The virtual environment, made anew only when pyproject.toml changed.
environment() { # EXTRA
  local stamp=.venv/.keuring-$1 digest python
  digest=$(sha256sum pyproject.toml | cut -d' ' -f1)
  [ -x .venv/bin/keuring ] && [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ] && return 0
  python=$(python)
  step "virtual environment"
  "$python" -c 'import ensurepip' 2>/dev/null || packages python3-venv
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install -q -e ".[$1]"
  echo "$digest" >"$stamp"
}

LAB_PACKAGES=(ca-certificates iproute2 mmdebstrap nftables openssh-client openssl systemd-container)
