"""The exceptions of keuring. Only the command line turns them into exit codes.

    KeuringError             one clear message for the person at the screen, exit code 3
    ├── UsageError           the command line's words do not fit
    ├── DefinitionError      the definition: all problems at once, each with file, line and column
    ├── InventoryError       the inventory cannot be read, or a pattern matches nothing
    ├── EvidenceError        a run directory is missing, not ours, or was changed
    ├── OutputError          a file or directory cannot be written (disk full, no right)
    └── LabError             the lab cannot be built, started or reached

What goes wrong with a question to a target is no exception but an answer: `checks.questions.Failure`.
"""

from __future__ import annotations


class KeuringError(Exception):
    """Base: its text is the message, its `advice` what to do."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class UsageError(KeuringError):
    """The command line's words do not fit together."""


class DefinitionError(KeuringError):
    """The definition is not right; the message holds every problem on a line of its own."""


class InventoryError(KeuringError):
    """The inventory cannot be read, is empty, or a pattern matches nothing."""


class EvidenceError(KeuringError):
    """The run directory is missing, not ours, or was changed."""


class OutputError(KeuringError):
    """A file or directory cannot be written."""


class LabError(KeuringError):
    """The lab cannot be built, started or reached."""
