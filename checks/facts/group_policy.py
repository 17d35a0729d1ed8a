r"""Group policies: the objects in the directory, where they are linked, and their files in SYSVOL.

Four static questions serve all checks. The files come with their content, so that a policy's settings, its version and
its passwords are judged from one answer per domain controller.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from checks.core import Fact, FailureKind, Unreadable
from checks.formats import (
    audit_csv,
    distinguished_name,
    gp_link,
    gpt_ini,
    ini,
    preferences,
    registry_pol,
    security_descriptor,
    security_template,
)
from checks.formats.preferences import Item, Preferences
from checks.formats.security_descriptor import Descriptor
from checks.questions import LdapSearch, SmbTree

APPLY = "edacfd8f-ffb3-11d1-b41d-00a0c968f939"  # the extended right Apply-Group-Policy (MS-ADTS 5.1.3.2.1)
_STATUS = {0: "all", 1: "computer", 2: "user", 3: "none"}  # flags: 1 turns the user part off, 2 the computer part
_GUID = re.compile(r"\{[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\}", re.IGNORECASE)


def _one(entry: Mapping[str, Any], name: str, default: str = "") -> str:
    values = entry["attributes"].get(name) or [default]
    return str(values[0])


@dataclass(frozen=True, slots=True)
class Policy:
    """A group policy object. `descriptor` None: it could not be seen. `wmi`: the GUID of its WMI filter."""

    guid: str  # upper case, with braces
    name: str
    status: str  # all, computer, user, none: which parts are on
    version: gpt_ini.Version
    functionality: int
    wmi: str | None
    descriptor: Descriptor | None

    @property
    def rights(self) -> Descriptor:
        """Who may do what with it; Unreadable when that could not be seen."""
        if self.descriptor is None:
            raise Unreadable(f"the rights on {self.name} cannot be read", FailureKind.DENIED)
        return self.descriptor


@dataclass(frozen=True, slots=True)
class Policies(Fact):
    """All group policies of the domain, as the directory knows them (MS-GPOL 2.3)."""

    question = LdapSearch(
        filter="(objectClass=groupPolicyContainer)",
        attributes=(
            "cn",
            "displayName",
            "flags",
            "versionNumber",
            "gPCFunctionalityVersion",
            "gPCWQLFilter",
            "nTSecurityDescriptor",
        ),
        rdn="CN=Policies,CN=System",
        scope="one",
        binary=("nTSecurityDescriptor",),
        sd_flags=7,
    )

    all: tuple[Policy, ...]

    @classmethod
    def read(cls, answer: list[dict[str, Any]]) -> Self:
        """Read the entries. A domain has policies always: none visible means that they may not be seen."""
        if not answer:
            raise Unreadable("no group policy can be seen in the directory", FailureKind.DENIED)
        return cls(tuple(_policy(entry) for entry in answer))

    def named(self, name: str) -> list[Policy]:
        """Give the policies with this display name or GUID; several may bear the same name."""
        wanted = name.strip().casefold()
        return [p for p in self.all if wanted in (p.name.casefold(), p.guid.casefold(), p.guid.strip("{}").casefold())]


def _policy(entry: Mapping[str, Any]) -> Policy:
    guid = _one(entry, "cn").upper()
    raw = _one(entry, "ntsecuritydescriptor")
    wmi = _GUID.search(_one(entry, "gpcwqlfilter").partition(";")[2])
    return Policy(
        guid,
        _one(entry, "displayname", guid),
        _STATUS[int(_one(entry, "flags", "0")) & 3],
        gpt_ini.Version(int(_one(entry, "versionnumber", "0")) & 0xFFFFFFFF),
        int(_one(entry, "gpcfunctionalityversion", "0")),
        wmi[0].upper() if wmi else None,
        security_descriptor.parse(base64.b64decode(raw)) if raw else None,
    )


@dataclass(frozen=True, slots=True)
class WmiFilters(Fact):
    """The WMI filters: name and query by GUID (upper case, with braces)."""

    question = LdapSearch(
        filter="(objectClass=msWMI-Som)",
        attributes=("msWMI-ID", "msWMI-Name", "msWMI-Parm2"),
        rdn="CN=SOM,CN=WMIPolicy,CN=System",
        scope="one",
    )

    names: dict[str, str]
    queries: dict[str, str]

    @classmethod
    def read(cls, answer: list[dict[str, Any]]) -> Self:
        """Read the entries; there may be none."""
        rows = [(_one(e, "mswmi-id").upper(), _one(e, "mswmi-name"), _one(e, "mswmi-parm2")) for e in answer]
        return cls({i: n for i, n, _ in rows}, {i: q for i, _, q in rows})


@dataclass(frozen=True, slots=True)
class Container:
    """A domain, unit or site that policies can be linked to: its path (`Studenten/INF1`; the domain: /)."""

    dn: str
    path: str
    linked: str  # gPLink as it is
    options: str  # gPOptions as it is

    @property
    def links(self) -> tuple[gp_link.Link, ...]:
        """The links, link order 1 first."""
        return gp_link.parse(self.linked)

    @property
    def is_site(self) -> bool:
        """Whether it is a site; its path is then `site:NAME`."""
        return self.path.startswith("site:")

    @property
    def blocked(self) -> bool:
        """Whether inheritance from above is blocked."""
        return gp_link.inheritance_is_blocked(self.options)


@dataclass(frozen=True, slots=True)
class Containers(Fact):
    """Every container that policies can be linked to, whether it has links or not."""

    question = (
        LdapSearch(
            filter="(|(objectClass=organizationalUnit)(objectClass=domainDNS))", attributes=("gPLink", "gPOptions")
        ),
        LdapSearch(
            filter="(objectClass=site)",
            attributes=("gPLink", "gPOptions"),
            nc="configuration",
            rdn="CN=Sites",
            scope="one",
        ),
    )

    domain: str  # its distinguished name
    all: tuple[Container, ...]

    @classmethod
    def read(cls, units: list[dict[str, Any]], sites: list[dict[str, Any]]) -> Self:
        """Read both tables; the domain itself is always in the first."""
        domain = next((e["dn"] for e in units if e["dn"][:3].upper() == "DC="), None)
        if domain is None:
            raise Unreadable("the domain itself is not among the containers", FailureKind.DENIED)
        found = [(e, distinguished_name.path_of(e["dn"], domain)) for e in units]
        found += [(e, "site:" + distinguished_name.name(e["dn"])) for e in sites]
        return cls(
            domain, tuple(Container(e["dn"], path, _one(e, "gplink"), _one(e, "gpoptions")) for e, path in found)
        )

    def named(self, unit: str) -> Container | None:
        """Give the container with this path, distinguished name, or name (when only one unit bears it)."""
        if unit.casefold().startswith("site:"):
            return next((c for c in self.all if c.path.casefold() == unit.casefold()), None)
        wanted = distinguished_name.key(distinguished_name.of_path(unit, self.domain))
        for container in self.all:
            if distinguished_name.key(container.dn) == wanted:
                return container
        same = [c for c in self.all if c.path.rpartition("/")[2].casefold() == unit.strip().casefold()]
        return same[0] if len(same) == 1 else None

    def linking(self, guid: str) -> list[tuple[Container, gp_link.Link]]:
        """Give where a policy is linked."""
        return [(c, link) for c in self.all for link in c.links if link.guid == guid]


READ = (
    "gpt.ini",
    "registry.pol",
    "gpttmpl.inf",
    "audit.csv",
    "*.xml",
    "scripts.ini",
    "psscripts.ini",
    "fdeploy*.ini",
)


P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a policy; `content` None: it was not read, since `error`, or too large, or of no interest."""

    size: int
    content: bytes | None
    error: FailureKind | None = None

    @property
    def mark(self) -> str:
        """What tells it from another: size and, where it was read, digest."""
        return f"{self.size}" if self.content is None else f"{self.size}:{hashlib.sha256(self.content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Folder:
    r"""The files of one policy by their path below its folder, in lower case: `machine\registry.pol`.

    `unseen`: directories that could not be listed (with a backslash at the end; "" for the folder itself), and why.
    """

    name: str
    files: dict[str, File]
    unseen: dict[str, FailureKind]

    def has(self, path: str) -> bool:
        """Tell whether there is such a file; Unreadable when its directory could not be listed."""
        if path in self.files:
            return True
        for directory, kind in self.unseen.items():
            if path.startswith(directory):
                raise Unreadable(f"{self.name}\\{directory}", kind)
        return False

    def content(self, path: str) -> bytes | None:
        """Give a file's bytes, None when there is no such file; Unreadable when it could not be read."""
        if not self.has(path):
            return None
        file = self.files[path]
        if file.content is None:
            raise Unreadable(f"{self.name}\\{path}: {file.size} bytes", file.error or FailureKind.TOO_LARGE)
        return file.content

    def version(self) -> gpt_ini.Version | None:
        """Give the version in GPT.INI."""
        return _parsed(gpt_ini.parse, self.content("gpt.ini"))

    def registry(self, hive: str) -> registry_pol.Settings | None:
        """Give the registry settings of the hive: machine or user."""
        return _parsed(_settings, self.content(f"{hive}\\registry.pol"))

    def template(self) -> security_template.SecurityTemplate | None:
        """Give the security settings."""
        return _parsed(security_template.parse, self.content(r"machine\microsoft\windows nt\secedit\gpttmpl.inf"))

    def audit(self) -> audit_csv.AuditPolicy | None:
        """Give the advanced audit policy."""
        return _parsed(audit_csv.parse, self.content(r"machine\microsoft\windows nt\audit\audit.csv"))

    def preferences(self) -> dict[str, Preferences]:
        """Give the preference files by their path; Unreadable when some could not be seen."""
        for directory, kind in self.unseen.items():
            raise Unreadable(f"{self.name}\\{directory}", kind)
        paths = [p for p in self.files if "\\preferences\\" in p and p.endswith(".xml")]
        return {p: found for p in sorted(paths) if (found := _parsed(preferences.parse, self.content(p)))}

    def items(self, kind: str) -> list[Item]:
        """Give the preference items of one kind: Drive, SharedPrinter, Group, TaskV2."""
        return [item for file in self.preferences().values() for item in file.items if item.kind == kind]

    def scripts(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Give the scripts (file, parameters) by when they run: startup, shutdown, logon, logoff (MS-GPSCR 2.2)."""
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for side in ("machine", "user"):
            for name in ("scripts.ini", "psscripts.ini"):
                for when, scripts in (_parsed(_scripts, self.content(f"{side}\\scripts\\{name}")) or {}).items():
                    found[when] = found.get(when, ()) + scripts
        return found


def _settings(raw: bytes) -> registry_pol.Settings:
    return registry_pol.settings(registry_pol.parse(raw))


def _scripts(raw: bytes) -> dict[str, tuple[tuple[str, str], ...]]:
    text = ini.decode(raw)
    found = {}
    for when in ("startup", "shutdown", "logon", "logoff"):
        said = ini.pairs(text, when)
        numbers = sorted(int(m[1]) for m in (re.fullmatch(r"([0-9]{1,4})cmdline", key) for key in said) if m)
        if numbers:
            found[when] = tuple((said[f"{n}cmdline"], said.get(f"{n}parameters", "")) for n in numbers)
    return found


@functools.lru_cache(maxsize=256)
def _cached(parse: Any, raw: bytes) -> Any:
    return parse(raw)


def _parsed(parse: Callable[[bytes], P], raw: bytes | None) -> P | None:
    """Parse a file once, however many checks look at it."""
    if raw is None:
        return None
    found: P = _cached(parse, raw)
    return found


@dataclass(frozen=True, slots=True)
class PolicyFiles(Fact):
    r"""Everything in the folder Policies of SYSVOL, by the folder's name in upper case."""

    question = SmbTree("sysvol", r"{domain}\Policies", read=READ)

    folders: dict[str, Folder]

    @classmethod
    def read(cls, answer: dict[str, dict[str, Any]] | None) -> Self:
        """Read the tree; Unreadable when there is no such folder."""
        if answer is None:
            raise Unreadable("there is no folder Policies in SYSVOL")
        found: dict[str, Folder] = {}
        for path, told in answer.items():
            top, slash, rest = path.partition("\\")
            if not slash:
                continue
            folder = found.setdefault(top.upper(), Folder(top, {}, {}))
            error = FailureKind(told["error"]) if told.get("error") else None
            if rest and not rest.endswith("\\"):
                raw = told.get("content")
                content = None if raw is None else base64.b64decode(raw)
                folder.files[rest.lower()] = File(int(told["size"]), content, error)
            elif error:
                folder.unseen[rest.lower()] = error
        return cls(found)

    def policies(self) -> Iterable[Folder]:
        """Give the folders that are of policies: a GUID, or what replication made of one (`{GUID}_NTFRS_…`)."""
        return (folder for key, folder in self.folders.items() if _GUID.match(key))
