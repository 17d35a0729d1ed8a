"""paramiko, without invoke, which takes more time to import than paramiko itself.

It serves `Match exec` in ssh_config alone, where it would read our standard input; `_Runner` does that here.
"""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, cast

_HIDDEN = "invoke" not in sys.modules
if _HIDDEN:
    sys.modules["invoke"] = cast("ModuleType", None)  # what makes an import fail
try:
    import paramiko
    import paramiko.config
finally:
    if _HIDDEN:
        del sys.modules["invoke"]

__all__ = ["load_config", "paramiko"]

MATCH_SECONDS = 10.0

# its threads log every refused connection with a traceback; we tell that in answers
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class _Runner:
    """Runs the commands of `Match exec`."""

    @staticmethod
    def run(command: str, **_: Any) -> SimpleNamespace:
        """Give whether the command succeeded, as `ok`."""
        quiet = subprocess.DEVNULL
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", command], stdin=quiet, stdout=quiet, stderr=quiet, timeout=MATCH_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return SimpleNamespace(ok=False)
        return SimpleNamespace(ok=done.returncode == 0)


paramiko.config.invoke = _Runner  # type: ignore[attr-defined]


def load_config(text: str) -> paramiko.SSHConfig:
    """Parse ssh_config(5) text, leaving the tokens of ProxyCommand to us: the inventory may name another port."""
    config = paramiko.SSHConfig()
    tokens = config.TOKENS_BY_CONFIG_KEY
    config.TOKENS_BY_CONFIG_KEY = {key: those for key, those in tokens.items() if key != "proxycommand"}
    config.parse(io.StringIO(text))
    return config
