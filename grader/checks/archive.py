"""The upload itself: a zip (or a folder) that can be taken apart without harm."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

from grader.checks.graph import Checked, Rules
from grader.checks.say import REZIP, UPLOAD_AGAIN, counted, error, first, note, place, warning
from grader.errors import CourseError
from grader.findings import Finding
from grader.intake import archive, names, sniff
from grader.intake.archive import ArchiveProblem, Kind, Listing, StoredFile
from grader.rubric import Rubric

rule = Rules("archive")

_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES encryption"}
_ONLY_THE_CLIPS = "Zip only the folder {folder} with its clips, nothing else. " + REZIP
_PROBLEMS = {
    "archive-damaged": (
        "The zip is damaged ({reason}), as after an upload that was cut off.",
        UPLOAD_AGAIN,
    ),
    "archive-too-many-entries": ("It holds {found}; {most} entries are allowed.", _ONLY_THE_CLIPS),
    "archive-too-big": ("It unpacks to {found}; {allowed} MB are allowed.", _ONLY_THE_CLIPS),
    "archive-ratio": (
        "It unpacks to {ratio} times its packed size; {allowed_ratio} times are allowed. No clip packs so well.",
        _ONLY_THE_CLIPS,
    ),
    "archive-wrong-size": ("The zip says {claimed} bytes, but {found} are in it.", UPLOAD_AGAIN),
    "archive-damaged-entry": ("It cannot be unpacked whole: {reason}.", UPLOAD_AGAIN),
}


def _problem(source: Path, problem: ArchiveProblem, rubric: Rubric, folder: str) -> Finding:
    what, fix = _PROBLEMS[problem.code]
    limits = rubric.archive
    facts = {
        "folder": folder,
        "most": limits.max_entries,
        "allowed": f"{limits.max_unpacked_mb:g}",
        "allowed_ratio": f"{limits.max_ratio:g}",
        **problem.facts,
    }
    if "reason" in facts:
        facts["reason"] = names.printable(str(facts["reason"]), 120)
    return error(problem.code, place(source, problem.entry), what, fix, **facts)


@rule()
def source(expected: Path, folder: str) -> Checked[Path | None]:
    """There is a zip with your predictions."""
    if expected.is_file() or expected.is_dir():
        return expected
    yield error(
        "no-upload",
        place(expected),
        "No zip with predictions was handed in.",
        "Put the clips into a folder {folder} and upload it as {folder}.zip.",
        folder=folder,
    )
    return None


@rule()
def student(source: Path, known_id: str, folder: str) -> Checked[str | None]:
    """The upload is named after your student ID."""
    if known_id:
        return known_id
    yield error(
        "student-id-unknown",
        place(source),
        "Its name is no student ID, so nobody can tell whose it is.",
        "Name the zip after your student ID: {folder}.zip, with your own ID.",
        folder=folder,
    )
    return None


@rule()
def listing(source: Path, rubric: Rubric, folder: str, companions: Collection[Path]) -> Checked[Listing | None]:
    """It is a zip file, and it opens."""
    try:
        if source.is_dir():
            return archive.list_folder(source, rubric.archive, companions)
        kind = sniff.kind(sniff.head(source))
        if source.stat().st_size == 0:
            yield error(
                "archive-empty-file", place(source), "The file is empty (0 bytes).", UPLOAD_AGAIN, folder=folder
            )
            return None
        if kind != "zip" and not zipfile.is_zipfile(source):
            yield _not_a_zip(source, kind, folder)
            return None
        return archive.list_zip(source, rubric.archive)
    except ArchiveProblem as problem:
        yield _problem(source, problem, rubric, folder)
        return None
    except OSError as problem:
        raise CourseError(
            f"{source}: cannot be read: {problem.strerror}", help="see that the file is there and may be read"
        ) from None


def _not_a_zip(source: Path, kind: str | None, folder: str) -> Finding:
    renamed = f" renamed to {source.suffix}" if source.suffix.lower() == ".zip" else ""
    what = {
        True: "This is a {kind} archive{renamed}; a zip is expected.",
        False: "This is {kind}{renamed}; a zip is expected.",
    }[sniff.is_archive(kind)]
    return error(
        "archive-not-zip",
        place(source),
        what if kind else "This is not a zip file, nor any format that is known.",
        REZIP,
        kind=kind,
        renamed=renamed,
        folder=folder,
    )


@rule()
def names_safe(listing: Listing, folder: str) -> Checked[bool | None]:
    """Every name in it stays inside the folder it is unpacked to."""
    unsafe = list(first(_unsafe(listing, folder), place(listing.source)))
    yield from unsafe
    return None if unsafe else True


def _unsafe(listing: Listing, folder: str) -> Iterator[Finding]:
    for entry in listing.entries:
        if entry.kind is Kind.FOLDER and entry.name in ("./", ".\\"):
            continue
        try:
            names.parts_of(entry.name)
        except names.UnsafeName as reason:
            yield error(
                "archive-unsafe-name",
                place(listing.source, entry.name or "(no name)"),
                "This name is refused: {reason}.",
                REZIP,
                reason=str(reason),
                folder=folder,
            )


@rule()
def plain(listing: Listing) -> Checked[bool | None]:
    """It holds plain files and folders only, no links or devices."""
    odd = [entry for entry in listing.entries if entry.kind in (Kind.SYMLINK, Kind.SPECIAL)]
    found = (
        error(
            "archive-link" if entry.kind is Kind.SYMLINK else "archive-special-file",
            place(listing.source, entry.name),
            "This is a {kind}; only plain files are taken.",
            "Put the file itself there instead (cp -L copies what a link points to).",
            kind=str(entry.kind),
        )
        for entry in odd
    )
    yield from first(found, place(listing.source))
    return None if odd else True


@rule()
def open_to_all(listing: Listing, folder: str) -> Checked[bool | None]:
    """It has no password."""
    locked = [entry for entry in listing.entries if entry.encrypted]
    if locked:
        yield error(
            "archive-encrypted",
            place(listing.source, locked[0].name),
            "{count} locked with a password.",
            "Leave the password out. " + REZIP,
            count=counted(len(locked), "file is", "files are"),
            folder=folder,
        )
    return None if locked else True


@rule()
def common_method(listing: Listing, folder: str) -> Checked[bool | None]:
    """It is packed by the method every zip program knows."""
    known = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    odd = [entry for entry in listing.entries if entry.method not in known and not entry.encrypted]
    if odd:
        method = _METHODS.get(odd[0].method, f"method {odd[0].method}")
        yield error(
            "archive-method",
            place(listing.source, odd[0].name),
            "{count} packed with {method}, which not every program can read; Deflate is expected.",
            REZIP + " (in 7-Zip: format zip, method Deflate)",
            count=counted(len(odd), "file is", "files are"),
            method=method,
            folder=folder,
        )
    return None if odd else True


@rule(after=("names_safe",))
def unique(listing: Listing, folder: str) -> Checked[bool | None]:
    """No name stands in it twice."""
    seen: dict[tuple[str, ...], str] = {}
    by_folded: dict[str, tuple[str, ...]] = {}
    twice = []
    alike = []
    for entry in archive.wanted(listing):
        parts = names.parts_of(entry.name)
        other = by_folded.setdefault(names.folded(parts), parts)
        if parts in seen:
            twice.append(entry)
        elif other != parts:
            alike.append((entry, "/".join(other)))
        seen[parts] = entry.name
    where = place(listing.source)
    found = [
        error(
            "archive-duplicate",
            place(listing.source, entry.name),
            "This name stands in the zip twice, so it is not clear which file counts.",
            "Keep one of them. " + REZIP,
            folder=folder,
        )
        for entry in twice
    ]
    yield from first(found, where)
    close = [
        warning(
            "archive-case",
            place(listing.source, entry.name),
            "Its name differs from {other} only in case or in the form of its letters; on many computers one replaces "
            "the other.",
            "Keep one of them.",
            other=names.printable(other),
        )
        for entry, other in alike
    ]
    yield from first(close, where)
    return None if twice else True


@rule()
def reasonable(listing: Listing, rubric: Rubric, folder: str) -> Checked[bool | None]:
    """It unpacks to a reasonable size."""
    claimed = sum(entry.size for entry in listing.entries)
    if claimed > rubric.archive.max_unpacked_mb * 1e6:
        problem = ArchiveProblem("archive-too-big", found=f"{claimed / 1e6:.0f} MB")
        yield _problem(listing.source, problem, rubric, folder)
        return None
    shared = archive.overlapping(listing)
    if shared:
        entry, other = shared
        yield error(
            "archive-overlap",
            place(listing.source, entry.name),
            "It shares bytes with {other}: no zip program makes such a file.",
            REZIP,
            other=names.printable(other.name) if other else "the zip's own list of files",
            folder=folder,
        )
        return None
    return True


@rule(after=("names_safe", "plain", "open_to_all", "common_method", "unique", "reasonable"))
def files(listing: Listing, unpack_to: Path, rubric: Rubric, folder: str) -> Checked[tuple[StoredFile, ...] | None]:
    """Every file in it unpacks whole."""
    if listing.directory_offset is None:
        return archive.in_place(listing)
    largest_clip = int(rubric.clips.max_seconds * rubric.clips.sample_rate_hz * rubric.clips.channels * 8)
    try:
        return archive.unpack(listing, unpack_to, rubric.archive, free_ratio_bytes=largest_clip)
    except ArchiveProblem as problem:
        yield _problem(listing.source, problem, rubric, folder)
        return None


@rule(after=("names_safe",))
def tidy(listing: Listing) -> Checked[None]:
    """It is free of what macOS, Windows and notebooks leave behind."""
    plain_files = (entry for entry in listing.entries if entry.kind is Kind.FILE)
    junk = [entry.name for entry in plain_files if names.is_junk(names.parts_of(entry.name))]
    if junk:
        yield note(
            "archive-junk",
            place(listing.source),
            "{count} left out: {example}{more}.",
            count=counted(len(junk), "file of the system's own is", "files of the system's own are"),
            example=names.printable(junk[0]),
            more=", …" if len(junk) > 1 else "",
        )


@rule(after=("names_safe",))
def portable_names(listing: Listing) -> Checked[None]:
    """Its names can be read on every computer."""
    recovered = [entry for entry in listing.entries if entry.encoding]
    if recovered:
        entry = recovered[0]
        yield note(
            "archive-name-encoding",
            place(listing.source, entry.name),
            "{count} not written as UTF-8; read as {encoding}. As stored: {stored}.",
            count=counted(len(recovered), "name is", "names are"),
            encoding=entry.encoding,
            stored=names.printable(entry.stored),
            names={names.printable(e.name): names.printable(e.stored) for e in recovered[:100]},
        )
    backslashes = [entry for entry in listing.entries if "\\" in entry.name and listing.directory_offset is not None]
    if backslashes:
        yield note(
            "archive-backslash",
            place(listing.source, backslashes[0].name),
            "{count} \\ between folders; read as /.",
            count=counted(len(backslashes), "name has", "names have"),
        )
