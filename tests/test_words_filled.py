"""Sentences that records keep filled in (verdicts of reruns, tells), in other languages: all known, none mixed up."""

import ast
import re
import string
from pathlib import Path
from typing import Any

import pytest

import grader
from grader import words
from grader.rerun import inference
from grader.rerun.comparison import Tier
from tests.speaking import english_left

OTHERS = [language for language in words.languages() if language != words.ENGLISH]
ROOT = Path(grader.__file__).parent
RERUNS = (
    *("building", "code", "commands", "environment", "handout", "inference", "outputs", "requirements", "run"),
    *("sandbox", "symptoms"),
)
SPEAKING = (
    *(ROOT / f"rerun/{name}.py" for name in RERUNS),
    *(
        path
        for path in sorted((ROOT / "tells").glob("*.py"))
        if path.name not in ("alignment.py", "records.py", "report.py")
    ),
)
"""Modules whose sentences a page shows, of a rerun or among the tells."""
NO_PAGE = {"CourseError", "EnvironmentProblem", "compile", "start", "note", "repaired", "Repair"}
"""Calls that make nothing for a page: errors of the course and the machine, patterns, progress, repairs' reasons."""
NOT_SHOWN = (
    *("; did you mean", "has no wheel for Python", "install bubblewrap", "is part of Python itself", "not needed"),
    *("{}: unknown key", "the trial command did not run"),
    *("find cache", "import sys;", "No solution found", "UTF-", "no encoding", "requirements.txt (as installed)"),
)
"""How texts begin that only a terminal shows, or another program reads."""


def spoken_in(path: Path) -> set[str]:
    """A module's texts with two words one after the other, fields empty: its docstrings and patterns left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    silent = {part for node in ast.walk(tree) if _call(node) in NO_PAGE for part in ast.walk(node)}
    inner = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = {_text(node) for node in ast.walk(tree) if node not in docs | silent | inner}
    return {text for text in texts if english_left(text) and "(?" not in text and "|" not in text}


def _call(node: ast.AST) -> str:
    function: Any = node.func if isinstance(node, ast.Call) else None
    return str(getattr(function, "id", getattr(function, "attr", "")))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def unknown(texts: set[str], known: words.Words) -> list[str]:
    """Those that no sentence, no field's words and no pattern of a field knows."""
    fields = [*known.facts.values(), *known.patterns.values()]
    keys = [*known.sentences, *(key for table in fields for key in table)]
    everything = "\n".join(re.sub(r"\{\w*\}", "{}", key) for key in keys)
    patterns = [re.compile(key) for table in known.patterns.values() for key in table]

    def is_known(text: str) -> bool:
        bare = re.sub(r"\{\w*(![rs])?\}", "{}", text)
        return bare.strip(" ;:,.{}()") in everything or any(each.search(bare.replace("{}", "7")) for each in patterns)

    return sorted(text for text in texts if not text.startswith(NOT_SHOWN) and not is_known(text))


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sentence_of_a_rerun_or_a_tell_is_known(language: str, path: Path) -> None:
    assert unknown(spoken_in(path), words.of(language)) == []


@pytest.mark.parametrize(
    "said",
    [
        'raise _Ended(Kind.FAILED, f"{name} sings the wrong song")',
        'count = f"{len(clips)} clips are out of tune"',
        'Finding("x", Severity.NOTE, "code", "it sings too loud", "sing less loud")',
        'raise InstallError("the index is on strike", "ask for less", whose)',
        '_INNOCENT = ("Two may sing " "the same song.")',
        'notes.append(f"{source.name} was not listened to")',
    ],
)
def test_a_new_sentence_is_missed(said: str, tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(f'"""A new module."""\n{said}\n')
    assert unknown(spoken_in(tmp_path / "new.py"), words.of("zh-TW")) != []


def test_the_scan_sees_sentences_of_every_shape() -> None:
    assert "the rerun made {} of {} clips; not {}" in spoken_in(ROOT / "rerun/inference.py")
    assert "s by the clock" in spoken_in(ROOT / "rerun/inference.py")
    assert "these requirements cannot be installed together" in spoken_in(ROOT / "rerun/environment.py")
    assert "{} could not be looked into for equal files ({})" in spoken_in(ROOT / "tells/files.py")
    assert sum(len(spoken_in(path)) for path in SPEAKING) > 120


@pytest.mark.parametrize("language", OTHERS)
def test_a_filled_sentence_is_found_again_with_all_that_was_put_in(language: str) -> None:
    known = words.of(language)
    for english, other in known.sentences.items():
        parts = list(string.Formatter().parse(english))
        if any(conversion for _, _, _, conversion in parts):
            continue
        values = {name: f"<{name}>" for _, name, _, _ in parts if name}
        assert known.said(english.format_map(values)) == other.format_map(values)


def test_what_is_put_in_stays_as_it_is() -> None:
    known = words.of("zh-TW")
    for own in ("all 3 clips: different", "read the log", "{x} <b>;\n is not there", "copied: a.", "3 students"):
        said = known.said(f"inference ended with exit status 1; the log ends with: {own}")
        assert said == f"推論以結束狀態 1 結束；紀錄的最後一行：{own}"
        assert own in known.said(f"R1 and R2 share code: 87 % of {own}.")
    assert known.said("nobody ever said this") == "nobody ever said this"


def test_english_stays_as_it_is() -> None:
    english = words.of("en")
    assert english.said("all 3 clips: different") == "all 3 clips: different"
    assert english.value("tier", Tier.LSB) is Tier.LSB


@pytest.mark.parametrize("language", OTHERS)
def test_words_that_are_no_sentences_are_known(language: str) -> None:
    known = words.of(language)
    assert [tier for tier in Tier if known.value("tier", str(tier)) == str(tier)] == []
    limits = {"wall_s": 1.0, "cpu_s": 2.0, "memory_mb": 8000.0, "processes": 64, "output_mb": 5e6, "log_mb": 1.5}
    for limit in ("wall", "cpu", "memory", "processes", "output", "log"):
        assert english_left(known.said(inference._limit_sentence(limit, limits))) == ""
        assert limit not in known.said(inference._limit_sentence(limit, {}))
        assert english_left(known.said(f"x==1 cannot be built: it met the limit of {limit}")) == ""


@pytest.mark.parametrize(
    "why",
    [
        "archive damaged  its end is missing",
        "archive damaged  Bad magic number",
        "archive damaged entry model.pt Bad CRC-32",
        "archive too many entries  a list of 4.5 MB",
        "archive too many entries  60000 entries",
        "archive too many entries  more than 50000 entries",
        "archive too big  more than 4000 MB",
        "archive ratio model.pt 2000",
        "archive wrong size model.pt 12 13",
    ],
)
def test_why_a_zip_of_code_cannot_be_taken_apart(why: str) -> None:
    said = words.of("zh-TW").said(f"the code cannot be taken apart: {why}")
    assert said.startswith("無法解開程式碼：")
    assert "archive" not in said
