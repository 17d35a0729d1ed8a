#!/usr/bin/python
"""Ansible module: the content of a Samba directory (units, groups, people, password policies) in one process."""

from __future__ import annotations

from collections.abc import Iterator

import ldb
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lab_samba import add, differences, found, open_directory, replace
from samba.sd_utils import SDUtils

DOCUMENTATION = """
module: samba_directory
short_description: Units, groups, people and password policies, run on a domain controller
options:
  ous: {type: list, elements: dict, description: "dn (without the domain), description; all protected from deletion"}
  groups: {type: list, elements: dict, description: "name, ou, scope (global, local), description, members"}
  users: {type: list, elements: dict, description: "name, ou, attributes, never_expires, groups"}
  passwords: {type: dict, description: "of new users, by name; set once"}
  domain: {type: dict, description: attributes of the domain object}
  psos: {type: list, elements: dict, description: "name, attributes, applies_to (group names)"}
"""
SCOPES = {"global": "-2147483646", "local": "-2147483644"}
NORMAL, NEVER_EXPIRES = 512, 65536
PROTECTION = "(D;;DTSD;;;WD)"  # nobody deletes the unit or its tree


class Content:
    """What is wanted, against what is there; yields a word per difference and mends it unless only checking."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.samdb, _ = open_directory()
        self.base = str(self.samdb.domain_dn())
        self.check = module.check_mode
        self.descriptors = SDUtils(self.samdb)

    def full(self, dn: str) -> str:
        """Give a name below the domain as a full one."""
        return f"{dn},{self.base}"

    def attributes(self, dn: str, wanted: dict[str, list[str]]) -> Iterator[str]:
        """Attributes of an object that exists."""
        now = found(self.samdb, dn, list(wanted))
        missing = differences(now, wanted) if now is not None else wanted
        if missing:
            if not self.check:
                replace(self.samdb, dn, missing)
            yield f"{dn}: {', '.join(sorted(missing))}"

    def ou(self, item: dict) -> Iterator[str]:
        """Ensure an organisational unit, protected from accidental deletion."""
        dn = self.full(item["dn"])
        wanted = {"description": [item["description"]]}
        if found(self.samdb, dn, []) is None:
            if not self.check:
                add(self.samdb, dn, {"objectClass": ["organizationalUnit"], **wanted})
            yield f"{dn}: made"
            if self.check:
                return
        yield from self.attributes(dn, wanted)
        if PROTECTION.strip("()") not in self.descriptors.get_sd_as_sddl(dn):
            if not self.check:
                self.descriptors.dacl_prepend_aces(dn, PROTECTION)
            yield f"{dn}: protected"

    def account(self, name: str) -> ldb.Message | None:
        """Find an account by its logon name."""
        hits = self.samdb.search(
            self.base, expression=f"(sAMAccountName={ldb.binary_encode(name)})", attrs=["member", "userAccountControl"]
        )
        return hits[0] if hits else None

    def group(self, item: dict) -> Iterator[str]:
        """Ensure a security group; its members come later, when everybody exists."""
        dn = self.full(f"CN={item['name']},{item['ou']}")
        wanted = {"groupType": [SCOPES[item["scope"]]], "description": [item["description"]]}
        if self.account(item["name"]) is None:
            if not self.check:
                add(self.samdb, dn, {"objectClass": ["group"], "sAMAccountName": [item["name"]], **wanted})
            yield f"{dn}: made"
        else:
            yield from self.attributes(dn, wanted)

    def members(self, name: str, wanted: list[str]) -> Iterator[str]:
        """Exactly these members."""
        group = self.account(name)
        accounts = [self.account(member) for member in wanted]
        if group is None or None in accounts:
            yield f"{name}: members"  # only while checking: not everybody is there yet
            return
        yield from self.attributes(str(group.dn), {"member": [str(one.dn) for one in accounts if one is not None]})

    def user(self, item: dict) -> Iterator[str]:
        """Ensure a person; the password is set when the account is made, and theirs from then on."""
        wanted = {name: [value] for name, value in item["attributes"].items()}
        wanted["userAccountControl"] = [str(NORMAL | (NEVER_EXPIRES if item.get("never_expires") else 0))]
        if self.account(item["name"]) is None:
            dn = self.full(f"CN={item['attributes']['displayName']},{item['ou']}")
            if not self.check:
                self.samdb.transaction_start()
                classes = {"objectClass": ["user"], "sAMAccountName": [item["name"]]}
                add(self.samdb, dn, {**classes, **wanted, "userAccountControl": ["514"]})
                self.samdb.setpassword(
                    f"(sAMAccountName={item['name']})", self.module.params["passwords"][item["name"]]
                )
                replace(self.samdb, dn, {"userAccountControl": wanted["userAccountControl"]})
                self.samdb.transaction_commit()
            yield f"{dn}: made"
        else:
            yield from self.attributes(str(self.account(item["name"]).dn), wanted)

    def pso(self, item: dict) -> Iterator[str]:
        """Ensure a fine-grained password policy."""
        dn = self.full(f"CN={item['name']},CN=Password Settings Container,CN=System")
        wanted = {name: [str(value)] for name, value in item["attributes"].items()}
        if found(self.samdb, dn, []) is None:
            if not self.check:
                add(self.samdb, dn, {"objectClass": ["msDS-PasswordSettings"], **wanted})
            yield f"{dn}: made"
            if self.check:
                return
        accounts = [self.account(name) for name in item["applies_to"]]
        wanted["msDS-PSOAppliesTo"] = [str(one.dn) for one in accounts if one is not None]
        yield from self.attributes(dn, wanted)

    def pso_reader(self, name: str) -> Iterator[str]:
        """Let a group read the fine-grained password policies: by default only administrators may."""
        account = self.account(name)
        sid = str(self.descriptors.get_object_sid(str(account.dn))) if account else ""
        dn = self.full("CN=Password Settings Container,CN=System")
        if not sid or sid not in self.descriptors.get_sd_as_sddl(dn):
            if not self.check:
                self.descriptors.dacl_add_ace(dn, f"(A;CI;LCRPLORC;;;{sid})")
                for item in self.module.params["psos"]:  # what is there already inherits nothing anew
                    self.descriptors.dacl_add_ace(f"CN={item['name']},{dn}", f"(A;;LCRPLORC;;;{sid})")
            yield f"{dn}: {name} may read"

    def all(self) -> Iterator[str]:
        """Everything, in the order in which things need each other."""
        params = self.module.params
        yield from self.attributes(self.base, {name: [str(value)] for name, value in params["domain"].items()})
        for item in params["ous"]:
            yield from self.ou(item)
        for item in params["groups"]:
            yield from self.group(item)
        for item in params["users"]:
            yield from self.user(item)
        members: dict[str, list[str]] = {item["name"]: list(item.get("members") or []) for item in params["groups"]}
        for item in params["users"]:
            for group in item["groups"]:
                members[group].append(item["name"])
        for name, wanted in members.items():
            yield from self.members(name, wanted)
        for item in params["psos"]:
            yield from self.pso(item)
        for name in params["pso_readers"]:
            yield from self.pso_reader(name)


def main() -> None:
    """Run the module."""
    lists = {name: {"type": "list", "elements": "dict", "default": []} for name in ("ous", "groups", "users", "psos")}
    lists["pso_readers"] = {"type": "list", "elements": "str", "default": []}
    rest = {"domain": {"type": "dict", "default": {}}, "passwords": {"type": "dict", "default": {}, "no_log": True}}
    module = AnsibleModule(argument_spec={**lists, **rest}, supports_check_mode=True)
    try:
        words = list(Content(module).all())
    except ldb.LdbError as error:
        module.fail_json(msg=f"{error.args[1]} ({error.args[0]})")
    module.exit_json(changed=bool(words), changes=words, diff={"before": "", "after": "".join(f"{w}\n" for w in words)})


if __name__ == "__main__":
    main()
