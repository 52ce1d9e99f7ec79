"""One student's grade from facts, decisions and the rubric: the whole calculation, and every sentence about it.

Pure and without memory, so that a grade under another rubric, another decision or another time is one more call.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from grader.grades.decisions import Bonus, Excuse, Extension, Part, Points, ReportPoints, Waiver, signed
from grader.grades.facts import Facts, Try
from grader.grades.late import Allowance, Lateness, TimeSource, deduct, lateness
from grader.grades.ledger import Decisions
from grader.grades.numbers import hundredths, plain
from grader.grades.points import Scale, metric_label
from grader.grades.records import Grade
from grader.rubric import Rubric, last_instant

NOTHING = Decisions()


@dataclass(frozen=True)
class Basis:
    """What is the same for everyone. fad_name: what stands in for FAD, or ``FAD``."""

    rubric: Rubric
    scale: Scale
    fad_name: str = "FAD"

    @property
    def needed(self) -> dict[str, str]:
        """The metrics without which there is no grade, the ranking one first, with their names."""
        metrics = (self.rubric.metrics.rank_by, *self.scale.metrics)
        return {metric: metric_label(metric, self.fad_name) for metric in metrics}


@dataclass(frozen=True)
class Graded:
    """A grade (without its rank), and which of the tries it rests on."""

    grade: Grade
    index: int | None


def grade(basis: Basis, facts: Facts, decisions: Decisions = NOTHING) -> Graded:
    """Grade one student by the try that earns most after lateness; ``facts`` hold one where only the latest counts."""
    excuse = decisions.first(Excuse)
    if excuse:
        return Graded(_excused(facts, decisions, excuse), _latest(facts))
    if not facts.tries:
        return Graded(_of_try(basis, facts, decisions, None), None)
    of_each = [_of_try(basis, facts, decisions, each) for each in facts.tries]

    def worth(index: int) -> tuple[float, ...]:
        found = of_each[index]
        points = found.provisional_points if found.final_points is None else found.final_points
        nothing = -1.0
        return (
            float(found.failure is None),
            nothing if points is None else points,
            nothing if found.quality_points is None else found.quality_points,
            -(found.score or 0.0),
            index,
        )

    index = max(range(len(of_each)), key=worth)
    chosen = of_each[index]
    if len(of_each) > 1:
        said = f" Of {len(of_each)} hand-ins {facts.tries[index].file} counts, which earns most after lateness."
        chosen = replace(chosen, late_why=chosen.late_why + said)
    return Graded(chosen, index)


def _latest(facts: Facts) -> int | None:
    return len(facts.tries) - 1 if facts.tries else None


def allowance(rubric: Rubric, decisions: Decisions, part: Part) -> Allowance:
    """What extensions and waivers allow for a part of the hand-in."""
    deadlines = [extended_to(rubric, each) for each in decisions.of(Extension) if each.part in (None, part)]
    waiver = next((each for each in decisions.of(Waiver) if each.part in (None, part)), None)
    return Allowance(max(deadlines, default=None), waiver.sentence() if waiver else "")


def extended_to(rubric: Rubric, extension: Extension) -> dt.datetime:
    """The last instant on time by an extension."""
    if extension.until is not None:
        return last_instant(extension.until, rubric.zone)
    later = rubric.deadline_at.astimezone(dt.UTC) + dt.timedelta(days=extension.days or 0)
    return later.astimezone(rubric.zone)


def _of_try(basis: Basis, facts: Facts, decisions: Decisions, attempt: Try | None) -> Grade:
    rubric = basis.rubric
    if attempt is None:
        failure: str | None = facts.absence
        whose = facts.whose
    else:
        failure, whose = attempt.problem(basis.needed)
    score = attempt.values[rubric.metrics.rank_by] if attempt and failure is None else None
    percent, quality, quality_why = _quality(basis, decisions, attempt, failure)
    report, report_why = _report(rubric, facts, decisions)
    late = _late(rubric, facts, decisions, attempt)
    bonus, bonus_why = _bonus(rubric, decisions)
    provisional = None if quality is None else late.after(quality, None)
    final, semester, final_why = _final(rubric, decisions, late, quality, report, bonus, failure, report_why)
    return Grade(
        student_id=facts.student_id,
        score=score,
        quality_percent=percent,
        quality_points=quality,
        quality_why=quality_why,
        report_points=report,
        report_why=report_why,
        lateness=late.hand_in,
        late_why=late.why,
        provisional_points=provisional,
        final_points=final,
        semester_percent=semester,
        final_why=final_why,
        failure=failure,
        whose=whose,
        bonus_points=bonus,
        bonus_why=bonus_why,
        report_lateness=late.report if late.apart else None,
        ledger_lines=tuple(each.line() for each in decisions.holding),
    )


def _excused(facts: Facts, decisions: Decisions, excuse: Excuse) -> Grade:
    why = f"excused: {excuse.reason} (decided by {excuse.by}, {excuse.at})"
    return Grade(
        student_id=facts.student_id,
        quality_why=why,
        report_why=why,
        late_why=why,
        final_why=why,
        failure=why,
        excused=True,
        ledger_lines=tuple(each.line() for each in decisions.holding),
    )


def _quality(
    basis: Basis, decisions: Decisions, attempt: Try | None, failure: str | None
) -> tuple[float | None, float | None, str]:
    """Percent, points and why, the manual points included."""
    most = basis.rubric.points.quality
    percent = points = None
    why = f"no quality points: {failure}"
    if attempt and failure is None:
        percent = basis.scale.percent(attempt.values)
        points = hundredths(most * percent / 100)
        why = basis.scale.why(attempt.values, most)
    points, said = _by_hand(decisions, "quality", points, most)
    if said and points is not None:
        percent = hundredths(points / most * 100) if most else 0.0
    return percent, points, " ".join([why, *said])


def _report(rubric: Rubric, facts: Facts, decisions: Decisions) -> tuple[float | None, str]:
    most = rubric.points.report
    if most == 0:
        return 0.0, "the report carries no points in this rubric"
    points, source = facts.report_points, "report_points.csv"
    decided = decisions.first(ReportPoints)
    if points is None and decided:
        points, source = decided.points, f"{decided.reason}; decided by {decided.by}, {decided.at}"
    why = (
        "the report has no points yet"
        if points is None
        else f"{plain(points)} of {plain(most)} report points ({source})."
    )
    points, said = _by_hand(decisions, "report", points, most)
    return points, " ".join([why, *said])


def _by_hand(decisions: Decisions, what: str, points: float | None, most: float) -> tuple[float | None, list[str]]:
    """``points`` after those that were set or added by decision, within 0 … most, and a sentence for each."""
    said = []
    manual = [each for each in decisions.of(Points) if each.what == what]
    for each in sorted(manual, key=lambda each: each.set is None):
        if each.set is not None:
            points = each.set
        elif points is not None:
            points = min(max(points + (each.add or 0), 0.0), most)
        else:
            said.append(f"By decision {signed(each.add or 0)} ({each.reason}), once there are points.")
            continue
        points = hundredths(points)
        how = f"set to {plain(each.set)}" if each.set is not None else signed(each.add or 0)
        said.append(f"By decision {how} ({each.reason}; decided by {each.by}, {each.at}): {points:.2f}.")
    return points, said


def _bonus(rubric: Rubric, decisions: Decisions) -> tuple[float, str]:
    given = decisions.of(Bonus)
    if not given:
        return 0.0, ""
    worth = [each.points if each.points is not None else getattr(rubric.bonus, each.what) for each in given]
    total = hundredths(min(sum(worth), rubric.bonus.most))
    terms = " + ".join(f"{plain(points)} ({each.what})" for points, each in zip(worth, given, strict=True))
    limit = f", but {plain(rubric.bonus.most)} at most" if sum(worth) > rubric.bonus.most else ""
    return total, f"Bonus: {terms}{limit} = {plain(total)} points."


@dataclass(frozen=True)
class _Late:
    """Both parts' lateness, and what remains of points after it. apart: each part has its own."""

    rubric: Rubric
    prediction: Lateness | None
    report: Lateness | None
    why: str

    @property
    def apart(self) -> bool:
        return self.rubric.late.parts == "separately" and self.report is not None

    @property
    def hand_in(self) -> Lateness | None:
        """Of the whole, or of the prediction where each part has its own."""
        if self.prediction is None or self.report is None or self.apart:
            return self.prediction
        return max(self.prediction, self.report, key=lambda late: (late.percent, late.delay))

    def costs(self) -> tuple[float, float]:
        """Percent of the prediction and of the report."""
        whole = self.hand_in.percent if self.hand_in else 0.0
        return whole, self.report.percent if self.apart and self.report else whole

    def after(self, quality: float, report: float | None) -> float:
        """What remains of quality and report points; of the quality points alone where the report has none."""
        late, points = self.rubric.late, self.rubric.points
        of_quality, of_report = self.costs()
        if not self.apart:
            return deduct(late, quality + (report or 0.0), points.quality + points.report, of_quality)
        kept = deduct(late, quality, points.quality, of_quality)
        return kept if report is None else hundredths(kept + deduct(late, report, points.report, of_report))


