"""What a run left in its output folder, taken over with no trust: regular files only, no links, size-capped.

The run is over when this reads, so nothing moves under it.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.intake.names import printable

_DEEPEST, _MOST_ENTRIES, _CHUNK = 3, 20_000, 1 << 20
_NUMBER = re.compile(r"^\D{0,20}?0*(\d{1,5})(?!\d)")


@dataclass(frozen=True)
class Collected:
    """clips: by expected name, in our own folder; renamed: the name each had, where another; refused: why, by name."""

    clips: Mapping[str, Path] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A file is not taken over; the message says why."""


def collect(out: Path, names: Sequence[str], target: Path, most_bytes: int) -> Collected:
    """Copy the expected clips from ``out`` to the folder ``target``.

    ``001.wav`` is looked for by name, at the top first; else one single file that bears its number counts, such as
    ``001_generated_e2e.wav``. most_bytes: of one file.
    """
    target.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    by_number: defaultdict[int, list[str]] = defaultdict(list)
    for place in _files(out):
        base = place.rpartition("/")[2]
        found.setdefault(base.lower(), place)
        match = _NUMBER.match(base)
        if match and base.lower().endswith(".wav"):
            by_number[int(match[1])].append(place)
    clips: dict[str, Path] = {}
    renamed: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name in names:
        number = _NUMBER.match(name)
        candidates = by_number[int(number[1])] if number else []
        at = found.get(name.lower()) or (candidates[0] if len(candidates) == 1 else None)
        if at is None:
            if len(candidates) > 1:
                refused[name] = "several files bear its number: " + ", ".join(printable(c) for c in candidates[:3])
            continue
        try:
            copy(out / at, target / name, most_bytes)
        except RefusedError as refusal:
            refused[name] = str(refusal)
            continue
        clips[name] = target / name
        if at != name:
            renamed[name] = printable(at)
    return Collected(clips, renamed, refused)


def copy(source: Path, target: Path, most_bytes: int) -> None:
    """Copy one regular file of at most ``most_bytes``; raises :class:`RefusedError` for anything else."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        kind = "a symbolic link" if source.is_symlink() else f"unreadable ({error.strerror})"
        raise RefusedError(f"is {kind}") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise RefusedError("is no regular file")
        if facts.st_size > most_bytes:
            raise RefusedError(f"is {facts.st_size / 1e6:.0f} MB large")
        with target.open("wb") as copied:
            while chunk := file.read(_CHUNK):
                copied.write(chunk)


def _files(out: Path) -> Iterator[str]:
    """Places of everything but folders, shallow first; links are not followed, deep and crowded trees are cut off."""
    level, seen = [""], 0
    for _ in range(_DEEPEST):
        deeper: list[str] = []
        for folder in level:
            try:
                with os.scandir(out / folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                seen += 1
                if seen > _MOST_ENTRIES:
                    return
                place = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    deeper.append(place)
                else:
                    yield place
        level = deeper
