"""What ``grader check`` does with the paths it is given."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from grader import course, rubric
from grader.checks import CheckReport, check
from grader.errors import CourseError
from grader.findings import Finding
from grader.intake import handins
from grader.intake.submission import HandIn


def check_paths(
    paths: Sequence[Path], course_dir: Path | None = None, rubric_path: Path | None = None
) -> tuple[list[CheckReport], list[Finding]]:
    """Check every hand-in named: a zip, one student's folder, or a folder that holds hand-ins (the newest of each).

    Returns the reports, and findings about files that belong to nobody. Test mels are those of the course folder given,
    or of the one the working directory is in. Raises :class:`CourseError` where a folder holds no hand-in.
    """
    here = course.find(course_dir) if course_dir else _around()
    rules = rubric.load(rubric_path) if rubric_path else here.rubric if here else rubric.load()
    mels = here.mel_paths() if here and not rubric_path else {}
    found: list[HandIn] = []
    strays: list[Finding] = []
    for path in paths:
        inside, unknown = handins.collect(path, rules) if path.is_dir() else ([], [])
        if inside:
            found += inside
            strays += unknown
        else:
            found.append(handins.of_file(path, rules))
    if not found:
        raise CourseError(f"{paths[0]}: holds no hand-in", help="name a studentID.zip, or a folder of them")
    with tempfile.TemporaryDirectory(prefix="grader-check-") as scratch:
        reports = [
            check(
                hand_in.attempts[-1].path if hand_in.attempts else path.parent / f"{hand_in.student_id.lower()}.zip",
                rules,
                hand_in=hand_in,
                mels=mels,
                unpack_to=Path(scratch) / str(number),
            )
            for number, hand_in in enumerate(found)
        ]
    return reports, strays


def _around() -> course.Course | None:
    try:
        return course.find(Path())
    except CourseError:
        return None
