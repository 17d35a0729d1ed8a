"""Everything that is registered: importing this module's `load` brings in every check, kind and fact."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

import checks
from checks.core import CHECKS, Check


@functools.cache
def load() -> Mapping[str, Check]:
    """Import every module of checks/ and give all checks by id, sorted."""
    for module in pkgutil.iter_modules(checks.__path__):
        if not module.ispkg:
            importlib.import_module(f"checks.{module.name}")
    for id_ in sorted(CHECKS):
        CHECKS[id_] = CHECKS.pop(id_)
    return CHECKS
