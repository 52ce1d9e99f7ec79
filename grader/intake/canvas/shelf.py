"""What lies in ``submissions/``, and where a new upload goes: beside what is there, never over it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from grader.course import Course
from grader.findings import Finding, Severity, Whose
from grader.intake import archive, handins, names
from grader.intake.archive import ArchiveProblem
from grader.intake.canvas import sorting
from grader.intake.canvas.download import Item, unplaced, writing
from grader.intake.canvas.record import Imported
from grader.intake.canvas.sorting import Sorted
from grader.store import file_sha256

_Owner = tuple[str, str]
"""Student ID in upper case, and kind of file."""


class Shelf:
    """files: everything imported, by attachment ID; grows with what is placed."""

    def __init__(self, course: Course, files: dict[int, Imported], source: str) -> None:
        """source: the download's name, for the record."""
        self.files = dict(files)
        self._course = course
        self._source = source
        self._there: defaultdict[_Owner, dict[int, Path]] = defaultdict(dict)
        for path in sorted(course.submissions.iterdir()):
            place = handins.place_of(path.name, course.rubric, folder=path.is_dir())
            if place and not names.is_junk((path.name,)):
                self._there[place.student_id, place.kind].setdefault(place.number, path)

    def students(self) -> set[str]:
        """Everyone of whom something lies there, in upper case."""
        return {student for student, _ in self._there}

    def take(self, student_id: str, items: Sequence[Item]) -> tuple[list[Imported], list[Imported], list[Finding]]:
        """Put one student's uploads in their places; returns what is new, what was there, and what is to be said."""
        items = sorted(items, key=_attachment)
        added: list[Imported] = []
        known: list[Imported] = []
        findings: list[Finding] = []
        whats = sorting.sort([_own(item) for item in items], student_id, self._course.rubric)
        for item, what in zip(items, whats, strict=True):
            before = self.files.get(_attachment(item))
            if before and (problem := _changed(item, before)):
                findings.append(problem)
                continue
            findings += self._about(item, what)
            if before and self._stands(item, before, findings):
                self.files[before.attachment_id] = replace(before, late=_late(item))
                known.append(before)
                continue
            if what.kind is None:
                findings.append(unplaced(item.file, what.why, _by_hand(student_id)))
                continue
            imported, is_new = self._place(item, what)
            if imported is None:
                findings.append(_too_old(item, what, student_id))
                continue
            self.files[imported.attachment_id] = imported
            (added if is_new else known).append(imported)
        return added, known, findings

    def _place(self, item: Item, what: Sorted) -> tuple[Imported | None, bool]:
        """The record of the item in its place, and whether it had to be put there; None where it is too old."""
        assert what.kind is not None
        there = self._there[item.student_id.upper(), what.kind]
        taken = {number: self._attachment_at(path) for number, path in there.items()}
        attachment = _attachment(item)
        for at, path in there.items():
            newest = at == max(there) and (taken[at] or 0) < attachment
            if (taken[at] is None or newest) and path.is_file() and file_sha256(path) == item.sha256:
                return self._record(item, what, path), False
        number = sorting.number_for(what.number, attachment, taken)
        if number is None:
            return None, False
        path = self._course.submissions / sorting.name_for(what.kind, item.student_id, number, what.file)
        self._put(item, path)
        there[number] = path
        return self._record(item, what, path), True

    def _attachment_at(self, path: Path) -> int | None:
        return max((each.attachment_id for each in self.files.values() if each.placed == path.name), default=None)

    def _put(self, item: Item, path: Path) -> None:
        with writing(path.parent):
            if os.path.lexists(path):
                raise FileExistsError(17, "File exists", str(path))
            shutil.move(item.path, path)
            path.chmod(0o644)
            if time := self._latest_time(item):
                os.utime(path, (time.timestamp(), time.timestamp()))

    def _latest_time(self, item: Item) -> dt.datetime | None:
        """The latest time at which it can have been handed in."""
        rubric = self._course.rubric
        written = item.written.replace(tzinfo=rubric.zone) if item.written else dt.datetime.now(dt.UTC)
        return written if _late(item) else min(written, rubric.deadline_at)

    def _stands(self, item: Item, before: Imported, findings: list[Finding]) -> bool:
        """Whether what was imported is still there; where the file was changed since, that is told."""
        path = self._course.submissions / before.placed
        if not path.exists():
            return False
        if path.is_file() and file_sha256(path) != item.sha256:
            findings.append(
                Finding(
                    "canvas-edited",
                    Severity.WARNING,
                    f"submissions/{before.placed}",
                    "It is not as it was imported from {entry}; it was left alone.",
                    "Move it away and import again to have the upload back.",
                    Whose.ENVIRONMENT,
                    {"entry": names.printable(before.entry)},
                )
            )
        return True

    def _record(self, item: Item, what: Sorted, path: Path) -> Imported:
        assert item.named is not None
        assert what.kind is not None
        return Imported(
            student_id=item.student_id,
            canvas_user_id=item.named.user_id,
            attachment_id=_attachment(item),
            entry=item.file,
            kind=what.kind,
            placed=path.name,
            sha256=item.sha256,
            late=item.named.late,
            written=item.written.isoformat() if item.written else None,
            download=self._source,
        )

    def _about(self, item: Item, what: Sorted) -> list[Finding]:
        """What the TA should know of a file that has been recognised."""
        found = []
        if what.guess:
            said = "Its name does not say what it is; taken for the {kind} by {guess}."
            found.append(_note("canvas-recognised", item, said, kind=what.kind, guess=what.guess))
        others = {what.other_id} - {""}
        if what.kind == "predictions":
            others |= _ids_inside(item, self._course) - {item.student_id.upper()}
        if others and what.kind:
            found.append(
                Finding(
                    "canvas-other-id",
                    Severity.WARNING,
                    names.printable(item.file),
                    "{student} uploaded this, but it names {others}; it was placed for {student}.",
                    "Ask both: a slip of the pen, a group's upload, or somebody else's work?",
                    facts={"student": item.student_id, "others": ", ".join(sorted(others))},
                )
            )
        return found


