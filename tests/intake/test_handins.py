"""A course's submissions folder, sorted by student."""

import datetime as dt
import os
import random
from pathlib import Path

import pytest

from grader import rubric
from grader.errors import CourseError
from grader.intake import handins
from tests.making import good_clips, zipped

RUBRIC = rubric.load()
STUDENT = "R12345678"


def put(folder: Path, *names: str, time: float | None = None) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip" and "code" not in name:
            zipped({"001.wav": b"x"}, path)
        else:
            path.write_bytes(b"x")
        if time is not None:
            os.utime(path, (time, time))


def found(folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Names of each student's attempts, and codes with places of the findings."""
    students, findings = handins.collect(folder, RUBRIC)
    attempts = {student.student_id: [attempt.path.name for attempt in student.attempts] for student in students}
    return attempts, [f"{finding.code} {finding.where}" for finding in findings]


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("r12345678.zip", STUDENT),
        ("R12345678.ZIP", STUDENT),
        ("r12345678-2.zip", STUDENT),
        ("r12345678 (1).zip", STUDENT),
        ("r12345678.tar.gz", STUDENT),
        ("r12345678", STUDENT),
        ("r1234567.zip", None),
        ("r123456789.zip", None),
        ("hw2_r12345678.zip", None),
        ("r12345678.txt", None),
    ],
)
def test_whose_an_upload_is(name: str, student: str | None) -> None:
    assert handins.student_id_of(name, RUBRIC) == student


def test_everything_of_a_student_beside_the_zip(tmp_path: Path) -> None:
    names = ["r12345678_report.pdf", "R12345678_README.md", "r12345678_Requirements.txt", "r12345678_code.zip"]
    put(tmp_path, "r12345678.zip", *names)
    (student,), findings = handins.collect(tmp_path, RUBRIC)
    assert findings == []
    assert student.student_id == STUDENT
    beside = [student.report, student.readme, student.requirements, student.code]
    assert [path and path.name for path in beside] == names


def test_everything_in_a_folder_of_the_student(tmp_path: Path) -> None:
    put(
        tmp_path / "r12345678",
        "r12345678.zip",
        "r12345678_report.pdf",
        "README.txt",
        "requirements.txt",
        "code/model.py",
    )
    (student,), findings = handins.collect(tmp_path, RUBRIC)
    assert findings == []
    assert [attempt.path.name for attempt in student.attempts] == ["r12345678.zip"]
    beside = [student.report, student.readme, student.requirements, student.code]
    assert [path and path.name for path in beside] == ["r12345678_report.pdf", "README.txt", "requirements.txt", "code"]


@pytest.mark.parametrize("inside", ["001.wav", "output/001.wav", "r12345678/001.wav"])
def test_unpacked_predictions(tmp_path: Path, inside: str) -> None:
    put(tmp_path / "r12345678", inside, "r12345678_report.pdf")
    (student,), findings = handins.collect(tmp_path, RUBRIC)
    assert findings == []
    assert student.report
    assert [attempt.path.name for attempt in student.attempts] == ["r12345678"]


def test_the_newest_is_last_by_number_then_by_time(tmp_path: Path) -> None:
    put(tmp_path, "r12345678-10.zip", time=1_000)
    put(tmp_path, "r12345678-2.zip", "r12345678.zip", time=2_000)
    put(tmp_path, "R12345678-2.zip", time=3_000)
    (student,), _ = handins.collect(tmp_path, RUBRIC)
    names = [attempt.path.name for attempt in student.attempts]
    assert names == ["r12345678.zip", "r12345678-2.zip", "R12345678-2.zip", "r12345678-10.zip"]
    assert [attempt.number for attempt in student.attempts] == [0, 2, 2, 10]
    assert student.attempts[0].file_time == dt.datetime.fromtimestamp(2_000, dt.UTC)


