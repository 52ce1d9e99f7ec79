"""What each file of a student's upload is, and under which number it is kept. Pure: names and numbers only.

A name says it (``r12345678_report.pdf``, or without the ID ``report.pdf``), else a word in it does (``HW2 code.zip``),
else being the only one of its sort (the only archive: the predictions; the only PDF: the report). Otherwise it is not
guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.intake.canvas import naming
from grader.intake.handins import place_of
from grader.rubric import Rubric

_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".tar.bz2", ".tar.xz", ".zipx")
_WORDS = {"code": _ARCHIVES, "report": (".pdf",), "readme": (".txt", ".md", ".pdf"), "requirements": (".txt",)}
_NAMES = {
    "predictions": "{id}{n}{suffix}",
    "report": "{id}_report{n}.pdf",
    "readme": "{id}_README{n}{suffix}",
    "requirements": "{id}_requirements{n}.txt",
    "code": "{id}_code{n}.zip",
}
_DOUBLE_SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True)
class Sorted:
    """kind: predictions, report, readme, requirements, code, or None where ``why`` says it is not clear.

    number: of a resubmission, as Canvas wrote it. other_id: the student ID in the name, where it is another's.
    guess: by what it was recognised, where not by its name.
    """

    file: str
    kind: str | None
    number: int = 0
    other_id: str = ""
    guess: str = ""
    why: str = ""


def sort(files: Sequence[str], student_id: str, rubric: Rubric) -> list[Sorted]:
    """What each of one student's files in one download is, in their order."""
    by_name = [_by_name(file, student_id, rubric) for file in files]
    own = {each.kind for each in by_name if each.kind and not each.other_id}
    named = [_ousted(each) if each.other_id and each.kind in own else each for each in by_name]
    kinds: set[str | None] = {each.kind for each in named if each.kind}
    unclear = [each.file for each in named if each.kind is None and not each.why]
    return [each if each.kind or each.why else _by_sort(each.file, unclear, kinds) for each in named]


def _by_name(file: str, student_id: str, rubric: Rubric) -> Sorted:
    if place := place_of(file, rubric):
        other = "" if place.student_id == student_id.upper() else place.student_id
        return Sorted(file, place.kind, place.number, other)
    if place := place_of(f"{student_id}_{file}", rubric):
        return Sorted(file, place.kind, place.number)
    plain, number = naming.again(file)
    words = set(re.split(r"[^a-z]+", plain.lower()))
    kinds = [kind for kind, suffixes in _WORDS.items() if kind in words and plain.lower().endswith(suffixes)]
    if len(kinds) == 1:
        return Sorted(file, kinds[0], number, guess=f"“{kinds[0]}” in its name")
    if re.fullmatch(r"\d{1,5}(\.wav)+", plain, re.IGNORECASE):
        return Sorted(file, None, why="it is a single clip; the predictions are handed in as one zip")
    return Sorted(file, None)


def _ousted(each: Sorted) -> Sorted:
    why = f"it is named after {each.other_id}, and beside it lies the student's own"
    return Sorted(each.file, None, other_id=each.other_id, why=why)


def _by_sort(file: str, unclear: Sequence[str], kinds: set[str | None]) -> Sorted:
    for kind, suffixes, what in (("predictions", _ARCHIVES, "archive"), ("report", (".pdf",), "PDF")):
        alike = [other for other in unclear if naming.again(other)[0].lower().endswith(suffixes)]
        if file not in alike:
            continue
        if len(alike) > 1:
            return Sorted(file, None, why=f"there are {len(alike)} {what}s whose names do not say what they are")
        if kind in kinds:
            return Sorted(
                file, None, why=f"its name does not say what it is, and there is a file for the {kind} already"
            )
        return Sorted(file, kind, naming.again(file)[1], guess=f"being the only {what} left")
    return Sorted(file, None, why="its name does not say what it is")


def number_for(wanted: int, attachment_id: int, taken: Mapping[int, int | None]) -> int | None:
    """The number under which an upload is kept, so that later uploads have higher ones; None where there is no room.

    Canvas counts attachments up, so that a higher ID is a later upload. taken: attachment IDs by number, None for a
    file that was not imported, which counts as older than any download.
    """

    def fits(number: int) -> bool:
        if number in taken:
            return False
        older = all(at is None or at < attachment_id for other, at in taken.items() if other < number)
        return older and all(at is not None and at > attachment_id for other, at in taken.items() if other > number)

    return next((number for number in (wanted, *range(max(taken, default=-1) + 2)) if fits(number)), None)


def name_for(kind: str, student_id: str, number: int, file: str) -> str:
    """The file's name in ``submissions/``."""
    plain = naming.again(file)[0].lower()
    suffix = next((each for each in _DOUBLE_SUFFIXES if plain.endswith(each)), Path(plain).suffix)
    return _NAMES[kind].format(id=student_id, n=f"-{number}" if number else "", suffix=suffix)
