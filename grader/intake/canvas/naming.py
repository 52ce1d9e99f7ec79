"""The names in a bulk download, as Canvas makes them.

``{sortable name, lower case, punctuation removed}_[LATE_]{user id}_{attachment id}_{file name}`` for an uploaded file,
``…_{user id}_text.html`` and ``…_{user id}_link.html`` for what was typed in (``lib/content_zipper.rb`` of Canvas). A
name there never holds ``_digits_``, so that the first two numbers between underscores are the IDs; when graded files
are uploaded again Canvas goes by the same two numbers. The file name is the student's own, with the ``-1``, ``-2`` that
Canvas adds to one that the student has uploaded before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WHO = r"(?P<name>.*?)_(?:(?P<late>LATE)_)?(?P<user>\d+)"
_UPLOADED = re.compile(rf"{_WHO}_(?P<attachment>\d+)_(?P<file>.+)", re.DOTALL)
_TYPED = re.compile(rf"{_WHO}_(?P<file>(?:text|link|comments?)(?:-\d+)?\.(?:html?|txt|csv))", re.DOTALL | re.IGNORECASE)
_AGAIN = re.compile(r"(?P<stem>.+)-(?P<number>\d{1,4})(?P<suffix>(?:\.[A-Za-z0-9]{1,5}){1,2})", re.DOTALL)


@dataclass(frozen=True)
class Named:
    """One file of a download. user_id, attachment_id: Canvas's numbers; file: as the student called it.

    attachment_id is None for what was typed into Canvas, or exported beside the files.
    """

    user_id: int
    attachment_id: int | None
    late: bool
    file: str


def read(name: str) -> Named | None:
    """A file's name (no folders) taken apart; None where Canvas did not make it."""
    if name.startswith("anon_"):
        return None
    if match := _TYPED.fullmatch(name):
        return Named(int(match["user"]), None, bool(match["late"]), match["file"])
    if match := _UPLOADED.fullmatch(name):
        return Named(int(match["user"]), int(match["attachment"]), bool(match["late"]), match["file"])
    return None


def again(file: str) -> tuple[str, int]:
    """A student's file name without the number of a resubmission, and that number: ``x-2.zip`` → (``x.zip``, 2)."""
    match = _AGAIN.fullmatch(file)
    return (match["stem"] + match["suffix"], int(match["number"])) if match else (file, 0)
