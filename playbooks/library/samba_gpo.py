#!/usr/bin/python
"""Ansible module: group policy objects, their files in SYSVOL, links and security filtering, in one process."""

from __future__ import annotations

import os
import re
import struct
import uuid

import ldb
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lab_samba import add, differences, found, open_directory, replace
from samba.sd_utils import SDUtils

DOCUMENTATION = """
module: samba_gpo
short_description: Group policy objects; run on the domain controller whose SYSVOL is the source
options:
  gpos:
    type: list
    elements: dict
    required: true
    description:
      - "name; files: path below the policy's folder -> text (UTF-8), or {utf16: text}, or {registry: [{key, value,
        type, data}]}; machine, user: lists of extension GUID pairs as [{cse}{tool}] texts; links: [{dn, options}];
        apply_to: group names that alone apply it (default: everybody who logs on)."
  order: {type: dict, description: "dn -> policy names, the first wins"}
"""
APPLY = "edacfd8f-ffb3-11d1-b41d-00a0c968f939"
TYPES = {"REG_SZ": 1, "REG_EXPAND_SZ": 2, "REG_BINARY": 3, "REG_DWORD": 4, "REG_MULTI_SZ": 7}
LINK = re.compile(r"\[LDAP://([^;]+);(\d+)\]", re.IGNORECASE)


def registry_pol(entries: list[dict]) -> bytes:
    """Give a Registry.pol file (MS-GPREG 2.2.1)."""

    def wide(text: str) -> bytes:
        return text.encode("utf-16-le") + b"\0\0"

    out = b"PReg\x01\0\0\0"
    bracket, semicolon, close = ("[".encode("utf-16-le"), ";".encode("utf-16-le"), "]".encode("utf-16-le"))
    for entry in entries:
        kind = TYPES[entry["type"]]
        data = struct.pack("<I", int(entry["data"])) if kind == TYPES["REG_DWORD"] else wide(str(entry["data"]))
        parts = (wide(entry["key"]), wide(entry["value"]), struct.pack("<I", kind), struct.pack("<I", len(data)), data)
        out += bracket + semicolon.join(parts) + close
    return out


def content(wanted: object) -> bytes:
    """Give the bytes of a file as it is described."""
    if isinstance(wanted, dict):
        if "utf16" in wanted:
            return b"\xff\xfe" + wanted["utf16"].replace("\n", "\r\n").encode("utf-16-le")
        return registry_pol(wanted["registry"])
    return str(wanted).encode()


