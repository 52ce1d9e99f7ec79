"""Findings in other languages: every sentence of every check has a counterpart with the same fields."""

import ast
import datetime as dt
import re
import string
from pathlib import Path
from typing import Any

import pytest

import grader
from grader import words
from grader.checks import CHECKS
from grader.findings import Finding, Severity
from grader.grades.leaderboard import leaderboard
from tests.grades.making import ON_TIME, course, result, scores, the_rubric
from tests.speaking import english_left

OTHERS = [language for language in words.languages() if language != words.ENGLISH]
ROOT = Path(grader.__file__).parent
SAYING = (
    *sorted((ROOT / "checks").glob("[a-z]*.py")),
    *(ROOT / name for name in ("intake/handins.py", "rerun/code.py", "rerun/handout.py", "rerun/symptoms.py")),
)
"""Modules that say things about a hand-in."""
NOT_FOR_STUDENTS = ("render.py", "gradescope.py", "command.py", "records.py")
SAYERS = {"Finding", "error", "warning", "note", "say", "_warning", "_note", "_probe_finding", "_refused"}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def said_in(path: Path) -> set[str]:
    """The sentences in a module: its texts that end as one, or stand in a call that makes a finding."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    formatted = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    errors = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _name(node) in ("Rules", "compile", "place"))
        for part in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docs | formatted | errors:
            text = node.value
            if (
                text.count(" ") > 1
                and "(?" not in text
                and (text.rstrip().endswith((".", ":", ")", "?")) or "{" in text)
            ):
                found.add(text)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) in SAYERS):
        for part in (part for each in call.args for part in ast.walk(each) if part not in formatted | errors):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value.strip():
                found.add(part.value)
    return found


def _name(call: ast.Call) -> str:
    function: Any = call.func
    return str(getattr(function, "id", getattr(function, "attr", "")))


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("path", [path for path in SAYING if path.name not in NOT_FOR_STUDENTS], ids=lambda p: p.name)
def test_every_sentence_has_a_counterpart(language: str, path: Path) -> None:
    known = words.of(language)
    everything = "\n".join([*known.sentences, *known.facts.get("other", {}), *known.facts.get("kind", {})])
    missing = [text for text in said_in(path) if text not in everything and text not in known.facts.get("reason", {})]
    assert missing == []


def test_the_scan_sees_sentences_of_every_shape() -> None:
    layout = said_in(ROOT / "checks/layout.py")
    assert "It is taken for {clip}." in layout
    assert "Name the folder {folder}. " in layout
    assert "no trained model is in it" in said_in(ROOT / "rerun/handout.py")
    assert sum(len(said_in(path)) for path in SAYING) > 100


@pytest.mark.parametrize("language", OTHERS)
def test_fields_are_the_same(language: str) -> None:
    sentences = words.of(language).sentences
    assert {english: other for english, other in sentences.items() if fields(english) != fields(other)} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_every_rule_has_a_counterpart(language: str) -> None:
    known = words.of(language)
    assert [check.sentence for check in CHECKS if check.sentence not in known.sentences] == []
    reason = f"this does not hold: “{CHECKS[0].sentence}”"
    assert english_left(known.sentence(reason)) == ""


def test_sentences_put_together_are_said_piece_by_piece() -> None:
    from grader.checks.say import REZIP, WRITE_WAV

    known = words.of("zh-TW")
    for text in ("Keep one of them. " + REZIP, REZIP + " (in 7-Zip: format zip, method Deflate)", WRITE_WAV):
        assert known.template(text) != text
        assert fields(known.template(text)) == fields(text)
    assert known.template("Keep one of them. And dance.") == "Keep one of them. And dance."


def test_words_inside_fields_are_said_too_but_names_stay() -> None:
    known = words.of("zh-TW")
    facts = {"count": "3 files are", "folder": "r1"}
    assert (
        known.what(Finding("x", Severity.ERROR, "", "{count} locked with a password.", facts=facts))
        == "有 3 個檔案以密碼鎖住。"
    )
    folder = {"found": "audio", "folder": "r1"}
    said = known.what(
        Finding(
            "x", Severity.ERROR, "", "The clips lie in a folder called {found}; {folder} is expected.", facts=folder
        )
    )
    assert "audio" in said


def test_english_is_what_the_finding_says_itself() -> None:
    found = Finding("x", Severity.NOTE, "", "{a} and {b}", "mend {a}", facts={"a": 1, "b": "two"})
    assert (words.of("en").what(found), words.of("en").fix(found)) == (found.what_text(), found.fix_text())


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_TW.UTF-8"}, "zh-TW"),
        ({"LANG": "zh_Hant_TW.UTF-8"}, "zh-TW"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_TW.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "en_US.UTF-8"}, "zh-TW"),
        ({"LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANG": "de_DE@euro"}, "en"),
        ({}, "en"),
    ],
)
def test_the_surroundings_choose_the_language(environment: dict[str, str], language: str) -> None:
    assert words.of_surroundings(environment) == language


def explanations() -> list[str]:
    """Sentences of grades of every kind, as the grading writes them."""
    changes = [
        {},
        {"late.deduct": "points"},
        {"late.grace_minutes": 60.0 * 24},
        {"late.parts": "separately"},
        {"points.report": 0.0},
    ]
    said = []
    for change in changes:
        late = {hours: ON_TIME + dt.timedelta(hours=hours) for hours in (5, 27, 80)}
        found = course(
            result("R12922001", scores(1.1, 0.15, 0.3)),
            result("R12922002", scores(1.5, 0.15, 0.3)),
            result("R12922003", scores(9.9, 0.15, 0.3)),
            result("R12922004", scores(1.5, 0.15, 0.3), file_time=late[27]),
            result("R12922005", None, failure="handed in no zip of clips", attempts=0),
        )
        sent = {"R12922001": ON_TIME, "R12922002": late[5], "R12922003": late[80]}
        board = leaderboard(the_rubric(change), found, sent, {"R12922001": 40, "R12922002": 40, "R12922003": 0})
        for grade in (row.grade for row in board.rows):
            said += [grade.quality_why, grade.late_why, grade.report_why, grade.final_why, *grade.would_change]
            said += [line.partition(": ")[2] for line in grade.late_lines]
    return said


def test_how_grades_came_about_is_said_in_chinese() -> None:
    chinese = words.of("zh-TW")
    said = explanations()
    assert len(set(said)) > 40
    assert {text: chinese.grade(text) for text in said if english_left(chinese.grade(text))} == {}
    for text in said:  # every number is still there
        assert set(re.findall(r"[\d.]*\d", text)) == set(re.findall(r"[\d.]*\d", chinese.grade(text)))
