"""Reruns beside the grades: the verdict of each, why there is none, and nothing of it where nobody was rerun."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from grader import words
from grader.findings import Finding, Severity, Whose
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.rerun import symptoms
from grader.rerun.evidence import Evidence, Kind
from grader.site import pages, reruns, strings, tables, terminal
from grader.site.audience import Audience
from grader.site.student_page import student_html
from tests.grades.making import course, rerun, result, scores, the_rubric
from tests.site.conftest import a_class
from tests.site.reading import Page, attributes_of
from tests.site.test_student_page import NOTHING_HEARD
from tests.speaking import english_left

SCORED = scores(1.3, 0.1, 1.0)


def one_student(evidence: Evidence | None, *, code: bool = True) -> Leaderboard:
    scored = result("R1", SCORED)
    hand_in = replace(scored.hand_in, code=Path("submissions/R1_code.zip") if code else None)
    known = {"R1": evidence} if evidence else {}
    return leaderboard(the_rubric(), course(replace(scored, hand_in=hand_in)), {}, {}, known)


def text_of(board: Leaderboard) -> str:
    return re.sub(r"\s+", " ", Page(pages.index_html(board)).all_text())


def details_page(board: Leaderboard, language: str = "en") -> Page:
    """What is said of everyone's rerun where there is room for it."""
    template = pages.templates().from_string(
        '{% import "parts.html" as parts with context %}'
        "{% for row in board.rows %}{{ parts.rerun_details(row, reruns) }}{% endfor %}"
    )
    values = {"t": strings.of(language), "audience": Audience(), "public": False}
    return Page(template.render(board=board, reruns=reruns, **values))


def details_of(board: Leaderboard) -> str:
    return re.sub(r"\s+", " ", details_page(board).all_text())


OWN = "R1 and <b>all 3 clips: different</b>"
"""What a student's own words may look like."""
SAID = {
    Kind.REPRODUCED: ("all 30 clips: same by the metrics", "全部 30 個片段：依指標相同"),
    Kind.NONDETERMINISTIC: (
        "2 of 30 clips differ from the upload (001.wav, 002.wav), and two runs differ from each other in 2",
        "30 個片段中有 2 個與上傳的不同（001.wav, 002.wav），而且兩次執行之間有 2 個不同",
    ),
    Kind.DIFFERENT: (
        "7 of 30 clips differ from the upload (001.wav, 002.wav, 003.wav, 004.wav and 3 more); "
        "two runs agree with each other",
        "30 個片段中有 7 個與上傳的不同（001.wav, 002.wav, 003.wav, 004.wav 等，另有 3 個）；兩次執行的結果則彼此一致",
    ),
    Kind.INCOMPLETE: (
        f"inference ended well, but made no clip: 001.wav several files bear its number: {OWN}",
        f"推論正常結束，但沒有產生任何片段：001.wav 有多個檔案都是這個編號：{OWN}",
    ),
    Kind.COPIED: (f"the code holds the uploaded clips themselves ({OWN})", f"程式碼裡就放著上傳的片段（{OWN}）"),
    Kind.FAILED: (
        f"inference ended with exit status 1; the log ends with: {OWN}",
        f"推論以結束狀態 1 結束；紀錄的最後一行：{OWN}",
    ),
    Kind.STOPPED: ("stopped: more than 1800 s by the clock", "已中止：超過 1800 秒（實際時間）"),
    Kind.NOT_INSTALLABLE: (
        "no package is called utils; look for a typing error; a module of your own is not listed in requirements.txt",
        "沒有名為 utils 的套件；請檢查是否打錯字；自己寫的模組不要列在 requirements.txt",
    ),
    Kind.NO_CODE: (
        f"the code cannot be taken apart: {OWN} needs a password",
        f"無法解開程式碼：{OWN} 設有密碼",
    ),
    Kind.NO_UPLOAD: (
        "the uploaded clips cannot be read, so there is nothing to compare: The file is empty (0 bytes).",
        "無法讀取上傳的片段，因此無從比對：檔案是空的（0 位元組）。",
    ),
    Kind.NOT_RUN: (
        "the sandbox could not run it: the sandbox did not start in time",
        "沙箱無法執行：沙箱未能及時啟動",
    ),
}
"""A verdict's sentence of each kind, in English and in Chinese."""
FOUND = {
    Kind.NOT_INSTALLABLE: Finding(
        "rerun-install", Severity.ERROR, "requirements.txt", "{said}", "{fix}",
        facts=dict(zip(("said", "fix"), SAID[Kind.NOT_INSTALLABLE][0].split("; ", 1), strict=True)),
    ),
    Kind.NO_CODE: Finding(
        "code-unreadable", Severity.ERROR, "code", "the code cannot be taken apart: {entry} needs a password",
        facts={"entry": OWN},
    ),
    Kind.REPRODUCED: Finding(
        "rerun-probe", Severity.WARNING, "inference",
        "what it makes of mels that it has not seen does not fit them (correlation {fit})",
        "read its code: does it use the mels, or only recognise them?", facts={"fit": "0.12"},
    ),
}  # fmt: skip