def _late(rubric: Rubric, facts: Facts, decisions: Decisions, attempt: Try | None) -> _Late:
    if attempt is None:
        return _Late(rubric, None, None, "no hand-in, so no time")
    prediction = lateness(rubric, attempt.at, attempt.source, allowance(rubric, decisions, "prediction"))
    if rubric.points.report == 0:
        return _Late(rubric, prediction, None, prediction.why)
    at, source = (facts.report_at, TimeSource.TABLE) if facts.report_at else (attempt.at, attempt.source)
    allowed = allowance(rubric, decisions, "report")
    if facts.report_at is None and allowed == allowance(rubric, decisions, "prediction"):
        return _Late(rubric, prediction, None, prediction.why)
    report = lateness(rubric, at, source, allowed, "Report handed in")
    counts = "" if rubric.late.parts == "separately" else " What costs more counts for both."
    return _Late(rubric, prediction, report, f"{prediction.why} {report.why}{counts}")


def _final(
    rubric: Rubric,
    decisions: Decisions,
    late: _Late,
    quality: float | None,
    report: float | None,
    bonus: float,
    failure: str | None,
    report_why: str,
) -> tuple[float | None, float | None, str]:
    """Final points, their share of the semester, and why."""
    total = rubric.points.quality + rubric.points.report
    most = total + (rubric.bonus.most if rubric.bonus.beyond_full else 0.0)
    final, why = None, report_why
    if quality is None:
        why = f"no final points: {failure}"
    elif report is not None:
        kept = late.after(quality, report)
        final = hundredths(min(kept + bonus, most)) if bonus else kept
        why = _sum(late, quality, report, kept, bonus) + f" = {final:.2f} of {plain(total)} points"
    before = final
    final, said = _by_hand(decisions, "final", final, most)
    if final is None:
        return None, None, why
    if before is None:
        why = ""
    semester = hundredths(final / total * rubric.semester_weight_percent) if total else 0.0
    share = f"{semester:.2f} of the {plain(rubric.semester_weight_percent)} % of the semester"
    if said:
        return final, semester, " ".join(([f"{why}."] if why else []) + said) + f" That is {share}."
    return final, semester, f"{why}; that is {share}."


def _sum(late: _Late, quality: float, report: float, kept: float, bonus: float) -> str:
    """The left side of the sum that gives the final points."""
    rubric = late.rubric
    total = rubric.points.quality + rubric.points.report
    of_quality, of_report = late.costs()
    factor = rubric.late.deduct == "factor"

    def part(said: str, most: float, cost: float) -> str:
        if not cost:
            return said
        return f"{said} × {1 - cost / 100:g}" if factor else f"({said} − {plain(most * cost / 100)} for lateness)"

    two = f"{quality:.2f} for quality", f"{plain(report)} for the report"
    if late.apart:
        first, second = rubric.points.quality, rubric.points.report
        earned = f"{part(two[0], first, of_quality)} + {part(two[1], second, of_report)}"
    elif of_quality and factor:
        earned = f"({two[0]} + {two[1]}) × {1 - of_quality / 100:g}"
    elif of_quality:
        floor = ", but not below 0" if not kept else ""
        earned = f"{two[0]} + {two[1]} − {plain(total * of_quality / 100)} for lateness{floor}"
    else:
        earned = f"{two[0]} + {two[1]}"
    return earned + (f" + {plain(bonus)} bonus" if bonus else "")
