"""The words checks are written in: Fact, Expectation, check, Outcome.

A check is a pure function. Its signature is its list of dependencies: one parameter named `want` whose class is an
`Expectation` (the kind of requirement it judges), and any number of facts. Parameters may be annotated

- `F`, a `Fact`: the check runs when the fact could be read, else its finding is *unknown*;
- `F | Failure`: the check itself looks at the failure (rarely right: only where a failure is the expected state);
- `Each[F]`: the fact of every server of the target (domain controllers, name servers), by name; `Each[F | Failure]`
  when the check itself looks at the servers that failed.

The engine (`audits.evaluate`) decides on unknown, in one place.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar, dataclass_transform

from checks.questions import Failure, FailureKind, Question, Unreadable

__all__ = [
    "CHECKS", "KINDS", "Check", "Each", "Expectation", "Fact", "Failure", "FailureKind", "Need", "Outcome", "Output",
    "Scope", "Severity", "Unreadable", "Verdict", "check", "expect", "expect_members", "failed", "kind",
    "not_applicable", "passed", "unknown",
]  # fmt: skip


class Verdict(enum.StrEnum):
    """What can be said of a check on a subject."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"
    MANUAL = "manual"


class Severity(enum.StrEnum):
    """How much a failure weighs at the hand-over: blocking refuses it, major reserves it, minor and info are noted."""

    BLOCKING = "blocking"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class Scope(enum.StrEnum):
    """Where in a definition a kind stands, and so what its checks look at."""

    HOST = "hosts"
    DOMAIN = "directory"
    DNS = "dns"


@dataclass(frozen=True, slots=True)
class Output:
    """What a shell question gave: exit status and both streams."""

    status: int
    stdout: str
    stderr: str = ""

    def text(self, *ok: int) -> str:
        """Give stdout when the status is one of `ok` (default 0); else raise Unreadable with the command's words."""
        if self.status in (ok or (0,)):
            return self.stdout
        words = (self.stderr or self.stdout).strip().splitlines()
        detail = words[-1][:300] if words else f"exit status {self.status}"
        if self.status == 127:  # noqa: PLR2004 - POSIX: command not found
            raise Unreadable(detail, FailureKind.NOT_INSTALLED)
        if self.status == 126 or "ermission denied" in detail or "not permitted" in detail:  # noqa: PLR2004
            raise Unreadable(detail, FailureKind.DENIED)
        raise Unreadable(f"exit status {self.status}: {detail}")


class Fact:
    """Something true of a target: what to ask for it, and how to read the answer.

    A subclass is a frozen dataclass with `question` (static) or `ask` (derived from the expectation), and `read`.
    `read` is pure and raises `Unreadable` (or any ValueError, KeyError, IndexError, TypeError) for what it cannot
    read. It gets an `Output` for Shell questions, and the JSON value told in the question's docstring for others;
    for a tuple of questions it gets as many arguments.
    """

    question: ClassVar[Question | tuple[Question, ...]]

    @classmethod
    def ask(cls, want: Any) -> Question | tuple[Question, ...]:  # noqa: ARG003 - static facts do not look at it
        """Give the question(s) for this expectation."""
        return cls.question

    @classmethod
    def read(cls, *answers: Any) -> Self:
        """Read the answer(s)."""
        raise NotImplementedError


F = TypeVar("F")


class Each(dict[str, F], Generic[F]):
    """A fact of every server of the target, by the server's name in the inventory."""


class Expectation:
    """A frozen, typed part of the definition: one requirement. Subclasses are made with `@kind`.

    The fields here are the modifiers that every requirement takes.
    """

    key: ClassVar[str]
    scope: ClassVar[Scope]
    many: ClassVar[bool]

    id: str | None
    points: Any
    partial: bool
    severity: Severity | None
    needs: tuple[str, ...]
    hint: str | None
    competence: tuple[str, ...]

    @property
    def subject(self) -> str:
        """What the finding is about: the entry's name, else nothing (then the target itself)."""
        return str(getattr(self, "name", "") or "")

    def leaves_out(self, check_id: str) -> bool:  # noqa: ARG002 - most kinds ask for all their checks
        """Tell whether this requirement expressly does not ask for a check of its kind (a baseline with exceptions)."""
        return False


