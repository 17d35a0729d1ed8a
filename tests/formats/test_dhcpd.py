"""Configurations of DHCP servers: comments, nesting, and what cannot be read."""

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.formats.dhcpd import mac, option_name, option_value, pool, read_dnsmasq, read_isc, read_json, read_kea

KEA = """
// the whole site
{ "Dhcp4": {  # another comment
    "valid-lifetime": 3600, /* and
    one more */
    "option-data": [ { "name": "domain-name-servers", "data": "192.0.2.1,192.0.2.2" }, ],
    "shared-networks": [ { "name": "floor // 1", "subnet4": [
      { "id": 1, "subnet": "192.0.2.0/24", "pools": [ { "pool": "192.0.2.64/26" } ],
        "option-data": [ { "code": 3, "data": "192.0.2.254" },
          { "space": "vendor-1", "name": "routers", "data": "x" } ],
        "reservations": [ { "client-id": "01:02", "ip-address": "192.0.2.9" } ] } ] } ],
    "reservations": [ { "hw-address": "AA:BB:CC:00:11:22", "ip-address": "192.0.2.10", "hostname": "Printer" } ]
} }
"""


def test_kea_with_comments_shared_networks_and_inheritance() -> None:
    (scope,) = read_kea(KEA)
    assert scope.subnet == ipaddress.IPv4Network("192.0.2.0/24")
    assert scope.options == {"domain-name-servers": "192.0.2.1, 192.0.2.2", "routers": "192.0.2.254"}
    assert [(str(a), str(b)) for a, b in scope.pools] == [("192.0.2.64", "192.0.2.127")]
    assert [(r.mac, r.address, r.host) for r in scope.reservations] == [("aa:bb:cc:00:11:22", "192.0.2.10", "printer")]
    assert scope.lease == 3600


def test_comments_within_strings_are_text() -> None:
    assert read_json('{"a": "x // y # z /* w", "b": [1,2,],}') == {"a": "x // y # z /* w", "b": [1, 2]}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Dhcp4": 1}', '{"Dhcp4": {"subnet4": [{"subnet": "x"}]}}'])
def test_what_is_no_configuration_of_kea_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        read_kea(text)


@pytest.mark.parametrize("text", ["}", "subnet 192.0.2.0 netmask 255.255.255.0 {", "subnet x netmask y { }"])
def test_what_is_no_dhcpd_conf_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"brace|octets"):
        read_isc(text)


def test_dnsmasq_without_a_netmask_and_static() -> None:
    assert read_dnsmasq("dhcp-range=192.0.2.50,192.0.2.60\n")[0].subnet == ipaddress.IPv4Network("192.0.2.0/24")
    scope = read_dnsmasq("dhcp-range=192.0.2.0,static,255.255.255.128,2d\ndhcp-host=aa:bb:cc:00:11:22,192.0.2.7\n")[0]
    assert scope.pools == []
    assert scope.lease == 172_800
    assert scope.reservations[0].address == "192.0.2.7"


@pytest.mark.parametrize("text", ["", "192.0.2.9 - 192.0.2.1", "x-y", "192.0.2.1-", "192.0.2.0/99"])
def test_pools_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        pool(text)


def test_names_and_values_are_written_in_one_way() -> None:
    assert option_name("option:Router") == option_name("3") == option_name("gateway") == "routers"
    assert option_value('"School.Test."') == "school.test"
    assert option_value("192.0.2.1 ,192.0.2.2") == "192.0.2.1, 192.0.2.2"
    assert mac("AABB.CC00.1122") == mac("aa-bb-cc-00-11-22") == "aa:bb:cc:00:11:22"
    with pytest.raises(ValueError, match="hardware"):
        mac("aa:bb")


@given(st.text(' {};"#\nsubnetopirgh0129.-', max_size=200))
def test_rubbish_is_refused_or_read(text: str) -> None:
    for reader in (read_isc, read_dnsmasq, read_kea):
        with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
            reader(text)
