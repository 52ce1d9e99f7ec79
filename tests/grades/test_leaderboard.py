"""Grades of a whole class: sums by hand, order, what is missing and why, and what must never change a grade."""

import datetime as dt
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import CourseError
from grader.grades.late import TimeSource
from grader.grades.leaderboard import Grade, leaderboard
from grader.grades.ledger import parse
from grader.grades.ranking import ranks
from grader.intake.submission import Attempt
from grader.metrics.scores import Scores
from grader.rerun.evidence import Kind
from tests.grades.making import GRIFFIN_LIM, ON_TIME, course, rerun, result, scores, the_rubric

RUBRIC = the_rubric()
LATE = {days: ON_TIME + dt.timedelta(days=days) for days in (0, 1, 2, 3)}


def one(grade_of: Scores | None = None, *, rubric: Any = RUBRIC, report: float | None = 45, days: int = 0) -> Grade:
    """The grade of a single student, with M-STFT 1.6866 (70 %, 35 points) unless told otherwise."""
    found = course(result("R1", grade_of or scores(1.6866, 0.15, 0.6)))
    board = leaderboard(rubric, found, {"R1": LATE[days]}, {} if report is None else {"R1": report})
    return board.rows[0].grade


def test_by_hand_on_time() -> None:
    grade = one()
    assert (grade.quality_percent, grade.quality_points, grade.report_points) == (70, 35, 45)
    assert (grade.final_points, grade.semester_percent) == (80, 16)
    assert grade.final_why == (
        "35.00 for quality + 45 for the report = 80.00 of 100 points; that is 16.00 of the 20 % of the semester."
    )


@pytest.mark.parametrize(("days", "final", "semester"), [(1, 64, 12.8), (2, 48, 9.6), (3, 32, 6.4)])
def test_by_hand_late(days: int, final: float, semester: float) -> None:
    grade = one(days=days)
    assert (grade.final_points, grade.semester_percent) == (final, semester)


def test_lateness_as_points_of_the_whole() -> None:
    grade = one(rubric=the_rubric({"late.deduct": "points"}), days=2)
    assert grade.final_points == 40
    assert grade.final_why.startswith("35.00 for quality + 45 for the report − 40 for lateness = 40.00 of 100")
    poor = one(rubric=the_rubric({"late.deduct": "points"}), days=3, report=5)
    assert poor.final_points == 0
    assert "not below 0 = 0.00" in poor.final_why


def test_without_report_points_the_final_waits_and_quality_stands() -> None:
    grade = one(report=None, days=1)
    assert (grade.final_points, grade.semester_percent) == (None, None)
    assert grade.final_why == grade.report_why == "the report has no points yet"
    assert (grade.quality_points, grade.provisional_points) == (35, 28)


def test_a_rubric_without_report_needs_no_report_points() -> None:
    grade = one(rubric=the_rubric({"points.report": 0, "points.quality": 100}), report=None)
    assert (grade.quality_points, grade.report_points, grade.final_points) == (70, 0, 70)


def test_the_files_own_time_is_used_and_marked() -> None:
    board = leaderboard(RUBRIC, course(result("R1", scores(1.2, 0.1, 1), file_time=LATE[1].astimezone(dt.UTC))), {}, {})
    late = board.ranked[0].grade.lateness
    assert late is not None
    assert (late.source, late.step, late.submitted_at) == (TimeSource.FILE, 1, LATE[1])


def test_the_table_goes_before_the_file() -> None:
    board = leaderboard(RUBRIC, course(result("R1", scores(1.2, 0.1, 1), file_time=LATE[3])), {"R1": ON_TIME}, {})
    late = board.ranked[0].grade.lateness
    assert late is not None
    assert (late.source, late.step) == (TimeSource.TABLE, 0)


