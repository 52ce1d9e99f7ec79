"""How check reports are shown: for a person, and as JSON.

The JSON form is an object ``{"version": 1, "ok": bool, "reports": [report, …], "strays": [finding, …]}``. A report has
``student_id`` (or null), ``source``, ``ok``, ``results`` (each ``name``, ``group``, ``sentence``, ``status``: passed |
failed | skipped | broke, ``reason`` of a skip, ``findings``) and ``clips`` (``name``, ``entry``, ``path``, ``sha256``,
``samples`` of each clip that can be scored, or null). A finding has ``code`` (stable), ``severity``: error | warning |
note, ``whose``: student | environment | grader, ``where``, ``what``, ``fix``, and ``template`` and ``facts``, of which
those sentences are made. ``strays`` are about files in a folder of hand-ins that belong to nobody. Keys may be added,
never renamed. Everything is ASCII, names of files are escaped as they are on the screen. It is English always; what a
person reads on the screen may be in another language.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.cells import set_cell_size
from rich.console import Console
from rich.text import Text

from grader import words
from grader.checks import CheckReport
from grader.checks.graph import UNMET
from grader.checks.records import CheckResult, Status
from grader.checks.say import files_of
from grader.findings import Finding, Severity, alike
from grader.intake.names import printable
from grader.site import strings

_GROUPS = ("archive", "clips", "audio", "mels", "companions")
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
    """A console that never fails on a character its terminal does not know (Windows' code pages, a log in ASCII).

    language: one of :func:`grader.words.languages`; where the terminal cannot show it, English is spoken.
    """

    def __init__(self, console: Console | None = None, language: str = words.ENGLISH) -> None:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if console is None and reconfigure:
            reconfigure(errors="backslashreplace")
        self._console = console or Console(highlight=False)
        try:
            "".join(map(chr, _PLAIN)).encode(self._console.encoding)
            self._knows_marks = True
        except (UnicodeEncodeError, LookupError):
            self._knows_marks = False
        try:
            strings.of(language)("check.fine").encode(self._console.encoding)
        except (UnicodeEncodeError, LookupError):
            language = words.ENGLISH
        self._texts, self.words = strings.of(language), words.of(language)

    def say(self, key: str, **values: object) -> str:
        """One of the texts in ``strings/…/check.toml``."""
        return self._texts(f"check.{key}", **values)

    def line(self, mark: tuple[str, str] = ("", ""), *parts: str | tuple[str, str], indent: int = 2) -> None:
        """One paragraph, wrapped behind its mark."""
        text = Text()
        for part in parts:
            written, style = part if isinstance(part, tuple) else (part, "")
            text.append(written if self._knows_marks else written.translate(_PLAIN), style)
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
        before, after = screen.say("nothing", name="\0").split("\0")
        screen.line(_PASSED, before, (name, "bold"), after + _in_brackets(report.findings, screen), indent=0)
        return
    student = screen.say("student", student=report.student_id or screen.say("unknown"))
    screen.line(("", ""), (name, "bold"), f"  {student}", indent=0)
    for group in _GROUPS:
        _show_group(group, [result for result in report.results if result.group == group], screen)
    _show_findings(report.findings, screen)
    screen.gap()
    _show_verdict(report, screen)
    screen.gap()


def show_summary(reports: Sequence[CheckReport], strays: Sequence[Finding], screen: Screen) -> None:
    """After several reports: files that belong to nobody, and how many hand-ins are fine."""
    if strays:
        screen.line(("", ""), (screen.say("strays"), "bold"), indent=0)
        _show_findings(strays, screen)
        screen.gap()
    if len(reports) > 1:
        fine = sum(report.ok for report in reports)
        screen.line(("", ""), screen.say("summary", fine=fine, count=len(reports)), indent=0)


def _show_group(group: str, results: Sequence[CheckResult], screen: Screen) -> None:
    findings = [finding for result in results for finding in result.findings]
    worst = next((severity for severity in Severity if any(f.severity is severity for f in findings)), None)
    skipped = [result for result in results if result.status is Status.SKIPPED]
    label = set_cell_size(screen.say(group), 10) + " "
    if worst in (Severity.ERROR, Severity.WARNING):
        screen.line(_MARKS[worst], label, (_tally(findings, screen), _MARKS[worst][1]))
    elif skipped and len(skipped) == len(results):
        reason = skipped[0].reason
        blocked = reason.startswith(UNMET)
        why = screen.say("blocked") if blocked else screen.say("skipped", reason=screen.words.sentence(reason))
        screen.line(_SKIPPED, (label + why, "dim"))
    elif results:
        screen.line(_PASSED, label, screen.say(f"{group}_fine") + _in_brackets(findings, screen))


def _show_findings(findings: Iterable[Finding], screen: Screen) -> None:
    """Findings that say the same stand together; of those that say nearly the same, the first few."""
    for kind in alike(findings):
        for same in kind.shown:
            screen.gap()
            _show_one(same, screen)
        if kind.rest:
            more = screen.say("more", count=len(kind.rest), places=_places(kind.rest, screen))
            screen.line(("", ""), more, indent=4)


def _show_one(same: Sequence[Finding], screen: Screen) -> None:
    first = same[0]
    mark = _MARKS[first.severity]
    places = _places(same, screen) + (screen.say("files", count=len(same)) if len(same) > 1 else "")
    screen.line(mark, (places, "bold"))
    blame = screen.say(f"whose_{first.whose}")
    screen.line(("", ""), (blame, "bold magenta"), screen.words.what(first), indent=4)
    if first.fix:
        screen.line(("→", "green"), screen.words.fix(first), indent=4)


def _places(findings: Sequence[Finding], screen: Screen) -> str:
    """Where; the name of the upload stands at the top."""
    names, more = files_of(findings)
    return names + (screen.say("more_places", count=more) if more else "")


def _show_verdict(report: CheckReport, screen: Screen) -> None:
    tally = _tally([finding for finding in report.findings if finding.severity is not Severity.NOTE], screen)
    if report.broke:
        screen.line(("!", "bold magenta"), (screen.say("broke"), "bold magenta"))
    if report.ok:
        end = screen.say("to_look_at", tally=tally) if tally else screen.say("fine_end")
        screen.line(_PASSED, (screen.say("fine"), "green"), end)
    elif report.submission is not None:
        screen.line(_MARKS[Severity.WARNING], (screen.say("scored"), "yellow"), screen.say("beside", tally=tally))
    else:
        screen.line(_MARKS[Severity.ERROR], (screen.say("not_fine"), "bold red"), screen.say("found", tally=tally))


def _tally(findings: Sequence[Finding], screen: Screen) -> str:
    """Such as ``2 errors, 1 warning``."""
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    return screen.say("comma").join(
        screen.say(str(severity), count=number) for severity, number in counts.items() if number
    )


def _in_brackets(findings: Sequence[Finding], screen: Screen) -> str:
    """Such as `` (1 note)``; nothing where nothing was found."""
    return screen.say("bracket", tally=_tally(findings, screen).strip()) if findings else ""
