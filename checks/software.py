"""Checks of installed software and of updates."""

from __future__ import annotations

from checks.core import Expectation, Outcome, Scope, check, failed, kind, passed
from checks.facts.software import AutomaticUpdates, Packages, Updates
from checks.facts.units import Units
from checks.formats.versions import Version, compare, constraints
from checks.questions import Unreadable

DNF_TIMERS = ("dnf-automatic.timer", "dnf-automatic-install.timer", "dnf5-automatic.timer")


@kind("software", Scope.HOST)
class Software(Expectation):
    """A package that is installed, or that is not."""

    name: str
    """Name of the package."""
    aliases: tuple[str, ...] = ()
    """Other names of it on other distributions (`apache2`, `httpd`)."""
    installed: bool = True
    """Whether it is installed; false: it must not be."""
    version: str | None = None
    """Constraints with commas between them: `>=1.24,<2`; without operator: this version or a more precise one."""

    def __post_init__(self) -> None:
        """Refuse constraints that cannot be read, while the definition is read."""
        if self.version is not None:
            constraints(self.version)


@kind("updates", Scope.HOST, many=False)
class UpdatePolicy(Expectation):
    """Updates: what is pending by the host's own lists, and whether they come by themselves."""

    security_pending_at_most: int | None = 0
    """Most security updates that may be waiting."""
    pending_at_most: int | None = None
    """Most updates of any kind that may be waiting."""
    lists_at_most_days: float = 7
    """Age up to which the host's lists of packages are believed; older lists prove nothing."""
    automatic: bool | None = None
    """Whether security updates are installed by themselves (unattended-upgrades, dnf-automatic)."""
    restarted: bool | None = None
    """true: no restart is waiting for a new kernel or library."""


@check
def software_is_installed_as_declared(packages: Packages, want: Software) -> Outcome:
    """Whether the package is there, or is not."""
    name = packages.first(want.name, *want.aliases)
    observed: dict[str, object] = {"installed": name is not None}
    if name:
        observed["version"] = packages.versions[name]
    good = (name is not None) == want.installed
    return (passed if good else failed)(observed, {"installed": want.installed}, note=name)


@check("version")
def version_is_as_declared(packages: Packages, want: Software) -> Outcome:
    """Whether the installed version satisfies every constraint, by the rules of dpkg or rpm."""
    name = packages.first(want.name, *want.aliases)
    if name is None:
        return failed({"installed": False}, {"version": want.version})
    version = packages.versions[name]
    good = all(c.holds(version, packages.scheme) for c in constraints(str(want.version)))
    return (passed if good else failed)({"version": version}, {"version": want.version}, note=name)


@check("security_pending_at_most")
def no_security_updates_wait(updates: Updates, want: UpdatePolicy) -> Outcome:
    """Whether few enough security updates wait. Old lists can prove that some wait, never that none do."""
    return _pending(updates, updates.security, want.security_pending_at_most or 0, want)


@check("pending_at_most")
def few_updates_wait(updates: Updates, want: UpdatePolicy) -> Outcome:
    """Whether few enough updates of any kind wait."""
    return _pending(updates, updates.pending, want.pending_at_most or 0, want)


def _pending(updates: Updates, names: tuple[str, ...], most: int, want: UpdatePolicy) -> Outcome:
    observed: dict[str, object] = {"pending": len(names)}
    if updates.age is not None:
        observed["lists_age_days"] = round(updates.age, 1)
    note = ", ".join(names[:12]) + (" …" if len(names) > 12 else "") or None  # noqa: PLR2004 - a line
    if len(names) > most:
        return failed(observed, {"at_most": most}, note=note)
    if not updates.lists:
        raise Unreadable("the host has no lists of packages; run `apt-get update` on it")
    if updates.age is None or updates.age > want.lists_at_most_days:
        age = "of unknown age" if updates.age is None else f"{updates.age:.1f} days old"
        raise Unreadable(f"the host's lists of packages are {age}; run `apt-get update` on it")
    return passed(observed, {"at_most": most}, note=note)


@check("automatic")
def updates_are_automatic_as_declared(
    automatic: AutomaticUpdates, packages: Packages, units: Units, want: UpdatePolicy
) -> Outcome:
    """Whether lists are fetched and security updates installed by themselves: all links of the chain are there."""
    found = automatic_updates(automatic, packages, units)
    good = all(found.values()) == want.automatic
    return (passed if good else failed)(found, {"automatic": want.automatic})


def automatic_updates(automatic: AutomaticUpdates, packages: Packages, units: Units) -> dict[str, bool]:
    """Tell for each link of the chain whether it is there."""
    if packages.scheme == "rpm":
        timer = units.find(*DNF_TIMERS)
        return {"installed": timer is not None, "active": timer is not None and timer.running and timer.enabled}
    timer = units.find("apt-daily-upgrade.timer")
    return {
        "installed": "unattended-upgrades" in packages.versions,
        "lists_fetched": automatic.lists not in ("", "0"),
        "configured": automatic.upgrades not in ("", "0"),
        "active": timer is not None and timer.running,
    }


@check("restarted")
def no_restart_waits(automatic: AutomaticUpdates, want: UpdatePolicy) -> Outcome:
    """Whether the running kernel is the newest that is installed, and no package asks for a restart."""
    newest = _newest(automatic.kernels, automatic.kernel)
    waits = automatic.restart or newest != automatic.kernel
    observed = {"restart_waits": waits, "running": automatic.kernel, "newest": newest}
    return (passed if waits != want.restarted else failed)(observed, {"restart_waits": not want.restarted})


def _newest(kernels: tuple[str, ...], running: str) -> str:
    """Give the newest installed kernel of the running one's flavour; the running one where none of them is its own."""
    if running not in kernels:  # a container, or a kernel that does not come from here
        return running
    flavour = running.rpartition("-")[2]
    newest = running
    for kernel in kernels:
        if kernel.rpartition("-")[2] == flavour or "." in flavour:
            newer = compare(Version(None, kernel, None), Version(None, newest, None), "rpm") > 0
            newest = kernel if newer else newest
    return newest