_MODIFIERS: dict[str, tuple[Any, Any, str]] = {
    "id": (str | None, None, "A name that other requirements' `needs` can point at."),
    "points": (float | int | None, None, "What it is worth in a graded audit."),
    "partial": (bool, False, "Whether part of the points is given for part of the findings."),
    "severity": (Severity | None, None, "Weight of a failure, instead of the check's own."),
    "needs": (
        tuple[str, ...],
        (),
        "Ids of requirements without which this one is pointless: then it is skipped.",
    ),
    "hint": (str | None, None, "A hint for the learner or technician, shown when it fails."),
    "competence": (
        tuple[str, ...],
        (),
        "Bullets of the qualification that it serves, instead of the check's own.",
    ),
}

KINDS: dict[tuple[Scope, str], type[Expectation]] = {}
K = TypeVar("K", bound=type[Expectation])


@dataclass_transform(kw_only_default=True, frozen_default=True)
def kind(key: str, scope: Scope, *, many: bool = True) -> Callable[[K], K]:
    """Make a class of annotations a kind of requirement: a frozen, keyword-only dataclass with the modifiers.

    `key` is its word in the definition; `many`: the word holds a list of entries, else one mapping.
    Field docstrings (a string below the field) become the schema's descriptions.
    """

    def make(cls: K) -> K:
        for name, (annotation, default, _) in _MODIFIERS.items():
            if name not in cls.__annotations__:
                cls.__annotations__[name] = annotation
                setattr(cls, name, default)
        for name, value in list(vars(cls).items()):
            if name in cls.__annotations__ and value == {}:  # an empty mapping is a fine default: nothing changes it
                setattr(cls, name, dataclasses.field(default_factory=dict))
        cls.key, cls.scope, cls.many = key, scope, many
        made = typing.cast("K", dataclass(frozen=True, kw_only=True)(cls))
        if (scope, key) in KINDS:
            raise TypeError(f"kind {scope}.{key} stands twice")
        if not inspect.getdoc(cls):
            raise TypeError(f"kind {scope}.{key} has no docstring")
        KINDS[scope, key] = made
        return made

    return make


