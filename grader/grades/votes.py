"""The file of votes that the listening page saves (see FORMATS.md in grader/site), as lines of the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.errors import CourseError
from grader.rubric import Rubric
from grader.store import file_sha256

_HELP = "it is what `Save votes` on site/listen.html of the private site writes"


def read(path: Path, rubric: Rubric) -> list[dict[str, Any]]:
    """Each student with votes as the keys of a ``vote`` line; raises :class:`CourseError` where that cannot be."""
    try:
        record = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{path}: cannot be read as JSON: {error}", help=_HELP) from None
    if not isinstance(record, dict) or record.get("kind") != "grader-votes" or record.get("version") != 1:
        raise CourseError(f"{path}: is no file of votes", help=_HELP)
    if record.get("title") != rubric.title:
        raise CourseError(
            f"{path}: these are votes about {record.get('title')!r}, and this is {rubric.title!r}",
            help="name the course with --course",
        )
    if record.get("view") != "private":
        raise CourseError(
            f"{path}: these votes are from the public view, where students do not stand by their IDs",
            help="let the vote be held on the private view",
        )
    if not record.get("blind"):
        raise CourseError(f"{path}: not every vote was cast blind", help="hold the vote with the names hidden")
    ballot = file_sha256(path)[:12]
    try:
        return [_line(each, ballot) for each in record["ranking"]]
    except (LookupError, TypeError, AttributeError) as error:
        raise CourseError(f"{path}: its ranking is not as it should be ({error!r})", help=_HELP) from None


def _line(each: Mapping[str, Any], ballot: str) -> dict[str, Any]:
    return {
        "student": str(each["student"]).upper(),
        "kind": "vote",
        "points": each["points"],
        "place": each["place"],
        "ballot": f"b{ballot}",
    }
