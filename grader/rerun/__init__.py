"""The rerun: a student's own inference, run again in a sandbox and compared with what was uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.course import Course
    from grader.rerun.evidence import Evidence, Verdict
    from grader.store import Store

STAGE = "rerun"


def known(course: Course, store: Store) -> dict[str, Evidence]:
    """The evidence there is for the hand-ins as they are now, by student ID. Runs nothing.

    Where nobody was ever rerun, nothing of this room is loaded, which works on Linux only.
    """
    if not store.holds(STAGE):
        return {}
    from grader.rerun import run

    return run.known(course, store)


def verdicts(course: Course, store: Store) -> dict[str, Verdict]:
    """The reruns' verdicts known for the hand-ins as they are now, by student ID. Runs nothing."""
    from grader.rerun import run

    return run.verdicts(course, store)
