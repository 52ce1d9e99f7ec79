"""Large files that two students handed in alike, byte for byte: model weights above all.

Sound is left out (the audio has a tell of its own), and so is what the course gave out or ``known_sources/`` holds.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.intake.archive import ArchiveProblem
from grader.progress import Progress
from grader.rubric import Archive
from grader.scoring import CourseScores
from grader.store import Store, content_key
from grader.tells import sources
from grader.tells.records import Kind, Piece, Tell

VERSION = 1
STAGE = "tell_files"
_SOUND = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
_INNOCENT = (
    "A published checkpoint that both downloaded is the same file too; put it into known_sources/ and it is no longer "
    "told of. Training twice never gives the same bytes."
)


def tells(scores: CourseScores, course: Course, store: Store, notes: list[str], shown: Progress) -> list[Tell]:
    """A tell for each set of students who share files, most shared first; what cannot be read is added to ``notes``."""
    limits, all_limits = course.rubric.archive, sources.known_limits(course)
    least = round(course.rubric.tells.file_kb * 1000)
    known = sources.known(course)
    public = {file["sha256"] for source in known for file in _read(source, all_limits, least, store, notes)}
    if course.test_mels.is_dir():
        public |= {store.sha256(path) for path in course.test_mels.iterdir() if path.is_file()}
    who: defaultdict[str, set[str]] = defaultdict(set)
    what: dict[tuple[str, str], dict[str, Any]] = {}
    handed_in = list(sources.of_students(scores))
    if handed_in:
        shown.start("looking for equal files", float(len(handed_in)), len(handed_in))
    for student, source in handed_in:
        for file in _read(source, limits, least, store, notes):
            if file["sha256"] not in public:
                who[file["sha256"]].add(student)
                what[student, file["sha256"]] = file
        shown.advance(1.0)
    shown.finish()
    shared: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for sha256, students in sorted(who.items()):
        if len(students) > 1:
            shared[tuple(sorted(students))].append(sha256)
    result = [_tell(students, hashes, what) for students, hashes in shared.items()]
    return sorted(result, key=lambda tell: (-len(tell.evidence), tell.students))


def _tell(students: tuple[str, ...], hashes: Sequence[str], what: dict[tuple[str, str], dict[str, Any]]) -> Tell:
    pieces = tuple(
        Piece(
            what[students[0], sha256]["name"],
            {"MB": round(what[students[0], sha256]["size"] / 1e6, 2)}
            | {student: what[student, sha256]["name"] for student in students[1:]}
            | {"SHA-256": sha256[:12]},
        )
        for sha256 in hashes
    )
    total = sum(what[students[0], sha256]["size"] for sha256 in hashes) / 1e6
    count = f"{len(hashes)} equal file{'' if len(hashes) == 1 else 's'}"
    sentence = f"{' and '.join(students) if len(students) < 4 else f'{len(students)} students'} handed in {count}, "
    return Tell(Kind.FILES, students, sentence + f"{total:.1f} MB together.", _INNOCENT, pieces)


def _read(source: Path, limits: Archive, least_bytes: int, store: Store, notes: list[str]) -> list[dict[str, Any]]:
    """The large files of a source; none, and a note, where it cannot be read."""
    try:
        return _large(source, limits, least_bytes, store)
    except ArchiveProblem as problem:
        notes.append(f"{source.name} could not be looked into for equal files ({problem.code})")
        return []


def _large(source: Path, limits: Archive, least_bytes: int, store: Store) -> list[dict[str, Any]]:
    """Name, size and hash of the large files of a source that are no sound, from the store or read."""
    key = content_key(version=VERSION, least=least_bytes, content=sources.content(source, store))
    record = store.get(STAGE, key)
    if record is None:
        with sources.opened(source, limits) as files:
            wanted = [file for file in files if file.size >= least_bytes and not file.name.lower().endswith(_SOUND)]
            record = {"files": [_hashed(file) for file in wanted]}
        store.put(STAGE, key, record)
    return list(record["files"])


def _hashed(file: sources.File) -> dict[str, Any]:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return {"name": file.name, "size": file.size, "sha256": digest.hexdigest()}
