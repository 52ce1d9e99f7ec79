"""submissions.csv: who handed in what when, and which of a student's uploads each line is about.

A line may name the ``part`` it is about (prediction or report; empty: both) and the ``file``. Lines of a student that
name no file belong to the uploads in order, the earliest to the first; where their numbers differ nothing is guessed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.errors import CourseError
from grader.intake.submission import Attempt

Part = Literal["prediction", "report"]


@dataclass(frozen=True)
class Sent:
    """A line of the table. at: with a time zone. part: None for prediction and report together.

    file: of an upload, as it lies in submissions/. line: where it stands, None for one that stands in no file.
    """

    at: dt.datetime
    part: Part | None = None
    file: str | None = None
    line: int | None = None


Times = Mapping[str, dt.datetime | Sequence[Sent]]
"""By student ID; a single time is that of the hand-in as a whole."""


def lines_of(times: Times, student_id: str) -> tuple[Sent, ...]:
    """A student's lines, in order of time."""
    found = times.get(student_id, ())
    lines = (Sent(found),) if isinstance(found, dt.datetime) else tuple(found)
    return tuple(sorted(lines, key=lambda sent: (sent.at, sent.line or 0)))


def of_report(lines: Sequence[Sent]) -> dt.datetime | None:
    """When the report that counts came, where a line is about the report alone: the latest."""
    return max((sent.at for sent in lines if sent.part == "report"), default=None)


def of_attempts(
    student_id: str, lines: Sequence[Sent], attempts: Sequence[Attempt], *, every: bool
) -> list[dt.datetime | None]:
    """The time of each upload of the predictions, None where the table has none.

    every: whether each upload can count; otherwise one line for several uploads is about the latest. Raises
    :class:`CourseError` where it is not clear which line is about which upload.
    """
    if not attempts:
        return []
    sent = [each for each in lines if each.part != "report"]
    found: list[dt.datetime | None] = [None] * len(attempts)
    for each in sent:
        if each.file is not None:
            index = _index(student_id, each, attempts)
            if found[index] not in (None, each.at):
                raise _problem(student_id, [each], f"{each.file} has two times", "keep one line for each file")
            found[index] = each.at
    unnamed = [each for each in sent if each.file is None]
    if not unnamed:
        return found
    free = [index for index, time in enumerate(found) if time is None]
    if len(unnamed) == 1 and len(free) == len(attempts) and not every:
        found[-1] = unnamed[0].at
    elif len(unnamed) == len(free):
        for index, each in zip(free, unnamed, strict=True):
            found[index] = each.at
    else:
        left = "" if len(free) == len(attempts) else " without a time of its own"
        raise _problem(
            student_id,
            unnamed,
            f"{_count(len(unnamed), 'line names', 'lines name')} no file, and {_count(len(free), 'upload', 'uploads')}"
            f"{left} of {student_id} {'lies' if len(free) == 1 else 'lie'} in submissions/: "
            f"{', '.join(attempts[index].path.name for index in free) or 'none'}",
            "name the upload of each line in a column `file`, or keep as many lines as there are uploads",
        )
    return found


def _index(student_id: str, sent: Sent, attempts: Sequence[Attempt]) -> int:
    """Which upload a line names: by its file name, without regard to case; the last folders may stand before it."""
    wanted = [part for part in (sent.file or "").replace("\\", "/").casefold().split("/") if part not in ("", ".")]
    fitting = [
        index
        for index, attempt in enumerate(attempts)
        if wanted and [part.casefold() for part in attempt.path.parts[-len(wanted) :]] == wanted
    ]
    if len(fitting) != 1:
        names = ", ".join(attempt.path.name for attempt in attempts)
        what = "no upload of" if not fitting else "more than one upload of"
        raise _problem(student_id, [sent], f"file {sent.file!r} is {what} {student_id}", f"there are: {names}")
    return fitting[0]


def _problem(student_id: str, lines: Sequence[Sent], what: str, fix: str) -> CourseError:
    numbers = [str(sent.line) for sent in sorted(lines, key=lambda sent: sent.line or 0) if sent.line is not None]
    place = f":{numbers[0]}" if len(numbers) == 1 else f", lines {' and '.join(numbers)}" if numbers else ""
    return CourseError(f"submissions.csv{place}: {student_id}: {what}", help=fix)


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
