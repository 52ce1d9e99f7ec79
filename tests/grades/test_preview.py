"""A late rule looked at before it is made, and the commands about grades on a small course."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from grader import cli
from grader.course import Course
from grader.errors import CourseError
from grader.grades import snapshots
from grader.grades.leaderboard import Leaderboard
from grader.grades.preview import affected, other_rule
from grader.site import build
from tests.grades import simulation
from tests.grades.test_class_of_120 import course_of, graded, scored

CLASS = simulation.people()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, Leaderboard]:
    course = course_of(tmp_path_factory.mktemp("course"), CLASS)
    return course, graded(course, scored(CLASS, best=False))


def test_who_is_affected_by_grace_are_just_those_it_forgives(made: tuple[Course, Leaderboard]) -> None:
    course, board = made
    found = affected(board, other_rule(course.rubric, {"late.grace_minutes": 600.0}))
    forgiven = {
        row.grade.student_id
        for row in board.rows
        if row.grade.lateness and row.grade.lateness.step and row.grade.lateness.delay.total_seconds() <= 36000
    }
    assert forgiven
    assert {each.student_id for each in found} == forgiven
    for each in found:
        assert each.before.lateness is not None
        assert each.after.lateness is not None
        assert (each.before.lateness.percent, each.after.lateness.percent) == (20, 0)
        if each.before.final_points is not None:
            assert (each.after.final_points or 0) > each.before.final_points


def test_the_rule_as_it_stands_affects_nobody(made: tuple[Course, Leaderboard]) -> None:
    course, board = made
    assert affected(board, other_rule(course.rubric, {})) == []


def test_a_preview_is_what_the_rule_then_gives(made: tuple[Course, Leaderboard], tmp_path: Path) -> None:
    course, board = made
    rule = other_rule(course.rubric, {"late.parts": "separately", "deadline": "2023-11-02 12:00"})
    found = {each.student_id: each.after.final_points for each in affected(board, rule)}
    text = course.rubric_path.read_text(encoding="utf-8")
    shutil.copytree(course.root, tmp_path / "course")
    other = Course(tmp_path / "course")
    text = text.replace("parts: together", "parts: separately").replace(
        "deadline: 2023-11-01 23:59", "deadline: 2023-11-02 12:00"
    )
    other.rubric_path.write_text(text, encoding="utf-8")
    then = {row.grade.student_id: row.grade.final_points for row in graded(other, scored(CLASS, best=False)).rows}
    now = {row.grade.student_id: row.grade.final_points for row in board.rows}
    assert {name for name in now if now[name] != then[name]} <= set(found)
    assert {name: then[name] for name in found} == found
    assert len(found) > 10


def test_hand_ins_that_are_not_scored_cannot_be_previewed(made: tuple[Course, Leaderboard], tmp_path: Path) -> None:
    course, board = made
    with pytest.raises(CourseError, match="best cannot be previewed"):
        affected(board, other_rule(course.rubric, {"late.several_hand_ins": "best"}))
    best = course_of(tmp_path, CLASS, best=True)
    found = affected(
        graded(best, scored(CLASS, best=True)), other_rule(best.rubric, {"late.several_hand_ins": "latest"})
    )
    assert found


@pytest.fixture
def run(made: tuple[Course, Leaderboard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command on a copy of the course, whose scores are made up."""
    root = tmp_path / "course"
    shutil.copytree(made[0].root, root)
    monkeypatch.setattr(build, "grade", lambda course, **_: graded(course, scored(CLASS, best=False)))

    def command(*words: str) -> Result:
        return CliRunner().invoke(cli.main, [*words, "--course", str(root)], env={"COLUMNS": "100"})

    command.course = Course(root)  # type: ignore[attr-defined]
    return command


def test_grader_late(run: Any) -> None:
    done = run("late")
    assert done.exit_code == 0, done.output
    assert "60 %" in done.output
    assert "service" in done.output  # the waiver's reason
    students = json.loads(run("late", "--json").output)["students"]
    assert len(students) == 120
    assert sum(bool(each["late_percent"]) for each in students) > 20


def test_grader_late_preview(run: Any) -> None:
    before = {path: path.read_bytes() for path in run.course.root.iterdir() if path.is_file()}
    done = run("late", "--preview", "--grace", "600", "--after", "80")
    assert done.exit_code == 0, done.output
    assert "grace: 0 min → 600 min" in done.output
    assert "nothing was changed" in done.output
    assert {path: path.read_bytes() for path in before} == before
    found = json.loads(run("late", "--preview", "--grace", "600", "--json").output)["affected"]
    assert {each["after"]["late_percent"] for each in found} == {0}
    other = run.course.root / "other.yaml"
    other.write_text(
        run.course.rubric_path.read_text(encoding="utf-8").replace("after_percent: 60", "after_percent: 90")
    )
    assert "later 60 % → 1 d 20 %, 2 d 40 %, later 90 %" in run("late", "--preview", "--rubric", str(other)).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("late", "--grace", "5"), "add --preview"),
        (("late", "--preview", "--deadline", "tomorrow"), "deadline: Value error, must be a time"),
        (("late", "--preview", "--after", "20"), "must not cost less"),
        (("late", "--preview", "--several", "best"), "cannot be previewed"),
        (("diff",), "no snapshots are kept so far"),
        (("diff", "1", "2", "3"), "two snapshots"),
    ],
)
def test_wrong_use(run: Any, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.output


def test_a_decision_and_the_difference_it_makes(run: Any) -> None:
    student = CLASS[0].student_id
    snapshots.take(build.grade(run.course, processes=1, shown=None), run.course.snapshots)  # type: ignore[arg-type]
    done = run(
        "decide", "bonus", student.lower(), "what=other", "points=1.5", "--reason", "helped others", "--by", "Lin"
    )
    assert done.exit_code == 0, done.output
    assert f"{student}: bonus other 1.5 (helped others; decided by Lin" in done.output
    done = run("diff", "1", "now")
    assert f"{student}: " in done.output
    assert "+1.50 by the decision bonus other 1.5 (helped others; decided by Lin" in done.output
    assert done.output.rstrip().endswith("moved: 1 of 120")
    found = json.loads(run("diff", "1", "now", "--json").output)
    assert [each["student_id"] for each in found["students"]] == [student]
    assert found["after"]["number"] is None