class Policies:
    """The policies of the local domain controller."""

    def __init__(self, module: AnsibleModule) -> None:
        self.check = module.check_mode
        self.samdb, parm = open_directory()
        self.base = str(self.samdb.domain_dn())
        self.realm = parm.get("realm").lower()
        self.folder = os.path.join(parm.get("path", "sysvol"), self.realm, "Policies")
        self.words: list[str] = []
        self.guids: dict[str, str] = {}

    def ensure(self, item: dict) -> None:
        """One policy: object, files, version, filtering."""
        name = item["name"]
        hits = self.samdb.search(
            f"CN=Policies,CN=System,{self.base}", scope=ldb.SCOPE_ONELEVEL,
            expression=f"(displayName={ldb.binary_encode(name)})", attrs=["cn"],
        )  # fmt: skip
        guid = str(hits[0]["cn"]) if hits else f"{{{str(uuid.uuid4()).upper()}}}"
        self.guids[name] = guid
        if not hits:
            self.words.append(f"{name}: made")
            if self.check:
                return
            self.make(name, guid)
        machine, user = self.files(name, guid, item["files"])
        self.directory(name, guid, item, machine=machine, user=user)
        self.filtering(name, guid, item.get("apply_to"))

    def dn(self, guid: str) -> str:
        """Name of the policy's object."""
        return f"CN={guid},CN=Policies,CN=System,{self.base}"

    def make(self, name: str, guid: str) -> None:
        """Build an empty policy."""
        add(self.samdb, self.dn(guid), {
            "objectClass": ["groupPolicyContainer"], "displayName": [name], "flags": ["0"], "versionNumber": ["0"],
            "gPCFunctionalityVersion": ["2"], "showInAdvancedViewOnly": ["TRUE"],
            "gPCFileSysPath": [f"\\\\{self.realm}\\sysvol\\{self.realm}\\Policies\\{guid}"],
        })  # fmt: skip
        for part in ("Machine", "User"):
            add(
                self.samdb,
                f"CN={part},{self.dn(guid)}",
                {"objectClass": ["container"], "showInAdvancedViewOnly": ["TRUE"]},
            )
            os.makedirs(os.path.join(self.folder, guid, part), exist_ok=True)

    def files(self, name: str, guid: str, wanted: dict) -> tuple[bool, bool]:
        """Give the policy's files; says whether the machine's and the user's part changed."""
        changed = {"Machine": False, "User": False}
        for path, described in wanted.items():
            full, new = os.path.join(self.folder, guid, path), content(described)
            try:
                with open(full, "rb") as file:
                    if file.read() == new:
                        continue
            except FileNotFoundError:
                pass
            self.words.append(f"{name}: {path}")
            changed[path.split("/")[0]] = True
            if not self.check:
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "wb") as file:
                    file.write(new)
        return changed["Machine"], changed["User"]

    def directory(self, name: str, guid: str, item: dict, *, machine: bool, user: bool) -> None:
        """Extensions and version in the directory, and the version in GPT.INI: they must agree."""
        now = found(self.samdb, self.dn(guid), ["versionNumber", "gPCMachineExtensionNames", "gPCUserExtensionNames"])
        version = int(str(now["versionNumber"])) + (1 if machine else 0) + (65536 if user else 0)
        extensions = {
            attribute: ["".join(sorted(item[part], key=str.lower))]
            for part, attribute in (("machine", "gPCMachineExtensionNames"), ("user", "gPCUserExtensionNames"))
            if item.get(part)
        }
        missing = differences(now, {"versionNumber": [str(version)], **extensions})
        if missing:
            self.words.append(f"{name}: {', '.join(sorted(missing))}")
            if not self.check:
                replace(self.samdb, self.dn(guid), missing)
        ini, text = (
            os.path.join(self.folder, guid, "GPT.INI"),
            f"[General]\r\nVersion={version}\r\ndisplayName={name}\r\n",
        )
        before = ""
        if os.path.exists(ini):
            with open(ini, newline="") as file:
                before = file.read()
        if before != text:
            self.words.append(f"{name}: GPT.INI")
            if not self.check:
                with open(ini, "w", newline="") as file:
                    file.write(text)

    def filtering(self, name: str, guid: str, groups: list[str] | None) -> None:
        """Only these groups apply the policy; everybody who logs on still reads it."""
        if not groups:
            return
        tool = SDUtils(self.samdb)
        sddl = tool.get_sd_as_sddl(self.dn(guid))
        unwanted = [f"(OA;CI;CR;{APPLY};;AU)"]
        sids = []
        for group in groups:
            hit = self.samdb.search(self.base, expression=f"(sAMAccountName={group})", attrs=["objectSid"])[0]
            sids.append(self.samdb.schema_format_value("objectSid", hit["objectSid"][0]).decode())
        wanted = [ace for sid in sids for ace in (f"(OA;CI;CR;{APPLY};;{sid})", f"(A;CI;LCRPLORC;;;{sid})")]
        delete = [ace for ace in unwanted if ace in sddl]
        append = [ace for ace in wanted if ace not in sddl]
        if delete or append:
            self.words.append(f"{name}: security filtering")
            if not self.check:
                if delete:
                    tool.dacl_delete_aces(self.dn(guid), "".join(delete))
                if append:
                    tool.dacl_append_aces(self.dn(guid), "".join(append))

    def links(self, dn: str, wanted: list[dict]) -> None:
        """Our policies linked here, the first wins; links of other policies stay before them in the text (weaker)."""
        full = f"{dn},{self.base}" if dn else self.base
        now = found(self.samdb, full, ["gPLink"])
        text = str(now["gPLink"]) if now is not None and "gPLink" in now else ""
        ours = {name: self.dn(guid).replace("CN=", "cn=", 1).lower() for name, guid in self.guids.items()}
        others = [f"[LDAP://{target};{options}]" for target, options in LINK.findall(text)
                  if target.lower() not in ours.values()]  # fmt: skip
        # the rightmost entry has the highest precedence
        mine = [f"[LDAP://{self.dn(self.guids[link['name']])};{link.get('options', 0)}]" for link in reversed(wanted)]
        new = "".join(others + mine)
        if new.lower() != text.lower():
            self.words.append(f"links of {full}")
            if not self.check:
                replace(self.samdb, full, {"gPLink": [new]})


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "gpos": {"type": "list", "elements": "dict", "required": True},
            "links": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    policies = Policies(module)
    for item in module.params["gpos"]:
        policies.ensure(item)
    for dn, wanted in module.params["links"].items():
        policies.links("" if dn == "." else dn, wanted)
    if policies.words and not module.check_mode:
        # file rights follow the objects' own, security filtering included
        code, out, err = module.run_command(["samba-tool", "ntacl", "sysvolreset"])
        if code != 0:
            module.fail_json(msg=f"sysvolreset ended with {code}: {(err or out)[-600:]}")
    after = "".join(f"{word}\n" for word in policies.words)
    module.exit_json(
        changed=bool(policies.words), changes=policies.words, guids=policies.guids, diff={"before": "", "after": after}
    )


if __name__ == "__main__":
    main()
