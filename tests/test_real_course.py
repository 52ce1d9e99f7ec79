"""A course of real singing, shortened, graded to the end by the real command."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import real_course
from tests.shared import needs_shared

pytestmark = [needs_shared, pytest.mark.slow]


def leaderboard(course: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "grader", "leaderboard", "--course", str(course)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    course = real_course.make(tmp_path_factory.mktemp("real"), seconds=2, capacity="tiny")
    leaderboard(course.root)
    return course.root


@pytest.fixture(scope="module")
def rows(graded: Path) -> dict[str, dict[str, str]]:
    with (graded / "site" / "leaderboard.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_every_hand_in_has_every_number(rows: dict[str, dict[str, str]]) -> None:
    assert len(rows) == len(real_course.SYSTEMS) + 3 + 2  # and two baselines
    for row in rows.values():
        assert all(float(row[metric]) > 0 for metric in ("m_stft", "log2_f0", "fad"))


def test_the_ranking_is_sensible(rows: dict[str, dict[str, str]]) -> None:
    """A vocoder of the recordings beats systems that sing from a score; spoiled copies are seen by the right metric."""
    value = {student: {key: float(row[key]) for key in ("m_stft", "log2_f0")} for student, row in rows.items()}
    vocoded, *sung = real_course.SYSTEMS
    assert all(value[vocoded]["m_stft"] < value[other]["m_stft"] for other in sung)
    assert all(value[vocoded]["log2_f0"] < value[other]["log2_f0"] for other in sung)
    noisy, detuned = value["R11000006"], value["R11000007"]
    assert detuned["log2_f0"] == pytest.approx(0.5, abs=0.5)
    assert detuned["log2_f0"] > noisy["log2_f0"]
    ranked = sorted((row for row in rows.values() if row["rank"]), key=lambda row: int(row["rank"]))
    scores = [float(row["m_stft"]) for row in ranked]
    assert scores == sorted(scores)


def test_the_page_has_every_student_and_asks_for_nothing_outside(graded: Path, rows: dict[str, dict[str, str]]) -> None:
    page = (graded / "site" / "index.html").read_text(encoding="utf-8")
    assert all(student in page for student in rows if student.startswith("R1"))
    assert not re.search(r"<(script|link|img|iframe|audio)[^>]+(src|href)=\W?([a-z]+:|//)", page)


def contents(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_again_with_nothing_changed_gives_the_same_bytes(graded: Path) -> None:
    site = graded / "site"
    before = contents(site)
    leaderboard(graded)
    assert contents(site) == before
    assert json.loads(before["leaderboard.json"])


def test_a_changed_late_rule_changes_grades_and_no_score(graded: Path, rows: dict[str, dict[str, str]]) -> None:
    path = graded / "rubric.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("after_percent: 60", "after_percent: 100"), encoding="utf-8")
    try:
        assert "scoring clips" not in leaderboard(graded)
        with (graded / "site" / "leaderboard.csv").open(encoding="utf-8-sig", newline="") as file:
            after = list(csv.DictReader(file))
        for row in after:
            assert row["m_stft"] == rows[row["student_id"]]["m_stft"]
    finally:
        path.write_text(text, encoding="utf-8")
