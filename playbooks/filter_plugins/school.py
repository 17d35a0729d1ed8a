"""Ansible filters for the school's tables."""

from __future__ import annotations

import csv
import io


def from_csv(text: str) -> list[dict[str, str]]:
    """Give the rows of a CSV text with a heading."""
    return [dict(row) for row in csv.DictReader(io.StringIO(text))]


def directory_users(rows: list[dict[str, str]], domain: str, files: str) -> list[dict]:
    """Give the rows of users.csv as the module samba_directory takes them."""
    users = []
    for row in rows:
        name, full = row["sAMAccountName"], f"{row['givenName']} {row['sn']}"
        attributes = {
            "displayName": full,
            "givenName": row["givenName"],
            "sn": row["sn"],
            "userPrincipalName": f"{name}@{domain}",
            "mail": f"{name}@{domain}",
            "department": row["department"],
            "title": row["title"],
            "homeDirectory": rf"\\{files}\homes\{name}",
            "homeDrive": "H:",
            "profilePath": rf"\\{files}\Profiles$\{name}",
        }
        users.append({
            "name": name, "ou": row["ou"], "attributes": attributes,
            "groups": row["groups"].split(";"),
        })  # fmt: skip
    return users


def host_records(addresses: dict[str, str], domain: str, controllers: list[str]) -> list[dict[str, str]]:
    """Give a and PTR records of hosts in /24 reverse zones; controllers register their own A records."""
    records = []
    for name, address in addresses.items():
        net, _, last = address.rpartition(".")
        zone = ".".join(reversed(net.split("."))) + ".in-addr.arpa"
        records.append({"zone": zone, "name": last, "type": "PTR", "data": f"{name}.{domain}."})
        if name not in controllers:
            records.append({"zone": domain, "name": name, "type": "A", "data": address})
    return records


def folder_rights(shares: list[dict[str, str]]) -> list[dict[str, str]]:
    """Give the shares' own folders, as the module samba_rights takes them."""
    return [{"path": share["path"], "sddl": share["folder"], "share": share["name"]} for share in shares]


def share_rights(shares: list[dict[str, str]]) -> dict[str, str]:
    """Give the rights on the shares themselves."""
    return {share["name"]: share["share"] for share in shares}


def home_rights(rows: list[dict[str, str]], folder: str, sddl: str) -> list[dict[str, str]]:
    """Give a home folder per person; {USER} in the SDDL is the person."""
    people = [row["sAMAccountName"] for row in rows]
    return [
        {"path": f"{folder}/{name}", "sddl": sddl.replace("{USER}", f"{{{name}}}"), "share": "homes"} for name in people
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, object]:
        """Give the filters by their names."""
        names = (from_csv, directory_users, host_records, folder_rights, share_rights, home_rights)
        return {function.__name__: function for function in names}
