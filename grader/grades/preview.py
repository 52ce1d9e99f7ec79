"""Who would be affected by another late rule, before it is made; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from grader.errors import CourseError
from grader.grades.grade import NOTHING, Basis, grade
from grader.grades.ledger import Ledger
from grader.grades.records import Grade, Leaderboard
from grader.rubric import Rubric

_KEYS = ("deadline", "timezone", "late")


@dataclass(frozen=True)
class Affected:
    """A student whose lateness or points would be others."""

    before: Grade
    after: Grade

    @property
    def student_id(self) -> str:
        return self.before.student_id

    def as_json(self) -> dict[str, Any]:
        return {"student_id": self.student_id, "before": as_json(self.before), "after": as_json(self.after)}


def as_json(grade: Grade) -> dict[str, Any]:
    """What a student's lateness is and costs."""
    late, report = grade.lateness, grade.report_lateness
    return {
        "student_id": grade.student_id,
        "submitted_at": late.submitted_at.isoformat() if late else None,
        "time_source": str(late.source) if late else None,
        "deadline": late.deadline.isoformat() if late else None,
        "delay_s": late.delay.total_seconds() if late else None,
        "late_percent": late.percent if late else None,
        "report_submitted_at": report.submitted_at.isoformat() if report else None,
        "report_late_percent": report.percent if report else None,
        "provisional_points": grade.provisional_points,
        "final_points": grade.final_points,
        "late_why": grade.late_why,
    }


def other_rule(rubric: Rubric, changes: Mapping[str, Any], other: Rubric | None = None) -> Rubric:
    """The rubric with the late rule of ``other`` and single keys changed: ``{"late.grace_minutes": 15}``.

    Raises :class:`pydantic.ValidationError` where a value is not allowed.
    """
    values = rubric.model_dump()
    if other:
        values |= {key: other.model_dump()[key] for key in _KEYS}
    for path, value in changes.items():
        *sections, key = path.split(".")
        inner = values
        for section in sections:
            inner = inner[section]
        inner[key] = value
    return Rubric.model_validate(values)


def affected(board: Leaderboard, rubric: Rubric) -> list[Affected]:
    """Everyone whose grade would be another under the late rule of ``rubric``, by ID.

    Raises :class:`CourseError` where hand-ins would count that are not scored.
    """
    if rubric.late.several_hand_ins == "best" != board.rubric.late.several_hand_ins:
        raise CourseError(
            "late.several_hand_ins: best cannot be previewed, because only the latest hand-ins are scored",
            help="set it in rubric.yaml, run `grader leaderboard` and look at `grader diff`",
        )
    assert board.scale is not None
    basis = Basis(rubric, board.scale, board.fad_name)
    decided = (board.ledger or Ledger()).by_student()
    found = []
    for row in board.rows:
        facts = board.facts[row.grade.student_id]
        if rubric.late.several_hand_ins == "latest":
            facts = replace(facts, tries=facts.tries[-1:])
        after = grade(basis, facts, decided.get(facts.student_id, NOTHING)).grade
        if _of_late(row.grade) != _of_late(after):
            found.append(Affected(row.grade, after))
    return sorted(found, key=lambda each: each.student_id)


def _of_late(found: Grade) -> tuple[Any, ...]:
    percents = [late and late.percent for late in (found.lateness, found.report_lateness)]
    return (*percents, found.provisional_points, found.final_points)
