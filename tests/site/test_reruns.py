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

from grader.findings import Whose
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.rerun.evidence import Evidence, Kind
from grader.site import pages, reruns, strings, tables, terminal
from grader.site.audience import Audience
from tests.grades.making import course, rerun, result, scores, the_rubric
from tests.site.conftest import a_class
from tests.site.reading import Page, attributes_of

SCORED = scores(1.3, 0.1, 1.0)


def one_student(evidence: Evidence | None, *, code: bool = True) -> Leaderboard:
    scored = result("R1", SCORED)
    hand_in = replace(scored.hand_in, code=Path("submissions/R1_code.zip") if code else None)
    known = {"R1": evidence} if evidence else {}
    return leaderboard(the_rubric(), course(replace(scored, hand_in=hand_in)), {}, {}, known)


def text_of(board: Leaderboard) -> str:
    return re.sub(r"\s+", " ", Page(pages.index_html(board)).all_text())


def details_page(board: Leaderboard) -> Page:
    """What is said of everyone's rerun where there is room for it."""
    template = pages.templates().from_string(
        '{% import "parts.html" as parts with context %}'
        "{% for row in board.rows %}{{ parts.rerun_details(row, reruns) }}{% endfor %}"
    )
    values = {"t": strings.of(), "audience": Audience(), "public": False}
    return Page(template.render(board=board, reruns=reruns, **values))


def details_of(board: Leaderboard) -> str:
    return re.sub(r"\s+", " ", details_page(board).all_text())


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
