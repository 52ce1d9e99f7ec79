"""From a course's scores to one :class:`Grade` per student, each with the sentences that explain it, in order of rank.

Pure: rubric, scores and the two tables go in, one :class:`Leaderboard` comes out; nothing is stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from grader.errors import CourseError
from grader.findings import Whose
from grader.grades.late import Lateness, TimeSource, deduct, lateness
from grader.grades.numbers import hundredths, plain
from grader.grades.points import Curve, baseline_label, curve
from grader.grades.ranking import ranks
from grader.grades.records import Grade, Interval, Leaderboard, LedgerLine, Row, Rung, Standing
from grader.metrics.scores import Scores
from grader.rubric import Rubric

if TYPE_CHECKING:
    from grader.rerun.evidence import Evidence
    from grader.scoring import CourseScores, StudentResult

__all__ = ["Grade", "Interval", "Leaderboard", "LedgerLine", "Row", "Rung", "Standing", "leaderboard", "missing_reason"]


def leaderboard(
    rubric: Rubric,
    scores: CourseScores,
    times: Mapping[str, dt.datetime],
    report_points: Mapping[str, float],
    reruns: Mapping[str, Evidence] | None = None,
) -> Leaderboard:
    """Grade everyone who handed in, and name everyone who stands in ``times`` or ``report_points`` but did not.

    times: of hand-ins, from submissions.csv; a file's own time is used, and marked, where one is missing.
    reruns: by student ID, to stand beside the grades; no grade depends on them.
    Raises :class:`CourseError` where the anchors contradict each other (see :func:`grader.grades.points.curve`), where
    the rubric lets the best of several hand-ins count and someone has several, or where scores of two kinds meet.
    """
    _refuse_best_of_several(rubric, scores)
    fad_name = _one_fad_name(scores)
    line = curve(rubric, scores.baselines)
    metric = rubric.metrics.rank_by
    values = {
        student_id: value
        for student_id, result in scores.students.items()
        if result.failure is None and result.scores is not None and (value := result.scores.of(metric)) is not None
    }
    rank = ranks(values)
    rows = []
    for student_id in sorted({*scores.students, *times, *report_points}):
        result = scores.students.get(student_id)
        late = _lateness(rubric, result, times.get(student_id))
        value = values.get(student_id)
        problem = (None, None) if value is not None else _failure(result, metric, line.label)
        given = report_points.get(student_id)
        grade = _grade(rubric, line, student_id, rank.get(student_id), value, problem, late, given)
        rows.append(Row(grade, result, (reruns or {}).get(student_id)))
    rungs = [
        Rung(name, baseline_label(name), found, value, None if value is None else line.percent(value))
        for name, found in scores.baselines.items()
        for value in (found.of(metric),)
    ]
    return Leaderboard(
        rubric,
        line,
        fad_name,
        ranked=tuple(sorted((row for row in rows if row.grade.rank), key=lambda row: row.grade.rank or 0)),
        unranked=tuple(row for row in rows if row.grade.rank is None),
        rungs=tuple(sorted(rungs, key=lambda rung: (rung.score is None, rung.score, rung.name))),
        findings=scores.findings,
    )


def _grade(
    rubric: Rubric,
    line: Curve,
    student_id: str,
    rank: int | None,
    value: float | None,
    problem: tuple[str | None, Whose | None],
    late: Lateness | None,
    given: float | None,
) -> Grade:
    most = rubric.points.quality
    failure, whose = problem
    if value is None:
        percent = quality = None
        quality_why = f"no quality points: {failure}"
    else:
        percent = line.percent(value)
        quality = hundredths(most * percent / 100)
        quality_why = line.why(value, most)

    report = 0.0 if rubric.points.report == 0 else given
    if rubric.points.report == 0:
        report_why = "the report carries no points in this rubric"
    elif report is None:
        report_why = "the report has no points yet"
    else:
        report_why = f"{plain(report)} of {plain(rubric.points.report)} report points (report_points.csv)."

    cost = late.percent if late else 0.0
    total = most + rubric.points.report
    provisional = None if quality is None else deduct(rubric.late, quality, total, cost)
    final = semester = None
    if quality is None:
        final_why = f"no final points: {failure}"
    elif report is None:
        final_why = report_why
    else:
        final = deduct(rubric.late, quality + report, total, cost)
        semester = hundredths(final / total * rubric.semester_weight_percent) if total else 0.0
        final_why = _final_why(rubric, quality, report, cost, final, semester)
    return Grade(
        student_id=student_id,
        rank=rank,
        score=value,
        quality_percent=percent,
        quality_points=quality,
        quality_why=quality_why,
        report_points=report,
        report_why=report_why,
        lateness=late,
        late_why=late.why if late else "no hand-in, so no time",
        provisional_points=provisional,
        final_points=final,
        semester_percent=semester,
        final_why=final_why,
        failure=failure,
        whose=whose,
    )


def _final_why(rubric: Rubric, quality: float, report: float, cost: float, final: float, semester: float) -> str:
    total = rubric.points.quality + rubric.points.report
    earned = f"{quality:.2f} for quality + {plain(report)} for the report"
    if cost and rubric.late.deduct == "factor":
        earned = f"({earned}) × {1 - cost / 100:g}"
    elif cost:
        earned = f"{earned} − {plain(total * cost / 100)} for lateness" + (", but not below 0" if not final else "")
    share = f"{semester:.2f} of the {plain(rubric.semester_weight_percent)} % of the semester"
    return f"{earned} = {final:.2f} of {plain(total)} points; that is {share}."


def _lateness(rubric: Rubric, result: StudentResult | None, told: dt.datetime | None) -> Lateness | None:
    """By submissions.csv, else by the graded file's own time; None where nothing was handed in."""
    if result is None or not result.hand_in.attempts:
        return None
    if told is not None:
        return lateness(rubric, told, TimeSource.TABLE)
    attempt = result.attempt or result.hand_in.attempts[-1]
    return lateness(rubric, attempt.file_time, TimeSource.FILE)


