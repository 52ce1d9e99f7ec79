"""Check reports as Gradescope takes them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from grader.checks import gradescope
from grader.checks.records import CheckReport, CheckResult, Status
from grader.cli import main
from grader.findings import Finding, Severity, Whose
from tests.making import good_clips, zipped

TOP = {"score", "output", "output_format", "visibility", "stdout_visibility", "tests"}
TEST = {"name", "number", "status", "output", "output_format", "visibility"}


def run(*arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(main, ["check", "--format", "gradescope", *arguments])
    return done.exit_code, json.loads(done.stdout) if done.exit_code < 2 else done.output


def test_a_good_hand_in_passes_every_test(tmp_path: Path) -> None:
    path = zipped(good_clips(), tmp_path / "r12345678.zip")
    status, record = run(str(path))
    assert status == 0
    assert set(record) == TOP
    assert record["score"] == 0
    assert {test["status"] for test in record["tests"]} == {"passed"}
    assert all(set(test) == TEST for test in record["tests"])
    assert "can be graded as it is" in record["output"]
    assert "Not checked" in record["output"]  # no test mels here


def test_a_bad_hand_in_fails_what_is_wrong_and_skips_what_was_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "r12345678.zip").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    status, record = run(str(tmp_path / "r12345678.zip"))
    assert status == 1
    failed = [test for test in record["tests"] if test["status"] == "failed"]
    assert len(failed) == 1
    assert "7z" in failed[0]["output"]
    assert "What to do:" in failed[0]["output"]
    assert record["output"].count("Not checked:") > 5


def test_a_bug_of_the_grader_fails_nobody() -> None:
    bug = Finding("check-broke", Severity.ERROR, "grader", "It failed.", "Tell.", Whose.GRADER)
    results = (CheckResult("x", "A sentence.", Status.BROKE, (bug,)),)
    record = json.loads(gradescope.results(CheckReport("R1", Path("r1.zip"), results)))
    assert "status" not in record["tests"][0]
    assert record["tests"][0]["visibility"] == "hidden"
    assert "not your fault" in record["output"]


@pytest.mark.parametrize("several", [True, False])
def test_wrong_use(tmp_path: Path, several: bool) -> None:
    paths = [str(zipped(good_clips(), tmp_path / f"r1234567{number}.zip")) for number in range(1 + several)]
    status, said = run(*paths, *([] if several else ["--json"]))
    assert status == 2
    assert ("one hand-in" if several else "choose one") in said
