"""The terminal's table: the same order and numbers, and no control sequence from a hand-in."""

import io
from pathlib import Path

from rich.console import Console

from grader.findings import Severity
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.grades.ledger import parse
from grader.site.terminal import show
from tests.grades.making import course, finding, result, scores, the_rubric
from tests.site.conftest import a_class


def printed(board: Leaderboard) -> str:
    out = io.StringIO()
    show(board, Path("site/index.html"), Console(file=out, width=140, highlight=False, force_terminal=True))
    return out.getvalue()


def test_order_numbers_reasons_and_where_to_look(board: Leaderboard) -> None:
    text = printed(board)
    names = ["R12922001", "B10902017", "Griffin-Lim", "not ranked: R12922007", "open site/index.html"]
    places = [text.index(name) for name in names]
    assert places == sorted(places)
    for expected in (
        "1.192",
        "−20 %",
        "003.wav: The clip is silent.",
        "file's own time",
        "without report points",
    ):
        assert expected in text
    assert "R12922008 (the grader's fault, not the student's)" in text


def test_escape_sequences_of_a_hand_in_are_shown_not_obeyed() -> None:
    text = printed(a_class(name="R1\x1b[2J\x07", said="\x1b]0;pwned\x07 [red]x[/red]"))
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text
    assert "\\x1b]0;pwned\\x07 [red]x[/red]" in text


def test_what_is_wrong_with_the_course_is_noted() -> None:
    note = finding(Severity.NOTE, "is {n} frames long", "make it again", where="references/001.wav", facts={"n": 3})
    board = leaderboard(the_rubric(), course(findings=(note,)), {}, {})
    assert "note: references/001.wav: is 3 frames long; make it again" in printed(board)


def test_bands_the_first_three_and_who_is_excused() -> None:
    lines = "- {at: 2023-11-03, by: lin, reason: left, student: r5, kind: excuse}\n"
    found = course(*(result(f"R{n}", scores(1.2 + 0.2 * (n // 2), 0.2, 1)) for n in range(1, 6)))
    text = printed(leaderboard(the_rubric(), found, {}, {}, None, parse(lines, the_rubric())))
    assert "the first 3" not in text
    assert "the first three: R1, R2, R3; just these in" in text
    assert "2–3" in text
    assert "R5: excused: left (decided by lin, 2023-11-03)" in text
    assert "not ranked" not in text
    assert "4 of 4" in text  # without report points
