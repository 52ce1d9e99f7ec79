"""What stands beside a grade: how lateness came about, dated, and what would have made another grade."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from grader.grades.decisions import Extension, Waiver
from grader.grades.facts import Facts, Try
from grader.grades.grade import Basis, Graded, allowance, extended_to, grade
from grader.grades.late import Lateness, TimeSource, duration, lateness
from grader.grades.ledger import Decisions
from grader.grades.numbers import plain, score
from grader.grades.records import Grade
from grader.rubric import Rubric


def late_lines(rubric: Rubric, facts: Facts, decisions: Decisions) -> tuple[str, ...]:
    """Deadline, decisions about it and everything handed in, in order of time."""
    if not facts.tries:
        return ()
    lines = [(rubric.deadline_at, "deadline")]
    for each in decisions.holding:
        if isinstance(each, Extension | Waiver):
            said = f"decided: {each.kind} {each.value} ({each.reason}; by {each.by})"
            if isinstance(each, Extension) and extended_to(rubric, each) <= rubric.deadline_at:
                said += ", which is no later than the deadline and changes nothing"
            lines.append((_when(each.at, rubric), said))
    for attempt in facts.tries:
        late = lateness(rubric, attempt.at, attempt.source, allowance(rubric, decisions, "prediction"))
        lines.append((attempt.at, f"handed in {attempt.file} ({attempt.source}): {_short(late)}"))
    if facts.report_at:
        late = lateness(rubric, facts.report_at, TimeSource.TABLE, allowance(rubric, decisions, "report"))
        lines.append((facts.report_at, f"handed in the report: {_short(late)}"))
    lines.sort(key=lambda line: line[0].astimezone(dt.UTC))
    return tuple(f"{time.astimezone(rubric.zone):%Y-%m-%d %H:%M:%S}: {said}" for time, said in lines)


def _when(text: str, rubric: Rubric) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=rubric.zone)


def _short(late: Lateness) -> str:
    if not late.delay:
        return "on time"
    cost = f"costs {plain(late.percent)} %" if late.step else "costs nothing"
    return f"{duration(late.delay)} late, {cost}"


def would_change(basis: Basis, facts: Facts, decisions: Decisions, graded: Graded) -> tuple[str, ...]:
    """What would have made the grade another one: less lateness, a better number, the report's points."""
    now = graded.grade
    if now.excused or graded.index is None or now.quality_points is None:
        return ()
    attempt = facts.tries[graded.index]
    alone = replace(facts, tries=(attempt,))
    said = [*_earlier(basis, alone, decisions, now)]
    if now.failure is None:
        said += _better(basis, alone, decisions, now, attempt)
    if now.report_points is None:
        most = basis.rubric.points.report
        full = grade(basis, replace(alone, report_points=most), decisions).grade
        if full.final_points is not None:
            said.append(f"The report's points are to come: {plain(most)} would make it {full.final_points:.2f} points.")
    return tuple(said)


def _earlier(basis: Basis, facts: Facts, decisions: Decisions, now: Grade) -> Iterator[str]:
    """Handed in on time, and by the end of the next cheaper step."""
    counted = [late for late in (now.lateness, now.report_lateness) if late and late.step]
    if not counted:
        return
    worst = max(counted, key=lambda late: late.delay)
    steps = basis.rubric.late.steps
    limits = [worst.deadline]
    if worst.step > 1:
        limits.append(worst.deadline.astimezone(dt.UTC) + dt.timedelta(days=steps[worst.step - 2].days))
    for limit in limits:
        attempt = facts.tries[0]
        report_at = facts.report_at and min(facts.report_at, limit)
        earlier = replace(facts, tries=(replace(attempt, at=min(attempt.at, limit)),), report_at=report_at)
        then = grade(basis, earlier, decisions).grade
        if _points(then) > _points(now):
            less = duration(worst.submitted_at.astimezone(dt.UTC) - limit.astimezone(dt.UTC))
            yield (
                f"Handed in by {limit.astimezone(basis.rubric.zone):%Y-%m-%d %H:%M:%S} ({less} earlier), the same "
                f"would have got {_points(then):.2f} points instead of {_points(now):.2f}."
            )


def _better(basis: Basis, facts: Facts, decisions: Decisions, now: Grade, attempt: Try) -> Iterator[str]:
    """Each metric at the next better anchor of its curve."""
    for line in basis.scale.curves:
        value = attempt.values[line.metric]
        aim = max((anchor for anchor in line.anchors if anchor.score < value), key=lambda a: a.score, default=None)
        if aim is None:
            continue
        better = replace(attempt, values={**attempt.values, line.metric: aim.score})
        then = grade(basis, replace(facts, tries=(better,)), decisions).grade
        if _points(then) > _points(now):
            yield (
                f"{line.label} at {aim.name}, {score(value - aim.score)} lower, would have got "
                f"{_points(then):.2f} points instead of {_points(now):.2f}."
            )


def _points(found: Grade) -> float:
    """Final points, or the quality points after lateness where those are all there is."""
    points = found.provisional_points if found.final_points is None else found.final_points
    return points or 0.0
