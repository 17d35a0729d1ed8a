#!/usr/bin/python
"""Ansible module: which units of a host are enabled, masked, running, in one pass."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: host_units
short_description: Many systemd units in one pass
options:
  units:
    description:
      - "name -> running (enabled and active), enabled (active or not), stopped (disabled and inactive) or masked"
    type: dict
    required: true
"""
ENABLED = {"enabled", "static", "indirect", "alias", "generated", "enabled-runtime"}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"units": {"type": "dict", "required": True}}, supports_check_mode=True)
    wanted = module.params["units"]
    names = list(wanted)
    show = ["systemctl", "show", "-p", "Id,LoadState,UnitFileState,ActiveState,WantedBy,RequiredBy", *names]
    _, out, _ = module.run_command(show)
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
    commands: list[list[str]] = []
    for name, now in zip(names, blocks, strict=True):
        active = now["ActiveState"] in {"active", "activating", "reloading"}
        masked = now["LoadState"] == "masked"
        missing = now["LoadState"] == "not-found"
        want = wanted[name]
        if want in {"running", "enabled"}:
            if masked:
                commands.append(["unmask", name])
            # an alias alone also counts as enabled, but starts nothing
            wanted_by = now.get("WantedBy") or now.get("RequiredBy")
            if now["UnitFileState"] not in ENABLED or (now["UnitFileState"] == "enabled" and not wanted_by):
                commands.append(["enable", name])
            if not active and want == "running":
                commands.append(["start", name])
        elif want == "stopped" and not missing:
            if active:
                commands.append(["stop", name])
            if now["UnitFileState"] == "enabled":
                commands.append(["disable", name])
        elif want == "masked":
            if active:
                commands.append(["stop", name])
            if not masked:
                commands.append(["mask", name])
    # one systemctl per verb: enable scripts and manager reloads are slow
    for verb in ("unmask", "enable", "start", "stop", "disable", "mask"):
        units = [name for command, name in commands if command == verb]
        if units and not module.check_mode:
            code, out, err = module.run_command(["systemctl", verb, *units])
            if code != 0:
                module.fail_json(msg=f"systemctl {verb} {' '.join(units)}: {(err or out).strip()}")
    module.exit_json(
        changed=bool(commands),
        commands=[" ".join(command) for command in commands],
        diff={"before": "", "after": "".join(f"systemctl {verb} {name}\n" for verb, name in commands)},
    )


if __name__ == "__main__":
    main()
