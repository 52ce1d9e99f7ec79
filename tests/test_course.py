"""A course folder: found from inside, its tables read with clear errors."""

import datetime as dt
from pathlib import Path

import pytest

from grader import course, rubric
from grader.course import Course
from grader.errors import CourseError


@pytest.fixture
def here(tmp_path: Path) -> Course:
    (tmp_path / "rubric.yaml").write_text(rubric.default_path().read_text(encoding="utf-8"), encoding="utf-8")
    return Course(tmp_path)


def test_is_found_from_a_folder_inside(here: Course) -> None:
    here.submissions.mkdir()
    assert course.find(here.submissions).root == here.root


def test_elsewhere_is_no_course(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="not a course folder") as caught:
        course.find(tmp_path)
    assert "grader demo" in caught.value.help


def test_times_are_in_the_rubrics_zone_unless_they_say_otherwise(here: Course) -> None:
    (here.root / "submissions.csv").write_bytes(
        b"\xef\xbb\xbfstudent_id,submitted_at\r\n"
        b"r12922001,2023-11-01 23:00\r\nR12922001,2023-11-02 00:30\r\nr12922002,2023-11-01T16:00:00+00:00\r\n"
    )
    times = here.submission_times()
    assert times["R12922001"] == dt.datetime.fromisoformat("2023-11-02T00:30:00+08:00")
    assert times["R12922002"] == dt.datetime.fromisoformat("2023-11-02T00:00:00+08:00")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("student_id,submitted_at\nr12922001,yesterday\n", "submissions.csv:2: submitted_at 'yesterday' is not a time"),
        ("student,when\n", "no column student_id, submitted_at; found student, when"),
        ("", "no column student_id, submitted_at; found nothing"),
    ],
)
def test_a_wrong_table_of_times(here: Course, text: str, said: str) -> None:
    (here.root / "submissions.csv").write_text(text)
    with pytest.raises(CourseError, match=said):
        here.submission_times()


def test_report_points(here: Course) -> None:
    (here.root / "report_points.csv").write_text("student_id,points\nr12922001,45.5\nr12922002,\n")
    assert here.report_points() == {"R12922001": 45.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("r12922001,51", "report_points.csv:2: points '51'"),
        ("r12922001,nan", "points 'nan'"),
        ("r12922001,A+", "points 'A\\+'"),
        ("r12922001,4\nR12922001,5", "report_points.csv:3: R12922001 stands there twice"),
    ],
)
def test_wrong_report_points(here: Course, text: str, said: str) -> None:
    (here.root / "report_points.csv").write_text("student_id,points\n" + text)
    with pytest.raises(CourseError, match=said):
        here.report_points()


def test_missing_references_are_all_named(here: Course) -> None:
    here.references.mkdir()
    for number in range(1, 31):
        if number not in (7, 21):
            (here.references / f"{number:03d}.flac").touch()
    with pytest.raises(CourseError, match="no recording for 007, 021"):
        here.reference_paths()
    (here.references / "007.wav").touch()
    (here.references / "021.wav").touch()
    assert list(here.reference_paths()) == here.rubric.clips.names()
