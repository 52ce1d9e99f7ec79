"""Whose a set of clips is: a latest upload goes by the ID, earlier ones and baselines by names of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.grades.points import baseline_label

if TYPE_CHECKING:
    from grader.scoring import CourseScores


def student_of(owner: str, scores: CourseScores) -> str | None:
    """The student whose clips ``owner`` names (``R12345678``, ``R12345678 (1 of 2)``); None for a baseline's."""
    if owner in scores.students:
        return owner
    student = owner.rsplit(" (", 1)[0]
    return student if student in scores.students else None


def label(owner: str, scores: CourseScores) -> str:
    """As it is shown."""
    return baseline_label(owner) if owner in scores.baselines else owner
