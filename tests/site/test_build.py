"""From a course folder to its site: tables first, one page at the end, and nothing half done in between."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from grader import rubric, scoring
from grader.cli import main
from grader.course import Course
from grader.errors import CourseError
from grader.progress import Progress
from grader.scoring import CourseScores
from grader.site.build import build
from tests.grades.making import GRIFFIN_LIM, course, result, scores


@pytest.fixture
def here(tmp_path: Path) -> Course:
    (tmp_path / "rubric.yaml").write_text(rubric.default_path().read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "report_points.csv").write_text("student_id,points\nr12922001,45\n")
    return Course(tmp_path)


def scored_as(monkeypatch: pytest.MonkeyPatch, found: CourseScores) -> None:
    def score_course(*_: Any, **__: Any) -> CourseScores:
        return found

    monkeypatch.setattr(scoring, "score_course", score_course)


GOOD = course(result("R12922001", scores(1.6866, 0.15, 0.6)))
CONTRARY = course(
    result("R12922001", scores(1.6866, 0.15, 0.6)), baselines={"griffin_lim": scores(0.968, 0.158, 0.798)}
)


def test_the_command_writes_and_prints(here: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    scored_as(monkeypatch, GOOD)
    done = CliRunner().invoke(main, ["leaderboard", "--course", str(here.root)])
    assert done.exit_code == 0, done.output
    assert "R12922001" in done.output
    assert "80.00" in done.output
    assert f"open {here.site / 'index.html'}" in done.output
    assert "80.00" in (here.site / "index.html").read_text(encoding="utf-8")


def test_a_wrong_table_is_told_before_any_work(here: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    def score_course(*_: Any, **__: Any) -> CourseScores:
        raise AssertionError("scored before the tables were read")

    monkeypatch.setattr(scoring, "score_course", score_course)
    (here.root / "report_points.csv").write_text("student_id,points\nr12922001,A+\n")
    with pytest.raises(CourseError, match=r"report_points\.csv:2"):
        build(here, processes=1, shown=Progress())


def test_contrary_anchors_end_with_status_2_and_leave_the_last_site(
    here: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored_as(monkeypatch, GOOD)
    build(here, processes=1, shown=Progress())
    before = {path.name: path.read_bytes() for path in here.site.iterdir() if path.is_file()}
    scored_as(monkeypatch, CONTRARY)
    done = CliRunner().invoke(main, ["leaderboard", "--course", str(here.root)])
    assert done.exit_code == 2
    assert "Griffin-Lim (0.9680) is better than 1.1420, but they earn 40 % and 100 %" in done.output
    assert {path.name: path.read_bytes() for path in here.site.iterdir() if path.is_file()} == before


def test_a_changed_late_rule_changes_the_grade_and_needs_no_new_score(
    here: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.root / "submissions.csv").write_text("student_id,submitted_at\nr12922001,2023-11-02 10:00\n")
    scored_as(monkeypatch, course(result("R12922001", GRIFFIN_LIM)))
    board, _ = build(here, processes=1, shown=Progress())
    assert board.ranked[0].grade.final_points == 52  # (20 + 45) × 0.8
    text = here.rubric_path.read_text(encoding="utf-8")
    here.rubric_path.write_text(text.replace("{days: 1, percent: 20}", "{days: 1, percent: 10}"), encoding="utf-8")
    board, _ = build(Course(here.root), processes=1, shown=Progress())
    assert board.ranked[0].grade.final_points == 58.5
