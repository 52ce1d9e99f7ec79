"""Points into a gradebook export, all other bytes kept."""

import csv
import dataclasses
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import CourseError
from grader.grades import gradebook
from grader.grades.leaderboard import leaderboard
from grader.grades.records import Leaderboard
from grader.intake.canvas import export
from grader.intake.canvas.export import Export
from tests.grades.making import course, result, scores, the_rubric
from tests.intake.canvas.making import ASSIGNMENT, BRIEN, CHEN, JANE, User
from tests.intake.canvas.making import gradebook as a_gradebook

NOBODY = User(5010, "Nobody, At All", "r10000000")
ODD = User(5011, 'Line\nBreak, "Q"', "x")
RUBRIC = the_rubric()


def a_board(points: dict[str, float] | None = None) -> Leaderboard:
    found = course(
        result("R12345678", scores(1.142, 0.1, 0.3)),
        result("B10902017", scores(2.2312, 0.1, 0.3)),
        result("D11944011", None, failure="003.wav: silent"),
    )
    return leaderboard(RUBRIC, found, {}, {"R12345678": 45.5, "B10902017": 41} if points is None else points)


def book(tmp_path: Path, content: bytes) -> Export:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    return export.read(path, RUBRIC)


def filled(
    found: Export, board: Leaderboard, points: str = "final", assignment: str = ASSIGNMENT, scale: bool = False
) -> gradebook.Filled:
    return gradebook.fill(found, gradebook.target(found, assignment, RUBRIC, points, scale=scale), board)


