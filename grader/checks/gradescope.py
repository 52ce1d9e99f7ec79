"""A check report as Gradescope's ``results.json``: what an autograder prints so that students see each rule.

Source: Gradescope's autograder specification, “Output format”: an object with ``score``, ``output``, ``visibility``,
``stdout_visibility`` and ``tests``, each test with ``name``, ``number``, ``status`` (passed | failed), ``output``,
``output_format`` and ``visibility``. A rule that was skipped is no test, since Gradescope knows no third status; the
output at the top names it with the reason. Where the grader itself broke the test is hidden and not failed: it is
nobody's fault. The score is always 0, because a form that is right earns nothing: set the autograder's points to 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grader.checks.records import CheckReport, CheckResult, Status
from grader.findings import Finding, Severity, Whose
from grader.intake.names import printable

_FORMAT = "text"
_SAID = {Severity.ERROR: "Error", Severity.WARNING: "Warning", Severity.NOTE: "Note"}


def results(report: CheckReport) -> str:
    """The whole file, in ASCII."""
    tests = [
        _test(number, result) for number, result in enumerate(report.results, 1) if result.status is not Status.SKIPPED
    ]
    record = {
        "score": 0.0,
        "output": "\n".join(_summary(report)),
        "output_format": _FORMAT,
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(record, indent=1)


def _test(number: int, result: CheckResult) -> dict[str, Any]:
    broke = result.status is Status.BROKE
    test: dict[str, Any] = {
        "name": result.sentence,
        "number": str(number),
        "output": "\n".join(line for finding in result.findings for line in _finding(finding)),
        "output_format": _FORMAT,
        "visibility": "hidden" if broke else "visible",
    }
    return test if broke else {**test, "status": "failed" if result.status is Status.FAILED else "passed"}


def _summary(report: CheckReport) -> Iterator[str]:
    errors = sum(finding.severity is Severity.ERROR for finding in report.findings)
    name = printable(report.source.name)
    if report.broke:
        yield f"{name}: the grader itself failed in places. That is not your fault; the staff will see it."
    elif report.ok:
        yield f"{name}: this can be graded as it is."
    else:
        yield f"{name}: {errors} problem{'' if errors == 1 else 's'} to mend; hand in again by the deadline."
    yield "This looks at the form only. No points are given here, and none are taken."
    for result in report.results:
        if result.status is Status.SKIPPED:
            yield f"Not checked: {result.sentence} Reason: {result.reason}"


def _finding(finding: Finding) -> Iterator[str]:
    blame = {
        Whose.STUDENT: "",
        Whose.ENVIRONMENT: " (this machine is to blame, not your hand-in)",
        Whose.GRADER: " (a bug of the grader, not of your hand-in)",
    }[finding.whose]
    yield f"{_SAID[finding.severity]}: {printable(finding.where, 200)}{blame}"
    yield f"  {finding.what_text()}"
    if finding.fix_text():
        yield f"  What to do: {finding.fix_text()}"