def spoken(kind: Kind) -> Evidence:
    """A rerun with everything that a page can show of it, and no student's words but OWN."""
    found = (FOUND[kind],) if kind in FOUND else ()
    return replace(rerun("R1", kind, OWN, whose=Whose.STUDENT), sentence=SAID[kind][0], findings=found)


def printed(board: Leaderboard, width: int) -> str:
    out = io.StringIO()
    terminal.show(board, Path("site/index.html"), Console(file=out, width=width))
    return out.getvalue()


def test_a_reproduced_rerun_with_all_its_facts(board: Leaderboard) -> None:
    text = details_of(board)
    assert "reproduced within 1 LSB" in text_of(board)
    for expected in (
        "all 30 clips: within 1 LSB",
        "1 identical bytes, 29 within 1 LSB; lowest SNR 84.5 dB",
        "python as it should {mels} {out} (grader.toml: as it should)",
        "numpy 1.26.0",
        "requirements.txt in 2 places: numpy as it should → numpy==1.26.0; the rubric prices this at 2 %",
        "9.5 of 1800 s by the clock, 3.2 of 3600 s of CPU time, 85.0 of 8000 MB of memory, 3.0 of 500 MB of output",
        "Sandbox bubblewrap",
        "found: as it should",
    ):
        assert expected in text


def test_the_verdict_is_a_badge_with_its_sentence(board: Leaderboard) -> None:
    chips = [each for each in attributes_of(Page(pages.index_html(board)), "span") if each.get("title")]
    verdicts = [(each["class"], each["title"]) for each in chips if each["class"].startswith("chip")]
    assert ("chip good", "all 30 clips: within 1 LSB") in verdicts
    assert ("chip error", "The clip is named 3.wav.") in verdicts


def test_who_is_not_ranked_has_a_verdict_too(board: Leaderboard) -> None:
    _, _, after = text_of(board).rpartition("Not ranked")
    assert "Rerun: not run" in after


@pytest.mark.parametrize(("code", "why"), [(True, "not drawn"), (False, "no code")])
def test_why_there_is_no_verdict(code: bool, why: str) -> None:
    alone = one_student(None, code=code)
    assert json.loads(tables.leaderboard_json(alone))["students"][0]["rerun_why"] == why
    assert "Rerun" not in text_of(alone)
    other = result("R2", SCORED)
    rows = {"R1": alone.ranked[0].result, "R2": other}
    both = leaderboard(the_rubric(), course(*filter(None, rows.values())), {}, {}, {"R2": rerun("R2", Kind.REPRODUCED)})
    assert f"— {why}" in text_of(both)
    assert f"— {why}" in printed(both, 120)


@pytest.mark.parametrize(
    ("kind", "whose", "tone"),
    [
        (Kind.REPRODUCED, None, "good"),
        (Kind.DIFFERENT, Whose.STUDENT, "error"),
        (Kind.COPIED, Whose.STUDENT, "error"),
        (Kind.NONDETERMINISTIC, Whose.STUDENT, "warning"),
        (Kind.FAILED, Whose.ENVIRONMENT, ""),
        (Kind.NOT_RUN, Whose.GRADER, ""),
    ],
)
def test_only_a_students_own_fault_is_red(kind: Kind, whose: Whose | None, tone: str) -> None:
    assert reruns.tone(rerun("R1", kind, whose=whose)) == tone
    innocent = f"the {whose}’s fault, not the student’s"
    assert (innocent in text_of(one_student(rerun("R1", kind, whose=whose)))) == (tone == "")


def test_a_run_without_a_sandbox_is_marked() -> None:
    evidence = replace(rerun("R1", Kind.REPRODUCED), sandbox="none")
    assert reruns.tone(evidence) == "warning"
    assert "without a sandbox" in text_of(one_student(evidence))
    assert "none (--no-sandbox)" in details_of(one_student(evidence))


def test_the_log_of_what_failed_is_shown_and_does_nothing_else() -> None:
    said = "\x1b[2J\u202e</pre><script>alert(1)</script>"
    page = details_page(one_student(rerun("R1", Kind.FAILED, said, whose=Whose.STUDENT)))
    assert "last: \\x1b[2J\\u202e</pre><script>alert(1)</script>" in page.all_text()
    benign = details_page(one_student(rerun("R1", Kind.FAILED, "benign", whose=Whose.STUDENT)))
    assert page.skeleton() == benign.skeleton()
    assert "last:" not in details_of(one_student(rerun("R1", Kind.REPRODUCED)))


def test_early_endings_have_nothing_to_show_and_break_nothing() -> None:
    evidence = Evidence("R1", Kind.NO_CODE, "handed in no code (ID_code.zip)", Whose.STUDENT)
    assert reruns.facts(evidence) == []
    assert reruns.log(evidence) == ""
    assert "handed in no code (ID_code.zip)" in text_of(one_student(evidence))


