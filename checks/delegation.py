"""Rights in the directory that amount to power over the domain without any group that shows it.

Compared by SID against those who have these rights by design; names are only for the report.
"""

from __future__ import annotations

from collections.abc import Iterable

from checks.core import Outcome, check, failed, passed
from checks.facts.directory_accounts import Accounts
from checks.facts.directory_rights import DirectoryRights
from checks.facts.directory_trusts import Trusts
from checks.formats import sid
from checks.formats.security_descriptor import INHERITED, Ace, Descriptor
from checks.privileged import Health, cut

# Rights on directory objects (MS-ADTS 5.1.3.2)
_CREATE, _DELETE_CHILD, _SELF, _WRITE, _DELETE_TREE, _EXTENDED = 0x1, 0x2, 0x8, 0x20, 0x40, 0x100
_DELETE, _WRITE_DAC, _WRITE_OWNER = 0x10000, 0x40000, 0x80000
_GENERIC_ALL, _GENERIC_WRITE = 0x10000000, 0x40000000
_OWNS = _WRITE_DAC | _WRITE_OWNER | _GENERIC_ALL
_CHANGES = _OWNS | _WRITE | _DELETE | _DELETE_TREE | _CREATE | _DELETE_CHILD | _GENERIC_WRITE
_ALL_SECRETS = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2"  # DS-Replication-Get-Changes-All
_RESET_PASSWORD = "00299570-246d-11d0-a768-00aa006e0529"  # noqa: S105 - an extended right's GUID
_MEMBER = "bf9679c0-0de6-11d0-a285-00aa003049e2"
_GENERIC_OWNERS = (sid.SYSTEM, f"{sid.BUILTIN}544", "S-1-5-9")
_ADMINS, _CONTROLLERS, _ENTERPRISE = 512, 516, 519
_EVERYBODY = (sid.EVERYONE, sid.ANONYMOUS, sid.AUTHENTICATED, f"{sid.BUILTIN}545", f"{sid.BUILTIN}546")
_EVERYBODY_RIDS = (513, 514, 515)  # Domain Users, Domain Guests, Domain Computers


def _by_design(accounts: Accounts, *rids: int) -> set[str]:
    """Give who has power by design: the system, administrators, the forest's administrators, and these."""
    forest = {a.sid for a in accounts.groups.values() if a.rid == _ENTERPRISE}
    own = {f"{accounts.sid}-{rid}" for rid in (_ADMINS, _ENTERPRISE, *rids)}
    return {*_GENERIC_OWNERS, *own, *forest}


def _name(accounts: Accounts, number: str) -> str:
    """Give the name of a SID; itself for who is gone or in another domain."""
    account = accounts.by_sid.get(number)
    return account.name if account else sid.WELL_KNOWN.get(number, (number,))[0]


def _allowed(accounts: Accounts, want: Health) -> set[str]:
    found = (accounts.find(name) for name in want.allowed)
    return {a.sid for a in found if a} | {sid.normal(n) for n in want.allowed if sid.is_sid(n)}


def _granted(descriptor: Descriptor) -> Iterable[Ace]:
    """Give the entries that grant something on the object itself; one without a DACL grants everything."""
    if descriptor.dacl is None:
        return (Ace(0, 0, _GENERIC_ALL, sid.EVERYONE),)
    return (ace for ace in descriptor.dacl if ace.allows and ace.applies_here)


def _told(accounts: Accounts, bad: set[str]) -> Outcome:
    names = sorted((_name(accounts, number) for number in bad), key=str.casefold)
    return (failed if bad else passed)(cut("members", names), {"members": []})


@check("no_replication_rights")
def secrets_go_to_controllers_only(accounts: Accounts, rights: DirectoryRights, want: Health) -> Iterable[Outcome]:
    """Whether only controllers and administrators may fetch all passwords by replicating (DCSync)."""
    if not want.no_replication_rights:
        return
    design = _by_design(accounts, _CONTROLLERS) | _allowed(accounts, want)
    bad = {
        ace.sid
        for ace in _granted(rights.head)
        if (ace.mask & _EXTENDED and ace.object_type in (None, _ALL_SECRETS))
        or (ace.mask & _OWNS and ace.object_type is None)
    }
    yield _told(accounts, bad - design)


@check("guarded_accounts")
def guarded_accounts_belong_to_admins(accounts: Accounts, rights: DirectoryRights, want: Health) -> Iterable[Outcome]:
    """Whether AdminSDHolder gives nobody else rights: they would be copied to every account with power each hour."""
    if not want.guarded_accounts:
        return
    design = _by_design(accounts) | _allowed(accounts, want) | {"S-1-5-10"}
    bad = {
        ace.sid
        for ace in _granted(rights.guard)
        if (ace.object_type is None and ace.mask & (_CHANGES | _EXTENDED))
        or (ace.object_type == _RESET_PASSWORD and ace.mask & _EXTENDED)
        or (ace.object_type == _MEMBER and ace.mask & (_WRITE | _SELF))
    }
    yield _told(accounts, bad - design)


@check("no_power_for_everybody")
def everybody_has_no_power(accounts: Accounts, rights: DirectoryRights, want: Health) -> Iterable[Outcome]:
    """Whether nothing was delegated to everybody: on the domain, its units, the containers at the top."""
    if not want.no_power_for_everybody:
        return
    everybody = {*_EVERYBODY, *(f"{accounts.sid}-{rid}" for rid in _EVERYBODY_RIDS)} - _allowed(accounts, want)
    bad: dict[str, list[str]] = {}
    for place, descriptor in {"/": rights.head, **rights.places}.items():
        who = {ace.sid for ace in _everything(descriptor) if ace.sid in everybody and _gives_power(ace)}
        if who:
            bad[place] = sorted(_name(accounts, number) for number in who)
    yield (failed if bad else passed)(cut("units", bad), {"units": {}})


def _everything(descriptor: Descriptor) -> Iterable[Ace]:
    """Give the entries made here that grant something, on the object or on what is below it."""
    if descriptor.dacl is None:
        return (Ace(0, 0, _GENERIC_ALL, sid.EVERYONE),)
    return (ace for ace in descriptor.dacl if ace.allows and not ace.flags & INHERITED)


def _gives_power(ace: Ace) -> bool:
    """Tell whether an entry lets change something, or grants all extended rights or one that matters."""
    if ace.mask & _CHANGES:
        return True
    return bool(ace.mask & _EXTENDED) and ace.object_type in (None, _ALL_SECRETS, _RESET_PASSWORD)


@check("controllers_owned_by_admins")
def controllers_belong_to_admins(accounts: Accounts, rights: DirectoryRights, want: Health) -> Iterable[Outcome]:
    """Whether the accounts of the controllers are owned by administrators: an owner can always grant rights."""
    if not want.controllers_owned_by_admins:
        return
    design = _by_design(accounts) | _allowed(accounts, want)
    bad = {n: _name(accounts, d.owner or "") for n, d in sorted(rights.controllers.items()) if d.owner not in design}
    yield (failed if bad else passed)(cut("accounts", bad), {"accounts": {}})


@check("trusts_filter_sids")
def trusts_filter_foreign_sids(trusts: Trusts, want: Health) -> Iterable[Outcome]:
    """Whether a domain that we trust cannot hand out our own administrators' SIDs (SID filtering)."""
    if want.trusts_filter_sids:
        bad = sorted(t.name for t in trusts.all if t.outbound and not t.filters)
        yield (failed if bad else passed)({"names": bad}, {"names": []})
