"""A bulk download taken apart: its entries on disk under names of our own, each with the student whose it is.

A download is as hostile as the hand-ins in it. Entries are streamed within limits; their names serve to say whose they
are and never as paths. An entry that cannot be used is told with the reason and holds up no other; what makes the whole
download untrustworthy (overlapping entries, a list without end) ends the import before anything is placed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grader.errors import CourseError, EnvironmentProblem
from grader.findings import Finding, Severity, Whose
from grader.intake import archive, names, sniff
from grader.intake.archive import ArchiveProblem, Entry, Kind, Listing
from grader.intake.canvas import naming
from grader.intake.canvas.export import Export, Person
from grader.intake.canvas.naming import Named
from grader.progress import Progress
from grader.rubric import Archive

_MOST_ENTRIES = 50_000
_FREE_RATIO_BYTES = 50_000_000  # up to this size no compression ratio is suspicious
_ABOUT_EVERYONE = re.compile(r"[^/\\]*comments?[^/\\]*\.(?:csv|html?|txt)", re.IGNORECASE)
_EXPORT_AGAIN = "Export the gradebook again, with all sections, and import the download again."


@dataclass(frozen=True)
class Item:
    """One file of the download. file: its name there, without folders; path: its bytes; student_id: as in the
    gradebook.

    named is None, and student_id empty, for a file of comments about everyone.
    """

    file: str
    named: Named | None
    student_id: str
    path: Path
    sha256: str
    written: dt.datetime | None


def open_download(path: Path, limits: Archive) -> Listing:
    """What a download claims to hold. Raises :class:`CourseError` where it is no zip that can be trusted."""
    help = "in Canvas: the assignment › Download Submissions; give that zip as it came"
    try:
        kind = sniff.kind(sniff.head(path))
    except OSError as error:
        raise CourseError(f"{path}: cannot be read: {error.strerror}", help=help) from None
    if kind != "zip":
        raise CourseError(f"{path}: is no zip file, but {kind or 'of no known format'}", help=help)
    try:
        listing = archive.list_zip(path, limits.model_copy(update={"max_entries": _MOST_ENTRIES}))
    except ArchiveProblem as problem:
        raise CourseError(f"{path}: cannot be taken apart: {_reason(problem)}", help=help) from None
    if clash := archive.overlapping(listing):
        shown = names.printable(clash[0].name)
        raise CourseError(f"{path}: {shown} overlaps another entry: this is no zip that Canvas made", help=help)
    return listing


def unpack(
    listing: Listing, limits: Archive, book: Export, folder: Path, tell: Callable[[Finding], None], shown: Progress
) -> Iterator[Item]:
    """The files of the download that are somebody's, written to ``folder`` one after the other.

    tell: is given a finding for whatever is not used. Raises :class:`EnvironmentProblem` where the disk is too small.
    """
    wanted = [entry for entry in listing.entries if entry.kind is not Kind.FOLDER]
    _refuse_too_big(wanted, folder)
    people = book.by_canvas_id()
    doubled = {name for name, count in Counter(_file(entry) for entry in wanted).items() if count > 1}
    shown.start("unpacking the download", float(sum(entry.packed for entry in wanted)), len(wanted))
    bulk = limits.model_copy(update={"max_entries": _MOST_ENTRIES})
    with archive.contents(listing, bulk, free_ratio_bytes=_FREE_RATIO_BYTES) as chunks:
        for entry in wanted:
            shown.advance(entry.packed)
            file = _file(entry)
            if file is not None and names.is_junk(tuple(re.split(r"[/\\]", entry.name.rstrip("/\\")))):
                continue
            problem = _unusable(entry) or (_doubled(entry) if file in doubled else None)
            if problem or file is None:
                tell(problem or unplaced(entry.name, "its name is empty", "Ask Canvas for a new download."))
                continue
            named = naming.read(file)
            owner = _owner(file, named, people, book, tell)
            if owner is None:
                continue
            path = folder / f"{entry.index:06d}"
            try:
                digest = _write(chunks(entry), path, limits.max_unpacked_mb)
            except ArchiveProblem as damage:
                tell(unplaced(file, f"it cannot be unpacked: {_reason(damage)}", "Ask Canvas for a new download."))
                continue
            yield Item(file, named, owner, path, digest, entry.written)
    shown.finish()


def _file(entry: Entry) -> str | None:
    """The entry's name without folders, in which somebody may have put the files again; None for one without."""
    return next((part for part in reversed(re.split(r"[/\\]", entry.name)) if part not in ("", ".", "..")), None)