def test_fields_of_the_tables(board: Leaderboard) -> None:
    first, second, third = json.loads(tables.leaderboard_json(board))["students"][:3]
    assert (first["rerun"], first["rerun_tier"], first["rerun_whose"]) == ("reproduced", "within 1 LSB", None)
    assert first["rerun_record"]["tiers"] == {"identical bytes": 1, "within 1 LSB": 29}
    assert first["rerun_record"]["peaks"]["cpu_s"] == 3.25
    assert (second["rerun"], second["rerun_why"], second["rerun_record"]) == (None, "no code", None)
    assert (third["rerun"], third["rerun_whose"]) == ("failed", "student")
    rows = list(csv.DictReader(io.StringIO(tables.leaderboard_csv(board).removeprefix("\ufeff"), newline="")))
    assert [row["rerun"] for row in rows[:3]] == ["reproduced", "", "failed"]


def test_the_terminal_shows_it_where_there_is_room(board: Leaderboard) -> None:
    assert "reproduced" in printed(board, 120)
    narrow = printed(board, 80)
    assert "reproduced" not in narrow
    assert max(map(len, narrow.split("the first three")[0].splitlines())) <= 80


def test_no_grade_depends_on_a_rerun() -> None:
    with_reruns = a_class()
    found = course(*(row.result for row in with_reruns.rows if row.result))
    without = leaderboard(the_rubric(), found, {}, {})
    again = leaderboard(
        the_rubric(), found, {}, {}, {row.grade.student_id: row.rerun for row in with_reruns.rows if row.rerun}
    )
    assert [row.grade for row in again.rows] == [row.grade for row in without.rows]


def test_where_nobody_was_rerun_nothing_of_that_room_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from grader import rerun; from grader.course import Course\n"
        "from grader.store import Store; import grader.site.build\n"
        f"root = Path({str(tmp_path)!r})\n"
        "with Store(root / 'store.sqlite') as store: print(rerun.known(Course(root), store))\n"
        "print({'grader.rerun.run', 'grader.rerun.sandbox', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["{}", "set()"]


@pytest.mark.parametrize("kind", list(Kind))
def test_all_of_it_is_said_in_chinese_but_the_students_own_words(kind: Kind) -> None:
    one = one_student(spoken(kind))
    english, chinese = SAID[kind]
    details = details_page(one, "zh-TW")
    index = Page(pages.index_html(one, Audience(language="zh-TW")))
    sheet = Page(student_html(one.rows[0], one, NOTHING_HEARD, Path(), "zh-TW"))
    for page in (details, index, sheet):
        assert chinese in page.all_text()
        assert english not in page.all_text()
        assert chinese in [each.get("title") for each in attributes_of(page, "span")]
    assert english_left(details.all_text().replace(OWN, "")) == ""
    assert english in text_of(one)


def test_facts_and_places_in_chinese() -> None:
    facts = dict(reruns.facts(spoken(Kind.REPRODUCED), "zh-TW"))
    assert facts == {
        "clips": "1 個檔案完全相同、29 個相差不超過 1 LSB；最低 SNR 84.5 dB",
        "command": f"python {OWN} {{mels}} {{out}}（grader.toml：{OWN}）",
        "installed": "numpy 1.26.0",
        "repaired": f"requirements.txt 共 2 處：numpy {OWN} → numpy==1.26.0；依評分規則應扣 2 %，未計入此處的分數",
        "used": "實際時間 9.5／1800 秒、CPU 時間 3.2／3600 秒、記憶體 85.0／8000 MB、輸出 3.0／500 MB",
        "sandbox": "bubblewrap",
    }
    assert "推論 對沒看過的梅爾頻譜" in re.sub(
        r"\s+", " ", details_page(one_student(spoken(Kind.REPRODUCED)), "zh-TW").all_text()
    )
    within = replace(rerun("R1", Kind.REPRODUCED), sandbox="none")
    assert dict(reruns.facts(within, "zh-TW"))["sandbox"] == "無（--no-sandbox）"
    shown = Page(pages.index_html(one_student(within), Audience(language="zh-TW"))).all_text()
    assert "相差不超過 1 LSB" in shown


@pytest.mark.parametrize(
    "symptom",
    [
        "RuntimeError: Found no NVIDIA driver on your system",
        "error: unrecognized arguments: --all 3 clips",
        "python: can't open file '/code/a; there is no b.py'",
        "FileNotFoundError: [Errno 2] No such file or directory: 'read the log'",
    ],
)
def test_a_symptom_is_said_as_its_finding_is(symptom: str) -> None:
    found = symptoms.of_log(symptom)
    assert found is not None
    said = f"{found.what_text()}; {found.fix_text()}"
    one = Evidence("R1", Kind.FAILED, said, Whose.STUDENT, findings=(found,))
    known = words.of("zh-TW")
    assert reruns.sentence(one, "zh-TW") == f"{known.what(found)}；{known.fix(found)}"
    assert reruns.sentence(one, "en") == said
    assert all(str(value) in reruns.sentence(one, "zh-TW") for value in found.facts.values())


def test_english_is_what_the_record_says() -> None:
    for kind in Kind:
        one = spoken(kind)
        assert reruns.sentence(one, "en") == one.sentence
        assert reruns.record(one_student(one).rows[0])["rerun_why"] == one.sentence
