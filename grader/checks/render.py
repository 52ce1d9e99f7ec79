"""How check reports are shown: for a person, and as JSON.

The JSON form is an object ``{"version": 1, "ok": bool, "reports": [report, …]}``. A report has ``student_id``,
``source``, ``ok``, ``results`` (each ``name``, ``sentence``, ``status``: passed | failed | skipped | broke, ``reason`` of
a skip, ``findings``) and ``clips`` (name, entry, path, sha256, samples of each clip that can be scored, or null). A
finding has ``code`` (stable), ``severity``: error | warning | note, ``whose``: student | environment | grader, ``where``,
``what``, ``fix``, and ``template`` and ``facts``, of which the sentences are made.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from grader.checks import CheckReport
from grader.checks.graph import CheckResult, Status
from grader.findings import Finding, Severity, Whose

_MARKS = {
    Status.PASSED: ("✓", "green"),
    Status.FAILED: ("✗", "bold red"),
    Status.SKIPPED: ("–", "dim"),
    Status.BROKE: ("!", "bold magenta"),
}
_WORDS = {
    Severity.ERROR: ("error", "bold red"),
    Severity.WARNING: ("warning", "yellow"),
    Severity.NOTE: ("note", "cyan"),
}
_MOST_ALIKE = 3


def as_json(reports: Sequence[CheckReport]) -> str:
    """All reports as described above."""
    ok = all(report.ok for report in reports)
    record = {"version": 1, "ok": ok, "reports": [report.as_json() for report in reports]}
    return json.dumps(record, ensure_ascii=False, indent=1)


def show(report: CheckReport, console: Console) -> None:
    """One report for a person: every check with a mark, under it what was found and what to do."""
    console.print(Text(f"{report.source.name}", style="bold"))
    for result in report.results:
        _show_result(result, console)
    console.print(_verdict(report))
    console.print()


def show_summary(reports: Sequence[CheckReport], strays: Sequence[Finding], console: Console) -> None:
    """After several reports: how many are fine, and files that belong to nobody."""
    for finding in strays:
        _show_finding(finding, console)
    if len(reports) > 1:
        fine = sum(report.ok for report in reports)
        console.print(f"{fine} of {len(reports)} hand-ins can be graded as they are.")


def _show_result(result: CheckResult, console: Console) -> None:
    mark, style = _MARKS[result.status]
    line = Text.assemble((f"  {mark} ", style), (result.sentence, "dim" if result.status is Status.SKIPPED else ""))
    if result.reason:
        line.append(f" Not checked: {result.reason}", style="dim")
    console.print(line, soft_wrap=False)
    alike: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in result.findings:
        alike[finding.code, finding.fix].append(finding)
    for findings in alike.values():
        for finding in findings[:_MOST_ALIKE]:
            _show_finding(finding, console)
        if len(findings) > _MOST_ALIKE:
            others = ", ".join(finding.where.rsplit(" › ", 1)[-1] for finding in findings[_MOST_ALIKE:])
            _indented(console, Text(f"and {len(findings) - _MOST_ALIKE} more like it: {others}"))
        if fix := findings[0].fix_text():
            _indented(console, Text.assemble(("→ ", "green"), fix))


def _show_finding(finding: Finding, console: Console) -> None:
    word, style = _WORDS[finding.severity]
    if finding.whose is not Whose.STUDENT:
        word = f"{word} ({finding.whose}'s fault)"
    place = finding.where.rsplit(" › ", 1)[-1]
    _indented(console, Text.assemble((word, style), f" {place}: ", finding.what_text()))


def _indented(console: Console, text: Text) -> None:
    for line in text.wrap(console, max(20, console.width - 6)):
        console.print(Text("      ") + line)


def _verdict(report: CheckReport) -> Text:
    count = {severity: sum(f.severity is severity for f in report.findings) for severity in Severity}
    if report.ok:
        warned = f", {count[Severity.WARNING]} to look at" if count[Severity.WARNING] else ""
        return Text(f"  Can be graded as it is{warned}.", style="green")
    if report.submission is not None:
        return Text(
            f"  The clips can be scored; {_counted(count[Severity.ERROR])} beside them to mend.", style="yellow"
        )
    return Text(f"  Cannot be graded as it is: {_counted(count[Severity.ERROR])} to mend.", style="bold red")


def _counted(number: int) -> str:
    return f"{number} error" + ("s" if number != 1 else "")
