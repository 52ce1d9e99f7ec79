"""Is it a zip, and are the clips in it, under their names?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from grader.checks.graph import Subject
from grader.findings import Finding, Severity
from grader.intake.interim_archive import Entry, shown, unpack


def archive_opens(subject: Subject) -> Iterator[Finding]:
    """The zip opens, is whole, and holds nothing that could do harm."""
    if not subject.source.exists():
        yield Finding(
            "archive-missing",
            Severity.ERROR,
            subject.source.name,
            "there is no such zip: no predictions were handed in",
            "put the clips into a folder {folder} and hand it in as {folder}.zip",
            facts={"folder": subject.student_id.lower()},
        )
        return
    unpacked = unpack(subject.source, subject.unpack_to, subject.rubric.archive)
    subject.entries = unpacked.entries
    yield from unpacked.findings


def clips_are_complete(subject: Subject) -> Iterator[Finding]:
    """Every clip is there once, under its own name."""
    expected = subject.rubric.clips.names()
    by_name: defaultdict[str, list[Entry]] = defaultdict(list)
    extra = []
    for entry in subject.entries:
        if (name := _meant(entry.base, subject)) is not None:
            by_name[name].append(entry)
        elif entry.base.lower().endswith(".wav"):
            extra.append(entry)
    for name, entries in by_name.items():
        exact = [entry for entry in entries if entry.base == name]
        if len(entries) == 1 or len(exact) == 1:
            subject.clips[name] = (exact or entries)[0]
        if len(entries) > 1:
            yield _several(subject, name, entries, settled=len(exact) == 1)
        elif not exact:
            yield _misnamed(subject, entries[0], name)
    subject.clips = {name: subject.clips[name] for name in expected if name in subject.clips}
    missing = [name for name in expected if name not in by_name]
    if missing:
        yield Finding(
            "clips-missing",
            Severity.ERROR,
            subject.source.name,
            "{count} of {expected} clips are missing: {names}",
            "{fix}",
            facts={
                "count": len(missing),
                "expected": len(expected),
                "names": _listing(missing),
                "fix": _nested(subject) or "add them, and zip the folder again",
            },
        )
    if extra:
        yield Finding(
            "clips-extra",
            Severity.WARNING,
            subject.source.name,
            "{count} wav files are none of the {expected} clips and are not looked at: {names}",
            "leave them out; clips are named {first} … {last}",
            facts={
                "count": len(extra),
                "expected": len(expected),
                "names": _listing([shown(entry.name) for entry in extra]),
                "first": expected[0],
                "last": expected[-1],
            },
        )


def folder_is_named_after_you(subject: Subject) -> Iterator[Finding]:
    """The clips lie in one folder named after your student ID."""
    if subject.source.is_dir():
        return
    folders = {PurePosixPath(entry.name).parent.as_posix() for entry in subject.clips.values()}
    if not folders or {folder.casefold() for folder in folders} == {subject.student_id.casefold()}:
        return
    refuse = subject.rubric.archive.wrong_folder == "refuse"
    found = "at the top of the zip" if folders == {"."} else f"in {_listing(sorted(map(shown, folders)))}"
    yield Finding(
        "clips-wrong-folder",
        Severity.ERROR if refuse else Severity.WARNING,
        subject.source.name,
        "the clips are {found}, expected in a folder {expected}",
        "put them into a folder {expected} and zip that folder",
        facts={"found": found, "expected": subject.student_id.lower()},
    )


def _meant(base: str, subject: Subject) -> str | None:
    """The clip a file is meant to be: 001.wav, but also 1.wav, 0001.WAV, 001.wav.wav."""
    match = re.fullmatch(r"([0-9]{1,6})(\.wav)+", base.strip(), re.IGNORECASE)
    if match is None:
        return None
    number = int(match[1])
    return subject.rubric.clips.name.format(number=number) if 1 <= number <= subject.rubric.clips.count else None


def _misnamed(subject: Subject, entry: Entry, name: str) -> Finding:
    accepted = subject.rubric.clips.misnamed == "accept"
    return Finding(
        "clip-misnamed",
        Severity.WARNING if accepted else Severity.ERROR,
        subject.at(entry),
        "is named {found}, taken for {expected}" if accepted else "is named {found}, expected {expected}",
        "rename it to {expected}",
        facts={"found": shown(entry.base), "expected": name},
    )


def _several(subject: Subject, name: str, entries: list[Entry], *, settled: bool) -> Finding:
    return Finding(
        "clip-several",
        Severity.WARNING if settled else Severity.ERROR,
        subject.source.name,
        "{count} files could be {name}: {names}; " + ("{name} itself is taken" if settled else "which one counts?"),
        "keep one of them, named {name}",
        facts={"count": len(entries), "name": name, "names": _listing([shown(entry.name) for entry in entries])},
    )


def _nested(subject: Subject) -> str | None:
    inner = [entry for entry in subject.entries if entry.base.lower().endswith((".zip", ".7z", ".rar", ".tar.gz"))]
    if not inner or subject.clips:
        return None
    return f"zip the folder with the clips itself: there is an archive inside the archive ({shown(inner[0].name)})"


def _listing(names: list[str], most: int = 8) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
