"""Shared by the modules that run on a domain controller: Samba's own libraries, and comparing attributes."""

from __future__ import annotations

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB


def open_directory() -> tuple[SamDB, LoadParm]:
    """Give the local directory, as the system itself (we are root on a domain controller)."""
    parm = LoadParm()
    parm.load_default()
    return SamDB(session_info=system_session(), lp=parm), parm


def found(samdb: SamDB, dn: str, attrs: list[str]) -> ldb.Message | None:
    """Give the object with this name, or None."""
    try:
        return samdb.search(dn, scope=ldb.SCOPE_BASE, attrs=attrs)[0]
    except ldb.LdbError as error:
        if error.args[0] == ldb.ERR_NO_SUCH_OBJECT:
            return None
        raise


def texts(message: ldb.Message, name: str) -> list[str]:
    """Build an attribute's values as text, sorted."""
    return sorted(str(value) for value in message.get(name) or [])


def differences(message: ldb.Message, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Give the wanted attributes that an object does not have yet."""
    return {name: values for name, values in wanted.items() if texts(message, name) != sorted(values)}


def replace(samdb: SamDB, dn: str, values: dict[str, list[str]]) -> None:
    """Set attributes to exactly these values."""
    message = ldb.Message(ldb.Dn(samdb, dn))
    for name, wanted in values.items():
        message[name] = ldb.MessageElement([value.encode() for value in wanted], ldb.FLAG_MOD_REPLACE, name)
    samdb.modify(message)


def add(samdb: SamDB, dn: str, values: dict[str, list[str]]) -> None:
    """Add an object."""
    samdb.add({"dn": dn, **{name: [value.encode() for value in wanted] for name, wanted in values.items()}})
