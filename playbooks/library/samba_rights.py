#!/usr/bin/python
"""Ansible module: NT rights of folders, and rights of shares, on a Samba member server, in one process."""

from __future__ import annotations

import os
import re
import subprocess

from ansible.module_utils.basic import AnsibleModule
from samba.auth_util import system_session_unix
from samba.dcerpc import security
from samba.ntacls import getntacl, setntacl
from samba.param import LoadParm
from samba.samba3 import param as s3param

DOCUMENTATION = """
module: samba_rights
short_description: Folders with NT rights, and rights of shares
options:
  folders: {type: list, elements: dict, description: "path, sddl, share; {NAME} stands for a domain account's SID"}
  shares: {type: dict, description: "share name -> SDDL"}
"""
NAME = re.compile(r"\{([^}]+)\}")


class Rights:
    """What is wanted against what is there."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.parm = LoadParm()
        self.parm.load_default()
        s3param.get_context().load(self.parm.configfile)
        self.session = system_session_unix()
        self.sids: dict[str, str] = {}
        # only used for the domain's abbreviations in SDDL, which we do not write
        self.domain = security.dom_sid(self.sid("Domain Users").rpartition("-")[0])
        self.words: list[str] = []

    def sid(self, name: str) -> str:
        """SID of a domain account, by winbind."""
        if name not in self.sids:
            done = subprocess.run(["wbinfo", "--name-to-sid", name], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.module.fail_json(msg=f"winbind knows no {name!r}: {done.stderr.strip()}")
            self.sids[name] = done.stdout.split()[0]
        return self.sids[name]

    def normal(self, sddl: str) -> str:
        """SDDL with SIDs for names, in the one form that Samba writes."""
        text = NAME.sub(lambda match: self.sid(match[1]), sddl)
        return security.descriptor.from_sddl(text, self.domain).as_sddl(self.domain)

    def folder(self, item: dict) -> None:
        """Give a folder with exactly these rights."""
        path, wanted, share = item["path"], self.normal(item["sddl"]), item.get("share")
        if not os.path.isdir(path):
            self.words.append(f"{path}: made")
            if self.module.check_mode:
                return
            os.makedirs(path, mode=0o770)
        now = getntacl(self.parm, path, self.session, direct_db_access=False, service=share).as_sddl(self.domain)
        if now == wanted:
            return
        self.words.append(f"{path}: {now} -> {wanted}")
        if not self.module.check_mode:
            setntacl(self.parm, path, wanted, str(self.domain), self.session, use_ntvfs=False, service=share)

    def share(self, name: str, sddl: str) -> None:
        """Give a share with exactly these rights."""
        wanted = self.normal(sddl)
        _, out, _ = self.module.run_command(["sharesec", name, "--viewsddl"])
        match = re.search(r"D:.*", out)
        now = self.normal(match[0].strip()) if match else ""
        if re.search(r"D:.*", now or "-") is None or now[now.index("D:") :] != wanted[wanted.index("D:") :]:
            self.words.append(f"share {name}: {now} -> {wanted}")
            if not self.module.check_mode:
                code, out, err = self.module.run_command(["sharesec", name, f"--setsddl={wanted}"])
                if code != 0:
                    self.module.fail_json(msg=f"sharesec {name}: {(err or out).strip()}")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "folders": {"type": "list", "elements": "dict", "default": []},
            "shares": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    rights = Rights(module)
    for item in module.params["folders"]:
        rights.folder(item)
    for name, sddl in module.params["shares"].items():
        rights.share(name, sddl)
    after = "".join(f"{word}\n" for word in rights.words)
    module.exit_json(changed=bool(rights.words), changes=rights.words, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
