#!/usr/bin/python
"""Ansible module: many files, links and directories of a host in one pass, with what must follow a change."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: host_files
short_description: Files, links and directories in one pass
description:
  - Ensures content, mode and owner of many paths with one connection, where copy and template need several each.
  - Follow-up commands of changed paths run once each, at the end, in order of first mention (as handlers would).
options:
  files:
    description:
      - "Each: path; one of content, link (target), directory (true), absent (true); mode (octal text), owner, group;
        then: list of commands; exclusive (directory only): true removes files in it that are not in the list."
    type: list
    elements: dict
    required: true
"""
MODES = {"content": "0644", "directory": "0755"}


def state_of(path: str) -> dict[str, str]:
    """Tell what stands at a path now, comparable with what is wanted."""
    try:
        found = os.lstat(path)
    except OSError:
        return {}
    if stat.S_ISLNK(found.st_mode):
        return {"link": os.readlink(path)}
    now = {"mode": f"{stat.S_IMODE(found.st_mode):04o}"}
    for key, name, lookup in (("owner", found.st_uid, pwd.getpwuid), ("group", found.st_gid, grp.getgrgid)):
        try:
            now[key] = lookup(name)[0]
        except KeyError:
            now[key] = str(name)
    if stat.S_ISDIR(found.st_mode):
        return {**now, "directory": "True"}
    with open(path, "rb") as file:
        return {**now, "content": file.read().decode("utf-8", "surrogateescape")}


def wish(item: dict) -> dict[str, str]:
    """Tell what is wanted at a path, in the form of state_of."""
    if item.get("absent"):
        return {}
    if item.get("link"):
        return {"link": item["link"]}
    kind = "directory" if item.get("directory") else "content"
    return {
        "mode": f"{int(str(item.get('mode') or MODES[kind]), 8):04o}",
        "owner": item.get("owner") or "root",
        "group": item.get("group") or item.get("owner") or "root",
        kind: "True" if kind == "directory" else item["content"],
    }


def apply(path: str, now: dict[str, str], want: dict[str, str]) -> None:
    """Make it so."""
    same_kind = ("directory" in now) == ("directory" in want) and "link" not in now
    if now and (not want or not same_kind):
        if "directory" in now:
            raise ValueError(f"{path} is a directory")
        os.unlink(path)
    if not want:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if "link" in want:
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(want["link"], path)
        return
    owner, group = pwd.getpwnam(want["owner"]).pw_uid, grp.getgrnam(want["group"]).gr_gid
    if "directory" in want:
        os.makedirs(path, exist_ok=True)
        os.chown(path, owner, group)
        os.chmod(path, int(want["mode"], 8))
        return
    if now.get("content") != want["content"]:
        descriptor, new = tempfile.mkstemp(prefix=".ansible-", dir=os.path.dirname(path))
        with os.fdopen(descriptor, "wb") as file:
            file.write(want["content"].encode("utf-8", "surrogateescape"))
    else:
        new = path
    os.chown(new, owner, group)
    os.chmod(new, int(want["mode"], 8))
    if new != path:
        # a new file under the old name: a reader sees the old or the new one, never half of it
        os.rename(new, path)


def strays(item: dict, listed: set[str]) -> list[dict]:
    """Files in an exclusive directory that nobody listed."""
    folder = item["path"]
    if not (item.get("exclusive") and os.path.isdir(folder)):
        return []
    found = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [{"path": path, "absent": True, "then": item.get("then")} for path in found if path not in listed]


def main() -> None:
    """Run the module."""
    spec = {"files": {"type": "list", "elements": "dict", "required": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    items = module.params["files"]
    listed = {item["path"] for item in items}
    for item in list(items):
        items += strays(item, listed)
    changed, follow, diff = [], [], []
    for item in items:
        path, want = item["path"], wish(item)
        now = state_of(path)
        if now == want or ("link" in want and now.get("link") == want["link"]):
            continue
        changed.append(path)
        follow += [command for command in item.get("then") or [] if command not in follow]
        if not item.get("secret"):
            diff.append({
                "before_header": path, "after_header": path,
                "before": now.get("content", "") + "".join(f"# {k}={v}\n" for k, v in now.items() if k != "content"),
                "after": want.get("content", "") + "".join(f"# {k}={v}\n" for k, v in want.items() if k != "content"),
            })  # fmt: skip
        if not module.check_mode:
            try:
                apply(path, now, want)
            except (OSError, ValueError, KeyError) as error:
                module.fail_json(msg=f"{path}: {error}", paths=changed)
    for command in follow if not module.check_mode else []:
        code, out, err = module.run_command(command, use_unsafe_shell=True)
        if code != 0:
            module.fail_json(msg=f"{command} ended with {code}: {(err or out).strip()[-500:]}", paths=changed)
    module.exit_json(changed=bool(changed), paths=changed, ran=follow, diff=diff)


if __name__ == "__main__":
    main()
