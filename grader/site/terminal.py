"""The leaderboard on a terminal: the table, who is missing and why, and what else to know."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.findings import Whose
from grader.grades.leaderboard import Grade, Leaderboard, Podium, Row
from grader.grades.numbers import plain
from grader.metrics.scores import Scores
from grader.site import reruns, view

_WITH_RERUNS = 100  # columns
_WITH_BANDS = 90
_STYLES = {"good": "green", "warning": "yellow", "error": "red", "": ""}


def show(board: Leaderboard, page: Path, console: Console) -> None:
    """Print ``board``, and that it lies at ``page``."""
    if board.ranked or board.rungs:
        console.print(_table(board, console.width))
    if board.podium:
        _line(console, _podium(board.podium))
    for row in board.unranked:
        if row.grade.excused:
            _line(console, printable(f"{row.grade.student_id}: {row.grade.failure}"))
            continue
        innocent = row.grade.whose not in (None, Whose.STUDENT)
        whose = f" (the {row.grade.whose}'s fault, not the student's)" if innocent else ""
        _line(console, printable(f"not ranked: {row.grade.student_id}{whose}: {row.grade.failure}"), "red")
    for note in notes(board):
        _line(console, f"note: {printable(note)}", "yellow")
    _line(console, f"open {page}")


def _podium(podium: Podium) -> str:
    """``the first three, A, B, C: these in 97 % of resamples of the clips; the first is the first in 88 %``."""
    count = {3: "three"}.get(len(podium.students), str(len(podium.students)))
    names = ", ".join(map(printable, podium.students))
    return (
        f"the first {count}: {names}; just these in {podium.same_three:.0%} of resamples of the clips, "
        f"and the first is first in {podium.same_first:.0%}"
    )


def notes(board: Leaderboard) -> list[str]:
    """What keeps the leaderboard from being final, one sentence each."""
    counted = view.counts(board)
    found = [f"{each.where}: {each.what_text()}; {each.fix_text()}" for each in board.findings]
    if board.fad_name != "FAD":
        reason = view.instead_of_vggish(board)
        found.append(f"{board.fad_name} stands in for FAD" + (f": {reason}" if reason else ", as the rubric chooses"))
    if counted["file_times"]:
        found.append(
            f"dated by the file's own time: {counted['file_times']} of {counted['handed_in']} hand-ins; "
            "the true times belong into submissions.csv"
        )
    if counted["without_report"]:
        found.append(
            f"without report points, so without a final grade: {counted['without_report']} of {counted['graded']}; "
            "they belong into report_points.csv"
        )
    return found


def _table(board: Leaderboard, width: int) -> Table:
    with_reruns = width >= _WITH_RERUNS and reruns.any_known(board)
    with_bands = width >= _WITH_BANDS and any(row.standing for row in board.ranked)
    columns = view.columns(board)
    table = Table(title=Text(board.rubric.title), title_justify="left", title_style="bold")
    table.box, table.padding, table.pad_edge = box.SIMPLE_HEAD, (0, 1, 0, 0), False  # fits into 80 columns
    table.add_column("Rank", justify="right", no_wrap=True)
    if with_bands:
        table.add_column("Band", justify="right", no_wrap=True)
    table.add_column("Student", overflow="ellipsis", no_wrap=True)
    for heading in (*(column.label for column in columns), "Quality", "Late", "Report"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Final", justify="right", no_wrap=True, style="bold")
    if with_reruns:
        table.add_column("Rerun", no_wrap=True)
    for entry in view.in_order(board):
        if entry.rung:
            values = _values(entry.rung.scores, columns)
            table.add_row(
                "", *([""] if with_bands else []), Text(entry.rung.label), *values, "", "", "", "", style="dim italic"
            )
        elif entry.row:
            grade = entry.row.grade
            table.add_row(
                str(grade.rank),
                *([_band(entry.row)] if with_bands else []),
                Text(printable(grade.student_id)),
                *_values(view.scores(entry.row), columns),
                _or_dash(grade.quality_points),
                _late(grade),
                "—" if grade.report_points is None else plain(grade.report_points),
                _or_dash(grade.final_points),
                *([_rerun(entry.row)] if with_reruns else []),
            )
    return table


def _band(row: Row) -> str:
    """The ranks that the clips do not exclude."""
    standing = row.standing
    return "" if standing is None or standing.separable else f"{standing.first}–{standing.last}"


def _rerun(row: Row) -> Text:
    if row.rerun is None:
        return Text(f"— {reruns.why_none(row)}", style="dim")
    return Text(row.rerun.kind, style=_STYLES[reruns.tone(row.rerun)])


def _values(scores: Scores | None, columns: list[view.Column]) -> list[str]:
    values = [scores.of(column.metric) if scores else None for column in columns]
    return ["—" if value is None else f"{value:.3f}" for value in values]


def _or_dash(points: float | None) -> str:
    return "—" if points is None else f"{points:.2f}"


def _late(grade: Grade) -> str:
    late = grade.lateness
    if late is None:
        return "—"
    return f"−{plain(late.percent)} %" if late.step else ""


def printable(text: str) -> str:
    """``text`` with control, direction and broken characters escaped, so that a terminal only shows it."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in hidden else c for c in text)


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
