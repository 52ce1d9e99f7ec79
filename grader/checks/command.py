"""What ``grader check`` does with the paths it is given."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader import course, rubric, words
from grader.checks import CheckReport, check
from grader.course import Course
from grader.errors import CourseError
from grader.findings import Finding
from grader.intake import handins
from grader.intake.submission import HandIn
from grader.rubric import Rubric


@dataclass(frozen=True)
class Plan:
    """What to check: uploads, each with its student's other files where those are to be looked at too.

    strays: about files in a folder of hand-ins that belong to nobody.
    """

    uploads: tuple[tuple[Path, HandIn | None], ...]
    strays: tuple[Finding, ...]
    rubric: Rubric
    mels: Mapping[str, Path]


def plan(paths: Sequence[Path], course_dir: Path | None = None, rubric_path: Path | None = None) -> Plan:
    """Find what ``paths`` name: zips, unpacked folders, or folders full of either (the newest upload of each student).

    Test mels are those of the course folder given, else of the one that holds the first path, else of the one that
    holds the working directory; the rubric is its own too, where none is given, and outside of a course folder the
    packaged one.
    Raises :class:`CourseError` where a folder holds no hand-in.
    """
    here = course.find(course_dir) if course_dir else _around(paths[0])
    rules = rubric.load(rubric_path) if rubric_path else here.rubric if here else rubric.load()
    uploads: list[tuple[Path, HandIn | None]] = []
    strays: list[Finding] = []
    for given in paths:
        path = given.resolve() if given.name in ("", "..") else given.absolute()
        if path.is_dir() and handins.student_id_of(path.name, rules) is None:
            inside, unplaced = handins.collect(path, rules)
            uploads += [(_newest(hand_in, path), hand_in) for hand_in in inside]
            strays += unplaced if inside else []
            if inside:
                continue
            if not handins.holds_wav(path):
                raise CourseError(f"{path}: holds no hand-in", help="name a studentID.zip, or a folder of them")
        hand_in = handins.beside(path, rules)
        upload = _newest(hand_in, path.parent) if hand_in else path
        uploads.append((upload, hand_in if hand_in and _asked_for(hand_in, path, here) else None))
    return Plan(tuple(uploads), tuple(strays), rules, here.mel_paths() if here else {})


def language(planned: Plan) -> str:
    """The rubric's, where it is not English; else the one that the surroundings ask for."""
    asked = planned.rubric.site.language
    return asked if asked != words.ENGLISH else words.of_surroundings()


def run(planned: Plan) -> Iterator[CheckReport]:
    """Check one upload after the other. What was unpacked for it is gone when the next report is asked for."""
    for upload, hand_in in planned.uploads:
        with tempfile.TemporaryDirectory(prefix="grader-check-") as scratch:
            unpack_to = Path(scratch) / "unpacked"
            yield check(upload, planned.rubric, hand_in=hand_in, mels=planned.mels, unpack_to=unpack_to)


def _newest(hand_in: HandIn, folder: Path) -> Path:
    """The upload that counts, or where it should have been."""
    return hand_in.attempts[-1].path if hand_in.attempts else folder / f"{hand_in.student_id}.zip"


def _asked_for(hand_in: HandIn, path: Path, here: Course | None) -> bool:
    """Whether report and code are looked at too: in a course's submissions, or where at least one lies beside."""
    found = (hand_in.report, hand_in.readme, hand_in.requirements)
    return any(found) or (here is not None and here.submissions.absolute() in path.parents)


def _around(path: Path) -> Course | None:
    for place in (path, Path()):
        try:
            return course.find(place)
        except CourseError:
            continue
    return None
