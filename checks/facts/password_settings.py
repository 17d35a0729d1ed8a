"""Fine-grained password policies: password settings objects (MS-ADTS 3.1.1.4.5.36, MS-ADA2 msDS-PasswordSettings).

Ordinary accounts may not read them on Windows. A controller then shows nothing, or a name without attributes, so what
is seen must be told from what may be seen: the container's own rights say whether a policy would have been shown to us,
by the SIDs of our token, which the rootDSE tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.core import Fact, FailureKind, Unreadable
from checks.facts.directory import RootDse, Rules, Said
from checks.facts.entries import Entry, entries
from checks.formats import access, filetime, security_descriptor, sid
from checks.questions import LdapSearch

_CONTAINER = "CN=Password Settings Container,CN=System"
_LIST, _READ = 0x4, 0x10  # RIGHT_DS_LIST_CONTENTS, RIGHT_DS_READ_PROPERTY (MS-ADTS 5.1.3.2)
_DOMAIN_ADMINS = 512
_OWNER_GROUP_DACL = 7  # SD_FLAGS
_RIGHT = f"the account may not read {_CONTAINER} and what is in it"


@dataclass(frozen=True, slots=True, eq=False)
class PasswordSettings:
    """One policy: the lowest precedence wins; `applies_to` holds distinguished names of users and global groups."""

    name: str
    precedence: int
    applies_to: tuple[str, ...]
    rules: Rules


@dataclass(frozen=True, slots=True)
class FineGrained(Fact):
    """All fine-grained password policies of the domain."""

    question = (
        RootDse.question,
        LdapSearch(
            attributes=("objectClass", "nTSecurityDescriptor"),
            rdn=_CONTAINER,
            scope="base",
            binary=("nTSecurityDescriptor",),
            sd_flags=_OWNER_GROUP_DACL,
        ),
        LdapSearch(
            attributes=(
                "cn",
                "msDS-PasswordSettingsPrecedence",
                "msDS-PSOAppliesTo",
                "msDS-MinimumPasswordLength",
                "msDS-PasswordHistoryLength",
                "msDS-MaximumPasswordAge",
                "msDS-MinimumPasswordAge",
                "msDS-PasswordComplexityEnabled",
                "msDS-PasswordReversibleEncryptionEnabled",
                "msDS-LockoutThreshold",
                "msDS-LockoutDuration",
                "msDS-LockoutObservationWindow",
            ),
            rdn=_CONTAINER,
            scope="one",
        ),
    )

    policies: dict[str, PasswordSettings]  # by folded name

    @classmethod
    def read(cls, root: Said, container: Said, answer: Said) -> Self:
        """Read the policies; Unreadable (denied) when there may be some that we are not shown."""
        if not answer:
            _surely_none(RootDse.read(root), container)
        return cls({sid.fold(p.name): p for p in map(_policy, entries(answer))})


def _surely_none(root: RootDse, container: Said) -> None:
    """Hold that no policy seen means no policy there: we may list the container, and read what would be in it.

    A policy is made with rights for Domain Admins and the system (defaultSecurityDescriptor of its class, MS-ADSC) and
    what its container passes on; only that gives others a view.
    """
    if len(container) != 1 or not root.token:
        raise Unreadable(_RIGHT, FailureKind.DENIED)
    entry = Entry(container[0])
    if not entry.has("ntsecuritydescriptor"):
        raise Unreadable(_RIGHT, FailureKind.DENIED)
    descriptor = security_descriptor.parse(sid.decode(entry.must("ntsecuritydescriptor")))
    token = access.Token(root.token | {sid.EVERYONE, sid.AUTHENTICATED})
    inside = access.child(descriptor, folder=True, owner=None, group=None, mapping=access.DIRECTORY_OBJECT)
    lists = access.check(descriptor, token, access.DIRECTORY_OBJECT).all(_LIST)
    reads = any(s.startswith("S-1-5-21-") and s.endswith(f"-{_DOMAIN_ADMINS}") for s in root.token) or (
        access.check(inside, token, access.DIRECTORY_OBJECT).all(_READ)
    )
    if not (lists and reads):
        raise Unreadable(_RIGHT, FailureKind.DENIED)


def _policy(entry: Entry) -> PasswordSettings:
    def said(name: str) -> str:
        value = entry.text(name)
        if value is None:
            raise Unreadable(_RIGHT, FailureKind.DENIED)
        return value

    return PasswordSettings(
        said("cn"),
        filetime.number(said("msds-passwordsettingsprecedence")),
        entry.texts("msds-psoappliesto"),
        Rules(
            filetime.number(said("msds-minimumpasswordlength")),
            filetime.number(said("msds-passwordhistorylength")),
            filetime.interval(said("msds-maximumpasswordage")),
            filetime.interval(said("msds-minimumpasswordage")) or 0,
            said("msds-passwordcomplexityenabled").upper() == "TRUE",
            said("msds-passwordreversibleencryptionenabled").upper() == "TRUE",
            filetime.number(said("msds-lockoutthreshold")),
            filetime.interval(said("msds-lockoutduration")),
            filetime.interval(said("msds-lockoutobservationwindow")) or 0,
        ),
    )
