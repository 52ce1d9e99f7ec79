"""Who handed in what: the files of a course's ``submissions/`` folder, sorted to their students.

Names are those the handout asks for, as the course site delivers them: ``ID.zip``, ``ID-1.zip`` for a resubmission, an
unpacked folder ``ID/``, ``ID_report.pdf``, ``ID_README.txt``, ``ID_requirements.txt``, ``ID_code.zip`` or ``ID_code/``.
A folder ``ID/`` may also hold all of one student's files. Upper and lower case make no difference.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.findings import Finding, Severity, Whose
from grader.intake.interim_archive import shown
from grader.intake.submission import Attempt, HandIn
from grader.rubric import Rubric

_ARCHIVES = {".zip", ".7z", ".rar", ".gz", ".tgz", ".tar", ".xz", ".bz2"}
_COMPANIONS = {
    "report": {".pdf"},
    "readme": {".txt", ".md", ".pdf"},
    "requirements": {".txt"},
}


@dataclass
class _Found:
    attempts: list[Attempt] = field(default_factory=list)
    companions: dict[str, Path] = field(default_factory=dict)


def collect(submissions: Path, rubric: Rubric) -> tuple[list[HandIn], list[Finding]]:
    """All hand-ins by student ID, and a finding for every file that belongs to nobody."""
    students: defaultdict[str, _Found] = defaultdict(_Found)
    unknown = []
    paths = sorted(submissions.iterdir()) if submissions.is_dir() else []
    for path in paths:
        if path.name.startswith(".") or path.name in ("rerun.yaml",):
            continue
        if not _place(path, rubric, students):
            unknown.append(path)
    findings = [
        Finding(
            "submission-unrecognised",
            Severity.WARNING,
            shown(path.name),
            "does not begin with a student ID, so it belongs to nobody",
            "rename it after its student: r12345678.zip, r12345678_report.pdf",
            whose=Whose.ENVIRONMENT,
        )
        for path in unknown
    ]
    return [_hand_in(student, found) for student, found in sorted(students.items())], findings


def of_file(path: Path, rubric: Rubric) -> HandIn:
    """The hand-in that one zip or folder is part of, with what lies beside it; its name need not be an ID."""
    match = _match(path, rubric)
    student = match["id"].upper() if match else path.stem.upper()
    number = int(match["number"] or 0) if match else 0
    beside: defaultdict[str, _Found] = defaultdict(_Found)
    for other in sorted(path.parent.iterdir()):
        if (other_match := _match(other, rubric)) and other_match["id"].upper() == student:
            _place(other, rubric, beside)
    if path.is_dir():
        _place_inside(path, student, beside)
    return replace(_hand_in(student, beside[student]), attempts=(_attempt(path, number),))


def _match(path: Path, rubric: Rubric) -> re.Match[str] | None:
    """The ID at the beginning of a file's name, its resubmission number and its role."""
    pattern = (
        rf"(?P<id>{rubric.student_id})(?:[_-](?P<role>report|readme|requirements|code))?(?:-(?P<number>\d{{1,3}}))?"
    )
    stem = path.name if path.is_dir() else path.name[: -len(path.suffix)] if path.suffix else path.name
    stem = stem.removesuffix(".tar")
    return re.fullmatch(pattern, stem, re.IGNORECASE)


def _place(path: Path, rubric: Rubric, students: defaultdict[str, _Found]) -> bool:
    """Put a file or folder to its student; False where its name is nobody's."""
    match = _match(path, rubric)
    if match is None or path.is_symlink():
        return False
    student, role = match["id"].upper(), (match["role"] or "").lower()
    suffix = path.suffix.lower()
    if not role and path.is_dir():
        _place_inside(path, student, students)
        return True
    if not role and suffix in _ARCHIVES:
        students[student].attempts.append(_attempt(path, int(match["number"] or 0)))
        return True
    if role == "code" and (path.is_dir() or suffix in _ARCHIVES):
        students[student].companions["code"] = path
        return True
    if role and suffix in _COMPANIONS.get(role, set()):
        students[student].companions[role] = path
        return True
    return False


def _place_inside(folder: Path, student: str, students: defaultdict[str, _Found]) -> None:
    """A folder named after a student: its clips themselves, or all of the student's files."""
    found = students[student]
    if any(_wavs(folder)):
        found.attempts.append(_attempt(folder, 0))
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        stem = path.stem.lower() if path.is_file() else path.name.lower()
        stem = re.sub(rf"^{re.escape(student.lower())}[_-]?", "", stem)
        suffix = path.suffix.lower()
        role = next((role for role, suffixes in _COMPANIONS.items() if stem == role and suffix in suffixes), None)
        if role and path.is_file():
            found.companions.setdefault(role, path)
        elif stem == "code":
            found.companions.setdefault("code", path)
        elif path.is_file() and suffix in _ARCHIVES and re.fullmatch(r"(-?\d{1,3})?", stem):
            found.attempts.append(_attempt(path, int(stem.lstrip("-") or 0)))


def _wavs(folder: Path) -> Iterator[Path]:
    """Clips in a folder or one level down, but not in the student's code."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and "code" not in path.name.lower():
            yield from path.glob("*.[wW][aA][vV]")
        elif path.suffix.lower() == ".wav":
            yield path


def _attempt(path: Path, number: int) -> Attempt:
    time = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    return Attempt(path, number, time)


def _hand_in(student: str, found: _Found) -> HandIn:
    attempts = tuple(sorted(found.attempts, key=lambda attempt: (attempt.number, attempt.file_time, attempt.path)))
    return HandIn(student, attempts, **found.companions)
