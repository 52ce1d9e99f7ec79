"""A gradebook export: which column is which assignment, and which row is which student.

Columns are ``Student, ID, [SIS User ID,] SIS Login ID, Section``, then assignments as ``Title (number)`` and computed
ones. Rows before and at ``Points Possible`` are no students, nor is Canvas's ``Student, Test``. A student ID is what
stands under SIS Login ID or SIS User ID where that fits the rubric's pattern; of an e-mail address, what is before the
@. Nothing else is taken for one.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from grader.errors import CourseError
from grader.intake.canvas import table
from grader.intake.canvas.table import Table
from grader.intake.names import printable
from grader.rubric import Rubric

_ID_COLUMNS = ("SIS Login ID", "SIS User ID")
_DELIMITERS = (b",", b";", b"\t")
_TEST_STUDENT = "Student, Test"


@dataclass(frozen=True)
class Person:
    """A student's row. line: its place in the table, from 0; number: its line in the file, from 1.

    student_id: as written there, None where there is none, and ``why`` says so.
    """

    line: int
    number: int
    canvas_id: int
    name: str
    student_id: str | None
    why: str = ""


@dataclass(frozen=True)
class Export:
    """titles: of the columns, in order. points_line: the row ``Points Possible``, from 0, None where there is none."""

    path: Path
    table: Table
    encoding: str
    titles: tuple[str, ...]
    points_line: int | None
    people: tuple[Person, ...]
    test_ids: frozenset[int]

    def text(self, line: int, column: int) -> str:
        """What a cell says; empty where the row is too short."""
        cells = self.table.lines[line].cells
        return table.value(cells[column]).decode(self.encoding) if column < len(cells) else ""

    def by_canvas_id(self) -> dict[int, Person]:
        return {person.canvas_id: person for person in self.people}


def read(path: Path, rubric: Rubric) -> Export:
    """Read a gradebook export. Raises :class:`CourseError` where the file is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _unusable(path, "is UTF-16, as Excel's “Unicode text”, which is not how Canvas exports it")
    encoding = _encoding(content, path)
    found = next((each for mark in _DELIMITERS if (each := _header(content, mark, encoding))), None)
    if found is None:
        first = content[:200].split(b"\n")[0].decode(encoding, "replace")
        raise _unusable(path, f"is no gradebook export: its first line is {printable(first)!r}, not Student, ID, …")
    if not found.closed:
        raise _unusable(path, "ends inside a quoted field: it is not whole")
    titles = tuple(table.value(cell).decode(encoding).strip() for cell in found.lines[0].cells)
    export = Export(path, found, encoding, titles, None, (), frozenset())
    return _with_people(export, rubric)


def _encoding(content: bytes, path: Path) -> str:
    for encoding in ("utf-8", "cp950"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    raise _unusable(path, "is neither UTF-8 nor Big5")


def _header(content: bytes, delimiter: bytes, encoding: str) -> Table | None:
    """The table, where its first line is a gradebook's with this delimiter."""
    found = table.take_apart(content, delimiter)
    if not found.lines:
        return None
    titles = [table.value(cell).decode(encoding).strip() for cell in found.lines[0].cells]
    return found if titles[0] == "Student" and "ID" in titles else None


def _with_people(export: Export, rubric: Rubric) -> Export:
    id_column = export.titles.index("ID")
    columns = [export.titles.index(title) for title in _ID_COLUMNS if title in export.titles]
    if not columns:
        raise _unusable(
            export.path, f"has no column {' or '.join(_ID_COLUMNS)}, so no student can be told by the student ID"
        )
    points_line = None
    people, tests = [], set()
    for line in range(1, len(export.table.lines)):
        first = export.text(line, 0)
        if first.strip() == "Points Possible":
            points_line = line
        digits = export.text(line, id_column).strip()
        if not re.fullmatch(r"[0-9]{1,18}", digits):
            continue
        if first.strip() == _TEST_STUDENT:
            tests.add(int(digits))
            continue
        student_id, why = _student_id([export.text(line, column).strip() for column in columns], rubric)
        people.append(Person(line, export.table.lines[line].number, int(digits), first.strip(), student_id, why))
    return replace(export, points_line=points_line, people=_without_doubles(people), test_ids=frozenset(tests))


def _student_id(values: list[str], rubric: Rubric) -> tuple[str | None, str]:
    found: dict[str, str] = {}
    for text in values:
        local = text.split("@")[0]
        if re.fullmatch(rubric.student_id, local, re.IGNORECASE):
            found.setdefault(local.upper(), local)
    if len(found) == 1:
        return next(iter(found.values())), ""
    if found:
        return None, f"the gradebook names two student IDs, {' and '.join(found.values())}"
    shown = " and ".join(repr(printable(text)) for text in values if text) or "nothing"
    return None, f"the gradebook has {shown} where a student ID such as the rubric's should stand"


def _without_doubles(people: list[Person]) -> tuple[Person, ...]:
    """Two rows with one ID are nobody's, so that none gets the other's files or points."""
    students = Counter(person.student_id.upper() for person in people if person.student_id)
    numbers = Counter(person.canvas_id for person in people)
    return tuple(
        replace(person, student_id=None, why=f"the gradebook has {what} in more than one row") if what else person
        for person in people
        for what in (
            f"Canvas user {person.canvas_id}"
            if numbers[person.canvas_id] > 1
            else person.student_id
            if person.student_id and students[person.student_id.upper()] > 1
            else None,
        )
    )


def _unusable(path: Path, why: str) -> CourseError:
    return CourseError(
        f"{path}: {why}", help="in Canvas: Grades › Export › Export Entire Gradebook; give that CSV file"
    )
