"""`grader rerun` as a TA types it: the draw, the table, the JSON, the exit status."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grader.cli import main
from grader.course import Course
from grader.rerun.sandbox import working
from tests.rerun import students
from tests.rerun.students import HONEST

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(not working(), reason="no sandbox works on this machine"),
]


def grader(course: Course, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["rerun", "--course", str(course.root), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    made = students.course(tmp_path_factory.mktemp("course") / "course")
    students.hand_in(made, "R00000001", requirements="pip install numpy\n# weights: https://drive.example/w\n")
    students.hand_in(made, "R00000002", script=HONEST + "import yaml\n")
    return made


def test_a_draw_is_printed_with_its_seed_and_kept(course: Course) -> None:
    result = grader(course, "--sample", "1", "--seed", "4")
    again = grader(course, "--sample", "1", "--seed", "4")
    assert "drawn 1 of 2 with code, seed 4: " in result.stderr
    assert result.stderr == again.stderr
    assert again.stdout.splitlines()[1].endswith("store")


def test_named_students_and_what_a_ta_has_to_look_at(course: Course) -> None:
    result = grader(course, "--student", "r00000001", "--student", "R00000002")
    assert result.exit_code == 1
    assert "2 identical bytes" in result.stdout
    assert "https://drive.example/w" in result.stdout
    assert "-pip install numpy" in result.stdout
    assert "add pyyaml to requirements.txt" in result.stdout
    assert "ModuleNotFoundError" in result.stdout
    assert grader(course, "--student", "R00000001").exit_code == 0


def test_json_is_complete(course: Course) -> None:
    result = grader(course, "--student", "R00000001", "--json")
    said = json.loads(result.stdout)
    assert (said["seed"], said["drawn"], said["of"]) == (None, ["R00000001"], 2)
    (student,) = said["students"]
    assert student["kind"] == "reproduced"
    assert [clip["tier"] for clip in student["clips"]] == ["identical bytes"] * 2
    for part in ("command", "requirements", "environment", "limits", "runs", "findings"):
        assert student[part], part


def test_an_unknown_student_is_wrong_use(course: Course) -> None:
    result = grader(course, "--student", "R99999999")
    assert result.exit_code == 2
    assert "R99999999" in result.stderr


def test_without_any_sandbox_nothing_runs_unless_the_ta_insists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = students.course(tmp_path / "course")
    students.hand_in(made, "R00000001", requirements="numpy")
    monkeypatch.setattr("grader.rerun.sandbox.working", tuple)
    refused = grader(made, "--student", "R00000001")
    assert refused.exit_code == 2
    assert "bubblewrap" in refused.stderr
    insisted = grader(made, "--student", "R00000001", "--no-sandbox")
    assert insisted.exit_code == 0
    assert "WITHOUT a sandbox" in insisted.stdout
