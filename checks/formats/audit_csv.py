"""audit.csv: the advanced audit policy (MS-GPAC 2.2).

Columns are read by their place and subcategories by their GUID: headings and names are localised, and their text is
for people only (2.2.1.3.1).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from checks.formats import ini
from checks.questions import Unreadable

SUCCESS, FAILURE, NONE = 1, 2, 4
_GUID = re.compile(r"\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?", re.IGNORECASE)
_MOST = 10_000  # rows
_TAIL = "-69ae-11d9-bed3-505054503030"
# MS-GPAC 2.2.1.2, in the order of the GUIDs 0cce9210 to 0cce924a
_TABLE = """
10 security_state_change            11 security_system_extension     12 system_integrity
13 ipsec_driver                     14 other_system_events           15 logon
16 logoff                           17 account_lockout               18 ipsec_main_mode
19 ipsec_quick_mode                 1a ipsec_extended_mode           1b special_logon
1c other_logon_logoff_events        1d file_system                   1e registry
1f kernel_object                    20 sam                           21 certification_services
22 application_generated            23 handle_manipulation           24 file_share
25 filtering_platform_packet_drop   26 filtering_platform_connection 27 other_object_access_events
28 sensitive_privilege_use          29 non_sensitive_privilege_use   2a other_privilege_use_events
2b process_creation                 2c process_termination           2d dpapi_activity
2e rpc_events                       2f audit_policy_change           30 authentication_policy_change
31 authorization_policy_change      32 mpssvc_rule_level_policy_change
33 filtering_platform_policy_change 34 other_policy_change_events    35 user_account_management
36 computer_account_management      37 security_group_management     38 distribution_group_management
39 application_group_management     3a other_account_management_events
3b directory_service_access         3c directory_service_changes     3d directory_service_replication
3e detailed_directory_service_replication                            3f credential_validation
40 kerberos_service_ticket_operations                                41 other_account_logon_events
42 kerberos_authentication_service  43 network_policy_server         44 detailed_file_share
45 removable_storage                46 central_policy_staging        47 user_device_claims
48 pnp_activity                     49 group_membership              4a token_right_adjusted
"""
SUBCATEGORIES: dict[str, str] = {
    name: f"0cce92{number}{_TAIL}" for number, name in re.findall(r"([0-9a-f]{2}) ([a-z_]+)", _TABLE)
}
"""GUID (lower case, no braces) by name, such as `logon`."""
_ALIASES = {  # auditpol and the editor do not call these alike
    "central_access_policy_staging": "central_policy_staging",
    "plug_and_play_events": "pnp_activity",
    "token_right_adjusted_events": "token_right_adjusted",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is audited of one subcategory: its GUID, for whom (`System` or a SID), and the value as written."""

    guid: str
    target: str
    value: int

    @property
    def audits(self) -> tuple[str, ...] | None:
        """Which outcomes the system policy audits; None when it leaves them as they are."""
        if self.value == 0:
            return None
        return tuple(n for n, bit in (("success", SUCCESS), ("failure", FAILURE)) if self.value & bit)


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """The whole file: settings per subcategory, options such as CrashOnAuditFail, and global object SACLs (SDDL)."""

    settings: tuple[Setting, ...]
    options: dict[str, bool]
    sacls: dict[str, str]

    def system(self, guid: str) -> Setting | None:
        """Give the system setting of a subcategory, or None when the file has none; the last one counts."""
        found = [s for s in self.settings if s.guid == guid.strip("{}").lower() and s.target.casefold() == "system"]
        return found[-1] if found else None


def subcategory(name: str) -> str | None:
    """Give the GUID for a GUID or a name such as `Logon` or `process_creation`; None when there is none."""
    guid = _GUID.fullmatch(name.strip())
    if guid:
        return guid[1].lower()
    word = re.sub(r"[^a-z]+", "_", name.casefold().removeprefix("audit ")).strip("_")
    return SUBCATEGORIES.get(_ALIASES.get(word, word))


def parse(raw: bytes) -> AuditPolicy:
    """Read a file; Unreadable when a row is none."""
    settings: list[Setting] = []
    options: dict[str, bool] = {}
    sacls: dict[str, str] = {}
    reader = csv.reader(io.StringIO(ini.decode(raw), newline=""))
    try:
        for number, row in enumerate(reader):
            if number > _MOST:
                raise Unreadable(f"audit.csv has more than {_MOST} rows")
            cells = [cell.strip().strip("\0") for cell in row]
            if number == 0 or not any(cells):
                continue
            _row(cells, settings, options, sacls)
    except csv.Error as e:
        raise Unreadable(f"audit.csv: {e}") from None
    return AuditPolicy(tuple(settings), options, sacls)


def _row(cells: list[str], settings: list[Setting], options: dict[str, bool], sacls: dict[str, str]) -> None:
    if len(cells) < 7:  # noqa: PLR2004 - the columns of MS-GPAC 2.2
        raise Unreadable(f"audit.csv: a row of {len(cells)} columns")
    target, name, value = cells[1], cells[2], cells[6]
    if name.casefold().startswith("option:"):
        options[name.partition(":")[2].casefold()] = value == "1"
        return
    if name.casefold().endswith("globalsacl"):
        sacls[name.casefold()] = value
        return
    guid = _GUID.fullmatch(cells[3])
    if not guid or not re.fullmatch("[0-9]{1,3}", value):
        raise Unreadable(f"audit.csv: no subcategory or value: {cells[3][:60]!r}, {value[:20]!r}")
    settings.append(Setting(guid[1].lower(), target, int(value)))
