r"""Security identifiers and GUIDs: bytes, text, and the well-known ones by number and by name (MS-DTYP 2.4.2, 2.4.2.4).

Windows translates the names of its built-in accounts when a domain is made, and people rename them: whoever compares
names is wrong in a Dutch, French or German domain. So the tables here give the canonical English name first, then what
they are called elsewhere; `well_known` and `rid_of` turn any of them into the number that never changes.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import uuid
from collections.abc import Mapping
from types import MappingProxyType

from checks.questions import Unreadable

__all__ = [
    "ANONYMOUS", "AUTHENTICATED", "BUILTIN", "EVERYONE", "RIDS", "SELF", "SYSTEM", "WELL_KNOWN", "decode", "fold",
    "guid_bytes", "guid_text", "is_sid", "normal", "rid", "rid_of", "sid_bytes", "sid_of", "sid_text", "well_known",
]  # fmt: skip

EVERYONE, ANONYMOUS, AUTHENTICATED, SELF, SYSTEM = "S-1-1-0", "S-1-5-7", "S-1-5-11", "S-1-5-10", "S-1-5-18"
BUILTIN = "S-1-5-32-"
_MOST_PARTS = 15  # sub-authorities
_HEAD = 8  # octets before the sub-authorities
_SID = re.compile(r"S-1-(?:0x[0-9a-f]{1,12}|[0-9]{1,15})(?:-[0-9]{1,10}){0,15}", re.IGNORECASE)

WELL_KNOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "S-1-1-0": ("Everyone", "Iedereen", "Tout le monde", "Jeder"),
        "S-1-3-0": ("CREATOR OWNER", "MAKER EIGENAAR", "CREATEUR PROPRIETAIRE", "ERSTELLER-BESITZER"),
        "S-1-3-1": ("CREATOR GROUP", "MAKER GROEP", "GROUPE CREATEUR", "ERSTELLERGRUPPE"),
        "S-1-3-4": ("OWNER RIGHTS", "RECHTEN VAN EIGENAAR", "DROITS DU PROPRIETAIRE", "EIGENTÜMERRECHTE"),
        "S-1-5-2": ("NETWORK", "NETWERK", "RESEAU", "NETZWERK"),
        "S-1-5-4": ("INTERACTIVE", "INTERACTIEF", "INTERACTIF", "INTERAKTIV"),
        "S-1-5-6": ("SERVICE", "DIENST"),
        "S-1-5-7": ("ANONYMOUS LOGON", "ANONIEME AANMELDING", "ANONYMOUS", "ANONYMOUS-ANMELDUNG"),
        "S-1-5-9": (
            "Enterprise Domain Controllers",
            "Domeincontrollers van onderneming",
            "Contrôleurs de domaine d'entreprise",
            "Domänencontroller der Organisation",
        ),
        "S-1-5-10": ("SELF", "ZELF", "SELBST"),
        "S-1-5-11": (
            "Authenticated Users",
            "Geverifieerde gebruikers",
            "Utilisateurs authentifiés",
            "Authentifizierte Benutzer",
        ),
        "S-1-5-14": ("REMOTE INTERACTIVE LOGON", "EXTERNE INTERACTIEVE AANMELDING", "REMOTEINTERAKTIVE ANMELDUNG"),
        "S-1-5-15": ("This Organization", "Deze organisatie", "Cette organisation", "Diese Organisation"),
        "S-1-5-18": ("SYSTEM", "SYSTEEM", "Système", "LOCAL SYSTEM"),
        "S-1-5-19": ("LOCAL SERVICE", "LOKALE SERVICE", "SERVICE LOCAL", "LOKALER DIENST"),
        "S-1-5-20": ("NETWORK SERVICE", "NETWERKSERVICE", "SERVICE RÉSEAU", "NETZWERKDIENST"),
        "S-1-5-32-544": ("Administrators", "Beheerders", "Administrateurs", "Administratoren"),
        "S-1-5-32-545": ("Users", "Gebruikers", "Utilisateurs", "Benutzer"),
        "S-1-5-32-546": ("Guests", "Gasten", "Invités", "Gäste"),
        "S-1-5-32-547": ("Power Users", "Hoofdgebruikers", "Utilisateurs avec pouvoir", "Hauptbenutzer"),
        "S-1-5-32-548": ("Account Operators", "Accountoperators", "Opérateurs de compte", "Konten-Operatoren"),
        "S-1-5-32-549": ("Server Operators", "Serveroperators", "Opérateurs de serveur", "Server-Operatoren"),
        "S-1-5-32-550": ("Print Operators", "Printeroperators", "Opérateurs d'impression", "Druck-Operatoren"),
        "S-1-5-32-551": (
            "Backup Operators",
            "Back-upoperators",
            "Opérateurs de sauvegarde",
            "Sicherungs-Operatoren",
        ),
        "S-1-5-32-552": ("Replicator", "Duplicateurs", "Replikations-Operator"),
        "S-1-5-32-554": (
            "Pre-Windows 2000 Compatible Access",
            "Pre-Windows 2000-compatibele toegang",
            "Accès compatible pré-Windows 2000",
            "Prä-Windows 2000 kompatibler Zugriff",
        ),
        "S-1-5-32-555": (
            "Remote Desktop Users",
            "Gebruikers van extern bureaublad",
            "Utilisateurs du Bureau à distance",
            "Remotedesktopbenutzer",
        ),
        "S-1-5-32-556": (
            "Network Configuration Operators",
            "Netwerkconfiguratieoperators",
            "Opérateurs de configuration réseau",
            "Netzwerkkonfigurations-Operatoren",
        ),
        "S-1-5-32-557": (
            "Incoming Forest Trust Builders",
            "Maker van binnenkomende forestvertrouwensrelaties",
            "Générateurs d'approbations de forêt entrante",
            "Erstellungen eingehender Gesamtstrukturvertrauensstellung",
        ),
        "S-1-5-32-558": (
            "Performance Monitor Users",
            "Prestatiemetergebruikers",
            "Utilisateurs de l'Analyseur de performances",
            "Systemmonitorbenutzer",
        ),
        "S-1-5-32-559": (
            "Performance Log Users",
            "Prestatielogboekgebruikers",
            "Utilisateurs du journal de performances",
            "Leistungsprotokollbenutzer",
        ),
        "S-1-5-32-560": (
            "Windows Authorization Access Group",
            "Windows-autorisatietoegangsgroep",
            "Groupe d'accès d'autorisation Windows",
            "Windows-Autorisierungszugriffsgruppe",
        ),
        "S-1-5-32-561": (
            "Terminal Server License Servers",
            "Terminal Server-licentieservers",
            "Serveurs de licences des services Terminal Server",
            "Terminalserver-Lizenzserver",
        ),
        "S-1-5-32-562": (
            "Distributed COM Users",
            "Gedistribueerde COM-gebruikers",
            "Utilisateurs du modèle COM distribué",
            "Distributed COM-Benutzer",
        ),
        "S-1-5-32-568": ("IIS_IUSRS",),
        "S-1-5-32-569": (
            "Cryptographic Operators",
            "Cryptografieoperators",
            "Opérateurs de chiffrement",
            "Kryptografie-Operatoren",
        ),
        "S-1-5-32-573": (
            "Event Log Readers",
            "Lezers van gebeurtenislogboeken",
            "Lecteurs des journaux d'événements",
            "Ereignisprotokollleser",
        ),
        "S-1-5-32-574": (
            "Certificate Service DCOM Access",
            "DCOM-toegang voor Certificate Service",
            "Accès DCOM service de certificats",
            "Zertifikatdienst-DCOM-Zugriff",
        ),
        "S-1-5-32-578": (
            "Hyper-V Administrators",
            "Hyper-V-administrators",
            "Administrateurs Hyper-V",
            "Hyper-V-Administratoren",
        ),
        "S-1-5-32-579": (
            "Access Control Assistance Operators",
            "Operators voor toegangsbeheerassistentie",
            "Opérateurs d'assistance de contrôle d'accès",
            "Zugriffssteuerungs-Unterstützungsoperatoren",
        ),
        "S-1-5-32-580": (
            "Remote Management Users",
            "Gebruikers van extern beheer",
            "Utilisateurs de gestion à distance",
            "Remoteverwaltungsbenutzer",
        ),
        "S-1-5-113": ("Local account", "Lokaal account", "Compte local", "Lokales Konto"),
        "S-1-5-114": (
            "Local account and member of Administrators group",
            "Lokaal account en lid van groep Administrators",
            "Compte local et membre du groupe Administrateurs",
            "Lokales Konto und Mitglied der Gruppe Administratoren",
        ),
    }
)
"""Names by SID: English first, then Dutch, French, German where they differ."""

RIDS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        498: (
            "Enterprise Read-only Domain Controllers",
            "Alleen-lezen domeincontrollers van onderneming",
            "Contrôleurs de domaine d'entreprise en lecture seule",
            "Schreibgeschützte Domänencontroller der Organisation",
        ),
        500: ("Administrator", "Administrateur"),
        501: ("Guest", "Gast", "Invité"),
        502: ("krbtgt",),
        512: ("Domain Admins", "Domeinadministrators", "Admins du domaine", "Domänen-Admins"),
        513: ("Domain Users", "Domeingebruikers", "Utilisateurs du domaine", "Utilisa. du domaine", "Domänen-Benutzer"),
        514: ("Domain Guests", "Domeingasten", "Invités du domaine", "Domänen-Gäste"),
        515: ("Domain Computers", "Domeincomputers", "Ordinateurs du domaine", "Domänencomputer"),
        516: ("Domain Controllers", "Domeincontrollers", "Contrôleurs de domaine", "Domänencontroller"),
        517: ("Cert Publishers", "Certificaatuitgevers", "Éditeurs de certificats", "Zertifikatherausgeber"),
        518: ("Schema Admins", "Schema-administrators", "Administrateurs du schéma", "Schema-Admins"),
        519: (
            "Enterprise Admins",
            "Ondernemingsadministrators",
            "Administrateurs de l'entreprise",
            "Organisations-Admins",
        ),
        520: (
            "Group Policy Creator Owners",
            "Eigenaren van Group Policy Creator",
            "Maker Eigenaar van groepsbeleid",
            "Propriétaires créateurs de la stratégie de groupe",
            "Richtlinien-Ersteller-Besitzer",
        ),
        521: (
            "Read-only Domain Controllers",
            "Alleen-lezen domeincontrollers",
            "Contrôleurs de domaine en lecture seule",
            "Schreibgeschützte Domänencontroller",
        ),
        522: (
            "Cloneable Domain Controllers",
            "Kloonbare domeincontrollers",
            "Contrôleurs de domaine clonables",
            "Klonbare Domänencontroller",
        ),
        525: ("Protected Users", "Beveiligde gebruikers", "Utilisateurs protégés", "Geschützte Benutzer"),
        526: ("Key Admins", "Sleuteladministrators", "Administrateurs clés", "Schlüsseladministratoren"),
        527: (
            "Enterprise Key Admins",
            "Ondernemingssleuteladministrators",
            "Administrateurs clés Enterprise",
            "Unternehmensschlüsseladministratoren",
        ),
        553: ("RAS and IAS Servers", "RAS- en IAS-servers", "Serveurs RAS et IAS", "RAS- und IAS-Server"),
        571: (
            "Allowed RODC Password Replication Group",
            "Groep met wachtwoorden die naar RODC mogen worden gerepliceerd",
            "Groupe de réplication dont le mot de passe RODC est autorisé",
            "Zulässige RODC-Kennwortreplikationsgruppe",
        ),
        572: (
            "Denied RODC Password Replication Group",
            "Groep met wachtwoorden die niet naar RODC mogen worden gerepliceerd",
            "Groupe de réplication dont le mot de passe RODC est refusé",
            "Abgelehnte RODC-Kennwortreplikationsgruppe",
        ),
    }
)
"""Names by the last part of a domain's SID (the RID), likewise."""


