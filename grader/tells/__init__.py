"""Tells, never verdicts: what a TA should listen to or read, with the evidence. Nothing is deducted for any of them.

:func:`tells` looks at a scored course; each kind of tell has a module of its own, and the store keeps what each came
to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from grader.progress import Progress
from grader.tells.records import Kind, Piece, Sound, Tell, Tells

if TYPE_CHECKING:
    from grader.course import Course
    from grader.rerun.evidence import Evidence
    from grader.scoring import CourseScores
    from grader.store import Store

__all__ = ["Kind", "Piece", "Sound", "Tell", "Tells", "tells"]


def tells(
    course: Course,
    scores: CourseScores,
    reruns: Mapping[str, Evidence],
    store: Store,
    *,
    processes: int | None = None,
    shown: Progress | None = None,
) -> Tells:
    """Everything that was noticed about the hand-ins as they are now, the strongest of each kind first.

    Raises :class:`grader.errors.EnvironmentProblem` where this machine is at fault; a hand-in raises nothing.
    """
    from grader.tells import alike, code, files, waveform
    from grader.tells import reruns as of_reruns

    shown = shown or Progress()
    limits, rate_hz = course.rubric.tells, course.rubric.clips.sample_rate_hz
    notes: list[str] = []
    found = [
        *waveform.tells(scores, rate_hz, limits.waveform_db, store, processes, shown),
        *alike.tells(scores, rate_hz, limits.audio_db, store, shown),
        *files.tells(scores, course, store, notes, shown),
        *code.tells(scores, course, store, notes, shown),
        *of_reruns.tells(reruns),
    ]
    return Tells(tuple(found), tuple(notes))
