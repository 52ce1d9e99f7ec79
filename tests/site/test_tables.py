"""JSON and CSV: the same numbers, documented fields, cells that no spreadsheet runs."""

import csv
import datetime as dt
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.grades.ledger import parse
from grader.site import tables
from tests.grades.making import ON_TIME, course, result, scores, the_rubric
from tests.site.conftest import a_class

FORMATS = (Path(tables.__file__).parent / "FORMATS.md").read_text(encoding="utf-8")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_csv_and_json_hold_the_same_numbers(board: Leaderboard) -> None:
    record = json.loads(tables.leaderboard_json(board))
    table = rows(tables.leaderboard_csv(board))
    everyone = record["students"] + record["baselines"]
    assert len(table) == len(everyone)
    for row, one in zip(table, everyone, strict=True):
        for name, cell in row.items():
            if name not in ("kind", "student_id", "findings"):
                value = one.get(name)
                assert cell == ("" if value is None else str(value)), name
    assert [row["student_id"] for row in table[:3]] == ["R12922001", "B10902017", "R12922004"]
    assert table[2]["findings"] == "2"
    assert (table[-1]["kind"], table[-1]["student_id"]) == ("baseline", "Griffin-Lim")


def test_a_row_by_hand(board: Leaderboard) -> None:
    row = rows(tables.leaderboard_csv(board))[2]
    share = (1.3127 - 1.142) / (2.2312 - 1.142)
    percent = round(100 - 60 * share, 2)
    points = round(percent / 2, 2)
    assert float(row["quality_percent"]) == percent
    assert float(row["quality_points"]) == points
    assert float(row["delay_s"]) == pytest.approx((23 * 60 + 0) * 60, abs=1e-3)  # 27 h after 20:00: 23 h late
    assert float(row["final_points"]) == round((points + 38) * 0.8, 2)
    assert (row["time_source"], row["late_percent"]) == ("submissions.csv", "20.0")


def test_every_clip_of_everyone_scored(board: Leaderboard) -> None:
    table = rows(tables.clips_csv(board))
    assert len(table) == 30 * (6 + 1)
    scored = board.ranked[0].result
    assert scored is not None
    assert scored.scores is not None
    assert [float(row["m_stft"]) for row in table[:30]] == [clip.m_stft for clip in scored.scores.clips]


def test_every_field_is_documented(board: Leaderboard) -> None:
    documented = set(re.findall(r"`([a-z0-9_.]+)`", FORMATS))
    record = json.loads(tables.leaderboard_json(board))
    fields = {*record, *record["points"], *record["anchors"][0], *record["students"][0], *record["baselines"][0]}
    fields |= {*record["students"][0]["rerun_record"], *record["students"][0]["rerun_record"]["command"]}
    fields |= {*record["students"][2]["findings"][0], *tables.BOARD_FIELDS, *tables.CLIP_FIELDS}
    assert sorted(fields - documented) == []


@pytest.mark.parametrize("text", [tables.leaderboard_csv, tables.clips_csv])
def test_csv_opens_in_excel(board: Leaderboard, text: Any) -> None:
    assert text(board).startswith("\ufeffkind,")
    assert text(board).count("\r\n") == text(board).count("\n")


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n=1"])
def test_no_cell_is_a_formula(name: str) -> None:
    board = a_class(name=name, said=f"{name}|' /C calc'!A0")
    for table in (tables.leaderboard_csv(board), tables.clips_csv(board)):
        cells = [cell for row in rows(table) for cell in row.values()]
        assert f"'{name}" in cells
        assert not [cell for cell in cells if cell.strip(" ")[:1] in tuple("=+-@\t\r\n＝＋－＠") and cell.strip(" ")]


def test_without_anybody() -> None:
    board = leaderboard(the_rubric(), course(), {}, {})
    assert json.loads(tables.leaderboard_json(board))["students"] == []
    assert len(rows(tables.leaderboard_csv(board))) == 1


def test_a_clip_without_a_number_says_why() -> None:
    found = scores(1.2, 0.1, 1.0)
    clips = (type(found.clips[0])("001.wav", 1.0, None, 0, 601, {"log2_f0": "no voiced frame"}), *found.clips[1:])
    board = leaderboard(the_rubric(), course(result("R1", scores(1.2, 0.1, 1.0, clips=clips))), {}, {})
    first = rows(tables.clips_csv(board))[0]
    assert (first["log2_f0"], first["missing"]) == ("", "log2_f0: no voiced frame")


def test_standings_and_decisions_are_in_both_forms() -> None:
    lines = (
        "- {at: 2023-11-03, by: lin, reason: '=1+1', student: r2, kind: bonus, what: loop}\n"
        "- {at: 2023-11-03, by: lin, reason: sick, student: r2, kind: extension, days: 2}\n"
    )
    found = course(*(result(f"R{n}", scores(1.2 + 0.3 * n, 0.2, 1)) for n in range(1, 6)))
    times = {"R2": ON_TIME + dt.timedelta(hours=30)}
    made = leaderboard(the_rubric(), found, times, {"R2": 40}, None, parse(lines, the_rubric()))
    record = json.loads(tables.leaderboard_json(made))
    two = record["students"][1]
    assert (two["rank"], two["rank_first"], two["rank_last"], two["top_three"]) == (2, 2, 2, 1.0)
    low, high = two["intervals"]["m_stft"]
    assert low < two["m_stft"] < high
    assert [each["kind"] for each in two["decisions"]] == ["bonus", "extension"]
    assert two["decisions"][0] == {
        "date": "2023-11-03",
        "kind": "bonus",
        "value": "loop",
        "reason": "=1+1",
        "who": "lin",
    }
    assert two["late_lines"][-1].startswith("2023-11-03")
    assert two["would_change"]
    assert record["podium"] == {"students": ["R1", "R2", "R3"], "same_three": 1.0, "same_first": 1.0}
    assert [line["metric"] for line in record["curves"]] == ["m_stft"]
    row = rows(tables.leaderboard_csv(made))[1]
    assert (row["rank_first"], row["bonus_points"], row["excused"]) == ("2", "2.0", "False")
    assert float(row["final_points"]) == two["final_points"] == two["quality_points"] + 42
