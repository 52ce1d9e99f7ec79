"""What a student's files are, and their numbers."""

from hypothesis import given
from hypothesis import strategies as st

from grader import rubric
from grader.intake.canvas.sorting import name_for, number_for, sort

RUBRIC = rubric.load()
ID = "r12345678"


def kinds(*files: str) -> list[str | None]:
    return [each.kind for each in sort(files, ID, RUBRIC)]


def test_names_say_what_files_are() -> None:
    files = ("r12345678.zip", "R12345678_Report-1.pdf", "r12345678_readme.md", "r12345678_requirements.txt", "code.zip")
    assert kinds(*files) == ["predictions", "report", "readme", "requirements", "code"]
    assert [each.number for each in sort(files, ID, RUBRIC)] == [0, 1, 0, 0, 0]


def test_the_only_one_of_its_sort_is_recognised_and_that_is_told() -> None:
    found = sort(("HW2-1.zip", "slides.pdf", "my code.zip"), ID, RUBRIC)
    assert [each.kind for each in found] == ["predictions", "report", "code"]
    assert all(each.guess for each in found)
    assert found[0].number == 1


def test_nothing_is_guessed_where_there_are_two() -> None:
    assert kinds("a.zip", "b.zip") == [None, None]
    assert kinds("r12345678.zip", "b.zip") == ["predictions", None]
    assert kinds("a.pdf", "r12345678_report.pdf") == [None, "report"]
    assert kinds("photo.jpg") == [None]
    assert kinds("001.wav", "002-1.wav") == [None, None]


def test_a_file_named_after_another_student_is_told() -> None:
    (found,) = sort(("r87654321.zip",), ID, RUBRIC)
    assert (found.kind, found.other_id) == ("predictions", "R87654321")
    own, other = sort((f"{ID}.zip", "r87654321.zip"), ID, RUBRIC)
    assert (own.kind, other.kind) == ("predictions", None)


def test_numbers_keep_the_order_of_uploads() -> None:
    assert number_for(0, 700, {}) == 0
    assert number_for(2, 700, {}) == 2
    assert number_for(0, 700, {0: 600}) == 1
    assert number_for(0, 700, {0: None}) == 1
    assert number_for(0, 700, {1: 800}) == 0
    assert number_for(0, 700, {0: 800}) is None
    assert number_for(0, 700, {1: None}) == 2


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3)), unique_by=lambda each: each[0], max_size=7))
def test_whatever_comes_in_whatever_order_a_later_upload_has_a_higher_number(uploads: list[tuple[int, int]]) -> None:
    taken: dict[int, int | None] = {}
    for attachment, wanted in uploads:
        number = number_for(wanted, attachment, taken)
        if number is not None:
            assert number not in taken
            taken[number] = attachment
    numbers = sorted(taken)
    assert [taken[number] for number in numbers] == sorted(taken.values(), key=lambda each: each or 0)
    if uploads:
        assert max(uploads)[0] in taken.values()  # the newest always finds a place


def test_names_in_submissions() -> None:
    assert name_for("predictions", ID, 0, "HW2.ZIP") == "r12345678.zip"
    assert name_for("predictions", ID, 2, "HW2-2.tar.gz") == "r12345678-2.tar.gz"
    assert name_for("report", ID, 1, "x.pdf") == "r12345678_report-1.pdf"
    assert name_for("readme", ID, 0, "readme.md") == "r12345678_README.md"
