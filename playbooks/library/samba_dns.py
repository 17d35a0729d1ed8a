#!/usr/bin/python
"""Ansible module: zones and records of Samba's own DNS server in one process."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from samba import WERRORError, werror
from samba.credentials import DONT_USE_KERBEROS, Credentials
from samba.dcerpc import dnsp, dnsserver
from samba.dnsserver import dns_record_match, record_from_string
from samba.param import LoadParm

DOCUMENTATION = """
module: samba_dns
short_description: Zones and records, over the DNS server's own RPC interface
options:
  server: {type: str, required: true}
  username: {type: str, default: Administrator}
  password: {type: str, required: true}
  zones: {type: list, elements: str, description: "made in the domain partition, secure updates only"}
  records: {type: list, elements: dict, description: "zone, name, type, data"}
"""
TYPES = {
    "A": dnsp.DNS_TYPE_A, "PTR": dnsp.DNS_TYPE_PTR, "CNAME": dnsp.DNS_TYPE_CNAME, "MX": dnsp.DNS_TYPE_MX,
    "NS": dnsp.DNS_TYPE_NS, "SRV": dnsp.DNS_TYPE_SRV, "TXT": dnsp.DNS_TYPE_TXT,
}  # fmt: skip
CLIENT = dnsserver.DNS_CLIENT_VERSION_LONGHORN


class Server:
    """One connection to the DNS server's management interface."""

    def __init__(self, host: str, username: str, password: str) -> None:
        parm = LoadParm()
        parm.load_default()
        credentials = Credentials()
        credentials.guess(parm)
        credentials.set_username(username)
        credentials.set_password(password)
        credentials.set_kerberos_state(DONT_USE_KERBEROS)
        self.host = host
        self.rpc = dnsserver.dnsserver(f"ncacn_ip_tcp:{host}[sign]", parm, credentials)

    def has_zone(self, zone: str) -> bool:
        """Tell whether the zone is there."""
        try:
            self.rpc.DnssrvQuery2(CLIENT, 0, self.host, zone, "ZoneInfo")
        except WERRORError as error:
            if error.args[0] == werror.WERR_DNS_ERROR_ZONE_DOES_NOT_EXIST:
                return False
            raise
        return True

    def make_zone(self, zone: str) -> None:
        """Make a zone in the domain partition, with secure updates only."""
        info = dnsserver.DNS_RPC_ZONE_CREATE_INFO_LONGHORN()
        info.pszZoneName = zone
        info.dwZoneType = dnsp.DNS_ZONE_TYPE_PRIMARY
        info.fAllowUpdate = dnsp.DNS_ZONE_UPDATE_SECURE
        info.fAging = 0
        info.fDsIntegrated = 1
        info.fLoadExisting = 1
        info.dwDpFlags = dnsserver.DNS_DP_DOMAIN_DEFAULT
        self.rpc.DnssrvOperation2(
            CLIENT, 0, self.host, None, 0, "ZoneCreate", dnsserver.DNSSRV_TYPEID_ZONE_CREATE, info
        )

    def has(self, zone: str, name: str, kind: str, data: str) -> bool:
        """Tell whether the record is there."""
        try:
            return dns_record_match(self.rpc, self.host, zone, name, TYPES[kind], data) is not None
        except WERRORError as error:
            if error.args[0] == werror.WERR_DNS_ERROR_NAME_DOES_NOT_EXIST:
                return False
            raise

    def make(self, zone: str, name: str, kind: str, data: str) -> None:
        """Make a record beside those of the same name."""
        buffer = dnsserver.DNS_RPC_RECORD_BUF()
        buffer.rec = record_from_string(TYPES[kind], data)
        self.rpc.DnssrvUpdateRecord2(CLIENT, 0, self.host, zone, name, buffer, None)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "server": {"type": "str", "required": True},
            "username": {"type": "str", "default": "Administrator"},
            "password": {"type": "str", "required": True, "no_log": True},
            "zones": {"type": "list", "elements": "str", "default": []},
            "records": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    server = Server(given["server"], given["username"], given["password"])
    words = []
    for zone in given["zones"]:
        if not server.has_zone(zone):
            words.append(f"zone {zone}")
            if not module.check_mode:
                server.make_zone(zone)
    for record in given["records"]:
        key = (record["zone"], record["name"], record["type"], record["data"])
        if (module.check_mode and f"zone {record['zone']}" in words) or not server.has(*key):
            words.append(" ".join(key))
            if not module.check_mode:
                server.make(*key)
    module.exit_json(changed=bool(words), changes=words, diff={"before": "", "after": "".join(f"{w}\n" for w in words)})


if __name__ == "__main__":
    main()
