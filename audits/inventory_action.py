"""An action plugin for Ansible: resolves variables of hosts, each on its own, as a task on that host would see them.

`audits.inventory_ansible` copies this file beside a playbook of one task on localhost. It reads `wanted.json`
(`{host: [variable, …]}`) in the folder `work` and writes `resolved.json` there, mode 600:
`{host: {variable: {"value": …} | {"error": text}}}`. Through a file, so that no value passes through Ansible's output.
It connects to nothing. A variable that needs facts of the host, or one that does not exist, is an error of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]


def plain(value: Any) -> Any:
    """Make plain JSON of what a template gives; iterating resolves what is lazy."""
    if isinstance(value, Mapping):
        return {str(k): plain(value[k]) for k in value}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def resolve(templar: Any, value: Any) -> dict[str, Any]:
    """Resolve one variable's value."""
    try:
        return {"value": plain(templar.template(value))}
    except Exception as e:  # noqa: BLE001 - a template may raise anything
        return {"error": " ".join(str(e).split())[:300]}


class ActionModule(ActionBase):  # type: ignore[misc]
    """The task `keuring_resolve`."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:  # noqa: ARG002 - Ansible's signature
        """Resolve what is asked."""
        work = Path(str(self._task.args["work"]))
        wanted: dict[str, list[str]] = json.loads((work / "wanted.json").read_text("utf-8"))
        hostvars = task_vars["hostvars"]
        found: dict[str, dict[str, Any]] = {}
        for host, names in wanted.items():
            variables = {**hostvars.raw_get(host), "hostvars": hostvars}
            templar = self._templar.copy_with_new_env(available_variables=variables)
            found[host] = {name: resolve(templar, variables.get(name)) for name in names}
        out = os.open(work / "resolved.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(out, "w", encoding="utf-8") as file:
            json.dump(found, file)
        return {"changed": False}
