"""Which upload a time is about: by its file, else in order, else nothing is guessed."""

import datetime as dt
from pathlib import Path

import pytest

from grader.course import Course
from grader.errors import CourseError
from grader.grades.times import Sent, lines_of, of_attempts, of_report
from grader.intake.submission import Attempt
from grader.rubric import default_path

T = [dt.datetime(2023, 11, 1, hour, tzinfo=dt.UTC) for hour in range(5)]


def attempts(*names: str) -> list[Attempt]:
    return [Attempt(Path("submissions") / name, number, T[4]) for number, name in enumerate(names)]


TWO = attempts("r1.zip", "r1-1.zip")


def times(lines: list[Sent], uploads: list[Attempt] = TWO, *, every: bool = True) -> list[dt.datetime | None]:
    return of_attempts("R1", lines_of({"R1": lines}, "R1"), uploads, every=every)


def test_as_many_lines_as_uploads_are_in_order_of_time_whatever_their_order_in_the_file() -> None:
    assert times([Sent(T[2]), Sent(T[1])]) == [T[1], T[2]]


def test_a_file_names_its_upload_and_the_rest_goes_in_order() -> None:
    three = attempts("r1.zip", "r1-1.zip", "r1-2.zip")
    assert times([Sent(T[3], file="R1-1.ZIP"), Sent(T[2]), Sent(T[1])], three) == [T[1], T[3], T[2]]
    assert times([Sent(T[3], file="submissions/r1-1.zip")]) == [None, T[3]]


def test_a_single_line_is_about_the_latest_where_only_that_counts() -> None:
    assert times([Sent(T[1])], every=False) == [None, T[1]]
    with pytest.raises(CourseError, match=r"1 line names no file, and 2 uploads of R1 lie in submissions/: r1\.zip"):
        times([Sent(T[1])])


def test_the_reports_line_is_none_of_the_predictions() -> None:
    lines = [Sent(T[1], "prediction"), Sent(T[2], "report"), Sent(T[3], "report")]
    assert times(lines, TWO[:1]) == [T[1]]
    assert of_report(lines) == T[3]
    assert of_report(lines[:1]) is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [Sent(T[1], line=2), Sent(T[2], line=5), Sent(T[3], line=6)],
            r"submissions.csv, lines 2 and 5 and 6: R1: 3 lines",
        ),
        ([Sent(T[1], file="r2.zip", line=7)], r"submissions.csv:7: R1: file 'r2.zip' is no upload of R1"),
        ([Sent(T[1], file="r1.zip", line=2), Sent(T[2], file="r1.zip", line=3)], "r1.zip has two times"),
        ([Sent(T[1], file="r1.zip"), Sent(T[2], file="r1-1.zip"), Sent(T[3], line=4)], "0 uploads without a time"),
    ],
)
def test_what_is_not_clear_is_refused(lines: list[Sent], said: str) -> None:
    with pytest.raises(CourseError, match=said) as caught:
        times(lines)
    assert caught.value.help


def test_two_uploads_of_one_name_need_their_folder() -> None:
    two = [Attempt(Path("submissions/R1/r1.zip"), 0, T[4]), Attempt(Path("submissions/r1.zip"), 1, T[4])]
    assert times([Sent(T[1], file="R1/r1.zip"), Sent(T[2], file="submissions/r1.zip")], two) == [T[1], T[2]]
    with pytest.raises(CourseError, match="more than one upload"):
        times([Sent(T[1], file="r1.zip")], two)


def test_the_table_is_read_with_parts_and_files(tmp_path: Path) -> None:
    (tmp_path / "rubric.yaml").write_bytes(default_path().read_bytes())
    table = tmp_path / "submissions.csv"
    table.write_text(
        "student_id,file,part,submitted_at\nr1,,Report,2023-11-01 10:00\nR1,r1.zip,prediction,2023-11-01T09:00+08:00\n"
    )
    course = Course(tmp_path)
    ten, nine = (dt.datetime.fromisoformat(f"2023-11-01T{hour}:00+08:00") for hour in ("10", "09"))
    assert course.sent() == {"R1": (Sent(ten, "report", None, 2), Sent(nine, "prediction", "r1.zip", 3))}
    assert course.submission_times() == {"R1": nine}
    table.write_text("student_id,submitted_at,part\nr1,2023-11-01 10:00,both\n")
    with pytest.raises(CourseError, match=r"submissions.csv:2: part 'both'"):
        course.sent()
