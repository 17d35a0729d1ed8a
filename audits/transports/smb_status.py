"""What NTSTATUS codes (MS-ERREF 2.3.1) of a file server and smbprotocol's exceptions mean."""

from __future__ import annotations

import struct

from smbprotocol.exceptions import SMBConnectionClosed, SMBException, SMBResponseException
from spnego.exceptions import SpnegoError

from audits.transports.connecting import Refused, Trouble, broken
from checks.questions import FailureKind

MISSING = frozenset(
    {
        0xC000000F,  # NO_SUCH_FILE
        0xC0000033,  # OBJECT_NAME_INVALID
        0xC0000034,  # OBJECT_NAME_NOT_FOUND
        0xC0000039,  # OBJECT_PATH_INVALID
        0xC000003A,  # OBJECT_PATH_NOT_FOUND
        0xC000003B,  # OBJECT_PATH_SYNTAX_BAD
        0xC0000056,  # DELETE_PENDING
        0xC00000BA,  # FILE_IS_A_DIRECTORY: no such file
        0xC00000CC,  # BAD_NETWORK_NAME: no such share
        0xC0000103,  # NOT_A_DIRECTORY
        0xC0000225,  # NOT_FOUND
    }
)
"""There is no such share, file or directory."""

_REFUSED = {
    0xC0000064: "no such account",
    0xC000006A: "wrong password",
    0xC000006D: "wrong name or password",
    0xC000006E: "the account is restricted",
    0xC0000071: "the password has expired",
    0xC0000072: "the account is disabled",
    0xC0000193: "the account has expired",
    0xC0000224: "the password must be changed first",
    0xC0000234: "the account is locked out",
}
_NOT_LET_IN = {
    0xC000006F: "the account may not log on at this hour",
    0xC0000070: "the account may not log on from this machine",
    0xC000015B: "the account may not log on to this machine over the network",
    0xC000005E: "the server reaches no domain controller",
    0xC0000133: "the clocks differ too much",
    0xC000018A: "the server has no trust account",
    0xC000018B: "the domain does not know the server's trust account",
    0xC000018C: "the trust with the domain is broken",
    0xC000018D: "the server's trust with its domain is broken",
    0xC0000192: "the server's logon service does not run",
    0xC0000413: "the account may not log on to this machine",
    0xC0000418: "the server does not take NTLM",
}
_OTHERS = {
    0xC0000022: (FailureKind.DENIED, "access denied"),
    0xC0000061: (FailureKind.DENIED, "a privilege is missing"),
    0xC0000043: (FailureKind.DENIED, "in use by another program"),
    0xC00000D0: (FailureKind.UNREACHABLE, "the server takes no more connections"),
    0xC000009A: (FailureKind.UNREACHABLE, "the server lacks resources"),
    0xC0000205: (FailureKind.UNREACHABLE, "the server lacks resources"),
    0xC00000B5: (FailureKind.TIMED_OUT, "the server's disk did not answer"),
    0x8000002D: (FailureKind.UNREADABLE, "a symbolic link, which is not followed"),
    0xC0000257: (FailureKind.UNREADABLE, "a DFS link, which is not followed"),
    0xC000019C: (FailureKind.UNREADABLE, "a DFS link, which is not followed"),
}
_LOST = {0xC00000C9, 0xC0000203, 0xC000035C}  # the tree, session or connection is gone


def trouble_of(error: BaseException, doing: str) -> Trouble:
    """Say what an exception means; Refused when it is about the account."""
    if isinstance(error, Trouble):
        return error
    if isinstance(error, SMBResponseException):
        return _of_status(error.status, doing)
    if isinstance(error, SMBConnectionClosed):
        return Trouble(FailureKind.UNREACHABLE, f"the server closed the connection while {doing}", lost=True)
    if isinstance(error, SMBException) and "as a guest" in str(error):
        return Trouble(FailureKind.AUTHENTICATION_FAILED, "the server takes the account for a guest", lost=True)
    if isinstance(error, OSError):
        return broken(error, doing)
    if isinstance(error, (SMBException, SpnegoError, struct.error, LookupError, TypeError, ValueError, OverflowError)):
        return Trouble(FailureKind.UNREADABLE, f"{doing}: this is no SMB: {error}", lost=True)
    raise error


def trouble_of_logon(error: BaseException) -> Trouble:
    """Say why the session was not made: a status without a meaning of its own counts as a refusal of the account."""
    trouble = trouble_of(error, "logging on")
    if isinstance(error, SMBResponseException) and trouble.failure.kind in (FailureKind.UNREADABLE, FailureKind.DENIED):
        return Refused(f"the logon is refused (0x{error.status:08X})")
    return trouble


def _of_status(status: int, doing: str) -> Trouble:
    code = f"0x{status:08X}"
    if status in _REFUSED:
        return Refused(f"{_REFUSED[status]} ({code})")
    if status in _NOT_LET_IN:
        return Trouble(FailureKind.AUTHENTICATION_FAILED, f"{_NOT_LET_IN[status]} ({code})", lost=True)
    if status in _LOST:
        return Trouble(FailureKind.UNREACHABLE, f"the server ended the session while {doing} ({code})", lost=True)
    kind, meaning = _OTHERS.get(status, (FailureKind.UNREADABLE, "the server cannot"))
    return Trouble(kind, f"{meaning} ({code}) while {doing}")