def test_the_newest_report_counts(tmp_path: Path) -> None:
    put(tmp_path, "r12345678_report-1.pdf", time=1_000)
    put(tmp_path, "r12345678_report.pdf", time=2_000)
    (student,), _ = handins.collect(tmp_path, RUBRIC)
    assert student.report
    assert student.report.name == "r12345678_report-1.pdf"


@pytest.mark.parametrize("name", ["r12345678_report.pdf", "r12345678_notes.docx", "r12345678.docx"])
def test_a_student_without_a_zip_is_still_there(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    assert found(tmp_path)[0] == {STUDENT: []}


def test_wrongly_archived_uploads_are_uploads(tmp_path: Path) -> None:
    put(tmp_path, "r12345671.7z", "r12345672.rar", "r12345673.tar.gz")
    (tmp_path / "r12345674").write_bytes(b"7z\xbc\xaf\x27\x1c....")
    attempts, findings = found(tmp_path)
    assert [len(names) for names in attempts.values()] == [1, 1, 1, 1]
    assert findings == []


def test_what_belongs_to_nobody_is_told(tmp_path: Path) -> None:
    put(tmp_path, "hw2.zip", "r12345678.zip", "r12345678_slides.pptx", ".DS_Store", ".gitkeep", "rerun.yaml")
    (tmp_path / "r12345679.zip").symlink_to(tmp_path / "r12345678.zip")
    attempts, findings = found(tmp_path)
    assert attempts == {STUDENT: ["r12345678.zip"]}
    folder = tmp_path.name
    assert sorted(findings) == [
        f"submission-link {folder}/r12345679.zip",
        f"submission-unrecognised {folder}/hw2.zip",
        f"submission-unrecognised {folder}/r12345678_slides.pptx",
    ]


def test_links_inside_a_students_folder_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "submissions" / "r12345678", "r12345678.zip")
    put(tmp_path, "secret.pdf")
    (tmp_path / "submissions" / "r12345678" / "r12345678_report.pdf").symlink_to(tmp_path / "secret.pdf")
    (student,), findings = handins.collect(tmp_path / "submissions", RUBRIC)
    assert student.report is None
    assert [finding.code for finding in findings] == ["submission-link"]


def test_the_order_of_files_never_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "r12345678.zip", "r12345678-1.zip", "r12345678_report.pdf", "R12345678_report-1.pdf", "x.zip", time=5)
    put(tmp_path / "r12345678", "r12345678.zip", "readme.txt", "readme.md", time=5)
    expected = handins.collect(tmp_path, RUBRIC)
    listed = list(tmp_path.iterdir())
    for seed in range(5):
        shuffled = random.Random(seed).sample(listed, len(listed))
        monkeypatch.setattr(
            Path, "iterdir", lambda self, s=shuffled: iter(s) if self == tmp_path else Path.glob(self, "*")
        )
        assert handins.collect(tmp_path, RUBRIC) == expected


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="cannot be read"):
        handins.collect(tmp_path / "submissions", RUBRIC)


def test_what_lies_beside_one_zip(tmp_path: Path) -> None:
    put(tmp_path, "r12345678-1.zip", "r12345678.zip", "r12345678_report.pdf", "r87654321_report.pdf", "README.md")
    hand_in = handins.beside(tmp_path / "r12345678.zip", RUBRIC)
    assert hand_in
    assert [attempt.path.name for attempt in hand_in.attempts] == ["r12345678.zip"]
    assert hand_in.report == tmp_path / "r12345678_report.pdf"
    assert hand_in.readme is None
    assert handins.beside(tmp_path / "hw2.zip", RUBRIC) is None


def test_what_lies_in_an_unpacked_folder(tmp_path: Path) -> None:
    for name, content in good_clips().items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    put(tmp_path / "r12345678", "README.md")
    hand_in = handins.beside(tmp_path / "r12345678", RUBRIC)
    assert hand_in
    assert [attempt.path.name for attempt in hand_in.attempts] == ["r12345678"]
    assert hand_in.readme == tmp_path / "r12345678" / "README.md"
