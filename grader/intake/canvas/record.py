"""What came from where: ``.grader/imports/canvas.json``, one entry for each file that was ever imported.

Kept in order of students and attachments, so that importing the same again leaves the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grader.errors import CourseError

_VERSION = 1


@dataclass(frozen=True)
class Imported:
    """One file. entry: its name in the download; placed: in ``submissions/``; late: Canvas's mark; download: the zip.

    written: when the download's entry was written, as there: the time of the download, not of the hand-in.
    """

    student_id: str
    canvas_user_id: int
    attachment_id: int
    entry: str
    kind: str
    placed: str
    sha256: str
    late: bool
    written: str | None
    download: str


@dataclass(frozen=True)
class Link:
    """An address that a student typed into Canvas. source: the file it stood in."""

    student_id: str
    url: str
    source: str


@dataclass(frozen=True)
class Record:
    """files: by attachment ID. links: without doubles, in order."""

    files: Mapping[int, Imported] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    def late(self) -> dict[str, bool]:
        """Whether Canvas marks a student's newest upload as late, by upper-case student ID."""
        newest: dict[str, Imported] = {}
        for each in sorted(self.files.values(), key=lambda each: each.attachment_id):
            newest[each.student_id.upper()] = each
        return {student: each.late for student, each in newest.items()}


def path_in(state: Path) -> Path:
    return state / "imports" / "canvas.json"


def load(state: Path) -> Record:
    """The record of a course; empty where nothing was imported. Raises :class:`CourseError` where it is damaged."""
    path = path_in(state)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        files = [Imported(**each) for each in stored["files"]]
        return Record({each.attachment_id: each for each in files}, tuple(Link(**each) for each in stored["links"]))
    except FileNotFoundError:
        return Record()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(
            f"{path}: the record of imports cannot be read: {error}",
            help="move it away and import the downloads again: what lies in submissions/ already is recognised",
        ) from None


def save(state: Path, record: Record) -> None:
    """Write the record whole, where it changed."""
    path = path_in(state)
    content = json.dumps(_plain(record), ensure_ascii=False, indent=1) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)


def _plain(record: Record) -> dict[str, Any]:
    def order(each: Imported) -> tuple[str, int]:
        return each.student_id.upper(), each.attachment_id

    files = sorted(record.files.values(), key=order)
    return {"version": _VERSION, "files": list(map(asdict, files)), "links": list(map(asdict, record.links))}


def with_links(links: Iterable[Link]) -> tuple[Link, ...]:
    """Each once, in order."""
    return tuple(sorted(set(links), key=lambda each: (each.student_id.upper(), each.url, each.source)))
