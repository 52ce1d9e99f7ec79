"""``grader decide``: words of a command line as lines of the ledger."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.errors import CourseError
from grader.grades import ledger_file, votes
from grader.grades.decisions import KINDS, Extension
from grader.grades.grade import extended_to

_OURS = ("student", "kind", "reason", "by", "at")


def decide(
    course: Course, kind: str, who: str, values: Sequence[str], *, reason: str | None, by: str, at: str | None
) -> list[str]:
    """Append a decision (of ``votes``: one for each student with votes) and say it, a sentence each.

    values: ``key=value`` with the keys of decisions.yaml. Raises as :func:`grader.grades.ledger_file.append` does.
    """
    dated = {"at": at or f"{dt.datetime.now(course.rubric.zone):%Y-%m-%d %H:%M}"}
    if kind in ("votes", "vote"):
        if values:
            raise CourseError(f"votes take no {', '.join(values)}", help="name the file alone")
        given = votes.read(Path(who), course.rubric)
        if not given:
            raise CourseError(f"{who}: holds no votes", help="nothing was added")
        lines = [{**dated, **each, "reason": reason or "blind vote", "by": by} for each in given]
    else:
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            allowed = ", ".join(each for each in KINDS if each != "vote")
            raise CourseError(f"{kind!r} is no kind of decision{hint}", help=f"there are: {allowed}, votes")
        if not reason:
            raise CourseError("every decision needs a reason", help='add --reason "…"; the student reads it')
        lines = [{**dated, "student": who.upper(), "kind": kind, **_pairs(values), "reason": reason, "by": by}]
    result = ledger_file.append(
        course, lines, check=lambda ledger: _refuse_pointless(course, ledger.entries[-1].decision)
    )
    return [f"{entry.decision.student}: {entry.decision.sentence()}" for entry in result.entries[-len(lines) :]]


def _pairs(values: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in values:
        key, equals, value = each.partition("=")
        if not equals or not key or not value or key in _OURS or key in found:
            raise CourseError(
                f"{each!r} is no key=value" + (" that can stand here" if equals else ""),
                help="for instance until=2023-11-05T23:59, days=2, what=quality, add=-5; see `grader decide --help`",
            )
        found[key] = value
    return found


def _refuse_pointless(course: Course, decision: Any) -> None:
    """An extension that ends no later than everyone's deadline is a mistake when it is made."""
    if isinstance(decision, Extension) and extended_to(course.rubric, decision) <= course.rubric.deadline_at:
        raise CourseError(
            f"an extension {decision.value} ends no later than the deadline, {course.rubric.deadline}",
            help="look at the date again; nothing was added",
        )
