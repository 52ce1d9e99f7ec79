"""``grader import canvas``: a bulk download laid out in ``submissions/``, every version kept, nothing overwritten.

A download says nothing of when a file was handed in: its entries carry the time of the download. Canvas's LATE mark is
known, though. So a file gets the latest time that it can have had, that of the download, or the deadline where Canvas
does not call it late; the leaderboard marks both as the file's own time, until ``submissions.csv`` knows better.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import leftovers
from grader.course import Course
from grader.findings import Finding, Severity, Whose
from grader.intake import names
from grader.intake.canvas import download, export, links, odd, record
from grader.intake.canvas.download import Item, unplaced, writing
from grader.intake.canvas.export import Export
from grader.intake.canvas.record import Imported, Link, Record
from grader.intake.canvas.shelf import Shelf
from grader.progress import Progress


@dataclass
class Outcome:
    """What an import came to. added, known: files. links: new ones.

    nothing: students of the gradebook without a file.
    """

    download: str
    added: list[Imported] = field(default_factory=list)
    known: list[Imported] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    nothing: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything in the download is somebody's and in its place."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "download": self.download,
            "complete": self.complete,
            "added": [vars(each) for each in self.added],
            "known": [vars(each) for each in self.known],
            "links": [vars(each) for each in self.links],
            "nothing": self.nothing,
            "findings": [finding.as_json() for finding in self.findings],
        }


def bring_in(source: Path, gradebook: Path, course: Course, shown: Progress) -> Outcome:
    """Import the bulk download ``source`` into the course.

    Raises :class:`grader.errors.CourseError` where one of the two files is not what it should be,
    :class:`grader.errors.EnvironmentProblem` where the disk cannot take it.
    """
    book = export.read(gradebook, course.rubric)
    listing = download.open_download(source, course.rubric.archive)
    leftovers.remove(course.state)
    known = record.load(course.state)
    outcome = Outcome(source.name)
    with _scratch(course) as folder:
        shelf = Shelf(course, dict(known.files), source.name)
        items = list(download.unpack(listing, course.rubric.archive, book, folder, outcome.findings.append, shown))
        found = _links(items, book, outcome)
        by_student: dict[str, list[Item]] = {}
        for item in items:
            if item.named and item.named.attachment_id is not None:
                by_student.setdefault(item.student_id, []).append(item)
        try:
            for student_id in sorted(by_student, key=str.upper):
                added, again, findings = shelf.take(student_id, by_student[student_id])
                outcome.added += added
                outcome.known += again
                outcome.findings += findings
        finally:  # what is in place is remembered, whatever happens to the rest
            result = Record(shelf.files, record.with_links([*known.links, *found]))
            with writing(course.state):
                record.save(course.state, result)
    outcome.links = [link for link in result.links if link not in known.links]
    present = {item.student_id.upper() for item in items}
    outcome.findings += odd.times(result, present, course)
    everyone = [person.student_id for person in book.people if person.student_id]
    outcome.nothing = [student for student in everyone if student.upper() not in present | shelf.students()]
    return outcome


@contextmanager
def _scratch(course: Course) -> Iterator[Path]:
    with writing(course.root):
        course.submissions.mkdir(parents=True, exist_ok=True)
        (course.state / "imports").mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=f"unpacking-{os.getpid()}-", dir=course.state / "imports")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _links(items: Sequence[Item], book: Export, outcome: Outcome) -> list[Link]:
    """Addresses in what was typed into Canvas, and in exported comments."""
    found: list[Link] = []
    students = {person.student_id.lower(): person.student_id for person in book.people if person.student_id}
    students |= {str(person.canvas_id): person.student_id for person in book.people if person.student_id}
    for item in items:
        if item.named is not None and item.named.attachment_id is not None:
            continue
        with item.path.open("rb") as file:
            content = file.read(links.MOST_BYTES)
        if item.named is not None:
            urls = links.urls(links.text_of(content, item.file))
            found += [Link(item.student_id, url, names.printable(item.file)) for url in urls]
            continue
        pairs, unclear = links.by_student(content, item.file, students)
        found += [Link(student, url, names.printable(item.file)) for student, url in pairs]
        outcome.findings += [
            unplaced(item.file, f"it does not say whose link this is: {url}", "Look it up in Canvas.")
            for url in unclear
        ]
    shown = [item for item in items if item.named is not None and item.named.attachment_id is None]
    outcome.findings += [_typed(item) for item in shown if not any(link.source == item.file for link in found)]
    return found


def _typed(item: Item) -> Finding:
    return Finding(
        "canvas-typed",
        Severity.NOTE,
        names.printable(item.file),
        "{student} typed this into Canvas; it holds no link, and it is no part of the hand-in.",
        "Read it in the download where it matters.",
        Whose.ENVIRONMENT,
        {"student": item.student_id},
    )
