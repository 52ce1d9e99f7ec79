"""How check reports are shown: for a person, and as JSON.

The JSON form is an object ``{"version": 1, "ok": bool, "reports": [report, …], "strays": [finding, …]}``. A report has
``student_id`` (or null), ``source``, ``ok``, ``results`` (each ``name``, ``group``, ``sentence``, ``status``: passed |
failed | skipped | broke, ``reason`` of a skip, ``findings``) and ``clips`` (``name``, ``entry``, ``path``, ``sha256``,
``samples`` of each clip that can be scored, or null). A finding has ``code`` (stable), ``severity``: error | warning |
note, ``whose``: student | environment | grader, ``where``, ``what``, ``fix``, and ``template`` and ``facts``, of which
those sentences are made. ``strays`` are about files in a folder of hand-ins that belong to nobody. Keys may be added,
never renamed. Everything is ASCII, names of files are escaped as they are on the screen.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from grader.checks import CheckReport
from grader.checks.graph import UNMET
from grader.checks.records import CheckResult, Status
from grader.checks.say import counted, listed
from grader.findings import Finding, Severity, Whose
from grader.intake.names import printable

_GROUPS = {
    "archive": ("Upload", "opens and unpacks whole"),
    "clips": ("Clips", "all there, under their names"),
    "audio": ("Audio", "right format, nothing silent, no two the same"),
    "mels": ("Mels", "lengths and contents fit the test mels"),
    "companions": ("Documents", "report, README and requirements.txt are there and open"),
}
_MARKS = {
    Severity.ERROR: ("✗", "bold red"),
    Severity.WARNING: ("!", "bold yellow"),
    Severity.NOTE: ("·", "cyan"),
}
_PASSED, _SKIPPED = ("✓", "bold green"), ("–", "dim")
_PLAIN = str.maketrans({
    "✗": "X", "✓": "+", "–": "-", "·": ".", "→": ">", "›": ">", "…": "...", "“": '"', "”": '"', "×": "x", "±": "+-",
    "µ": "u",
})  # fmt: skip
_MOST_ALIKE = 3
_MOST_NAMES = 60


def as_json(reports: Sequence[CheckReport], strays: Sequence[Finding] = ()) -> str:
    """All reports as described above."""
    record = {
        "version": 1,
        "ok": all(report.ok for report in reports),
        "reports": [report.as_json() for report in reports],
        "strays": [finding.as_json() for finding in strays],
    }
    return json.dumps(record, indent=1)


class Screen:
    """A console that never fails on a character its terminal does not know (Windows' code pages, a log in ASCII)."""

    def __init__(self, console: Console | None = None) -> None:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if console is None and reconfigure:
            reconfigure(errors="backslashreplace")
        self._console = console or Console(highlight=False)
        try:
            "".join(map(chr, _PLAIN)).encode(self._console.encoding)
            self._knows_marks = True
        except (UnicodeEncodeError, LookupError):
            self._knows_marks = False

    def line(self, mark: tuple[str, str] = ("", ""), *parts: str | tuple[str, str], indent: int = 2) -> None:
        """One paragraph, wrapped behind its mark."""
        text = Text()
        for part in parts:
            words, style = part if isinstance(part, tuple) else (part, "")
            text.append(words if self._knows_marks else words.translate(_PLAIN), style)
        sign, style = mark
        head = Text(" " * indent).append(sign if self._knows_marks else sign.translate(_PLAIN), style)
        head.append(" " if sign else "")
        for row in text.wrap(self._console, max(24, self._console.width - len(head) - 1)):
            row.rstrip()
            self._console.print(head + row, soft_wrap=True)
            head = Text(" " * len(head))

    def gap(self) -> None:
        self._console.print()


def show(report: CheckReport, screen: Screen, *, brief: bool = False) -> None:
    """A line for each group of checks, then what was found, errors first; ``brief``: one line where that is nothing."""
    name = printable(report.source.name)
    if brief and report.ok and not any(finding.severity is Severity.WARNING for finding in report.findings):
        tally = _tally(report.findings)
        screen.line(_PASSED, (name, "bold"), ": nothing to mend" + (f" ({tally})" if tally else ""), indent=0)
        return
    screen.line(("", ""), (name, "bold"), f"  student {report.student_id or 'unknown'}", indent=0)
    for group, (title, fine) in _GROUPS.items():
        _show_group(title, fine, [result for result in report.results if result.group == group], screen)
    for severity in Severity:
        _show_findings([finding for finding in report.findings if finding.severity is severity], screen)
    screen.gap()
    _show_verdict(report, screen)
    screen.gap()


def show_summary(reports: Sequence[CheckReport], strays: Sequence[Finding], screen: Screen) -> None:
    """After several reports: files that belong to nobody, and how many hand-ins are fine."""
    if strays:
        screen.line(("", ""), ("Files that belong to nobody", "bold"), indent=0)
        _show_findings(strays, screen)
        screen.gap()
    if len(reports) > 1:
        fine = sum(report.ok for report in reports)
        screen.line(("", ""), f"{fine} of {len(reports)} hand-ins can be graded as they are.", indent=0)


def _show_group(title: str, fine: str, results: Sequence[CheckResult], screen: Screen) -> None:
    findings = [finding for result in results for finding in result.findings]
    worst = next((severity for severity in Severity if any(f.severity is severity for f in findings)), None)
    skipped = [result for result in results if result.status is Status.SKIPPED]
    label = f"{title:<10} "
    if worst in (Severity.ERROR, Severity.WARNING):
        screen.line(_MARKS[worst], label, (_tally(findings), _MARKS[worst][1]))
    elif skipped and len(skipped) == len(results):
        reason = skipped[0].reason
        why = " before that is mended" if reason.startswith(UNMET) else f": {reason}"
        screen.line(_SKIPPED, (f"{label}not checked{why}", "dim"))
    elif results:
        screen.line(_PASSED, label, fine + (f" ({_tally(findings)})" if findings else ""))


def _show_findings(findings: Iterable[Finding], screen: Screen) -> None:
    """Findings that say the same stand together; of those that say nearly the same, the first few."""
    alike: defaultdict[tuple[str, str], dict[str, list[Finding]]] = defaultdict(dict)
    for finding in findings:
        alike[finding.code, finding.what].setdefault(finding.what_text(), []).append(finding)
    for texts in alike.values():
        shown = list(texts.values())
        most = len(shown) if len(shown) <= _MOST_ALIKE else 1
        for same in shown[:most]:
            screen.gap()
            _show_one(same, screen)
        rest = [finding for same in shown[most:] for finding in same]
        if rest:
            screen.line(("", ""), f"and {len(rest)} more like it: {_places(rest)}", indent=4)


def _show_one(same: Sequence[Finding], screen: Screen) -> None:
    first = same[0]
    mark = _MARKS[first.severity]
    places = _places(same) + (f" ({len(same)} files)" if len(same) > 1 else "")
    screen.line(mark, (places, "bold"))
    blame = {
        Whose.STUDENT: "",
        Whose.ENVIRONMENT: "This machine is to blame, not the hand-in. ",
        Whose.GRADER: "A bug of the grader, not of the hand-in. ",
    }[first.whose]
    screen.line(("", ""), (blame, "bold magenta"), first.what_text(), indent=4)
    if first.fix:
        screen.line(("→", "green"), first.fix_text(), indent=4)


def _places(findings: Sequence[Finding]) -> str:
    """Where: entries without the name of the upload, which stands at the top."""
    names = [finding.where.split(" › ", 1)[-1] for finding in findings]
    if len(names) > 1:
        names = sorted(name.rsplit("/", 1)[-1] for name in names)
        names.sort(key=lambda name: [int(digits) for digits in re.findall("[0-9]{1,9}", name)])
    more = len(names) - _MOST_NAMES
    return listed(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _show_verdict(report: CheckReport, screen: Screen) -> None:
    tally = _tally([finding for finding in report.findings if finding.severity is not Severity.NOTE])
    if report.broke:
        screen.line(
            ("!", "bold magenta"), ("The grader itself failed in places; tell whoever runs it.", "bold magenta")
        )
    if report.ok:
        screen.line(_PASSED, ("This can be graded as it is", "green"), f"; {tally} to look at." if tally else ".")
    elif report.submission is not None:
        screen.line(_MARKS[Severity.WARNING], ("The clips can be scored", "yellow"), f"; beside them {tally}.")
    else:
        screen.line(_MARKS[Severity.ERROR], ("This cannot be graded as it is", "bold red"), f": {tally}.")


def _tally(findings: Sequence[Finding]) -> str:
    """Such as ``2 errors, 1 warning``."""
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    return ", ".join(counted(number, str(severity)) for severity, number in counts.items() if number)
