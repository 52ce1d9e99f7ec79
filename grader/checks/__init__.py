"""One small function per rule about a hand-in; its docstring is the sentence the student reads.

:func:`check` takes one upload apart and runs them all: nothing it meets is an exception. Rules stand in the modules of
this package by what they look at; :mod:`.graph` runs them, :mod:`.render` shows the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.audio.mel import load_mel
from grader.checks import archive, audio, companions, layout
from grader.checks import mels as mel_checks
from grader.checks.graph import Check, run
from grader.checks.records import CheckReport, CheckResult, Status
from grader.findings import Severity, Whose
from grader.intake.handins import student_id_of
from grader.intake.names import printable
from grader.intake.submission import Clip, HandIn, Submission
from grader.rubric import Rubric

__all__ = ["VERSION", "CheckReport", "CheckResult", "Status", "check"]

VERSION = 2
"""Changes whenever a check could say something else about the same files: part of the key of a kept report."""

_CLIP_CHECKS: tuple[Check, ...] = (
    *archive.rule.checks,
    *layout.rule.checks,
    *audio.rule.checks,
    *mel_checks.rule.checks,
)
CHECKS: tuple[Check, ...] = (*_CLIP_CHECKS, *companions.rule.checks)
_ABSENT = {
    "mels": "the test mels are not known here",
    "hand_in": "no report, README or requirements.txt beside it",
}


def check(
    source: Path,
    rubric: Rubric,
    *,
    student_id: str | None = None,
    hand_in: HandIn | None = None,
    mels: Mapping[str, Path] | None = None,
    unpack_to: Path,
) -> CheckReport:
    """Check one upload: a zip, or a folder, which is read where it lies; and what ``hand_in`` names beside it.

    student_id: whose it is; where not given, as ``hand_in`` or the file's name says. mels: test mels by clip name, for
    lengths and contents. unpack_to: where a zip's files go, replaced if it exists; absent afterwards when the zip was
    refused. A ``source`` that does not exist is reported as an upload that was never made.

    The report's submission is None where any error concerns the clips. Raises :class:`grader.errors.GraderError` only
    where the surroundings are broken: an unreadable course file, a full disk.
    """
    source = source.absolute()
    student = student_id or (hand_in.student_id if hand_in else None) or student_id_of(source.name, rubric) or ""
    written = source.name[: len(student)]  # in the student's own case, for the sentences
    beside = (hand_in.report, hand_in.readme, hand_in.requirements, hand_in.code) if hand_in else ()
    given: dict[str, Any] = {
        "expected": source,
        "rubric": rubric,
        "known_id": student.upper(),
        "folder": (written if written.upper() == student.upper() else student) or "studentID",
        "companions": frozenset(path.absolute() for path in beside if path),
        "unpack_to": unpack_to.absolute(),
        "mels": {name: load_mel(path, rubric.mel_config()) for name, path in mels.items()} if mels else None,
        "hand_in": hand_in,
    }
    results, values = run(CHECKS, given, _ABSENT)
    return CheckReport(student.upper() or None, source, results, _submission(source, student.upper(), results, values))


def _submission(
    source: Path, student: str, results: tuple[CheckResult, ...], values: Mapping[str, Any]
) -> Submission | None:
    in_the_way = any(
        finding.severity is Severity.ERROR and finding.whose is Whose.STUDENT
        for result in results
        if result.group != companions.rule.group
        for finding in result.findings
    )
    decoded: Mapping[str, audio.Measured] = values["decoded"] or {}
    names = values["rubric"].clips.names()
    if in_the_way or not student or any(name not in decoded for name in names):
        return None
    clips = {
        name: Clip(
            name,
            printable(decoded[name].file.name),
            decoded[name].file.path,
            decoded[name].sha256,
            decoded[name].samples,
        )
        for name in names
    }
    return Submission(student, source, clips)
