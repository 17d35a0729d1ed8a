"""Checks of systemd's units: declared services, and nothing that failed."""

from __future__ import annotations

from fnmatch import fnmatchcase

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, passed
from checks.facts.units import Unit, Units


@kind("services", Scope.HOST)
class Service(Expectation):
    """A service (or another unit of systemd) and its state. Without further keys: it runs."""

    name: str
    """Name of the unit; without a type it is a `.service`."""
    aliases: tuple[str, ...] = ()
    """Other names of the same service on other distributions (`apache2`, `httpd`)."""
    running: bool | None = None
    """Whether it runs now. Without it: it runs, unless `masked: true` or `enabled: false` is declared."""
    enabled: bool | None = None
    """Whether it starts with the host."""
    masked: bool | None = None
    """Whether it cannot be started at all."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names it may have."""
        return (self.name, *self.aliases)

    @property
    def should_run(self) -> bool:
        """Whether it should run, declared or implied."""
        return self.running if self.running is not None else not (self.masked or self.enabled is False)


@kind("units", Scope.HOST, many=False)
class UnitHealth(Expectation):
    """Health of all units: none failed, none that starts again and again."""

    failed: int = 0
    """Most units that may have failed."""
    allow: tuple[str, ...] = ()
    """Units that may have failed; `*` stands for anything."""


@check
def service_runs(units: Units, want: Service) -> Outcome:
    """Whether the service runs or not, as declared; a service that does not exist does not run."""
    unit = units.find(*want.names)
    observed = _state(unit)
    good = (unit is not None and unit.running) == want.should_run
    return (passed if good else failed)(observed, {"running": want.should_run}, note=unit.name if unit else None)


@check("enabled")
def service_starts_with_the_host(units: Units, want: Service) -> Outcome:
    """Whether the service is enabled as declared: what was only started by hand is gone after a power cut."""
    unit = units.find(*want.names)
    if unit is None:
        observed: dict[str, object] = {"exists": False}
    else:
        observed = {"enabled": unit.enabled, "state": unit.file or unit.load}
    good = (unit is not None and unit.enabled) == want.enabled
    return (passed if good else failed)(observed, {"enabled": want.enabled}, note=unit.name if unit else None)


@check("masked")
def service_is_masked_as_declared(units: Units, want: Service) -> Outcome:
    """Whether the service is masked, or not; one that does not exist cannot be started either."""
    unit = units.find(*want.names)
    if unit is None:
        return (passed if want.masked else failed)({"exists": False}, {"masked": want.masked})
    good = unit.masked == want.masked
    return (passed if good else failed)({"masked": unit.masked}, {"masked": want.masked}, note=unit.name)


@check
def no_units_failed(units: Units, want: UnitHealth) -> Outcome:
    """Whether no unit is in state failed, but those that are allowed to."""
    names = sorted(u.name for u in units.each if u.active == "failed" and not _allowed(u, want))
    return expect(len(names), at_most=want.failed, note=", ".join(names[:20]) or None)


@check
def no_units_restart_endlessly(units: Units, want: UnitHealth) -> Outcome:
    """Whether no service waits to be started again after a failure: such a loop never shows as failed."""
    names = sorted(u.name for u in units.each if u.sub.startswith("auto-restart") and not _allowed(u, want))
    return (failed if names else passed)({"members": names}, {"members": []})


def _allowed(unit: Unit, want: UnitHealth) -> bool:
    return any(fnmatchcase(name, pattern) for name in unit.names for pattern in want.allow)


def _state(unit: Unit | None) -> dict[str, object]:
    if unit is None:
        return {"running": False, "exists": False}
    told: dict[str, object] = {
        "running": unit.running,
        "state": f"{unit.active} ({unit.sub})" if unit.sub else unit.active,
    }
    return told | ({"result": unit.result} if unit.result not in ("", "success") else {})
