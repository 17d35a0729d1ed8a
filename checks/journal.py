"""Checks of the journal: that it survives a restart, and that it is not full of errors."""

from __future__ import annotations

from checks.core import Expectation, Outcome, Scope, check, expect, failed, kind, passed
from checks.facts.journal import JournalErrors, JournalStorage


@kind("journal", Scope.HOST, many=False)
class Journal(Expectation):
    """The journal of systemd."""

    persistent: bool | None = True
    """Whether it is kept on disk, so that what led to a crash can still be read after it."""
    errors_last_day_at_most: int | None = None
    """Most messages of priority error or worse in the last 24 hours."""


@check("persistent")
def journal_is_kept_as_declared(storage: JournalStorage, want: Journal) -> Outcome:
    """Whether the journal is kept on disk or in memory."""
    return expect({"persistent": storage.persistent}, equals={"persistent": want.persistent})


@check("errors_last_day_at_most")
def few_errors_are_logged(errors: JournalErrors, want: Journal) -> Outcome:
    """Whether few enough errors were logged; shows which programs log most of them."""
    most = want.errors_last_day_at_most or 0
    worst = dict(list(errors.by_program.items())[:5])
    note = ", ".join(f"{program}: {count}" for program, count in worst.items()) or None
    return (passed if errors.total <= most else failed)(errors.total, {"at_most": most}, note=note)
