"""Checks as a graph: each is one function, and its parameters name what it needs.

A check yields findings and may return a value that later checks take as a parameter of its name. Its docstring is the
sentence the student reads. Where something needed is missing the check is skipped, with the reason of whatever should
have provided it; where a check itself raises, that is said loudly, and the others go on.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from grader.checks.records import CheckResult, Status
from grader.errors import GraderError
from grader.findings import Finding, Severity, Whose
from grader.intake.names import printable

UNMET = "this does not hold: "
"""How the reason of a skip begins where an earlier check is to blame."""

T = TypeVar("T")
Checked = Generator[Finding, None, T]
_Function = TypeVar("_Function", bound=Callable[..., Generator[Finding, None, Any]])


@dataclass(frozen=True)
class Check:
    """One rule. takes: its parameters; needs: those and what else must hold: names of checks and of given values."""

    name: str
    group: str
    sentence: str
    takes: tuple[str, ...]
    needs: tuple[str, ...]
    function: Callable[..., Generator[Finding, None, Any]]


@dataclass
class Rules:
    """The checks of one group, in the order they are written: ``rule = Rules("clips")``, then ``@rule()``.

    ``@rule(after=("other",))`` runs a check only where the other returned something.
    """

    group: str
    checks: list[Check] = field(default_factory=list)

    def __call__(self, *, after: tuple[str, ...] = ()) -> Callable[[_Function], _Function]:
        def add(function: _Function) -> _Function:
            sentence = " ".join((function.__doc__ or "").split())
            takes = tuple(inspect.signature(function).parameters)
            self.checks.append(Check(function.__name__, self.group, sentence, takes, after + takes, function))
            return function

        return add


def run(
    checks: Sequence[Check], given: Mapping[str, Any], missing: Mapping[str, str]
) -> tuple[tuple[CheckResult, ...], dict[str, Any]]:
    """Run checks in order; returns their results and every value by its check's name.

    given: values from outside, None where one is not there; missing: the reason for each that may be None.
    Raises :class:`GraderError` where the surroundings are broken.
    """
    values = dict(given)
    reasons = dict(missing)
    results = []
    for check in checks:
        absent = next((need for need in check.needs if values[need] is None), None)
        if absent is None:
            result, values[check.name] = _run_one(check, values)
            reasons[check.name] = f"{UNMET}“{check.sentence}”"
        else:
            result = CheckResult(check.name, check.sentence, Status.SKIPPED, reason=reasons[absent], group=check.group)
            values[check.name], reasons[check.name] = None, reasons[absent]
        results.append(result)
    return tuple(results), values


def _run_one(check: Check, values: Mapping[str, Any]) -> tuple[CheckResult, Any]:
    findings: list[Finding] = []
    value = None
    status = Status.PASSED
    try:
        value = _drain(findings, check.function(**{name: values[name] for name in check.takes}))
    except GraderError:
        raise
    except Exception as error:
        findings.append(_bug(check, error))
        status = Status.BROKE
    else:
        if any(finding.severity is Severity.ERROR for finding in findings):
            status = Status.FAILED
    return CheckResult(check.name, check.sentence, status, tuple(findings), group=check.group), value


def _drain(findings: list[Finding], steps: Generator[Finding, None, T]) -> T:
    """Go through a check's findings, appending them, and return its value."""
    while True:
        try:
            findings.append(next(steps))
        except StopIteration as stop:
            value: T = stop.value
            return value


def _bug(check: Check, error: Exception) -> Finding:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Finding(
        code="check-broke",
        severity=Severity.ERROR,
        where=f"grader, check “{check.name}”",
        what="The grader itself failed: {error} ({place}). What this check looks at was not checked.",
        fix="Report this to whoever runs the grader, with the file; nothing is deducted for it.",
        whose=Whose.GRADER,
        facts={
            "error": printable(f"{type(error).__name__}: {error}", 200),
            "place": f"{Path(last.filename).name}:{last.lineno}",
        },
    )
