"""Who handed in what: a course's ``submissions/`` folder, sorted by student.

Uploads are named as the handout asks (``ID.zip``, ``ID_report.pdf``, ``ID_requirements.txt``, …), in any case, with the
``-1`` a learning management system adds to a resubmission or the `` (1)`` of a browser. They may also lie in a folder
``ID/`` per student. The order of files on disk never matters; links are not followed.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import CourseError
from grader.findings import Finding, Severity
from grader.intake import names, sniff
from grader.intake.submission import Attempt, HandIn
from grader.rubric import Rubric

_NUMBER = r"(?:-(?P<number>\d{1,4})| ?\((?P<copy>\d{1,4})\))?"
_ARCHIVE_SUFFIX = r"\.(?:zip|7z|rar|tar|tgz|tar\.gz|tar\.bz2|tar\.xz|gz|zipx)"
_COMPANIONS = {
    "report": r"report{n}\.pdf",
    "readme": r"readme{n}\.(?:txt|md|pdf)",
    "requirements": r"requirements{n}\.txt",
    "code": r"code{n}(?:\.zip)?",
}
_FOLDER_DEPTH = 4
_OURS = {"rerun.yaml"}  # what a TA keeps in the folder


@dataclass
class _Found:
    """What has been found for one student so far: each candidate with its rank."""

    attempts: list[Attempt] = field(default_factory=list)
    companions: dict[str, list[tuple[tuple[int, float, str], Path]]] = field(default_factory=lambda: defaultdict(list))

    def record(self, student_id: str) -> HandIn:
        ordered = sorted(self.attempts, key=lambda attempt: (attempt.number, attempt.file_time, str(attempt.path)))
        newest = {kind: max(ranked)[1] for kind, ranked in self.companions.items()}
        return HandIn(student_id, tuple(ordered), **newest)


def student_id_of(name: str, rubric: Rubric) -> str | None:
    """The student ID that a zip or folder is named after (``r12345678-1.zip``), upper case; None where it is not."""
    match = _uploaded(name, rubric)
    return match["id"].upper() if match else None


@dataclass(frozen=True)
class Place:
    """What a file's name says. student_id: upper case; kind: predictions, report, readme, requirements or code;
    number: of a resubmission, 0 for the first."""

    student_id: str
    kind: str
    number: int


def place_of(name: str, rubric: Rubric, *, folder: bool = False) -> Place | None:
    """Whose and what a file (or folder) is by its name (``r12345678_report-1.pdf``); None where that does not say."""
    owner = _owner(name, rubric)
    if not owner:
        return None
    upload = _uploaded(name, rubric)
    if upload and (folder or Path(name).suffix):
        return Place(owner.upper(), "predictions", _number(upload))
    for kind, match in _as_companion(name, owner):
        return Place(owner.upper(), kind, _number(match))
    return None


def _as_companion(name: str, owner: str) -> Iterator[tuple[str, re.Match[str]]]:
    """The kinds of companion that a name fits; with an empty owner, one inside the student's own folder."""
    prefix = f"{re.escape(owner)}_" if owner else ""
    for kind, pattern in _COMPANIONS.items():
        if match := re.fullmatch(prefix + pattern.replace("{n}", _NUMBER), name, re.IGNORECASE):
            yield kind, match


def _uploaded(name: str, rubric: Rubric) -> re.Match[str] | None:
    """Whether predictions are called so: an ID, the number of a resubmission, an archive's suffix or none."""
    return re.fullmatch(rf"(?P<id>{rubric.student_id}){_NUMBER}(?:{_ARCHIVE_SUFFIX})?", name, re.IGNORECASE)


def _owner(name: str, rubric: Rubric) -> str:
    """The student ID that a name begins with, as written there; empty where it begins with none."""
    match = re.match(rf"(?P<id>{rubric.student_id})(?![A-Za-z0-9])", name, re.IGNORECASE)
    return match["id"] if match else ""


def collect(submissions: Path, rubric: Rubric) -> tuple[list[HandIn], list[Finding]]:
    """Every student's hand-in, by student ID, and a finding for the TA for whatever could not be placed.

    A student of whom only a report (or nothing usable) is there has no attempts. Raises :class:`CourseError` where
    the folder cannot be read.
    """
    students: dict[str, _Found] = {}
    findings: list[Finding] = []
    for path in _listed(submissions):
        owner = _owner(path.name, rubric)
        if not owner or path.is_symlink():
            findings.append(_unplaced(path, submissions))
            continue
        found = students.setdefault(owner.upper(), _Found())
        if path.is_dir() and student_id_of(path.name, rubric):
            findings += [_unplaced(other, submissions) for other in _student_folder(path, owner, found, rubric)]
        elif not _place(path, owner, found, rubric):
            findings.append(_unplaced(path, submissions))
    return [students[student].record(student) for student in sorted(students)], findings