def _failure(result: StudentResult | None, metric: str, label: str) -> tuple[str, Whose | None]:
    """Why a student has no number to rank by, and whose fault that is."""
    if result is None:
        return "named in submissions.csv or report_points.csv, but nothing of this student lies in submissions/", None
    if result.failure is not None:
        return result.failure, result.whose
    if result.scores is None:
        return "not scored yet", Whose.GRADER
    return f"no {label}: {missing_reason(result.scores, metric)}", Whose.GRADER


def missing_reason(scores: Scores, metric: str) -> str:
    """Why ``scores`` have no number in ``metric``."""
    reasons = scores.left_out.get(metric, {})
    first = next((f"{clip}: {reason}" for clip, reason in reasons.items()), "no reason recorded")
    return first + (f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else "")


def _refuse_best_of_several(rubric: Rubric, scores: CourseScores) -> None:
    several = [name for name, result in sorted(scores.students.items()) if len(result.hand_in.attempts) > 1]
    if rubric.late.several_hand_ins == "best" and several:
        raise CourseError(
            f"rubric.yaml: late.several_hand_ins: best: several hand-ins lie there of {', '.join(several)}, "
            "and only the latest of each is scored so far",
            help="write latest, or leave only the hand-in that is to count in submissions/",
        )


def _one_fad_name(scores: CourseScores) -> str:
    everyone = [result.scores for _, result in sorted(scores.students.items()) if result.scores]
    names = sorted({found.fad_name for found in (*scores.baselines.values(), *everyone)})
    if len(names) > 1:
        raise CourseError(
            f"the scores mix {' and '.join(names)}, which are different distances and cannot stand in one column",
            help="run `grader score` again, so that everyone is scored with the same embedding",
        )
    return names[0] if names else "FAD"
