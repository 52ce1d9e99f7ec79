"""Feedback to each student, zipped as Canvas takes it back (“Upload Submissions” beside the bulk download).

Canvas goes by the names: whose a file is and what it answers to stand there as two numbers, and in the comment it is
shown under the name that the student had given. So every file carries exactly the name of an upload, and is what that
name says: where the student uploaded a zip, a zip with the feedback in it. A student is sent only what is about that
student: the page ``students/KEY.html`` where it is there, else the sentences of the grade as text.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from grader.errors import EnvironmentProblem
from grader.grades.numbers import plain
from grader.grades.records import Leaderboard, Row
from grader.intake.canvas.record import Imported, Record
from grader.site.audience import file_key
from grader.site.tables import findings

_DATE = (1980, 1, 1, 0, 0, 0)  # the same feedback gives the same bytes
_TEXT = (".txt", ".md")
_PAGE = (".html", ".htm")


@dataclass(frozen=True)
class Bundle:
    """files: content by name in the zip. pages, texts: students who get their page, or text.

    left: who handed in and gets nothing, and why.
    """

    files: Mapping[str, bytes]
    pages: tuple[str, ...]
    texts: tuple[str, ...]
    left: Mapping[str, str]


def bundle(board: Leaderboard, record: Record, site: Path) -> Bundle:
    """One file for each student whose upload came from Canvas under a name that feedback can carry."""
    uploads: dict[str, list[Imported]] = {}
    for each in sorted(record.files.values(), key=lambda each: -each.attachment_id):
        uploads.setdefault(each.student_id.upper(), []).append(each)
    files: dict[str, bytes] = {}
    left: dict[str, str] = {}
    pages: list[str] = []
    texts: list[str] = []
    for row in board.rows:
        student = row.grade.student_id
        if row.result is None:  # handed in nothing that feedback could be about
            continue
        path = site / "students" / f"{file_key(student)}.html"
        page = path.read_bytes() if path.is_file() else None
        if student not in uploads:
            left[student] = "nothing of this student came from a Canvas download"
            continue
        carried = _carried(uploads[student], student, page, text_of(row, board))
        if carried is None:
            names = ", ".join(each.entry for each in uploads[student])
            left[student] = f"no upload whose name can carry a page or a text: {names}"
            continue
        name, content = carried
        files[name] = content
        as_text = page is None or name.lower().endswith(_TEXT)
        (texts if as_text else pages).append(student)
    return Bundle(files, tuple(pages), tuple(texts), left)


def _carried(uploads: Sequence[Imported], student: str, page: bytes | None, text: str) -> tuple[str, bytes] | None:
    """Name and content of the file for a student; the newest zip before any other upload."""
    inner = (f"feedback_{student}.html", page) if page is not None else (f"feedback_{student}.txt", text.encode())
    for each in uploads:
        if PurePath(each.entry).suffix.lower() == ".zip":
            return each.entry, zipped({inner[0]: inner[1]})
    for each in uploads:
        suffix = PurePath(each.entry).suffix.lower()
        if suffix in _PAGE and page is not None:
            return each.entry, page
        if suffix in _TEXT:
            return each.entry, text.encode()
    return None


def text_of(row: Row, board: Leaderboard) -> str:
    """The grade in sentences, with nothing of anybody else."""
    grade = row.grade
    lines = [board.rubric.title, f"Student: {grade.student_id}", ""]
    if grade.excused:
        lines += ["Excused: there is no grade.", ""]
    if grade.final_points is not None:
        lines.append(f"Final: {plain(grade.final_points)} of {plain(board.most_points)} points.")
    elif grade.failure:
        lines.append(f"Not graded: {grade.failure}.")
    lines += [
        f"Quality: {grade.quality_why}",
        f"Report: {grade.report_why}",
        *(f"Time: {line}" for line in grade.late_lines or (grade.late_why,)),
        *([f"Bonus: {grade.bonus_why}"] if grade.bonus_why else []),
        f"Together: {grade.final_why}",
    ]
    for each in grade.ledger_lines:
        lines.append(f"Decision of {each.date}: {each.kind} {each.value}. Reason: {each.reason}")
    lines += [f"What would have changed it: {sentence}" for sentence in grade.would_change]
    found = findings(row)
    if found:
        lines += ["", "What the checks found:"]
    for finding in found:
        fix = f" {finding.fix_text()}" if finding.fix_text() else ""
        lines.append(f"- {finding.severity}: {finding.where}: {finding.what_text()}{fix}")
    return "\n".join(lines) + "\n"


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files, the same bytes for the same files. Names in Chinese are marked as UTF-8."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def save(made: Bundle, out: Path) -> None:
    """Write the zip, whole or not at all."""
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        part.write_bytes(zipped(made.files))
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise EnvironmentProblem(f"{out}: cannot be written: {error.strerror}", help="choose another file") from None


def lines(made: Bundle, out: Path) -> Iterator[str]:
    """What was made, as it is printed."""
    yield f"{out}: feedback to {len(made.files)} students: {len(made.pages)} pages, {len(made.texts)} texts"
    yield "in Canvas: the assignment › Upload Submissions; names must stay as they are"
    for student, reason in made.left.items():
        yield f"  {student} gets nothing this way: {reason}"