def modifier_doc(name: str) -> str | None:
    """Tell what a modifier is for, or None when the field is none."""
    return _MODIFIERS[name][2] if name in _MODIFIERS else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check says of one subject.

    `expected` and `observed` are JSON values for the report: text, numbers, booleans, lists, or mappings whose keys
    come from the vocabulary of the reports. `note` is one line that tells why (data, not prose), such as the access
    control entry that decides. `failure` says why it is unknown.
    """

    verdict: Verdict
    expected: Any = None
    observed: Any = None
    subject: str | None = None
    note: str | None = None
    failure: Failure | None = None


def passed(
    observed: Any = None, expected: Any = None, *, subject: str | None = None, note: str | None = None
) -> Outcome:
    """Give a pass."""
    return Outcome(Verdict.PASS, expected, observed, subject, note)


def failed(
    observed: Any = None, expected: Any = None, *, subject: str | None = None, note: str | None = None
) -> Outcome:
    """Give a fail."""
    return Outcome(Verdict.FAIL, expected, observed, subject, note)


def unknown(kind_: FailureKind, detail: str = "", *, subject: str | None = None, expected: Any = None) -> Outcome:
    """Give an unknown, with the reason."""
    return Outcome(Verdict.UNKNOWN, expected, None, subject, None, Failure(kind_, detail))


def not_applicable(note: str, *, subject: str | None = None) -> Outcome:
    """Say that the check makes no sense here, and why (a key of the reports' vocabulary, or data)."""
    return Outcome(Verdict.NOT_APPLICABLE, subject=subject, note=note)


_UNSET: Any = object()


def expect(  # noqa: PLR0913 - one function instead of seven that differ in a word
    observed: Any,
    *,
    equals: Any = _UNSET,
    at_least: Any = _UNSET,
    at_most: Any = _UNSET,
    one_of: Collection[Any] = _UNSET,
    contains: str = _UNSET,
    subject: str | None = None,
    note: str | None = None,
) -> Outcome:
    """Compare one observed value with what is expected; all given conditions must hold."""
    good, told = [], []
    if equals is not _UNSET:
        good.append(observed == equals)
        told.append(equals)
    if one_of is not _UNSET:
        good.append(observed in one_of)
        told.append({"one_of": sorted(one_of, key=str)})
    if contains is not _UNSET:
        good.append(observed is not None and contains in observed)
        told.append({"contains": contains})
    bounds = {}
    if at_least is not _UNSET:
        good.append(observed is not None and observed >= at_least)
        bounds["at_least"] = at_least
    if at_most is not _UNSET:
        good.append(observed is not None and observed <= at_most)
        bounds["at_most"] = at_most
    if bounds:
        told.append(bounds)
    if not good:
        raise TypeError("expect() needs a condition")
    expected = told[0] if len(told) == 1 else told
    verdict = Verdict.PASS if all(good) else Verdict.FAIL
    return Outcome(verdict, expected, observed, subject, note)


def expect_members(
    observed: Iterable[str], expected: Iterable[str], *, exact: bool = True, subject: str | None = None
) -> Outcome:
    """Compare two sets of names (give them in one case): exactly these, or at least these. Tells missing and extra."""
    there, wanted = set(observed), set(expected)
    missing, extra = sorted(wanted - there), sorted(there - wanted)
    seen: dict[str, Any] = {"members": sorted(there)}
    if missing:
        seen["missing"] = missing
    if extra and exact:
        seen["extra"] = extra
    verdict = Verdict.FAIL if missing or (exact and extra) else Verdict.PASS
    return Outcome(verdict, {"exactly" if exact else "at_least": sorted(wanted)}, seen, subject)


@dataclass(frozen=True, slots=True)
class Need:
    """One fact that a check asks for: `each` of the target's servers, and whether it takes a failure itself."""

    fact: type[Fact]
    each: bool = False
    takes_failure: bool = False


Judge = Callable[..., "Outcome | Iterable[Outcome]"]


@dataclass(frozen=True, slots=True)
class Check:
    """A judge, and what it asks for. `field`: the expectation's field that must be given for the check to count."""

    id: str
    judge: Judge
    want: type[Expectation]
    needs: Mapping[str, Need]
    field: tuple[str, ...]
    doc: str

    def applies(self, want: Expectation) -> bool:
        """Tell whether this requirement asks for this check.

        An empty list or mapping only counts as given where not giving it means None: "exactly nobody" is a
        requirement, no entries are none.
        """
        if not isinstance(want, self.want) or want.leaves_out(self.id):
            return False
        return all(_is_given(want, f) for f in self.field)


def _is_given(want: Expectation, field: str) -> bool:
    value = getattr(want, field)
    if value in ((), {}):
        return getattr(type(want), field, ()) is None
    return value is not None


CHECKS: dict[str, Check] = {}
J = TypeVar("J", bound=Judge)


@typing.overload
def check(judge: J, /) -> J: ...
@typing.overload
def check(*fields: str) -> Callable[[J], J]: ...
def check(*args: Any) -> Any:
    """Register a pure function as a check: `@check`, or `@check("field", …)` when it only counts if they are given.

    Its id is `module.function`; the function's name asserts the good state. Its docstring says, for developers, what
    is judged and why; its texts for people stand in the YAML beside the module.
    """
    if len(args) == 1 and callable(args[0]):
        return _register(args[0], ())
    return lambda judge: _register(judge, args)


def _register(judge: J, fields: tuple[str, ...]) -> J:
    id_ = f"{judge.__module__.removeprefix('checks.')}.{judge.__name__}"
    hints = typing.get_type_hints(judge)
    hints.pop("return", None)
    want = hints.pop("want", None)
    if not (isinstance(want, type) and issubclass(want, Expectation)):
        raise TypeError(f"check {id_}: its parameter `want` must be a kind of Expectation")
    unknown_fields = set(fields) - {f.name for f in dataclasses.fields(want)}  # type: ignore[arg-type]
    if unknown_fields:
        raise TypeError(f"check {id_}: {want.__name__} has no field {', '.join(sorted(unknown_fields))}")
    doc = inspect.getdoc(judge)
    if not doc:
        raise TypeError(f"check {id_} has no docstring")
    if id_ in CHECKS:
        raise TypeError(f"check {id_} stands twice")
    CHECKS[id_] = Check(id_, judge, want, {n: _need(id_, n, h) for n, h in hints.items()}, fields, doc)
    return judge


def _need(id_: str, name: str, hint: Any) -> Need:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Each:
        one = _need(id_, name, args[0])
        return Need(one.fact, each=True, takes_failure=one.takes_failure)
    if origin in (typing.Union, types.UnionType) and Failure in args:
        (fact,) = (a for a in args if a is not Failure)
        return Need(fact, takes_failure=True)
    if isinstance(hint, type) and issubclass(hint, Fact):
        return Need(hint)
    raise TypeError(f"check {id_}: parameter {name} is neither a fact nor Each[fact]")
