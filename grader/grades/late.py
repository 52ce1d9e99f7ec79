"""What a late hand-in costs, from the rubric's deadline, grace and steps and a student's allowances; nothing is stored.

The deadline is the last instant on time. The delay is the time that really passed since then: 24 hours are one day
also where the clocks change (as Canvas and Gradescope count). A limit belongs to the cheaper side: exactly 24 h late
is still "up to 1 day". With the deadline 23:59, which lasts until 23:59:59.999999, a hand-in at 00:00:00 is late, and
"up to 1 day" ends 24 h later at 23:59:59.999999. Grace minutes forgive; they do not move the steps.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from grader.grades.numbers import hundredths, plain
from grader.rubric import Late, Rubric


class TimeSource(StrEnum):
    """Where the time of a hand-in is from."""

    TABLE = "submissions.csv"
    FILE = "file time"  # the zip's own modification time: copying a file may change it


@dataclass(frozen=True)
class Lateness:
    """When a hand-in came and what that costs.

    submitted_at: in the rubric's time zone. delay: since the deadline, zero when on time.
    step: 0 when nothing is deducted, else 1, 2, … by the rubric's steps, the one after the last included.
    percent: deducted. deadline: this student's, the extension included.
    """

    submitted_at: dt.datetime
    source: TimeSource
    delay: dt.timedelta
    step: int
    percent: float
    why: str
    deadline: dt.datetime


@dataclass(frozen=True)
class Allowance:
    """What was decided for a student: an own deadline (an earlier one than everyone's changes nothing), or that
    lateness costs nothing. waived: why, or empty."""

    deadline: dt.datetime | None = None
    waived: str = ""


def lateness(
    rubric: Rubric,
    submitted_at: dt.datetime,
    source: TimeSource,
    allowance: Allowance = Allowance(),
    what: str = "Handed in",
) -> Lateness:
    """Judge what came at ``submitted_at`` (with a time zone) by the rubric and the student's allowance."""
    deadline = rubric.deadline_at
    extended = allowance.deadline is not None and allowance.deadline > deadline
    if extended and allowance.deadline:
        deadline = allowance.deadline
    delay = max(submitted_at.astimezone(dt.UTC) - deadline.astimezone(dt.UTC), dt.timedelta(0))
    step, name, percent = _step(rubric.late, delay)
    local = submitted_at.astimezone(rubric.zone)
    said = f"{what} {local:%Y-%m-%d %H:%M:%S} ({source})"
    due = f"the {'extended ' if extended else ''}deadline, {deadline.astimezone(rubric.zone):%Y-%m-%d %H:%M}"
    if step and allowance.waived:
        why = f"{said}, {duration(delay)} after {due}: late {name}, but nothing is deducted: {allowance.waived}."
        step, percent = 0, 0.0
    elif not delay:
        why = f"{said}, by {due}: nothing is deducted."
    elif step == 0:
        why = (
            f"{said}, {duration(delay)} after {due}, within the grace of "
            f"{plain(rubric.late.grace_minutes)} min: nothing is deducted."
        )
    else:
        of = "the points earned" if rubric.late.deduct == "factor" else "all points"
        why = f"{said}, {duration(delay)} after {due}: late {name}, which costs {plain(percent)} % of {of}."
    return Lateness(local, source, delay, step, percent, why, deadline.astimezone(rubric.zone))


def _step(late: Late, delay: dt.timedelta) -> tuple[int, str, float]:
    """Number, name and percent of the step that covers ``delay``."""
    if delay <= dt.timedelta(minutes=late.grace_minutes):
        return 0, "on time" if not delay else "within the grace", 0.0
    for number, step in enumerate(late.steps, 1):
        if delay <= dt.timedelta(days=step.days):
            return number, f"up to {_days(step.days)}", step.percent
    after = f"by more than {_days(late.steps[-1].days)}" if late.steps else "at all"
    return len(late.steps) + 1, after, late.after_percent


def deduct(late: Late, points: float, total: float, percent: float) -> float:
    """What remains of ``points`` out of ``total`` after ``percent`` is deducted as the rubric says; never below 0."""
    cost = points * percent / 100 if late.deduct == "factor" else total * percent / 100
    return hundredths(max(0.0, points - cost))


def duration(delay: dt.timedelta) -> str:
    """``2 d 3 h``, ``3 h 12 min``, ``12 min`` or ``less than a minute``, rounded down."""
    minutes = int(delay.total_seconds() // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    shown = [f"{days} d"] * bool(days) + [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return " ".join(shown[:2]) if shown else "less than a minute"


def _days(days: float) -> str:
    return "1 day" if days == 1 else f"{plain(days)} days"
