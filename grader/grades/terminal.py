"""Lateness, previews and differences on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.grades.difference import Difference
from grader.grades.late import Lateness, duration
from grader.grades.numbers import plain
from grader.grades.preview import Affected
from grader.grades.records import Grade, Leaderboard
from grader.intake.names import printable
from grader.rubric import Rubric

_MOST = 400
"""Characters of a line that is shown."""


def show_late(board: Leaderboard, console: Console) -> None:
    """Everyone who handed in after the deadline, or about whose lateness something was decided."""
    late = [row.grade for row in board.rows if _concerned(row.grade)]
    if not late:
        _line(console, "nobody handed in late")
        return
    table = _table("Student", "Handed in", "Late by", "Costs", "Points", "From")
    for grade in sorted(late, key=lambda grade: grade.student_id):
        for lateness, part in ((grade.lateness, ""), (grade.report_lateness, " (report)")):
            if lateness:
                table.add_row(
                    Text(printable(grade.student_id + part)),
                    f"{lateness.submitted_at:%Y-%m-%d %H:%M:%S}",
                    _by(lateness),
                    f"{plain(lateness.percent)} %",
                    "" if part else _points(grade),
                    str(lateness.source),
                )
    console.print(table)
    for grade in sorted(late, key=lambda grade: grade.student_id):
        for each in grade.ledger_lines:
            if each.kind in ("extension", "waiver"):
                text = f"{grade.student_id}: {each.kind} {each.value}: {each.reason} ({each.who}, {each.date})"
                _line(console, printable(text, _MOST))


def _concerned(grade: Grade) -> bool:
    delayed = any(late.delay for late in (grade.lateness, grade.report_lateness) if late)
    return delayed or any(each.kind in ("extension", "waiver") for each in grade.ledger_lines)


def show_preview(affected: Sequence[Affected], students: int, before: Rubric, after: Rubric, console: Console) -> None:
    """Who would be affected by another late rule."""
    same = {key: value for key, value in _rule(before).items() if _rule(after)[key] == value}
    for key, value in _rule(after).items():
        if key not in same:
            _line(console, f"{key}: {_rule(before)[key]} → {value}")
    if len(same) == len(_rule(after)):
        _line(console, "this is the rule as it stands")
    if affected:
        table = _table("Student", "Handed in", "Late by", "Costs", "Points")
        for each in affected:
            one, other = each.before.lateness, each.after.lateness
            table.add_row(
                Text(printable(each.student_id)),
                f"{one.submitted_at:%Y-%m-%d %H:%M:%S}" if one else "—",
                f"{_by(one)} → {_by(other)}" if one and other and one.delay != other.delay else _by(one),
                f"{_costs(each.before)} → {_costs(each.after)}",
                f"{_points(each.before)} → {_points(each.after)}",
            )
        console.print(table)
    _line(console, f"affected: {len(affected)} of {students}; nothing was changed")


def _rule(rubric: Rubric) -> dict[str, str]:
    steps = ", ".join(f"{plain(step.days)} d {plain(step.percent)} %" for step in rubric.late.steps)
    return {
        "deadline": f"{rubric.deadline} {rubric.timezone}",
        "grace": f"{plain(rubric.late.grace_minutes)} min",
        "steps": f"{steps}, later {plain(rubric.late.after_percent)} %".removeprefix(", "),
        "deduct": rubric.late.deduct,
        "parts": rubric.late.parts,
        "several hand-ins": rubric.late.several_hand_ins,
    }


def show_difference(found: Difference, console: Console) -> None:
    """What changed for everyone, and a sentence for each student who moved."""
    _line(console, f"{found.before.name} ({found.before.made_at}) → {found.after.name} ({found.after.made_at})", "bold")
    for each in found.changed:
        _line(console, f"changed: {printable(each, _MOST)}", "yellow")
    for move in found.moves:
        _line(console, printable(move.sentence(), 4 * _MOST))
    everyone = len(found.after.facts)
    _line(console, f"moved: {len(found.moves)} of {everyone}" if found.moves else "nobody moved")


def _by(late: Lateness | None) -> str:
    if late is None:
        return "—"
    return duration(late.delay) if late.delay else "on time"


def _costs(grade: Grade) -> str:
    late = [plain(each.percent) for each in (grade.lateness, grade.report_lateness) if each]
    return f"{' / '.join(late)} %" if late else "—"


def _points(grade: Grade) -> str:
    if grade.final_points is not None:
        return f"{grade.final_points:.2f}"
    return "—" if grade.provisional_points is None else f"{grade.provisional_points:.2f} so far"


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "Student", justify="left")
    return table


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
