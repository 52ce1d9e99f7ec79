"""Points into a column of a Canvas gradebook export, every other byte left as it is.

A cell keeps its quotes, a file its byte order mark, line ends and separators. What has no points is left as it stands
and listed: nothing is written that was not computed. Values have at most two decimals, with a comma where the export
has one.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import CourseError, EnvironmentProblem
from grader.grades.numbers import plain
from grader.grades.records import Grade, Leaderboard
from grader.intake.canvas import table
from grader.intake.canvas.export import Export, Person
from grader.intake.names import printable
from grader.rubric import Rubric

_ASSIGNMENT = re.compile(r"(?P<title>.*) \((?P<number>[0-9]+)\)", re.DOTALL)
_DECIMAL = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")


@dataclass(frozen=True)
class Kind:
    """One sort of points. of: of a grade, None where it has none; why: the reason then; most: out of how many."""

    of: Callable[[Grade], float | None]
    why: Callable[[Grade], str]
    most: Callable[[Rubric], float]


KINDS: Mapping[str, Kind] = {
    "final": Kind(
        lambda grade: grade.final_points,
        lambda grade: grade.final_why,
        lambda rubric: rubric.points.quality + rubric.points.report,
    ),
    "quality": Kind(
        lambda grade: grade.provisional_points,
        lambda grade: grade.quality_why,
        lambda rubric: rubric.points.quality,
    ),
    "report": Kind(
        lambda grade: grade.report_points, lambda grade: grade.report_why, lambda rubric: rubric.points.report
    ),
    "semester": Kind(
        lambda grade: grade.semester_percent,
        lambda grade: grade.final_why,
        lambda rubric: rubric.semester_weight_percent,
    ),
}
"""final: of the whole homework, after lateness; quality: for the clips alone, after lateness; report: as given;
semester: the final points as a share of the semester."""


@dataclass(frozen=True)
class Target:
    """Where points go. column: from 0; points: a key of :data:`KINDS`; factor: from the rubric's points to Canvas's."""

    column: int
    points: str
    factor: float


@dataclass(frozen=True)
class Written:
    """A cell that was filled. before, after: as text."""

    student_id: str
    line: int
    before: str
    after: str


@dataclass(frozen=True)
class Filled:
    """An export with one column filled. left: who was left as they were, by name, and why.

    lost: student IDs with points that have no row in the export, so that nothing could be written for them.
    """

    content: bytes
    column: str
    written: tuple[Written, ...]
    left: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[Written, ...]:
        """Cells that held another value before."""
        return tuple(each for each in self.written if each.before not in ("", each.after))


def target(book: Export, assignment: str, rubric: Rubric, points: str, *, scale: bool = False) -> Target:
    """Where ``points`` (a key of :data:`KINDS`) go in the export.

    scale: convert to the export's Points Possible where that is not what the rubric counts up to. Raises
    :class:`CourseError` where the column is not clear or read-only, or counts up to another number without ``scale``.
    """
    column = find_column(book, assignment)
    return Target(column, points, _factor(book, column, KINDS[points].most(rubric), points, scale))


def fill(book: Export, where: Target, board: Leaderboard) -> Filled:
    """The export with everyone's points. Raises :class:`CourseError` where a row is cut short."""
    column, kind = where.column, KINDS[where.points]
    title = book.titles[column]
    comma = _decimal_comma(book)
    grades = {row.grade.student_id.upper(): row.grade for row in board.rows}
    written: list[Written] = []
    left: dict[str, str] = {}
    changed: dict[tuple[int, int], bytes] = {}
    for person in book.people:
        grade = grades.pop(person.student_id.upper(), None) if person.student_id else None
        before = book.text(person.line, column)
        reason = _reason(person, grade, kind, before)
        value = kind.of(grade) if grade and not reason else None
        if value is None:
            left[f"{person.student_id or printable(person.name)} (line {person.number})"] = reason
            continue
        cells = book.table.lines[person.line].cells
        if column >= len(cells):
            raise CourseError(
                f"{book.path}:{person.number}: this row has {len(cells)} cells, and {title!r} is number {column + 1}",
                help="export the gradebook again; a row that lacks cells was cut by another program",
            )
        after = plain(value * where.factor).replace(".", "," if comma else ".")
        changed[person.line, column] = table.like(cells[column], after.encode())
        written.append(Written(grade.student_id if grade else "", person.number, before, after))
    lost = tuple(sorted(student for student, grade in grades.items() if kind.of(grade) is not None))
    return Filled(book.table.join(changed), title, tuple(written), left, lost)