def fold(name: str) -> str:
    """Give a name as it is compared: without case, with one kind of apostrophe."""
    return name.strip().replace("\u2019", "'").casefold()


_BY_NAME = {fold(name): sid for sid, names in WELL_KNOWN.items() for name in names}
_RID_BY_NAME = {fold(name): rid for rid, names in RIDS.items() for name in names}


def well_known(name: str) -> str | None:
    """Give the SID of a well-known name in English, Dutch, French or German."""
    return _BY_NAME.get(fold(name))


def rid_of(name: str) -> int | None:
    """Give the RID of a domain's built-in account or group by its name in one of those languages."""
    return _RID_BY_NAME.get(fold(name))


def is_sid(text: str) -> bool:
    """Tell whether this is a SID as text."""
    return bool(_SID.fullmatch(text.strip()))


def normal(text: str) -> str:
    """Give a SID as text in the one form that is compared; Unreadable when it is none."""
    if not is_sid(text):
        raise Unreadable(f"{text[:80]!r} is no SID")
    return "S" + text.strip()[1:].lower()


def rid(sid: str) -> int:
    """Give a SID's last part."""
    return int(sid.rpartition("-")[2])


def sid_text(raw: bytes, offset: int = 0) -> tuple[str, int]:
    """Read a binary SID (MS-DTYP 2.4.2.2) at `offset`: its text and its length; Unreadable when it is cut off."""
    if offset < 0 or offset + _HEAD > len(raw):
        raise Unreadable("a SID is cut off")
    revision, count = raw[offset], raw[offset + 1]
    if revision != 1 or count > _MOST_PARTS:
        raise Unreadable(f"a SID of revision {revision} with {count} parts")
    length = _HEAD + 4 * count
    if offset + length > len(raw):
        raise Unreadable("a SID is cut off")
    authority = int.from_bytes(raw[offset + 2 : offset + _HEAD], "big")
    # an authority of 2^32 and more is written in hexadecimal (2.4.2.1)
    name = f"0x{authority:012x}" if authority >= 1 << 32 else str(authority)
    return "-".join(["S-1", name, *map(str, struct.unpack_from(f"<{count}I", raw, offset + _HEAD))]), length