def rows(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_only_the_column_changes(tmp_path: Path, mark: str, end: str) -> None:
    before = a_gradebook((JANE, ODD, BRIEN, CHEN, NOBODY), mark=mark, end=end)
    done = filled(book(tmp_path, before), a_board())
    expected = before.replace(b"r12345678,DLMAG (AI 5100),9.5,,", b"r12345678,DLMAG (AI 5100),9.5,95.5,")
    expected = expected.replace(b"ntu.edu.tw,DLMAG (AI 5100),9.5,,", b"ntu.edu.tw,DLMAG (AI 5100),9.5,61,")
    assert done.content == expected != before
    assert [(each.student_id, each.after) for each in done.written] == [("R12345678", "95.5"), ("B10902017", "61")]
    assert list(done.left.values())[1:] == ["no final points: 003.wav: silent", "handed in nothing"]
    assert "student ID" in next(iter(done.left.values()))
    assert done.lost == ()


def test_quotes_semicolons_and_commas_are_kept(tmp_path: Path) -> None:
    content = (
        '\ufeffStudent;ID;SIS Login ID;HW2 (12345);"Other; (2)";Final\r\n'
        '"Points Possible";"";"";"100,0";"10";"(read only)"\r\n'
        '"Doe, Jane";"5001";"r12345678";"12,5";"x;y";""\r\n'
        "陳;5002;b10902017;;1,5;\n"
        '"Student, Test";5999;;;;'
    ).encode()
    done = filled(book(tmp_path, content), a_board())
    assert done.content == content.replace(b'"12,5"', b'"95,5"').replace(b"b10902017;;", b"b10902017;61;")
    assert [(each.before, each.after) for each in done.changed] == [("12,5", "95,5")]


def test_an_excused_student_and_an_equal_value_are_left(tmp_path: Path) -> None:
    content = a_gradebook((JANE, CHEN), cells={JANE.login: "EX", CHEN.login: "61"})
    done = filled(book(tmp_path, content), a_board())
    assert done.content == content
    assert list(done.left.values()) == ["excused in Canvas"]
    assert (len(done.written), done.changed) == (1, ())


def test_who_has_points_but_no_row_is_named(tmp_path: Path) -> None:
    done = filled(book(tmp_path, a_gradebook((JANE,))), a_board())
    assert done.lost == ("B10902017",)


@pytest.mark.parametrize(
    ("points", "possible", "expected"), [("quality", "50", "50"), ("report", "50", "45.5"), ("semester", "20", "19.1")]
)
def test_other_points(tmp_path: Path, points: str, possible: str, expected: str) -> None:
    done = filled(book(tmp_path, a_gradebook((JANE,), points=possible)), a_board(), points)
    assert [each.after for each in done.written] == [expected]


def test_another_number_of_points_is_refused_unless_scaled(tmp_path: Path) -> None:
    found = book(tmp_path, a_gradebook((JANE,), points="30"))
    with pytest.raises(CourseError, match="counts up to 30, but the rubric's final points up to 100"):
        filled(found, a_board())
    assert [each.after for each in filled(found, a_board(), scale=True).written] == ["28.65"]


@pytest.mark.parametrize("name", [ASSIGNMENT, "HW2", "12345", " HW2 (12345) "])
def test_a_column_is_found_by_name_or_number(tmp_path: Path, name: str) -> None:
    found = book(tmp_path, a_gradebook((JANE,)))
    assert found.titles[gradebook.find_column(found, name)] == ASSIGNMENT


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("HW2 (12346)", "is no assignment"),
        ("Current Score", "computes"),
        ("Section", "computes"),
        ("hw", "is no assignment"),
    ],
)
def test_a_name_that_is_none_gets_near_ones(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(CourseError, match=message) as caught:
        gradebook.find_column(book(tmp_path, a_gradebook((JANE,))), name)
    assert "HW2 (12345)" in caught.value.help


def test_a_name_of_two_columns_is_refused(tmp_path: Path) -> None:
    content = a_gradebook((JANE,)).replace(b"HW1 (12344)", b"HW2 (12344)")
    with pytest.raises(CourseError, match=r"'HW2 \(12344\)', 'HW2 \(12345\)'"):
        gradebook.find_column(book(tmp_path, content), "HW2")
    twice = a_gradebook((JANE,)).replace(b"HW1 (12344)", b"HW2 (12345)")
    with pytest.raises(CourseError, match="2 columns"):
        gradebook.find_column(book(tmp_path, twice), ASSIGNMENT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no gradebook export"),
        (b"Name,ID\r\n", "is no gradebook export"),
        (b"Student,ID\r\n", "no column SIS"),
        (b'Student,ID,SIS Login ID\r\n"x', "not whole"),
        ("Student,ID".encode("utf-16"), "UTF-16"),
        (b"Student,\xff\xff\xff", "neither UTF-8 nor Big5"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        book(tmp_path, content)


def test_big5_and_embedded_line_ends_are_kept(tmp_path: Path) -> None:
    content = a_gradebook((CHEN, dataclasses.replace(JANE, name="Doe,\r\nJane")), mark="").decode().encode("cp950")
    done = filled(book(tmp_path, content), a_board())
    assert done.content != content
    assert done.content.replace(b",95.5,95.0", b",,95.0").replace(b",61,95.0", b",,95.0") == content


def test_a_row_cut_short_is_refused(tmp_path: Path) -> None:
    content = a_gradebook((JANE,)).replace(b",DLMAG (AI 5100),9.5,,95.0", b",DLMAG", 1)
    with pytest.raises(CourseError, match=r"export.csv:4: this row has 5 cells"):
        filled(book(tmp_path, content), a_board())


def test_the_export_itself_is_never_written(tmp_path: Path) -> None:
    found = book(tmp_path, a_gradebook((JANE,)))
    done = filled(found, a_board())
    with pytest.raises(CourseError, match="the export itself"):
        gradebook.save(done, found, tmp_path / "." / "export.csv")
    gradebook.save(done, found, tmp_path / "copy.csv")
    assert (tmp_path / "copy.csv").read_bytes() == done.content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.csv", "export.csv"]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, max_size=6), st.sampled_from(["\r\n", "\n"]), st.booleans(), st.floats(0, 50))
def test_whatever_the_names_the_csv_module_reads_the_points_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], end: str, marked: bool, points: float
) -> None:
    users = [User(6000 + number, name, f"q{number:08d}") for number, name in enumerate(names)]
    content = a_gradebook((*users, JANE), end=end, mark="\ufeff" * marked)
    done = filled(book(tmp_path_factory.mktemp("book"), content), a_board({"R12345678": points}))
    before, after = rows(content), rows(done.content)
    place = before[0].index(ASSIGNMENT)
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert [*old[:place], *old[place + 1 :]] == [*new[:place], *new[place + 1 :]]
        if old[3:4] == [JANE.login]:
            assert float(new[place]) == pytest.approx(50 + points, abs=0.0051)
        else:
            assert new[place:] == old[place:]
