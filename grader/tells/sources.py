"""The files of hand-ins and of ``known_sources/``, read without unpacking them: from a zip, or from a folder.

``known_sources/`` in the course folder holds what everyone may use: public code that is cited, published weights, what
the course gave out; as files, folders or zips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grader.course import Course
from grader.intake import archive, names
from grader.intake.archive import ArchiveProblem
from grader.rubric import Archive
from grader.scoring import CourseScores
from grader.store import Store, content_key

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class File:
    """size: in bytes, as claimed. chunks: its bytes; reading raises :class:`ArchiveProblem` where it is damaged."""

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


@contextmanager
def opened(source: Path, limits: Archive) -> Iterator[list[File]]:
    """The files in a zip or a folder that are no junk. Raises :class:`ArchiveProblem` where that cannot be opened."""
    if source.is_dir():
        stored = archive.in_place(archive.list_folder(source, limits))
        yield [File(each.name, each.size, lambda each=each: _of_file(each.path)) for each in stored]  # type: ignore[misc]
        return
    listing = archive.list_zip(source, limits)
    if archive.overlapping(listing):
        raise ArchiveProblem("archive-overlap")
    entries = [entry for entry in listing.entries if entry.kind is archive.Kind.FILE and not _is_junk(entry.name)]
    free = int(limits.max_unpacked_mb * 1e6)
    with archive.contents(listing, limits, free_ratio_bytes=free) as chunks:
        yield [
            File(names.printable(entry.name), entry.size, lambda entry=entry: chunks(entry))  # type: ignore[misc]
            for entry in entries
            if entry.size <= free
        ]


def of_students(scores: CourseScores) -> Iterator[tuple[str, Path]]:
    """Students with what they handed in that may hold code or weights: the code, and the upload itself."""
    for student, result in scores.students.items():
        for source in (result.hand_in.code, result.attempt.path if result.attempt else None):
            if source is not None and (source.is_dir() or (source.suffix.lower() == ".zip" and source.is_file())):
                yield student, source


def content(source: Path, store: Store) -> str:
    """The hash of a zip, or of the files of a folder with their places in it."""
    if source.is_file():
        return store.sha256(source)
    inside = sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    return content_key(files={path.relative_to(source).as_posix(): store.sha256(path) for path in inside})


def known(course: Course) -> list[Path]:
    """The folder and the zips of ``known_sources/``; nothing where there is none."""
    folder = course.root / "known_sources"
    return [folder, *sorted(folder.rglob("*.zip"))] if folder.is_dir() else []


def known_limits(course: Course) -> Archive:
    """How much ``known_sources/`` may hold: a TA's own folder, perhaps whole repositories."""
    return course.rubric.archive.model_copy(update={"max_entries": 1_000_000, "max_unpacked_mb": 1_000_000.0})


def read(file: File, most_bytes: int) -> bytes:
    """Up to ``most_bytes`` of a file."""
    found = bytearray()
    for chunk in file.chunks():
        found += chunk
        if len(found) >= most_bytes:
            break
    return bytes(found[:most_bytes])


def _of_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _is_junk(name: str) -> bool:
    try:
        return names.is_junk(names.parts_of(name))
    except names.UnsafeName:
        return True
