"""Who a site is for: what its pages may show, and what lies beside them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from grader.site.strings import DEFAULT


@dataclass(frozen=True)
class Audience:
    """The private view as it comes; ``public`` leaves out all that is a student's own.

    language: of the pages, one of :func:`grader.site.strings.languages`. keys: student ID → what names the student in
    file names and links, the ID itself where it is not there. clips: those with a file ``clips/NNN.js``, in order;
    without any there is no player. student_pages: whether ``students/KEY.html`` are there. files: what else lies
    beside the index and may be linked.
    """

    public: bool = False
    language: str = DEFAULT
    keys: Mapping[str, str] = field(default_factory=dict)
    clips: tuple[str, ...] = ()
    student_pages: bool = False
    files: tuple[str, ...] = ("leaderboard.csv", "leaderboard.json", "clips.csv")

    def key(self, student_id: str) -> str:
        return self.keys.get(student_id, student_id)


def file_key(student_id: str) -> str:
    """A student ID as a file's name: itself where any system takes it, else its hash."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", student_id):
        return student_id
    return "s-" + hashlib.sha256(student_id.encode("utf-8", "backslashreplace")).hexdigest()[:16]