def sid_bytes(text: str) -> bytes:
    """Write a SID in binary: the inverse of `sid_text`."""
    _, _, authority, *parts = normal(text).split("-")
    number, values = int(authority, 16 if authority.startswith("0x") else 10), [int(p) for p in parts]
    if number >= 1 << 48 or len(values) > _MOST_PARTS or any(v >= 1 << 32 for v in values):
        raise Unreadable(f"{text[:80]!r} is no SID")
    return bytes([1, len(values)]) + number.to_bytes(6, "big") + struct.pack(f"<{len(values)}I", *values)


def sid_of(value: str) -> str:
    """Read a binary SID attribute (objectSid) as an LDAP answer carries it: base64."""
    raw = decode(value)
    text, length = sid_text(raw)
    if length != len(raw):
        raise Unreadable("bytes follow a SID")
    return text


def guid_text(raw: bytes, offset: int = 0) -> str:
    """Read a binary GUID (MS-DTYP 2.3.4.2): lower case, without braces."""
    if offset < 0 or offset + 16 > len(raw):
        raise Unreadable("a GUID is cut off")
    return str(uuid.UUID(bytes_le=raw[offset : offset + 16]))


def guid_bytes(text: str) -> bytes:
    """Write a GUID in binary; with or without braces."""
    try:
        return uuid.UUID(text).bytes_le
    except ValueError:
        raise Unreadable(f"{text[:80]!r} is no GUID") from None


def decode(value: str) -> bytes:
    """Give the bytes of a binary attribute's value."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("a binary attribute is no base64") from None
