"""A student's page: whole in one file, that student's alone, and made again only where something of it changed."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from grader.findings import Severity
from grader.grades.leaderboard import LedgerLine, leaderboard
from grader.metrics.pitch import Thresholds
from grader.site import student_page
from grader.site.media.clips import Clips
from grader.site.media.making import Settings
from grader.site.student_page import student_html
from tests.grades.making import course, finding, result, scores, the_rubric
from tests.site.conftest import a_class
from tests.site.reading import Page
from tests.site.sounding import FIRST, REPORT, SAID, SECOND, SILENT, Sounding, make

NOTHING_HEARD = Clips(Settings(the_rubric().site.audio, the_rubric().mel_config()), Thresholds())


@pytest.fixture
def sounding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sounding:
    return make(tmp_path, monkeypatch)


def page_of(sounding: Sounding, student: str) -> str:
    return (sounding.course.site / f"students/{student}.html").read_text(encoding="utf-8")


def inside(text: str) -> list[dict[str, object]]:
    """The clips that lie in a page."""
    return json.loads(text.split('<script type="application/json" id="given">')[1].split("</script>")[0])[1:]


def test_everyone_has_a_page_and_it_says_what_led_to_the_grade(sounding: Sounding) -> None:
    board = sounding.build()
    grade = board.ranked[1].grade
    text = Page(page_of(sounding, FIRST)).all_text()
    for sentence in (grade.quality_why, grade.late_why, grade.report_why, grade.final_why, SAID, *grade.would_change):
        assert sentence in text
    for line in grade.late_lines:
        date, _, said = line.partition(": ")
        assert date in text
        assert said in text
    assert f"{grade.final_points:.2f}" in text
    assert "is silent." in Page(page_of(sounding, SILENT)).all_text()


def test_decisions_and_bonus_are_on_it(sounding: Sounding) -> None:
    board = sounding.build()
    decided = LedgerLine("2023-11-03", "extension", "until 2023-11-05 23:59", "ill <b>since</b> Monday", "the lecturer")
    row = replace(
        board.ranked[0], grade=replace(board.ranked[0].grade, ledger_lines=(decided,), bonus_why="+3 by vote")
    )
    text = Page(student_html(row, board, NOTHING_HEARD, sounding.course.site, "en")).all_text()
    for part in (
        "2023-11-03",
        "extension: until 2023-11-05 23:59",
        "ill <b>since</b> Monday",
        "the lecturer",
        "+3 by vote",
    ):
        assert part in text


def test_nothing_of_another_student_is_in_it(sounding: Sounding) -> None:
    sounding.build()
    pages = {student: page_of(sounding, student) for student in REPORT}
    for student, text in pages.items():
        for other in REPORT:
            if other != student:
                assert other not in text
                assert other.lower() not in text
                assert str(REPORT[other]) not in text
    assert SAID not in pages[SECOND]
    own, others = (
        {source["audio"] for clip in inside(pages[who]) for source in clip["sources"] if source["kind"] == "student"}
        for who in (FIRST, SECOND)
    )
    assert len(own) == 2
    assert not own & others


def test_sound_and_pictures_are_inside_and_play(sounding: Sounding, tmp_path: Path) -> None:
    sounding.build()
    text = page_of(sounding, FIRST)
    assert not re.findall(r'(?:src|href)="(?!#|data:)', text.split("<main")[1])
    (worst, _) = inside(text)
    assert [source["kind"] for source in worst["sources"]] == ["baseline", "student"]
    student = worst["sources"][1]
    kind, _, content = student["audio"].partition(",")
    assert kind == "data:audio/mpeg;base64"
    (tmp_path / "out.mp3").write_bytes(base64.b64decode(content))
    decoded, rate = sf.read(tmp_path / "out.mp3")
    assert len(decoded) / rate == pytest.approx(0.5, abs=0.01)
    assert student["mel"].startswith("data:image/webp;base64,")
    assert student["difference"].startswith("data:image/webp;base64,")
    assert student["f0"]
    assert np.abs(np.frombuffer(base64.b64decode(student["peaks"]), np.int8).astype(int)).max() == 127


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"references: false  ": "references: true  "}, ["reference", "baseline", "student"]),
        ({"baselines: true  ": "baselines: false  "}, ["student"]),
    ],
)
def test_who_stands_beside_the_student_is_the_rubrics_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], kinds: list[str]
) -> None:
    sounding = make(tmp_path, monkeypatch, changes)
    sounding.build()
    assert [source["kind"] for source in inside(page_of(sounding, FIRST))[0]["sources"]] == kinds


def test_a_page_grows_no_larger_than_the_rubric_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make(tmp_path, monkeypatch)
    whole.build()
    size_mb = len(json.dumps(inside(page_of(whole, FIRST)))) / 1e6
    for name, clips in ((f"max_mb: {0.7 * size_mb:.4f}", 1), ("max_mb: 0.001", 0)):
        folder = tmp_path / name
        folder.mkdir()
        smaller = make(folder, monkeypatch, {"max_mb: 2 ": f"{name} "})
        smaller.build()
        text = page_of(smaller, FIRST)
        assert len(inside(text)) == clips
        assert ("data-clip=" in text) == bool(clips)


@pytest.mark.parametrize("language", ["en", "zh-TW"])
@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "\u202e" * 30, "a" * 300]
)
def test_hostile_text_does_nothing_but_show(name: str, language: str) -> None:
    plain, hostile = a_class(), a_class(name=name, said=name)
    pages = []
    for board, student in ((plain, "R12922004"), (hostile, name)):
        row = next(row for row in board.rows if row.grade.student_id == student)
        pages.append(Page(student_html(row, board, NOTHING_HEARD, Path(), language)))
    assert pages[0].skeleton() == pages[1].skeleton()
    assert name in pages[1].all_text()


def test_an_unchanged_run_renders_nothing_and_touches_no_file(
    sounding: Sounding, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounding.build()
    before = sounding.files()
    monkeypatch.setattr(student_page, "student_html", lambda *_: pytest.fail("rendered again"))
    sounding.build()
    assert sounding.files() == before


def test_a_changed_student_changes_only_what_holds_that_student(sounding: Sounding) -> None:
    sounding.build()
    before = sounding.files()
    sounding.sing(FIRST, 333.0)
    sounding.build()
    after = sounding.files()
    gone, new = set(before) - set(after), set(after) - set(before)
    changed = {name for name in set(before) & set(after) if before[name] != after[name]}
    assert changed == {"clips/001.js", "clips/002.js", f"students/{FIRST}.html"}
    assert {name.split("/")[0] for name in gone} == {"audio", "pictures"}
    assert len(new) == len(gone) == 2 * 4


def test_a_student_who_is_gone_leaves_nothing_behind(sounding: Sounding) -> None:
    sounding.build()
    students = {name: each for name, each in sounding.found.students.items() if name != SECOND}
    recordings = {name: each for name, each in sounding.found.recordings.items() if name != SECOND}
    sounding.found = replace(sounding.found, students=students, recordings=recordings)
    for table in ("report_points.csv", "submissions.csv"):
        path = sounding.course.root / table
        path.write_text("\n".join(line for line in path.read_text().splitlines() if SECOND not in line) + "\n")
    sounding.build()
    assert f"students/{SECOND}.html" not in sounding.files()
    site = sounding.course.site
    assert [path for path in site.rglob("*") if path.is_file() and SECOND.encode() in path.read_bytes()] == []


def test_findings_of_a_kind_stand_together_the_worst_first() -> None:
    places = [f"R1.zip › R1/{number:03d}.wav" for number in range(1, 31)]
    notes = [finding(Severity.NOTE, "It is short.", where=place) for place in places]
    warnings = [
        finding(Severity.WARNING, "It is {n} Hz.", where=place, facts={"n": n}) for n, place in enumerate(places)
    ]
    error = finding(Severity.ERROR, "It is silent.", where=places[6])
    found = (*notes, *warnings, error)
    board = leaderboard(the_rubric(), course(result("R1", scores(1.2, 0.1, 0.3), findings=found)), {}, {})
    text = student_html(board.rows[0], board, NOTHING_HEARD, Path(), "en")
    items = [item.partition("</li>")[0] for item in text.split('<li class="finding ')[1:]]
    silent, rates, short = [" ".join(Page(f"<li>{item}</li>").all_text().split()) for item in items]
    assert "It is silent." in silent
    assert rates.count("Hz.") == 1
    assert "and 29 more like it: 002.wav–030.wav" in rates
    assert short.count("It is short.") == 1
    assert "R1.zip › R1/001.wav and 29 more: 002.wav–030.wav" in short