def _ids_inside(item: Item, course: Course) -> set[str]:
    """Student IDs after which folders at the top of an archive are named."""
    try:
        listing = archive.list_zip(item.path, course.rubric.archive)
    except ArchiveProblem:  # what is wrong with it the checks say
        return set()
    tops = {entry.name.replace("\\", "/").split("/")[0] for entry in listing.entries if "/" in entry.name}
    places = [handins.place_of(top, course.rubric, folder=True) for top in tops]
    return {place.student_id for place in places if place and place.kind == "predictions"}


def _attachment(item: Item) -> int:
    assert item.named is not None
    assert item.named.attachment_id is not None
    return item.named.attachment_id


def _own(item: Item) -> str:
    assert item.named is not None
    return item.named.file


def _late(item: Item) -> bool:
    return item.named is not None and item.named.late


def _changed(item: Item, before: Imported) -> Finding | None:
    """An attachment of Canvas never changes, nor does whose it is."""
    if before.student_id.upper() != item.student_id.upper():
        why = f"it was imported as {before.student_id}'s, and this gradebook says {item.student_id}"
        return unplaced(item.file, why, "Find out which is right; the import's record is .grader/imports/canvas.json.")
    if before.sha256 != item.sha256:
        why = f"attachment {before.attachment_id} was imported before with other bytes ({before.placed})"
        return unplaced(item.file, why, "Canvas never changes an attachment: look who changed one of the downloads.")
    return None


def _too_old(item: Item, what: Sorted, student_id: str) -> Finding:
    why = f"a later {what.kind} of {student_id} is in place, and no number is left for an earlier one"
    return unplaced(item.file, why, "It would not count. To keep it, rename the later files to higher numbers first.")


def _by_hand(student_id: str) -> str:
    return f"Put it into submissions/ yourself, as {student_id}.zip, {student_id}_report.pdf or whatever it is."


def _note(code: str, item: Item, said: str, **facts: object) -> Finding:
    return Finding(code, Severity.NOTE, names.printable(item.file), said, "", Whose.ENVIRONMENT, facts)
