"""What LDAP result codes (RFC 4511 A.1) and AD's sub-codes mean, and which attributes are never asked for."""

from __future__ import annotations

import re

from audits.transports.connecting import Refused, Trouble
from checks.questions import FailureKind

# Win32 errors in AD's diagnostic message of a failed bind: "80090308: LdapErr: …, data 52e, v4563"
_SUBCODES = {
    "525": "no such account",
    "52e": "wrong name or password",
    "530": "the account may not log on at this hour",
    "531": "the account may not log on from this machine",
    "532": "the password has expired",
    "533": "the account is disabled",
    "568": "the account is in too many groups",
    "701": "the account has expired",
    "773": "the password must be changed first",
    "775": "the account is locked out",
}
_ABOUT_THE_ATTEMPT = {"530", "531", "568"}  # another server or hour may let it in
_STRONGER = "the server wants signing or TLS"

OUR_SECRETS = frozenset(
    {
        "clearpassword", "currentvalue", "dbcspwd", "initialauthincoming", "initialauthoutgoing", "krbprincipalkey",
        "lmpwdhistory", "ms-mcs-admpwd", "ms-mcs-admpwdhistory", "msds-executescriptpassword", "msds-managedpassword",
        "msfve-keypackage", "msfve-recoverypassword", "mskds-rootkeydata", "mslaps-encrypteddsrmpassword",
        "mslaps-encrypteddsrmpasswordhistory", "mslaps-encryptedpassword", "mslaps-encryptedpasswordhistory",
        "mslaps-password", "mspki-credentialroamingtokens", "mspkiaccountcredentials", "mspkidpapimasterkeys",
        "mstpm-ownerinformation", "ntpwdhistory", "ntsecuritypassword", "peklist", "priorvalue", "sambalmpassword",
        "sambantpassword", "sambapasswordhistory", "supplementalcredentials", "trustauthincoming", "trustauthoutgoing",
        "unicodepwd", "unixuserpassword", "userpassword",
    }
)  # fmt: skip
"""Passwords, keys and what they can be made of (MS-ADA; LAPS, BitLocker, TPM, gMSA, Samba), in lower case."""


def trouble_of_bind(code: int, message: str) -> Trouble:
    """Say what a refused bind means."""
    words = _one_line(message)
    if code == 49:  # noqa: PLR2004 - invalidCredentials
        sub = re.search(r"\bdata ([0-9a-f]+)", message)
        known = _SUBCODES.get(sub[1], "") if sub else ""
        detail = f"{known or 'wrong name or password'} ({words or 'invalidCredentials'})"
        if sub and sub[1] in _ABOUT_THE_ATTEMPT:
            return Trouble(FailureKind.AUTHENTICATION_FAILED, detail)
        return Refused(detail)
    kind, meaning = {
        7: (FailureKind.DENIED, "this way to log on is not supported"),
        8: (FailureKind.DENIED, _STRONGER),
        13: (FailureKind.DENIED, _STRONGER),
        48: (FailureKind.AUTHENTICATION_FAILED, "the account may not log on this way"),
        51: (FailureKind.UNREACHABLE, "the server is busy"),
        52: (FailureKind.UNREACHABLE, "the server is not available"),
        53: (FailureKind.DENIED, "the server is not willing"),
    }.get(code, (FailureKind.UNREADABLE, f"the bind ended with result {code}"))
    return Trouble(kind, f"{meaning}: {words}" if words else meaning, lost=kind is FailureKind.UNREACHABLE)


def trouble_of_search(code: int, message: str) -> Trouble:
    """Say what a search that did not succeed means."""
    words = _one_line(message)
    kind, meaning = {
        1: (FailureKind.DENIED, "not allowed without a bind that the server accepts"),
        3: (FailureKind.TIMED_OUT, "the server stopped searching after its time limit"),
        4: (FailureKind.TOO_LARGE, "the server gives only a part: size limit"),
        8: (FailureKind.DENIED, _STRONGER),
        10: (FailureKind.UNREADABLE, "this server does not hold that part of the directory"),
        11: (FailureKind.TOO_LARGE, "the server's administrative limit"),
        12: (FailureKind.UNREADABLE, "the server does not know a control that the question needs"),
        13: (FailureKind.DENIED, _STRONGER),
        50: (FailureKind.DENIED, "the account may not read this"),
        51: (FailureKind.UNREACHABLE, "the server is busy"),
        52: (FailureKind.UNREACHABLE, "the server is not available"),
        53: (FailureKind.DENIED, "the server is not willing"),
    }.get(code, (FailureKind.UNREADABLE, f"the search ended with result {code}"))
    return Trouble(kind, f"{meaning}: {words}" if words else meaning)


def _one_line(message: str) -> str:
    return " ".join(message.replace("\0", " ").split())