def find_column(book: Export, assignment: str) -> int:
    """The place of an assignment's column: named in full, or by its title or number alone where only one has that."""
    assignments = {place: match for place, title in enumerate(book.titles) if (match := _ASSIGNMENT.fullmatch(title))}
    wanted = assignment.strip()
    full = [place for place, match in assignments.items() if match[0] == wanted]
    part = [place for place, match in assignments.items() if wanted in (match["title"], match["number"])]
    found = full or part
    if len(found) == 1:
        return found[0]
    names = [match[0] for match in assignments.values()]
    if found:
        several = ", ".join(repr(book.titles[place]) for place in found)
        raise CourseError(
            f"{book.path}: {wanted!r} is the name of {len(found)} columns: {several}",
            help="name one in full, with the number in brackets",
        )
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4) or names[:5]
    said = "is a column that Canvas computes" if wanted in book.titles else "is no assignment in it"
    raise CourseError(
        f"{book.path}: {wanted!r} {said}",
        help=f"did you mean {' or '.join(map(repr, near))}?" if near else "this export has no assignment at all",
    )


def _factor(book: Export, column: int, most: float, points: str, scale: bool) -> float:
    if book.points_line is None:
        return 1.0
    said = book.text(book.points_line, column).strip()
    if "read only" in said.lower():
        raise CourseError(
            f"{book.path}: {book.titles[column]!r} is read-only: Canvas does not take it back",
            help="name an assignment's own column",
        )
    if not said:
        return 1.0
    if not _DECIMAL.fullmatch(said):
        raise CourseError(
            f"{book.path}: Points Possible of {book.titles[column]!r} is {printable(said)!r}, which is no number",
            help="export the gradebook again",
        )
    possible = float(said.replace(",", "."))
    if possible == most:
        return 1.0
    if not scale:
        raise CourseError(
            f"{book.path}: {book.titles[column]!r} counts up to {plain(possible)}, but the rubric's {points} points "
            f"up to {plain(most)}; nothing was written",
            help=f"set the assignment to {plain(most)} points in Canvas, choose other --points, or use --scale",
        )
    if not most:
        raise CourseError(f"rubric.yaml: there are no {points} points", help="choose other --points")
    return possible / most


def _reason(person: Person, grade: Grade | None, kind: Kind, before: str) -> str:
    """Why a cell is left as it is; empty where it is filled."""
    if person.student_id is None:
        return person.why
    if grade is None:
        return "handed in nothing"
    if grade.excused:
        return "excused here"
    if kind.of(grade) is None:
        return kind.why(grade)
    if before.strip().upper() == "EX":
        return "excused in Canvas"
    return ""


def _decimal_comma(book: Export) -> bool:
    """Whether the export writes 12,5: only where a semicolon separates, and no number has a point."""
    if book.table.delimiter != b";":
        return False
    cells = {table.value(cell).decode(book.encoding) for line in book.table.lines[1:] for cell in line.cells}
    return any(re.fullmatch(r"[0-9]+,[0-9]+", cell) for cell in cells) and not any(
        re.fullmatch(r"[0-9]+\.[0-9]+", cell) for cell in cells
    )


def lines(filled: Filled, out: Path) -> Iterator[str]:
    """What was done, and who was left out, as it is printed."""
    again = f", {len(filled.changed)} of them with another value before" if filled.changed else ""
    yield f"{out}: {len(filled.written)} students' points under {filled.column!r}{again}"
    for each in filled.changed:
        yield f"  {each.student_id}: {printable(each.before)} → {each.after}"
    if filled.left:
        yield "left as they were:"
    for name, reason in filled.left.items():
        yield f"  {name}: {reason}"
    for student in filled.lost:
        yield f"! {student} has points here and no row in the export: nothing was written for this student"


def save(filled: Filled, book: Export, out: Path) -> None:
    """Write the filled copy, whole or not at all. Raises :class:`CourseError` where that is the export itself."""
    if out.exists() and out.samefile(book.path):
        raise CourseError(f"{out}: this is the export itself", help="give another --out; the export is never changed")
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        part.write_bytes(filled.content)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise EnvironmentProblem(f"{out}: cannot be written: {error.strerror}", help="choose another --out") from None