def test_the_graded_attempts_time_counts_not_a_newer_ones() -> None:
    found = result("R1", scores(1.2, 0.1, 1))
    newer = Attempt(Path("submissions/r1-1.zip"), 1, LATE[3])
    found = replace(found, hand_in=replace(found.hand_in, attempts=(*found.hand_in.attempts, newer)))
    late = leaderboard(RUBRIC, course(found), {}, {}).ranked[0].grade.lateness
    assert late is not None
    assert late.step == 0


def test_ties_share_a_rank_and_failures_have_none() -> None:
    board = leaderboard(
        RUBRIC,
        course(
            result("R4", scores(1.5, 0.1, 1)),
            result("R3", scores(1.2, 0.3, 1)),
            result("R2", scores(1.2, 0.2, 1)),
            result("R1", scores(1.9, 0.1, 1)),
            result("R0", None, failure="clip 017.wav is silent"),
        ),
        {},
        {"R0": 40},
    )
    assert [(row.grade.student_id, row.grade.rank) for row in board.ranked] == [
        ("R2", 1),
        ("R3", 1),
        ("R4", 3),
        ("R1", 4),
    ]
    (failed,) = board.unranked
    assert failed.grade.rank is failed.grade.quality_points is failed.grade.final_points is None
    assert failed.grade.final_why == "no final points: clip 017.wav is silent"
    assert failed.grade.report_points == 40


def test_a_failure_is_not_ranked_even_where_scores_were_kept() -> None:
    board = leaderboard(RUBRIC, course(result("R1", scores(0.1, 0.1, 0.1), failure="another zip is newer")), {}, {})
    assert not board.ranked


def test_ranked_by_the_rubrics_metric() -> None:
    rubric = the_rubric(
        {"metrics.rank_by": "fad", "points.anchors": [{"score": 0.5, "percent": 100}, {"score": 5, "percent": 0}]}
    )
    missing = scores(1.0, 0.1, None, left_out={"fad": {"all": "too few patches"}})
    board = leaderboard(
        rubric,
        course(result("R1", scores(1.0, 0.1, 2.0)), result("R2", scores(9.0, 9.0, 1.0)), result("R3", missing)),
        {},
        {},
    )
    assert [row.grade.student_id for row in board.ranked] == ["R2", "R1"]
    assert board.unranked[0].grade.failure == "no FAD: all: too few patches"


def test_baselines_are_rungs_and_take_no_rank() -> None:
    board = leaderboard(RUBRIC, course(result("R1", scores(3.0, 0.1, 1))), {}, {})
    (rung,) = board.rungs
    assert (rung.label, rung.score, rung.quality_percent) == ("Griffin-Lim", 2.2312, 40)
    assert board.ranked[0].grade.rank == 1


def test_who_stands_in_a_table_but_handed_in_nothing_is_named() -> None:
    board = leaderboard(RUBRIC, course(), {"R8": ON_TIME}, {"R9": 44})
    assert [row.grade.student_id for row in board.unranked] == ["R8", "R9"]
    for row in board.unranked:
        assert row.result is None
        assert "nothing of this student lies in submissions/" in (row.grade.failure or "")
        assert row.grade.lateness is None


def test_distances_of_two_kinds_are_not_put_in_one_column() -> None:
    with pytest.raises(CourseError, match="mix FAD and FD-logmel"):
        leaderboard(RUBRIC, course(result("R1", scores(1, 0.1, 13, fad_name="FD-logmel"))), {}, {})


measured = st.floats(0, 12)


