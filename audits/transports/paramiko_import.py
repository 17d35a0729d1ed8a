"""paramiko, without what we do not need of it.

It imports invoke, which serves `Match exec` in ssh_config alone, and takes more time than paramiko itself.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from types import ModuleType
from typing import cast

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

# its threads log every refused connection with a traceback; we tell that in answers
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


def load_config(text: str) -> paramiko.SSHConfig:
    """Parse ssh_config(5) text."""
    if re.search(r"^\s*match\b.*\bexec\b", text, re.IGNORECASE | re.MULTILINE):
        import invoke  # noqa: PLC0415 - see above

        paramiko.config.invoke = invoke  # type: ignore[attr-defined]
    config = paramiko.SSHConfig()
    config.parse(io.StringIO(text))
    return config