def _unusable(entry: Entry) -> Finding | None:
    try:
        names.parts_of(entry.name)
    except names.UnsafeName as error:
        return unplaced(
            entry.name, f"its name is not safe: {error}", "Canvas makes no such names: look who changed it."
        )
    if entry.kind is not Kind.FILE:
        return unplaced(entry.name, f"it is a {entry.kind}", "Canvas makes no such entries: look who changed it.")
    if entry.encrypted:
        return unplaced(entry.name, "it is encrypted", "Give the download as Canvas made it.")
    return None


def _doubled(entry: Entry) -> Finding:
    return unplaced(entry.name, "the download has this name twice", "Ask Canvas for a new download.")


def _owner(
    file: str, named: Named | None, people: dict[int, Person], book: Export, tell: Callable[[Finding], None]
) -> str | None:
    """Whose a file is; empty for one about everyone; None where that is not known, which is told."""
    if named is None:
        if _ABOUT_EVERYONE.fullmatch(file):
            return ""
        if file.startswith("anon_"):
            fix = "Turn off anonymous grading of the assignment, or reveal the names, and download again."
            tell(unplaced(file, "the download is anonymous, so it does not say whose it is", fix))
        else:
            fix = "Names are …_{Canvas user ID}_{attachment ID}_{file}; put the file into submissions/ yourself."
            tell(unplaced(file, "Canvas did not name it, so it does not say whose it is", fix))
        return None
    if named.user_id in book.test_ids:
        tell(
            Finding("canvas-test-student", Severity.NOTE, names.printable(file), "It is the test student's; left out.")
        )
        return None
    person = people.get(named.user_id)
    if person is None:
        why = f"Canvas user {named.user_id} is not in {names.printable(book.path.name)}"
        tell(unplaced(file, why, _EXPORT_AGAIN))
        return None
    if person.student_id is None:
        fix = f"Put the student ID into line {person.number} of a copy of the export, under SIS Login ID, and use that."
        tell(unplaced(file, person.why, fix))
    return person.student_id


def _write(chunks: Iterator[bytes], path: Path, most_mb: float) -> str:
    digest = hashlib.sha256()
    size = 0
    with writing(path.parent), path.open("xb") as out:
        for chunk in chunks:
            size += len(chunk)
            if size > most_mb * 1e6:
                raise ArchiveProblem("archive-too-big", found=f"more than {most_mb:g} MB")
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _refuse_too_big(entries: list[Entry], folder: Path) -> None:
    claimed = sum(entry.size for entry in entries)
    free = shutil.disk_usage(folder).free
    if claimed > free:
        raise EnvironmentProblem(
            f"{folder}: the download unpacks to {claimed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free",
            help="free some disk space; nothing was imported",
        )


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What goes wrong while writing is the machine's fault."""
    try:
        yield
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder}: cannot be written: {error.strerror}",
            help="free some disk space and import again; what is in place already is recognised",
        ) from None


def _reason(problem: ArchiveProblem) -> str:
    facts = problem.facts
    said = {
        "archive-too-big": "it unpacks to {found}, above the rubric's archive.max_unpacked_mb",
        "archive-ratio": "it unpacks to {ratio} times its size",
        "archive-wrong-size": "it claims {claimed} bytes and has {found}",
        "archive-damaged-entry": "it is damaged ({reason})",
        "archive-damaged": "it is damaged ({reason})",
        "archive-too-many-entries": "it has {found}",
    }
    return said.get(problem.code, problem.code).format_map(facts)


def unplaced(where: str, why: str, fix: str) -> Finding:
    """A file of the download that is in nobody's hand-in, with the reason and what to do."""
    return Finding(
        "canvas-unplaced",
        Severity.ERROR,
        names.printable(where),
        "It was left out: {why}.",
        "{do}",
        Whose.ENVIRONMENT,
        {"why": names.printable(why, 200), "do": fix},
    )
