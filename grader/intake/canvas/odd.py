"""Where Canvas's LATE marks and the times that the course knows do not go together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from grader.course import Course
from grader.findings import Finding, Severity, Whose
from grader.grades.grade import allowance
from grader.intake.canvas.record import Record


def times(record: Record, students: Collection[str], course: Course) -> list[Finding]:
    """Findings for those of ``students`` (upper case) whose LATE mark stands alone or contradicts the table."""
    told = course.submission_times()
    rubric = course.rubric
    grace = dt.timedelta(minutes=rubric.late.grace_minutes)
    ledger = course.ledger()
    findings, unknown = [], 0
    for student, late in sorted(record.late().items()):
        if student not in students:
            continue
        time = told.get(student)
        allowed = allowance(rubric, ledger.of(student), "prediction")
        limit = max(rubric.deadline_at, allowed.deadline or rubric.deadline_at) + grace
        if time is None and late:
            findings.append(
                _finding(
                    "canvas-late-no-time",
                    student,
                    "Canvas marks this as late, but not by how much. Until submissions.csv has a time, the download's "
                    "own time counts, the latest it can have been.",
                    "Add a line to submissions.csv with the time that Canvas shows in SpeedGrader.",
                )
            )
        elif time is None:
            unknown += 1
        elif late and time <= rubric.deadline_at:
            findings.append(
                _finding(
                    "canvas-late-early",
                    student,
                    "Canvas marks this as late, but submissions.csv has {time}, by the deadline.",
                    "Look up the time in SpeedGrader, and whether Canvas and rubric.yaml have the same deadline.",
                    time=time.astimezone(rubric.zone).strftime("%Y-%m-%d %H:%M:%S"),
                )
            )
        elif not late and time > limit and not allowed.waived:
            findings.append(
                _finding(
                    "canvas-not-late",
                    student,
                    "submissions.csv has {time}, after the deadline, but Canvas does not mark this as late.",
                    "Perhaps it was given more time in Canvas: then write that down here too, with `grader decide`.",
                    time=time.astimezone(rubric.zone).strftime("%Y-%m-%d %H:%M:%S"),
                )
            )
    if unknown:
        findings.append(
            Finding(
                "canvas-no-times",
                Severity.NOTE,
                "submissions.csv",
                "A download holds no times of handing in. {count} that Canvas does not mark as late and that have no "
                "line here are taken to have come by the deadline at the latest.",
                "Lines in submissions.csv (student_id, submitted_at) go before that.",
                Whose.ENVIRONMENT,
                {"count": unknown},
            )
        )
    return findings


def _finding(code: str, student: str, what: str, fix: str, **facts: str) -> Finding:
    return Finding(code, Severity.WARNING, student, what, fix, Whose.ENVIRONMENT, facts)
