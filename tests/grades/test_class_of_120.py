"""A class of 120, graded from its course folder's tables and compared number by number with a slow calculation."""

import csv
import datetime as dt
import io
import random
from dataclasses import replace
from pathlib import Path

import pytest

from grader import rubric
from grader.course import Course
from grader.findings import Whose
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.intake.submission import Attempt, HandIn
from grader.scoring import CourseScores, StudentResult
from grader.site import tables
from tests.grades import simulation
from tests.grades.making import GRIFFIN_LIM, scores
from tests.grades.simulation import Expected, Person

CLASS = simulation.people()


def course_of(root: Path, everyone: list[Person], *, best: bool = False, separately: bool = False) -> Course:
    """The course folder's tables, and its rubric with the policy asked for."""
    text = rubric.default_path().read_text(encoding="utf-8")
    if best:
        text = text.replace("several_hand_ins: latest", "several_hand_ins: best")
    if separately:
        text = text.replace("parts: together", "parts: separately")
    (root / "rubric.yaml").write_text(text, encoding="utf-8")
    (root / "submissions.csv").write_text(simulation.submissions_csv(everyone), encoding="utf-8")
    (root / "report_points.csv").write_text(simulation.report_points_csv(everyone), encoding="utf-8")
    (root / "students.csv").write_text(simulation.students_csv(everyone), encoding="utf-8")
    (root / "decisions.yaml").write_text(simulation.decisions_yaml(everyone), encoding="utf-8")
    return Course(root)


def scored(everyone: list[Person], *, best: bool) -> CourseScores:
    """What scoring gives for the class, without any audio."""
    students = {}
    for person in everyone:
        attempts = tuple(
            Attempt(Path("submissions") / person.file(index), index, dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
            for index in range(len(person.uploads))
        )
        hand_in = HandIn(person.student_id, attempts)
        results = [
            StudentResult(
                person.student_id,
                hand_in,
                attempt,
                None,
                None if upload.m_stft is None else scores(upload.m_stft, 0.2, 1.0),
                "cannot be opened" if upload.m_stft is None else None,
                Whose.STUDENT if upload.m_stft is None else None,
                content=f"c{index}",
            )
            for index, (attempt, upload) in enumerate(zip(attempts, person.uploads, strict=True))
        ]
        if results:
            students[person.student_id] = replace(results[-1], earlier=tuple(results[:-1]) if best else ())
    return CourseScores(students, {"griffin_lim": GRIFFIN_LIM})


def graded(course: Course, found: CourseScores) -> Leaderboard:
    return leaderboard(
        course.rubric, found, course.sent(), course.report_points(), None, course.ledger(), course.roster()
    )


POLICIES = [(best, separately) for best in (False, True) for separately in (False, True)]


@pytest.mark.parametrize(("best", "separately"), POLICIES)
def test_every_number_is_what_a_slow_calculation_gives(tmp_path: Path, best: bool, separately: bool) -> None:
    course = course_of(tmp_path, CLASS, best=best, separately=separately)
    board = graded(course, scored(CLASS, best=best))
    wanted = {each.student_id: simulation.expected(each, best=best, separately=separately) for each in CLASS}
    found = {
        row.grade.student_id: Expected(
            row.grade.quality_points,
            row.grade.lateness.percent if row.grade.lateness else None,
            row.grade.report_points,
            row.grade.bonus_points,
            row.grade.final_points,
            row.grade.semester_percent,
            wanted[row.grade.student_id].counted,
        )
        for row in board.rows
    }
    assert found == wanted
    counted = {person.student_id: person.uploads for person in CLASS}
    ranked = {
        student_id: counted[student_id][each.counted].m_stft
        for student_id, each in wanted.items()
        if each.counted is not None and each.quality is not None
    }
    order = sorted(ranked, key=lambda student_id: (ranked[student_id], student_id))
    assert [row.grade.student_id for row in board.ranked] == order
    assert [row.grade.rank for row in board.ranked] == list(range(1, len(order) + 1))


def test_the_class_holds_what_it_should() -> None:
    late = [simulation.expected(each, best=False, separately=True).late_percent for each in CLASS]
    assert all(late.count(percent) >= 9 for percent in (20, 40, 60))
    assert len(CLASS) == 120
    assert sum(not each.uploads for each in CLASS) == 1
    assert sum(len(each.uploads) > 1 for each in CLASS) >= 15
    assert any('"' in each.name and "," in each.name for each in CLASS)
    changed = [
        each
        for each in CLASS
        if simulation.expected(each, best=True, separately=False).final
        != simulation.expected(each, best=False, separately=False).final
    ]
    assert len(changed) > 5


def test_the_table_says_the_same(tmp_path: Path) -> None:
    board = graded(course_of(tmp_path, CLASS), scored(CLASS, best=False))
    text = tables.leaderboard_csv(board).removeprefix("\ufeff")
    rows = {row["student_id"]: row for row in csv.DictReader(io.StringIO(text)) if row["kind"] == "student"}
    assert len(rows) == 120
    for person in CLASS:
        wanted = simulation.expected(person, best=False, separately=False)
        row = rows[person.student_id]
        cells = {"quality_points": wanted.quality, "final_points": wanted.final, "semester_percent": wanted.semester}
        assert {name: float(row[name]) if row[name] else None for name in cells} == cells


def test_the_order_of_everything_in_the_folder_changes_nothing(tmp_path: Path) -> None:
    board = graded(course_of(tmp_path, CLASS), scored(CLASS, best=False))
    mixed = list(CLASS)
    random.Random(3).shuffle(mixed)
    again = graded(course_of(tmp_path, mixed), scored(mixed, best=False))
    assert [row.grade for row in again.rows] == [row.grade for row in board.rows]
    assert [row.standing for row in again.rows] == [row.standing for row in board.rows]
    assert again.podium == board.podium
