"""One student's grade: parts, several hand-ins, decisions, by hand; and what must never happen, by properties."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.grades.explain import late_lines, would_change
from grader.grades.facts import Facts, Try
from grader.grades.grade import Basis, grade
from grader.grades.late import TimeSource
from grader.grades.ledger import Decisions, parse
from grader.grades.points import scale
from grader.grades.records import Grade
from grader.rubric import Rubric
from tests.grades.making import GRIFFIN_LIM, the_rubric

RUBRIC = the_rubric()
LAST = RUBRIC.deadline_at
HOUR = dt.timedelta(hours=1)


def basis(rubric: Rubric = RUBRIC) -> Basis:
    return Basis(rubric, scale(rubric, {"griffin_lim": GRIFFIN_LIM}))


def tried(hours: float, m_stft: float | None = 1.6866, **values: float) -> Try:
    """An upload so many hours after the deadline. Without another number it earns 70 %, 35 points."""
    at = LAST + dt.timedelta(hours=hours)
    if m_stft is None:
        return Try("r1.zip", "c", at, TimeSource.TABLE, failure="no zip")
    return Try(f"r{hours}.zip", "c", at, TimeSource.TABLE, {"m_stft": m_stft, **values})


def decided(*lines: str, rubric: Rubric = RUBRIC) -> Decisions:
    text = "".join(f"- {{at: 2023-11-03 14:00, student: r1, by: lin, reason: sick, {line}}}\n" for line in lines)
    return parse(text, rubric).of("R1")


def one(
    *tries: Try,
    rubric: Rubric = RUBRIC,
    report: float | None = 45,
    report_at: float | None = None,
    lines: Sequence[str] = (),
) -> Grade:
    when = None if report_at is None else LAST + dt.timedelta(hours=report_at)
    facts = Facts("R1", tries, when, report)
    return grade(basis(rubric), facts, decided(*lines, rubric=rubric)).grade


APART = the_rubric({"late.parts": "separately"})


@pytest.mark.parametrize(
    ("rubric", "prediction", "report", "final"),
    [
        (RUBRIC, 0, 30, 48),  # (35 + 45) × 0.6
        (RUBRIC, 30, 0, 48),
        (APART, 0, 30, 62),  # 35 + 45 × 0.6
        (APART, 30, 0, 66),  # 35 × 0.6 + 45
        (the_rubric({"late.parts": "separately", "late.deduct": "points"}), 30, 1, 50),  # 35 − 20 + 45 − 10
        (the_rubric({"late.parts": "separately", "late.deduct": "points"}), 60, 0, 50),  # 35 − 30 + 45
    ],
)
def test_a_report_at_another_time(rubric: Rubric, prediction: float, report: float, final: float) -> None:
    assert one(tried(prediction), report_at=report, rubric=rubric).final_points == final


def test_both_parts_are_explained() -> None:
    found = one(tried(0), report_at=30, rubric=APART)
    assert found.final_why.startswith("35.00 for quality + 45 for the report × 0.6 = 62.00 of 100 points")
    assert "Report handed in 2023-11-03 05:59:59" in found.late_why
    assert found.lateness is not None
    assert found.report_lateness is not None
    assert (found.lateness.percent, found.report_lateness.percent) == (0, 40)
    assert one(tried(0), rubric=APART).report_lateness is None


def test_an_extension_moves_the_limits_to_the_last_microsecond() -> None:
    lines = ["kind: extension, until: 2023-11-03 23:59"]
    limit = 48.0
    assert one(tried(limit), lines=lines).final_points == 80
    after = replace(tried(limit), at=LAST + 48 * HOUR + dt.timedelta(microseconds=1))
    found = one(after, lines=lines)
    assert found.final_points == 64
    assert "after the extended deadline, 2023-11-03 23:59: late up to 1 day" in found.late_why
    assert one(tried(72), lines=lines).final_points == 64
    assert one(tried(30), lines=["kind: extension, days: 1.25"]).final_points == 80


def test_a_day_of_an_extension_is_24_hours_also_where_the_clocks_change() -> None:
    rubric = the_rubric({"timezone": "Europe/Berlin", "deadline": "2023-10-28 12:00:00"})
    decisions = decided("kind: extension, days: 1", rubric=rubric)
    last = dt.datetime.fromisoformat("2023-10-29T11:00:00+01:00")  # the clocks went back that night
    for late, percent in ((dt.timedelta(0), 0.0), (dt.timedelta(microseconds=1), 20.0)):
        upload = replace(tried(0), at=last + late)
        found = grade(basis(rubric), Facts("R1", (upload,)), decisions).grade
        assert found.lateness is not None
        assert found.lateness.percent == percent
    until = decided("kind: extension, until: 2023-10-29 12:00", rubric=rubric)
    upload = replace(tried(0), at=dt.datetime.fromisoformat("2023-10-29T11:00:59+00:00"))  # 12:00:59 on the clock there
    late = grade(basis(rubric), Facts("R1", (upload,)), until).grade.lateness
    assert late is not None
    assert late.delay == dt.timedelta(0)


def test_an_extension_for_a_part_and_a_waiver() -> None:
    part = ["kind: extension, days: 2, part: report"]
    assert one(tried(30), rubric=APART, lines=part).final_points == 66  # 35 × 0.6 + 45
    waived = one(tried(30), lines=["kind: waiver"])
    assert waived.final_points == 80
    assert waived.late_why.endswith(
        "late up to 2 days, but nothing is deducted: waiver of lateness (sick; decided by lin, 2023-11-03 14:00)."
    )


def test_of_several_the_one_that_earns_most_after_lateness_counts() -> None:
    first, better, best_but_late = tried(-1, 2.2312), tried(-0.5, 1.9), tried(50, 1.142)
    facts = Facts("R1", (first, better, best_but_late), None, 45)
    found = grade(basis(), facts)
    assert found.index == 1
    assert "Of 3 hand-ins r-0.5.zip counts" in found.grade.late_why
    assert grade(basis(), facts, decided("kind: extension, days: 3")).index == 2
    assert grade(basis(), replace(facts, tries=(first, tried(1, None)))).index == 0
    assert grade(basis(), replace(facts, tries=(tried(0, None), tried(1, None)))).index == 1
    same = grade(basis(), replace(facts, tries=(tried(-2, 0.5), tried(-1, 0.9))))
    assert same.index == 0  # all points both; the better number ranks


def test_points_by_hand() -> None:
    lines = ["kind: points, what: quality, add: 20", "kind: points, what: report, set: 50"]
    found = one(tried(1), lines=lines)
    assert (found.quality_points, found.quality_percent, found.report_points, found.final_points) == (50, 100, 50, 80)
    assert "By decision +20 (sick; decided by lin, 2023-11-03 14:00): 50.00." in found.quality_why
    assert found.report_why.startswith("45 of 50 report points (report_points.csv). By decision set to 50")
    assert one(tried(0), lines=["kind: points, what: quality, add: -40"]).quality_points == 0
    final = one(tried(60), lines=["kind: points, what: final, set: 77"])
    assert (final.final_points, final.semester_percent) == (77, 15.4)
    assert "= 32.00 of 100 points. By decision set to 77" in final.final_why
    assert (
        one(tried(0), lines=["kind: points, what: final, set: 50", "kind: points, what: final, add: 5"]).final_points
        == 55
    )


def test_one_without_scores_can_be_given_points() -> None:
    assert one(tried(0, None)).final_points is None
    found = one(tried(0, None), lines=["kind: points, what: quality, set: 10"])
    assert (found.quality_points, found.final_points, found.rank, found.failure) == (10, 55, None, "no zip")
    assert one(lines=["kind: points, what: quality, set: 10"]).final_points == 55
    assert one(lines=["kind: points, what: quality, add: 5"]).final_points is None


def test_report_points_by_decision() -> None:
    found = one(tried(0), report=None, lines=["kind: report, points: 44"])
    assert (found.report_points, found.final_points) == (44, 79)
    assert found.report_why == "44 of 50 report points (sick; decided by lin, 2023-11-03 14:00)."


def test_bonus_comes_after_lateness_and_ends_at_its_limits() -> None:
    lines = ["kind: bonus, what: presenter", "kind: bonus, what: loop", "kind: bonus, what: other, points: 1"]
    found = one(tried(1), lines=lines)
    assert (found.bonus_points, found.final_points) == (5, 69)
    assert found.bonus_why == "Bonus: 3 (presenter) + 2 (loop) + 1 (other), but 5 at most = 5 points."
    assert "× 0.8 + 5 bonus = 69.00 of 100" in found.final_why
    assert one(tried(0, 1.0), report=49, lines=lines).final_points == 100
    beyond = the_rubric({"bonus.beyond_full": True})
    assert one(tried(0, 1.0), report=49, lines=lines, rubric=beyond).final_points == 104


def test_an_excuse_leaves_no_grade() -> None:
    found = one(tried(0), lines=["kind: excuse", "kind: comment"])
    assert found.excused
    assert (found.score, found.quality_points, found.final_points, found.lateness) == (None, None, None, None)
    assert found.failure == "excused: sick (decided by lin, 2023-11-03 14:00)"
    assert [line.kind for line in found.ledger_lines] == ["excuse", "comment"]


TWO_METRICS = the_rubric(
    {
        "points.anchors": None,
        "points.metrics": [
            {
                "metric": "m_stft",
                "weight": 3.0,
                "anchors": [{"score": 1.0, "percent": 100}, {"score": 3.0, "percent": 0}],
            },
            {
                "metric": "log2_f0",
                "weight": 1.0,
                "anchors": [{"score": 0.1, "percent": 100}, {"score": 0.3, "percent": 0}],
            },
        ],
    }
)


def test_several_metrics_with_weights() -> None:
    found = one(tried(0, 1.5, log2_f0=0.2), rubric=TWO_METRICS)
    assert (found.quality_percent, found.quality_points) == (68.75, 34.38)  # 0.75 × 75 + 0.25 × 50
    assert found.quality_why == (
        "M-STFT 1.5000 lies between 1.0000, which earns 100 %, and 3.0000, which earns 0 %: 75 %; "
        "log2-F0 0.2000 lies between 0.1000, which earns 100 %, and 0.3000, which earns 0 %: 50 %. "
        "75 % × 75 % + 25 % × 50 % = 68.75 % of 50 quality points = 34.38."
    )
    lacking = one(tried(0, 1.5), rubric=TWO_METRICS)
    assert lacking.failure == "no log2-F0: not scored yet"


def test_what_would_have_changed_it() -> None:
    facts = Facts("R1", (tried(30),), None, 45)
    said = would_change(basis(), facts, Decisions(), grade(basis(), facts))
    assert said == (
        "Handed in by 2023-11-01 23:59:59 (1 d 6 h earlier), the same would have got 80.00 points instead of 48.00.",
        "Handed in by 2023-11-02 23:59:59 (6 h earlier), the same would have got 64.00 points instead of 48.00.",
        "M-STFT at 1.1420, 0.5446 lower, would have got 57.00 points instead of 48.00.",
    )
    waiting = replace(facts, tries=(tried(0, 1.0),), report_points=None)
    assert would_change(basis(), waiting, Decisions(), grade(basis(), waiting)) == (
        "The report's points are to come: 50 would make it 100.00 points.",
    )


def test_lateness_is_told_in_order_of_time() -> None:
    facts = Facts("R1", (tried(-1), tried(30)), LAST + 3 * HOUR)
    assert late_lines(RUBRIC, facts, decided("kind: extension, days: 1")) == (
        "2023-11-01 22:59:59: handed in r-1.zip (submissions.csv): on time",
        "2023-11-01 23:59:59: deadline",
        "2023-11-02 02:59:59: handed in the report: on time",
        "2023-11-03 05:59:59: handed in r30.zip (submissions.csv): 6 h late, costs 20 %",
        "2023-11-03 14:00:00: decided: extension by 1 d (sick; by lin)",
    )


hours = st.floats(-30, 90)
maybe_hours = st.one_of(st.none(), hours)
uploads = st.lists(st.tuples(hours, st.floats(0, 6)), min_size=1, max_size=3)
policies = st.builds(
    lambda parts, deduct, grace, after: the_rubric(
        {"late.parts": parts, "late.deduct": deduct, "late.grace_minutes": grace, "late.after_percent": after}
    ),
    st.sampled_from(["together", "separately"]),
    st.sampled_from(["factor", "points"]),
    st.sampled_from([0.0, 45.0]),
    st.sampled_from([40.0, 60.0, 100.0]),
)
reports = st.one_of(st.none(), st.floats(0, 50))
ledgers = st.lists(
    st.sampled_from(
        [
            "kind: extension, days: 1",
            "kind: extension, until: 2023-11-03 12:00, part: report",
            "kind: waiver, part: prediction",
            "kind: points, what: quality, add: -5",
            "kind: bonus, what: loop",
        ]
    ),
    unique=True,
    max_size=3,
)
few = settings(max_examples=40, deadline=None)


def points(
    rubric: Any, tries: Sequence[tuple[float, float]], report: float | None, at: float | None, lines: Any
) -> float:
    found = one(*(tried(*each) for each in tries), rubric=rubric, report=report, report_at=at, lines=lines)
    given_points = found.provisional_points if report is None else found.final_points
    assert given_points is not None
    return given_points


@few
@given(
    policies, uploads, reports, st.one_of(st.none(), hours), ledgers, st.integers(0, 2), st.floats(0, 60), st.booleans()
)
def test_lateness_never_raises_a_grade(
    rubric: Any, tries: Any, report: Any, at: Any, lines: Any, which: int, later: float, the_report_too: bool
) -> None:
    which %= len(tries)
    moved = [(hour + later * (index == which), score) for index, (hour, score) in enumerate(tries)]
    at_later = at + later if at is not None and the_report_too else at
    assert points(rubric, moved, report, at_later, lines) <= points(rubric, tries, report, at, lines)


@few
@given(policies, uploads, reports, ledgers, st.integers(0, 2), st.floats(0, 1))
def test_a_better_number_never_lowers_a_grade(
    rubric: Any, tries: Any, report: Any, lines: Any, which: int, share: float
) -> None:
    which %= len(tries)
    better = [(hour, score * share if index == which else score) for index, (hour, score) in enumerate(tries)]
    assert points(rubric, better, report, None, lines) >= points(rubric, tries, report, None, lines)


@few
@given(
    policies,
    uploads,
    reports,
    maybe_hours,
    ledgers,
    st.sampled_from(["", ", part: report", ", part: prediction"]),
    st.one_of(
        st.floats(0.01, 5).map(lambda d: f"days: {d:.4f}"), st.integers(1, 9).map(lambda d: f"until: 2023-11-0{d}")
    ),
)
def test_an_extension_or_a_waiver_never_hurts(
    rubric: Any, tries: Any, report: Any, at: Any, lines: Any, part: str, how: str
) -> None:
    others = [line for line in lines if "kind: points" in line or "kind: bonus" in line]
    before = points(rubric, tries, report, at, others)
    assert points(rubric, tries, report, at, [*others, f"kind: extension, {how}{part}"]) >= before
    assert points(rubric, tries, report, at, [*others, f"kind: waiver{part}"]) >= before


@few
@given(policies, uploads, reports, ledgers, st.tuples(hours, st.floats(0, 6)))
def test_one_more_hand_in_never_lowers_a_grade_where_the_best_counts(
    rubric: Any, tries: Any, report: Any, lines: Any, more: Any
) -> None:
    assert points(rubric, [*tries, more], report, None, lines) >= points(rubric, tries, report, None, lines)


@few
@given(st.floats(0, 5), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_better_number_in_any_of_several_metrics_never_lowers_a_grade(m: float, f: float, a: float, b: float) -> None:
    found = one(tried(0, m, log2_f0=f), rubric=TWO_METRICS)
    better = one(tried(0, m * a, log2_f0=f * b), rubric=TWO_METRICS)
    assert (better.final_points or 0) >= (found.final_points or 0)