@settings(max_examples=30, deadline=None)
@given(st.lists(measured, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_students_changes_nothing(values: list[float], random: Any) -> None:
    results = [result(f"R{index}", scores(value, 0.1, 1)) for index, value in enumerate(values)]
    times = {"R0": LATE[1], "R1": LATE[2]}
    board = leaderboard(RUBRIC, course(*results), times, {"R0": 30, "R2": 40})
    random.shuffle(results)
    shuffled = leaderboard(RUBRIC, course(*results), dict(reversed(times.items())), {"R2": 40, "R0": 30})
    assert shuffled == board
    assert leaderboard(RUBRIC, course(*results), times, {"R0": 30, "R2": 40}) == board


@settings(max_examples=40, deadline=None)
@given(measured, measured, st.integers(0, 3), st.floats(0, 50), st.sampled_from(["factor", "points"]))
def test_a_better_metric_never_lowers_a_grade(one_: float, other: float, days: int, report: float, how: str) -> None:
    rubric = the_rubric({"late.deduct": how})
    better, worse = (
        one(scores(value, 0.1, 1), rubric=rubric, report=report, days=days) for value in sorted((one_, other))
    )
    assert (better.final_points or 0) >= (worse.final_points or 0)
    assert (better.provisional_points or 0) >= (worse.provisional_points or 0)


@settings(max_examples=40, deadline=None)
@given(measured, st.floats(0, 50), st.sampled_from(["factor", "points"]))
def test_a_day_more_never_raises_a_grade(value: float, report: float, how: str) -> None:
    grades = [
        one(scores(value, 0.1, 1), rubric=the_rubric({"late.deduct": how}), report=report, days=days) for days in LATE
    ]
    for earlier, later in itertools.pairwise(grades):
        assert (later.final_points or 0) <= (earlier.final_points or 0)
        assert (later.provisional_points or 0) <= (earlier.provisional_points or 0)
        assert later.rank == earlier.rank


@given(st.dictionaries(st.text(max_size=3), st.sampled_from([0.5, 1.0, 1.5, 2.0]), max_size=8))
def test_a_rank_is_one_more_than_the_number_of_better_scores(values: dict[str, float]) -> None:
    assert ranks(values) == {
        name: 1 + sum(other < value for other in values.values()) for name, value in values.items()
    }


def test_the_baselines_own_score_earns_what_the_rubric_says() -> None:
    grade = one(GRIFFIN_LIM)
    assert grade.quality_percent == 40


def test_a_rerun_stands_beside_the_upload_that_it_was_about() -> None:
    rubric = the_rubric({"late.several_hand_ins": "best"})
    latest = result("R1", scores(2.0, 0.1, 1), attempts=2)
    for first, beside in ((3.0, True), (1.2, False)):
        earlier = replace(result("R1", scores(first, 0.1, 1)), hand_in=latest.hand_in)
        found = course(replace(latest, earlier=(earlier,)))
        (row,) = leaderboard(rubric, found, {}, {}, {"R1": rerun("R1", Kind.REPRODUCED)}).rows
        assert (row.rerun is not None) == beside
        assert row.grade.score == min(first, 2.0)


def test_report_points_in_both_places_must_be_the_same() -> None:
    line = "- {at: 2023-11-03, by: lin, reason: r, student: r1, kind: report, points: 44}\n"
    found = course(result("R1", scores(1.2, 0.1, 1)))
    ledger = parse(line, RUBRIC, "decisions.yaml")
    assert leaderboard(RUBRIC, found, {}, {"R1": 44}, None, ledger).rows[0].grade.report_points == 44
    with pytest.raises(CourseError, match=r"decisions.yaml:1: points: the report of R1 has 44 points here and 40 in"):
        leaderboard(RUBRIC, found, {}, {"R1": 40}, None, ledger)


def test_a_decision_about_nobody_is_refused_unless_the_roster_knows_them() -> None:
    line = "- {at: 2023-11-03, by: lin, reason: r, student: r2, kind: excuse}\n"
    found = course(result("R1", scores(1.2, 0.1, 1)))
    ledger = parse(line, RUBRIC, "decisions.yaml")
    with pytest.raises(CourseError, match=r"decisions.yaml:1: student: nobody here is called R2"):
        leaderboard(RUBRIC, found, {}, {}, None, ledger)
    board = leaderboard(RUBRIC, found, {}, {}, None, ledger, {"R2", "R3"})
    assert [(row.grade.student_id, row.grade.excused) for row in board.unranked] == [("R2", True), ("R3", False)]
    assert board.unranked[1].grade.failure == (
        "named in students.csv, but nothing of this student lies in submissions/"
    )
