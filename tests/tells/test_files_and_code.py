"""Equal large files and overlapping code in what was handed in."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from grader.course import Course
from grader.progress import Progress
from grader.scoring import CourseScores
from grader.store import Store
from grader.tells import code, files
from grader.tells.records import Kind, Tell
from tests.hostile import archives
from tests.intake.canvas.making import a_course
from tests.making import zipped
from tests.tells.making import result

WEIGHTS = os.urandom(150_000)
PROGRAM = Path(code.__file__).read_text(encoding="utf-8")  # any real program of some length
OTHER = Path(files.__file__).with_name("alignment.py").read_text(encoding="utf-8")
RENAMED = PROGRAM.replace("prints", "gobbledygook").replace("student", "pupil").replace("programs", "sources_of_all")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return a_course(tmp_path / "course")


def handed_in(course: Course, codes: Mapping[str, Mapping[str, bytes | str]]) -> CourseScores:
    """Students by ID with the files in their code zips."""
    results = {}
    for student, entries in codes.items():
        inside = {name: content.encode() if isinstance(content, str) else content for name, content in entries.items()}
        path = zipped(inside, course.submissions / f"{student}_code.zip")
        results[student] = result(student, code=path)
    return CourseScores(results, {})


def of_files(found: CourseScores, course: Course) -> tuple[list[Tell], list[str]]:
    notes: list[str] = []
    with course.store() as store:
        return files.tells(found, course, store, notes, Progress()), notes


def of_code(found: CourseScores, course: Course) -> tuple[list[Tell], list[str]]:
    notes: list[str] = []
    with course.store() as store:
        return code.tells(found, course, store, notes, Progress()), notes


def test_equal_weights_are_told_under_whatever_name(course: Course) -> None:
    found = handed_in(
        course,
        {
            "R1": {"cp/g_0250": WEIGHTS, "small": b"x" * 50_000, "clip.wav": WEIGHTS[::-1]},
            "R2": {"model.pt": WEIGHTS, "small": b"x" * 50_000, "clip.wav": WEIGHTS[::-1]},
            "R3": {"model.pt": os.urandom(150_000)},
        },
    )
    (tell,), notes = of_files(found, course)
    assert (tell.kind, tell.students, notes) == (Kind.FILES, ("R1", "R2"), [])
    assert tell.evidence[0].what == "cp/g_0250"
    assert tell.evidence[0].values["R2"] == "model.pt"
    assert "1 equal file, 0.1 MB together" in tell.sentence or "0.2 MB" in tell.sentence


def test_what_is_known_is_not_told(course: Course) -> None:
    found = handed_in(course, {"R1": {"a": WEIGHTS}, "R2": {"b": WEIGHTS}})
    assert len(of_files(found, course)[0]) == 1
    known = course.root / "known_sources" / "hifigan"
    known.mkdir(parents=True)
    zipped({"UNIVERSAL_V1/g": WEIGHTS}, known / "weights.zip")
    assert of_files(found, course) == ([], [])
    (known / "weights.zip").unlink()
    (known / "g").write_bytes(WEIGHTS)
    assert of_files(found, course) == ([], [])
    (known / "g").rename(course.root / "elsewhere")
    assert len(of_files(found, course)[0]) == 1
    course.test_mels.mkdir()
    (course.test_mels / "001.npy").write_bytes(WEIGHTS)
    assert of_files(found, course) == ([], [])


def test_weights_in_a_folder_and_in_the_upload_itself_count(course: Course) -> None:
    folder = course.submissions / "R1_code"
    folder.mkdir()
    (folder / "g").write_bytes(WEIGHTS)
    upload = zipped({"R2/g": WEIGHTS, "R2/001.wav": WEIGHTS[::-1]}, course.submissions / "R2.zip")
    found = CourseScores({"R1": result("R1", code=folder), "R2": result("R2", upload)}, {})
    assert [tell.students for tell in of_files(found, course)[0]] == [("R1", "R2")]


def test_what_cannot_be_read_is_noted_and_hostile_zips_harm_nobody(course: Course, tmp_path: Path) -> None:
    (course.submissions / "R1_code.zip").write_bytes(b"PK\x03\x04 no zip")
    bombs = {maker.__name__: maker(tmp_path) for maker in (archives.overlapping_bomb,)}
    results = {"R1": result("R1", code=course.submissions / "R1_code.zip")}
    results |= {name.upper(): result(name.upper(), code=path) for name, path in bombs.items()}
    found = CourseScores(results, {})
    told, notes = of_files(found, course)
    assert told == []
    assert len(notes) == 2
    told, notes = of_code(found, course)
    assert told == []
    assert len(notes) == 2


def test_renamed_code_is_told_and_other_code_is_not(course: Course) -> None:
    pytest.importorskip("copydetect")
    found = handed_in(course, {"R1": {"a/train.py": PROGRAM}, "R2": {"main.py": RENAMED}, "R3": {"x.py": OTHER}})
    (tell,), notes = of_code(found, course)
    assert (tell.kind, tell.students, notes) == (Kind.CODE, ("R1", "R2"), [])
    shared = tell.evidence[0].values["shared %"]
    assert isinstance(shared, int)
    assert shared >= 95
    assert tell.evidence[0].what == "R1 a/train.py · R2 main.py"


def test_code_of_known_sources_counts_for_nobody(course: Course) -> None:
    pytest.importorskip("copydetect")
    found = handed_in(course, {"R1": {"a.py": PROGRAM}, "R2": {"b.py": RENAMED}, "R3": {"c.py": PROGRAM + OTHER}})
    assert [tell.students for tell in of_code(found, course)[0]] == [("R1", "R2", "R3")]
    known = course.root / "known_sources"
    known.mkdir()
    (known / "public.py").write_text(PROGRAM, encoding="utf-8")
    assert of_code(found, course) == ([], [])


def test_notebooks_are_read_as_code(course: Course) -> None:
    pytest.importorskip("copydetect")
    lines = ["%matplotlib inline\n", "!pip install x\n", *PROGRAM.splitlines(keepends=True)]
    notebook = {"cells": [{"cell_type": "markdown", "source": ["# x"]}, {"cell_type": "code", "source": lines}]}
    found = handed_in(
        course, {"R1": {"a.py": PROGRAM}, "R2": {"b.ipynb": json.dumps(notebook), "c.ipynb": "no notebook"}}
    )
    assert [tell.students for tell in of_code(found, course)[0]] == [("R1", "R2")]


def test_the_same_student_twice_is_nothing(course: Course) -> None:
    pytest.importorskip("copydetect")
    assert of_code(handed_in(course, {"R1": {"a.py": PROGRAM, "old/a.py": RENAMED}}), course) == ([], [])


def test_what_is_known_is_not_compared_again(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("copydetect")
    found = handed_in(course, {"R1": {"a.py": PROGRAM}, "R2": {"b.py": RENAMED}})
    first = of_code(found, course)
    monkeypatch.setattr(code, "overlaps", None)
    assert of_code(found, course) == first
    assert len(first[0]) == 1


def test_without_copydetect_that_is_said(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "copydetect", None)
    told, notes = of_code(handed_in(course, {"R1": {"a.py": PROGRAM}}), course)
    assert told == []
    assert "copydetect" in notes[0]


def test_without_a_package_that_copydetect_needs_that_is_said(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "copydetect"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pygments", None)
    told, notes = of_code(handed_in(course, {"R1": {"a.py": PROGRAM}}), course)
    assert told == []
    assert "pygments" in notes[0]


def test_a_store_of_another_course_is_no_matter(tmp_path: Path, course: Course) -> None:
    found = handed_in(course, {"R1": {"a": WEIGHTS}, "R2": {"b": WEIGHTS}})
    with Store(tmp_path / "other.sqlite") as store:
        assert len(files.tells(found, course, store, [], Progress())) == 1
