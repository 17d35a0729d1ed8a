"""The tree of organisational units: what is where, what cannot be deleted by accident, what lies about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checks.core import Expectation, Outcome, Scope, check, expect, expect_members, failed, kind, not_applicable, passed
from checks.facts.directory_accounts import FIRST_OWN, Account, Accounts
from checks.facts.directory_units import OrganisationalUnits
from checks.formats import distinguished_name, sid

MISSING = not_applicable("missing")
"""What is said of a property when the object itself is not there: that is another finding."""
_SHOWN = 100  # names of a list in a finding
_DEFAULTS = ("CN=Users", "CN=Computers")
# Groups that DNS, DHCP, WINS and Windows itself make in CN=Users with ordinary numbers, and Samba's DNS accounts
_SYSTEM = {
    sid.fold(name)
    for name in (
        "DnsAdmins", "DnsUpdateProxy", "DHCP Users", "DHCP Administrators", "WINS Users", "HelpServicesGroup",
        "TelnetClients", "SUPPORT_388945a0", "ADSyncAdmins", "ADSyncBrowse", "ADSyncOperators", "ADSyncPasswordSet",
    )
}  # fmt: skip
_SYSTEM_SPN = ("dns/", "kadmin/")


@kind("units", Scope.DOMAIN)
class Unit(Expectation):
    """An organisational unit."""

    path: str
    """Where it is, from the domain down (Studenten/INF1), or its distinguished name."""
    exists: bool = True
    """Whether it is there; false: there must be none."""
    protected: bool | None = None
    """Whether it is protected from accidental deletion."""

    @property
    def subject(self) -> str:
        """The path."""
        return self.path


@kind("organisation", Scope.DOMAIN, many=False)
class Organisation(Expectation):
    """Rules for the tree as a whole."""

    units: tuple[str, ...] | None = None
    """Paths of all organisational units, exactly these; Domain Controllers need not be told."""
    units_protected: bool | None = None
    """Whether every organisational unit must be protected from accidental deletion."""
    default_containers_empty: bool | None = None
    """Whether the containers Users and Computers, which no policy can be linked to, must hold nothing of one's own."""
    allowed: tuple[str, ...] = ()
    """Accounts and groups that may stand there all the same."""


@check("exists")
def unit_exists(units: OrganisationalUnits, want: Unit) -> Outcome:
    """Whether the unit is there."""
    return expect({"exists": units.find(want.path) is not None}, equals={"exists": want.exists})


@check("protected")
def unit_is_protected(units: OrganisationalUnits, want: Unit) -> Outcome:
    """Whether Everyone is denied to delete the unit."""
    unit = units.find(want.path)
    return expect({"protected": unit.protected}, equals={"protected": want.protected}) if unit else MISSING


def _controllers(units: OrganisationalUnits) -> str:
    return distinguished_name.key(f"OU=Domain Controllers,{units.domain}")


@check("units")
def units_are_the_declared_ones(units: OrganisationalUnits, want: Organisation) -> Outcome:
    """Whether exactly these units exist."""
    wanted = {distinguished_name.key(distinguished_name.of_path(p, units.domain)): p for p in want.units or ()}
    there = {key: unit.path for key, unit in units.units.items() if key != _controllers(units) or key in wanted}
    return expect_members((wanted.get(key, path) for key, path in there.items()), wanted.values())


@check("units_protected")
def every_unit_is_protected(units: OrganisationalUnits, want: Organisation) -> Iterable[Outcome]:
    """Whether no unit can be deleted by accident. Domain Controllers protects itself by what it is."""
    if want.units_protected:
        bad = sorted(u.path for k, u in units.units.items() if k != _controllers(units) and not u.protected)
        yield expect({"unprotected": bad}, equals={"unprotected": []})


def _own(account: Account) -> bool:
    """Tell whether somebody put this here, rather than the system."""
    if account.kind not in ("user", "group", "computer") or account.rid < FIRST_OWN:
        return False
    if sid.fold(account.name) in _SYSTEM or account.name.casefold().startswith("krbtgt_"):
        return False
    names = account.entry.texts("serviceprincipalname")
    return account.kind == "computer" or not any(n.casefold().startswith(_SYSTEM_SPN) for n in names)


@check("default_containers_empty")
def default_containers_are_unused(accounts: Accounts, want: Organisation) -> Iterable[Outcome]:
    """Whether the containers Users and Computers hold nothing but what the system put there."""
    if not want.default_containers_empty:
        return
    allowed = {a for name in want.allowed if (a := accounts.find(name))}
    for container in _DEFAULTS:
        top = f"{container},{accounts.domain}"
        found = [a for a in accounts.by_key.values() if distinguished_name.is_below(a.dn, top)]
        bad = accounts.names(a for a in found if _own(a) and a not in allowed)
        seen: dict[str, Any] = {"members": bad[:_SHOWN]} | ({"count": len(bad)} if len(bad) > _SHOWN else {})
        told = failed if bad else passed
        yield told(seen, {"members": []}, subject=container.removeprefix("CN="))
