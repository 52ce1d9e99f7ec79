"""The rerun: a student's own inference, run again in a sandbox and compared with what was uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.course import Course
    from grader.rerun.evidence import Verdict
    from grader.store import Store


def verdicts(course: Course, store: Store) -> dict[str, Verdict]:
    """The reruns' verdicts known for the hand-ins as they are now, by student ID. Runs nothing."""
    from grader.rerun import run

    return run.verdicts(course, store)
