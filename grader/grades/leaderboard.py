"""From a course's scores to one :class:`Grade` per student, each with the sentences that explain it, in order of rank.

Pure: rubric, scores, tables and decisions go in, one :class:`Leaderboard` comes out; nothing is stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from grader.errors import CourseError
from grader.findings import Whose
from grader.grades import explain, standing, times
from grader.grades.decisions import ReportPoints
from grader.grades.facts import Facts, Try
from grader.grades.grade import NOTHING, Basis, grade
from grader.grades.late import TimeSource
from grader.grades.ledger import Ledger
from grader.grades.numbers import plain
from grader.grades.points import baseline_label, scale
from grader.grades.ranking import ranks
from grader.grades.records import Grade, Interval, Leaderboard, LedgerLine, Podium, Row, Rung, Standing
from grader.grades.times import Sent, Times
from grader.metrics.scores import Scores
from grader.rubric import Rubric
from grader.store import content_key

if TYPE_CHECKING:
    from grader.rerun.evidence import Evidence
    from grader.scoring import CourseScores, StudentResult

METRICS = ("m_stft", "log2_f0", "fad")
__all__ = [
    "Grade",
    "Interval",
    "Leaderboard",
    "LedgerLine",
    "Podium",
    "Row",
    "Rung",
    "Standing",
    "leaderboard",
    "missing_reason",
]


def leaderboard(
    rubric: Rubric,
    scores: CourseScores,
    submission_times: Times,
    report_points: Mapping[str, float],
    reruns: Mapping[str, Evidence] | None = None,
    ledger: Ledger | None = None,
    roster: Collection[str] = (),
) -> Leaderboard:
    """Grade everyone who handed in, and name everyone who stands in a table or in ``roster`` but did not.

    submission_times: from submissions.csv; a file's own time is used, and marked, where one is missing.
    reruns: by student ID, to stand beside the grades; no grade depends on them.
    Raises :class:`CourseError` where the anchors contradict each other (see :func:`grader.grades.points.curve`), where
    it is not clear which upload a time is about, where a decision is about nobody here or contradicts
    report_points.csv, or where scores of two kinds meet.
    """
    ledger = ledger or Ledger()
    basis = Basis(rubric, scale(rubric, scores.baselines), _one_fad_name(scores))
    everyone = sorted({*scores.students, *submission_times, *report_points, *roster})
    ledger.refuse_unknown(everyone)
    _refuse_two_report_points(ledger, report_points)
    decided = ledger.by_student()
    facts, rows = {}, []
    for student_id in everyone:
        result = scores.students.get(student_id)
        found = _facts(rubric, student_id, result, times.lines_of(submission_times, student_id))
        tables = [("submissions.csv", submission_times), ("report_points.csv", report_points), ("students.csv", roster)]
        named = [name for name, table in tables if student_id in table]
        if result is None:
            absence = f"named in {' and '.join(named)}, but nothing of this student lies in submissions/"
            found = replace(found, absence=absence)
        facts[student_id] = replace(found, report_points=report_points.get(student_id))
        decisions = decided.get(student_id, NOTHING)
        graded = grade(basis, facts[student_id], decisions)
        late_lines = explain.late_lines(rubric, facts[student_id], decisions)
        would_change = explain.would_change(basis, facts[student_id], decisions, graded)
        each = replace(graded.grade, late_lines=late_lines, would_change=would_change)
        if result and rubric.late.several_hand_ins == "best" and graded.index is not None:
            result = (*result.earlier, result)[graded.index]
        newest = result is scores.students.get(student_id)  # the one whose code was rerun
        rows.append(Row(each, result, (reruns or {}).get(student_id) if newest else None))
    ranked, podium = _ranked(rubric, rows)
    rungs = [
        Rung(name, baseline_label(name), found, found.of(rubric.metrics.rank_by), _would_earn(basis, found))
        for name, found in scores.baselines.items()
    ]
    return Leaderboard(
        rubric,
        next(line for line in basis.scale.curves if line.metric == rubric.metrics.rank_by),
        basis.fad_name,
        ranked=ranked,
        unranked=tuple(row for row in rows if not _can_rank(row)),
        rungs=tuple(sorted(rungs, key=lambda rung: (rung.score is None, rung.score, rung.name))),
        findings=scores.findings,
        scale=basis.scale,
        podium=podium,
        facts=facts,
        ledger=ledger,
        inputs=_inputs(scores),
    )


def _inputs(scores: CourseScores) -> dict[str, Any]:
    """What the scores rest on besides the hand-ins."""
    students = [each.scores for _, each in sorted(scores.students.items()) if each.scores]
    everyone = [*students, *scores.baselines.values()]
    references = sorted((each.name, each.sha256) for each in scores.references)
    settings = {metric: dict(known) for metric, known in everyone[0].settings.items()} if everyone else {}
    return {"settings": settings, "references": content_key(clips=references)}


def _can_rank(row: Row) -> bool:
    return row.grade.score is not None and row.grade.failure is None


def _ranked(rubric: Rubric, rows: Collection[Row]) -> tuple[tuple[Row, ...], Podium | None]:
    """Those who can be ranked, best first, each with the standing, and how sure the first three are."""
    can = {row.grade.student_id: row for row in rows if _can_rank(row)}
    rank = ranks({student_id: row.grade.score for student_id, row in can.items() if row.grade.score is not None})
    found = {student_id: row.result.scores for student_id, row in can.items() if row.result and row.result.scores}
    standings, podium = standing.of_class(found, rubric.metrics.rank_by)
    with_rank = [
        replace(row, grade=replace(row.grade, rank=rank[student_id]), standing=standings.get(student_id))
        for student_id, row in can.items()
    ]
    return tuple(sorted(with_rank, key=lambda row: (row.grade.rank or 0, row.grade.student_id))), podium


def _would_earn(basis: Basis, found: Scores) -> float | None:
    values = _values(found)
    return basis.scale.percent(values) if all(metric in values for metric in basis.scale.metrics) else None


def _values(found: Scores) -> dict[str, float]:
    return {metric: value for metric in METRICS if (value := found.of(metric)) is not None}


def _facts(rubric: Rubric, student_id: str, result: StudentResult | None, lines: tuple[Sent, ...]) -> Facts:
    """What a grade rests on, with every upload that may count."""
    if result is None:
        return Facts(student_id, ())
    attempts = result.hand_in.attempts
    best = rubric.late.several_hand_ins == "best"
    dates = times.of_attempts(student_id, lines, attempts, every=best)
    tries = []
    for each in (*result.earlier, result) if best else (result,):
        if attempts:
            attempt = each.attempt or attempts[-1]
            told = dates[attempts.index(attempt)]
            when = (attempt.file_time, TimeSource.FILE) if told is None else (told, TimeSource.TABLE)
            tries.append(_try(each, attempt.path.name, *when))
    absence = result.failure or "handed in no zip of clips"
    return Facts(student_id, tuple(tries), times.of_report(lines), absence=absence, whose=result.whose)


def _try(result: StudentResult, file: str, at: dt.datetime, source: TimeSource) -> Try:
    make = partial(Try, file, result.content, at, source)
    if result.failure is not None:
        return make(failure=result.failure, whose=result.whose)
    if result.scores is None:
        return make(failure="not scored yet", whose=Whose.GRADER)
    values = _values(result.scores)
    missing = {metric: missing_reason(result.scores, metric) for metric in METRICS if metric not in values}
    return make(values=values, missing=missing)


def missing_reason(scores: Scores, metric: str) -> str:
    """Why ``scores`` have no number in ``metric``."""
    reasons = scores.left_out.get(metric, {})
    first = next((f"{clip}: {reason}" for clip, reason in reasons.items()), "no reason recorded")
    return first + (f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else "")


def _refuse_two_report_points(ledger: Ledger, report_points: Mapping[str, float]) -> None:
    """A report's points may stand in both places only where they are the same."""
    problems = [
        f"{ledger.source}:{entry.line}: points: the report of {decision.student} has {plain(decision.points)} points "
        f"here and {plain(report_points[decision.student])} in report_points.csv"
        for entry in ledger.holding
        if isinstance(decision := entry.decision, ReportPoints)
        and report_points.get(decision.student, decision.points) != decision.points
    ]
    if problems:
        raise CourseError(
            "\n".join(problems),
            help="keep one of the two; to change the report's points by a decision, write kind: points, what: report",
        )


def _one_fad_name(scores: CourseScores) -> str:
    everyone = [
        each.scores
        for _, result in sorted(scores.students.items())
        for each in (*result.earlier, result)
        if each.scores is not None
    ]
    names = sorted({found.fad_name for found in (*scores.baselines.values(), *everyone)})
    if len(names) > 1:
        raise CourseError(
            f"the scores mix {' and '.join(names)}, which are different distances and cannot stand in one column",
            help="run `grader score` again, so that everyone is scored with the same embedding",
        )
    return names[0] if names else "FAD"
