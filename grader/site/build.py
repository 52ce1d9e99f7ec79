"""``grader leaderboard``: score what is missing, grade everyone, write the site."""

from __future__ import annotations

from pathlib import Path

from grader import rerun, scoring
from grader.course import Course
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.progress import Progress
from grader.site.render import publish


def grade(course: Course, *, processes: int | None, shown: Progress) -> Leaderboard:
    """Score what is missing and grade everyone.

    Raises what reading the tables, scoring and grading raise (:class:`grader.errors.GraderError`); the tables are read
    first, so that a wrong line is told before any work. Finished scores are kept either way.
    """
    sent, report_points, decisions, roster = course.sent(), course.report_points(), course.ledger(), course.roster()
    with course.store() as store:
        scores = scoring.score_course(course, store, processes=processes, shown=shown)
        reruns = rerun.known(course, store)
    return leaderboard(course.rubric, scores, sent, report_points, reruns, decisions, roster)


def build(course: Course, *, processes: int | None, shown: Progress) -> tuple[Leaderboard, Path]:
    """Make the site of ``course``; returns the leaderboard and the page's path. Raises as :func:`grade` does."""
    board = grade(course, processes=processes, shown=shown)
    return board, publish(board, course.site)
