"""Users, groups and computers: the whole tables, and who is in what, however deep.

Three big questions and a small one serve all checks on accounts, and are asked once. Everything is indexed once, by
distinguished name, SID and logon name; membership is followed over `member` and over primaryGroupID (which no `member`
shows), by SID and never by a name that Windows translates. Circles are no trouble.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from checks.core import Fact, FailureKind, Unreadable
from checks.facts.directory import DomainObject, RootDse, Said
from checks.facts.entries import Entry, entries
from checks.formats import distinguished_name, filetime, sid
from checks.questions import LdapSearch

# userAccountControl (MS-ADTS 2.2.16)
DISABLED, NO_PASSWORD_NEEDED, REVERSIBLE = 0x2, 0x20, 0x80
NORMAL, WORKSTATION, CONTROLLER, READ_ONLY_CONTROLLER = 0x200, 0x1000, 0x2000, 0x4000000
NEVER_EXPIRES, SMARTCARD, TRUSTED, NOT_DELEGATED = 0x10000, 0x40000, 0x80000, 0x100000
DES_ONLY, NO_PREAUTHENTICATION, PROTOCOL_TRANSITION = 0x200000, 0x400000, 0x1000000
# groupType (MS-ADTS 2.2.12)
_SCOPES = {0x2: "global", 0x4: "domain_local", 0x8: "universal"}
_SECURITY = 0x80000000
ADMINISTRATOR, GUEST, KRBTGT = 500, 501, 502
FIRST_OWN = 1000  # lower RIDs are the system's own
_OF_LOGONS = "logoncount"  # every account has it: where it cannot be seen, no other logon information can

_EVERY = (
    "objectSid",
    "sAMAccountName",
    "userAccountControl",
    "primaryGroupID",
    "whenCreated",
    "pwdLastSet",
    "lastLogonTimestamp",
    "logonCount",
    "servicePrincipalName",
    "sIDHistory",
    "adminCount",
    "msDS-SupportedEncryptionTypes",
    "msDS-AllowedToDelegateTo",
    "description",
)
_BINARY = ("objectSid", "sIDHistory")

USERS = LdapSearch(
    filter="(sAMAccountType=805306368)",  # SAM_USER_OBJECT, indexed; inetOrgPerson too
    attributes=(
        *_EVERY,
        "givenName",
        "sn",
        "displayName",
        "userPrincipalName",
        "department",
        "company",
        "title",
        "mail",
        "telephoneNumber",
        "physicalDeliveryOfficeName",
        "employeeID",
        "manager",
        "homeDirectory",
        "homeDrive",
        "profilePath",
        "scriptPath",
        "accountExpires",
        "lockoutTime",
    ),
    binary=_BINARY,
)
GROUPS = LdapSearch(
    filter="(objectClass=group)",
    attributes=(
        "objectSid",
        "sAMAccountName",
        "groupType",
        "member",
        "adminCount",
        "description",
        "managedBy",
        "sIDHistory",
    ),
    binary=_BINARY,
)
COMPUTERS = LdapSearch(
    filter="(sAMAccountType=805306369)",  # SAM_MACHINE_ACCOUNT: with group managed service accounts
    attributes=(
        *_EVERY,
        "objectClass",
        "dNSHostName",
        "operatingSystem",
        "operatingSystemVersion",
        "msLAPS-PasswordExpirationTime",
        "ms-Mcs-AdmPwdExpirationTime",
    ),
    binary=_BINARY,
)
OTHERS = LdapSearch(
    filter="(|(objectClass=foreignSecurityPrincipal)(&(objectClass=contact)(memberOf=*)))",
    attributes=("objectClass", "objectSid", "cn"),
    binary=("objectSid",),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """A user, group, computer, or something else that can be in a group. Attributes are read where they are needed."""

    kind: str  # user, group, computer, foreign, contact
    name: str  # sAMAccountName; the common name of what has none
    sid: str  # empty for a contact
    entry: Entry

    @property
    def dn(self) -> str:
        """Where it stands."""
        return self.entry.dn

    @property
    def control(self) -> int:
        """The flags of userAccountControl; Unreadable when they may not be seen."""
        return filetime.number(self.entry.must("useraccountcontrol"))

    @property
    def enabled(self) -> bool:
        """Whether it can log on at all."""
        return not self.control & DISABLED

    @property
    def is_controller(self) -> bool:
        """Whether it is a domain controller, also a read-only one."""
        return self.kind == "computer" and bool(self.control & (CONTROLLER | READ_ONLY_CONTROLLER))

    @property
    def rid(self) -> int:
        """The last part of its SID; 0 for what has none."""
        return sid.rid(self.sid) if self.sid else 0

    @property
    def created(self) -> float:
        """When it was made, in seconds since 1970."""
        return filetime.generalized(self.entry.must("whencreated"))

    @property
    def password_set(self) -> float | None:
        """When the password was last set; None when it must be changed at the next logon, or never was set."""
        return filetime.seconds(self.entry.must("pwdlastset"))

    @property
    def last_logon(self) -> float | None:
        """When it last logged on, up to 14 days late by design (MS-ADA1 lastLogonTimestamp); None: never."""
        self.entry.must(_OF_LOGONS)
        return self.entry.filetime("lastlogontimestamp")

    @property
    def scope(self) -> str:
        """How far a group reaches: global, domain_local, universal."""
        bits = filetime.number(self.entry.must("grouptype"))
        return next((word for bit, word in _SCOPES.items() if bits & bit), "")

    @property
    def type(self) -> str:
        """Whether a group can bear rights: security or distribution."""
        return "security" if filetime.number(self.entry.must("grouptype")) & _SECURITY else "distribution"


@dataclass(frozen=True, slots=True)
class Members:
    """Who is in a group: the accounts, and distinguished names that lead to nothing the account may see."""

    accounts: frozenset[Account]
    unseen: frozenset[str]


@dataclass(frozen=True, slots=True)
class Accounts(Fact):
    """All users, groups and computers of the domain, with the memberships between them."""

    question = (RootDse.question, DomainObject.question[1], USERS, GROUPS, COMPUTERS, OTHERS)

    now: float  # the directory's clock, seconds since 1970
    domain: str  # distinguished name
    sid: str
    in_root: bool  # whether this is the forest's first domain, where the forest's groups are
    users: dict[str, Account] = field(repr=False)  # by folded logon name
    groups: dict[str, Account] = field(repr=False)
    computers: dict[str, Account] = field(repr=False)
    by_key: dict[str, Account] = field(repr=False)  # by comparable distinguished name
    by_sid: dict[str, Account] = field(repr=False)
    _primary: dict[str, list[Account]] = field(repr=False)  # group SID -> whose primary group it is
    _parents: dict[str, list[Account]] = field(repr=False)  # comparable name -> groups it is directly in

    @classmethod
    def read(cls, root: Said, head: Said, users: Said, groups: Said, computers: Said, others: Said) -> Self:
        """Read the tables and index them."""
        dse, domain = RootDse.read(root), DomainObject.read(root, head)
        if not users or not groups:
            raise Unreadable("the account may not see the users and groups of the domain", FailureKind.DENIED)
        tables = {kind: [_account(kind, e) for e in entries(said)] for kind, said in
                  (("user", users), ("group", groups), ("computer", computers))}  # fmt: skip
        foreign = [_other(e) for e in entries(others)]
        everything = [a for table in tables.values() for a in table] + foreign
        by_key = {a.entry.key: a for a in everything}
        primary: dict[str, list[Account]] = {}
        for account in (*tables["user"], *tables["computer"]):
            if account.entry.has("primarygroupid"):
                rid = filetime.number(account.entry.must("primarygroupid"))
                primary.setdefault(f"{domain.sid}-{rid}", []).append(account)
        parents: dict[str, list[Account]] = {}
        for group in tables["group"]:
            for member in group.entry.texts("member"):
                parents.setdefault(distinguished_name.key(member), []).append(group)
        return cls(
            dse.now,
            dse.domain,
            domain.sid,
            distinguished_name.key(dse.domain) == distinguished_name.key(dse.forest),
            _by_name(tables["user"]),
            _by_name(tables["group"]),
            _by_name(tables["computer"]),
            by_key,
            {a.sid: a for a in everything if a.sid},
            primary,
            parents,
        )

    # -- finding ------------------------------------------------------------------------------------------------------

    def by_rid(self, rid: int) -> Account | None:
        """Give one of the domain's own accounts by the last part of its SID."""
        return self.by_sid.get(f"{self.sid}-{rid}")

    def find(self, name: str) -> Account | None:
        r"""Give whom a name means: logon name (`SCHOOL\jan`, a computer without its `$`), SID, or distinguished name.

        What the directory itself calls so comes first; then what a built-in account or group is called in English,
        Dutch, French or German, since a domain speaks the language that it was made in.
        """
        if sid.is_sid(name):
            return self.by_sid.get(sid.normal(name))
        if "=" in name and (found := self.by_key.get(distinguished_name.key(name))):
            return found
        folded = sid.fold(name.rpartition("\\")[2])
        for table, key in ((self.users, folded), (self.groups, folded), (self.computers, folded + "$"),
                           (self.computers, folded)):  # fmt: skip
            if key in table:
                return table[key]
        known = sid.well_known(folded)
        if known in self.by_sid:
            return self.by_sid[known]
        rid = sid.rid_of(folded)
        return self.by_rid(rid) if rid is not None else None

    def group(self, name: str) -> Account | None:
        """Give a group; a user or computer of that name is none."""
        folded = sid.fold(name.rpartition("\\")[2])
        found = self.groups.get(folded) or self.find(name)
        return found if found and found.kind == "group" else None

    def user(self, name: str) -> Account | None:
        """Give a user by logon name, SID or distinguished name, or by the name of a built-in account."""
        folded = sid.fold(name.rpartition("\\")[2])
        found = self.users.get(folded) or self.find(name)
        return found if found and found.kind == "user" else None

    def computer(self, name: str) -> Account | None:
        """Give a computer by its name, with or without `$`, or by its DNS name's first part."""
        folded = sid.fold(name).partition(".")[0] if "=" not in name else name
        found = self.computers.get(folded.removesuffix("$") + "$") or self.find(name)
        return found if found and found.kind == "computer" else None

    # -- membership ---------------------------------------------------------------------------------------------------

    def direct(self, group: Account, *, primary: bool = True) -> Members:
        """Give who is directly in a group; `primary`: also those whose primary group it is."""
        found, unseen = set(self._primary.get(group.sid, ()) if primary else ()), set()
        for dn in group.entry.texts("member"):
            member = self.by_key.get(distinguished_name.key(dn))
            if member:
                found.add(member)
            else:
                unseen.add(dn)
        return Members(frozenset(found), frozenset(unseen))

    def nested(self, *groups: Account) -> Members:
        """Give everybody who is in these groups, however deep; groups themselves are not among them."""
        found: set[Account] = set()
        unseen: set[str] = set()
        seen, todo = set(groups), list(groups)
        while todo:
            members = self.direct(todo.pop())
            unseen |= members.unseen
            for member in members.accounts:
                if member.kind != "group":
                    found.add(member)
                elif member not in seen:
                    seen.add(member)
                    todo.append(member)
        return Members(frozenset(found), frozenset(unseen))

    def groups_of(self, account: Account) -> frozenset[Account]:
        """Give every group that an account is in, directly, by its primary group, or through others."""
        found = set(self.direct_groups(account))
        todo = list(found)
        while todo:
            for parent in self._parents.get(todo.pop().entry.key, ()):
                if parent not in found:
                    found.add(parent)
                    todo.append(parent)
        return frozenset(found)

    def direct_groups(self, account: Account, *, primary: bool = True) -> Iterator[Account]:
        """Give the groups that an account is directly in."""
        yield from self._parents.get(account.entry.key, ())
        if primary and account.entry.has("primarygroupid"):
            group = self.by_rid(filetime.number(account.entry.must("primarygroupid")))
            if group:
                yield group

    def names(self, accounts: Iterable[Account]) -> list[str]:
        """Give the names, sorted."""
        return sorted((a.name for a in accounts), key=str.casefold)


def _by_name(accounts: Iterable[Account]) -> dict[str, Account]:
    return {sid.fold(a.name): a for a in accounts}


def _account(kind: str, entry: Entry) -> Account:
    return Account(kind, entry.must("samaccountname"), sid.sid_of(entry.must("objectsid")), entry)


def _other(entry: Entry) -> Account:
    """Read a foreign principal, named as the well-known one that it is, else by its SID; or a contact."""
    own = distinguished_name.name(entry.dn)
    if "contact" in entry.classes():
        return Account("contact", own, "", entry)
    number = entry.sid() or own
    return Account("foreign", sid.WELL_KNOWN.get(number, (own,))[0], number, entry)