def beside(path: Path, rubric: Rubric) -> HandIn | None:
    """The hand-in of the student whose zip or folder ``path`` is, from the files beside it and in it.

    None where ``path`` is not named after a student. A zip is its own only attempt.
    """
    student = student_id_of(path.name, rubric)
    if student is None:
        return None
    found = _Found()
    for other in _listed(path.parent):
        owner = _owner(other.name, rubric)
        if owner.upper() == student and not other.is_symlink():
            _place(other, owner, found, rubric)
    if student_id_of(path.parent.name, rubric) == student:
        _student_folder(path.parent, student, found, rubric)
    found.attempts = []
    if path.is_dir():
        _student_folder(path, student, found, rubric)
    if not found.attempts:
        found.attempts = [Attempt(path, 0, _time_of(path))]
    return found.record(student)


def _listed(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise CourseError(
            f"{folder}: cannot be read: {error.strerror}", help="hand-ins are looked for there; make the folder"
        ) from None
    return [path for path in paths if not names.is_junk((path.name,)) and path.name not in _OURS]


def _place(path: Path, owner: str, found: _Found, rubric: Rubric) -> bool:
    """Add one upload, named after its ``owner``, or (with an empty one) a companion inside the student's folder."""
    upload = _uploaded(path.name, rubric) if owner else None
    if upload and path.is_file() and (path.suffix or _is_archive(path)):
        found.attempts.append(Attempt(path, _number(upload), _time_of(path)))
        return True
    for kind, match in _as_companion(path.name, owner):
        if path.is_file() or (kind == "code" and path.is_dir()):
            found.companions[kind].append(((_number(match), path.stat().st_mtime, path.name), path))
            return True
    return False


def _student_folder(folder: Path, student: str, found: _Found, rubric: Rubric) -> list[Path]:
    """Take in a folder named after a student: unpacked predictions, or everything handed in, or both.

    Returns what could not be placed. Where no upload is in it, wav files anywhere below make the folder the upload.
    """
    upload = _uploaded(folder.name, rubric)
    number = _number(upload) if upload else 0
    before = len(found.attempts)
    inside: list[Path] = []
    others: list[Path] = []
    for path in _listed(folder):
        owner = _owner(path.name, rubric)
        own = owner if owner.upper() == student.upper() else ""
        if path.is_symlink():
            others.append(path)
        elif (own and _place(path, own, found, rubric)) or _place(path, "", found, rubric):
            continue
        elif _is_archive(path) or (path.is_dir() and own and holds_wav(path)):
            inside.append(path)
        else:
            others.append(path)
    uploads = bool(inside) or len(found.attempts) > before
    if any(path.suffix.lower() == ".wav" for path in others) or (not uploads and any(map(holds_wav, others))):
        inside, others = [*inside, folder], []
    found.attempts += [Attempt(path, number, _time_of(path)) for path in inside]
    return others


def _is_archive(path: Path) -> bool:
    return path.is_file() and sniff.is_archive(sniff.kind(sniff.head(path)))


def _number(match: re.Match[str]) -> int:
    return int(match["number"] or match["copy"] or 0)


def _files(folder: Path, depth: int = 0) -> Iterator[os.DirEntry[str]]:
    """Files under a folder to a depth that predictions may have, links not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield entry
            elif entry.is_dir(follow_symlinks=False) and depth < _FOLDER_DEPTH and not names.is_junk((entry.name,)):
                yield from _files(Path(entry.path), depth + 1)


def holds_wav(folder: Path) -> bool:
    """Whether a wav file lies somewhere in a folder, a few folders deep; False for what is no folder."""
    is_folder = folder.is_dir() and not folder.is_symlink()
    return is_folder and any(entry.name.lower().endswith(".wav") for entry in _files(folder))


def _time_of(path: Path) -> dt.datetime:
    """When a zip was last written, or the newest file of a folder."""
    times = [entry.stat(follow_symlinks=False).st_mtime for entry in _files(path)] if path.is_dir() else []
    return dt.datetime.fromtimestamp(max(times, default=path.stat().st_mtime), dt.UTC)


def _unplaced(path: Path, root: Path) -> Finding:
    where = f"{root.name}/{names.printable(path.relative_to(root).as_posix())}"
    if path.is_symlink():
        return Finding(
            "submission-link",
            Severity.WARNING,
            where,
            "This is a symbolic link; links are not followed.",
            "Put the file itself there.",
        )
    return Finding(
        "submission-unrecognised",
        Severity.WARNING,
        where,
        "It is not clear whose this is or what it is for; it was left out.",
        "Predictions are called ID.zip; beside them ID_report.pdf, ID_README.txt, ID_requirements.txt and ID_code.zip "
        "are known.",
    )
