"""Feedback files in the form that Canvas takes back."""

import io
import zipfile
from pathlib import Path

import pytest

from grader.grades.leaderboard import Leaderboard
from grader.intake.canvas import naming
from grader.intake.canvas.record import Imported, Record
from grader.site import feedback


def imported(student: str, attachment: int, file: str) -> Imported:
    entry = f"陳小明_LATE_77_{attachment}_{file}"
    return Imported(student.lower(), 77, attachment, entry, "predictions", file, "0" * 64, True, None, "d.zip")


def a_record(*files: Imported) -> Record:
    return Record({each.attachment_id: each for each in files})


def inside(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_page_goes_back_in_a_zip_under_the_newest_zips_name(board: Leaderboard, tmp_path: Path) -> None:
    (tmp_path / "students").mkdir()
    (tmp_path / "students" / "R12922001.html").write_bytes(b"<p>the page</p>")
    found = a_record(
        imported("R12922001", 5, "r12922001.zip"),
        imported("R12922001", 8, "r12922001-1.zip"),
        imported("R12922001", 9, "r12922001_report.pdf"),
    )
    made = feedback.bundle(board, found, tmp_path)
    assert list(made.files) == ["陳小明_LATE_77_8_r12922001-1.zip"]
    assert inside(made.files["陳小明_LATE_77_8_r12922001-1.zip"]) == {"feedback_R12922001.html": b"<p>the page</p>"}
    assert made.pages == ("R12922001",)
    handed_in = {row.grade.student_id for row in board.rows if row.result}
    assert set(made.left) == handed_in - {"R12922001"}
    assert len(handed_in) < len(board.rows)
    out = tmp_path / "out.zip"
    feedback.save(made, out)
    first = out.read_bytes()
    feedback.save(feedback.bundle(board, found, tmp_path), out)
    assert out.read_bytes() == first
    assert [naming.read(name) for name in inside(first)] == [naming.Named(77, 8, True, "r12922001-1.zip")]


def test_without_a_page_the_grade_is_told_in_sentences(board: Leaderboard, tmp_path: Path) -> None:
    made = feedback.bundle(board, a_record(imported("R12922004", 5, "r12922004.zip")), tmp_path)
    ((name, text),) = inside(next(iter(made.files.values()))).items()
    assert name == "feedback_R12922004.txt"
    grade = next(row.grade for row in board.rows if row.grade.student_id == "R12922004")
    for sentence in (grade.quality_why, grade.report_why, grade.final_why, "The clip is named 3.wav."):
        assert sentence in text.decode()
    others = {row.grade.student_id for row in board.rows} - {"R12922004"}
    assert not any(other in text.decode() for other in others)
    assert made.texts == ("R12922004",)


@pytest.mark.parametrize(
    ("file", "page", "content"),
    [
        ("index.html", True, b"<p>"),
        ("notes.txt", True, b"Student: R12922001"),
        ("README.md", False, b"Student: R12922001"),
    ],
)
def test_what_is_no_zip_carries_what_its_name_says(
    board: Leaderboard, tmp_path: Path, file: str, page: bool, content: bytes
) -> None:
    if page:
        (tmp_path / "students").mkdir()
        (tmp_path / "students" / "R12922001.html").write_bytes(b"<p>the page</p>")
    made = feedback.bundle(board, a_record(imported("R12922001", 5, file)), tmp_path)
    assert content in made.files[f"陳小明_LATE_77_5_{file}"]


def test_a_name_that_can_carry_nothing_is_told(board: Leaderboard, tmp_path: Path) -> None:
    made = feedback.bundle(board, a_record(imported("R12922001", 5, "report.pdf")), tmp_path)
    assert made.files == {}
    assert "report.pdf" in made.left["R12922001"]
    assert any("gets nothing this way" in line for line in feedback.lines(made, tmp_path / "out.zip"))
