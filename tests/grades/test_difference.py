"""Snapshots, and who moved between two of them by which input."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.errors import CourseError, EnvironmentProblem
from grader.findings import Whose
from grader.grades import snapshots
from grader.grades.difference import Difference, compare
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.grades.ledger import parse
from grader.measuring import Recording
from grader.rubric import Rubric
from grader.scoring import CourseScores, StudentResult
from tests.grades.making import GRIFFIN_LIM, ON_TIME, course, result, scores, the_rubric

HOUR = dt.timedelta(hours=1)
NUMBERS = {"R1": 1.3, "R2": 1.6866, "R3": 1.9, "R4": 2.5}
TIMES = {"R1": ON_TIME, "R2": ON_TIME + 30 * HOUR, "R3": ON_TIME, "R4": ON_TIME + 90 * HOUR}
REPORTS = {"R1": 45.0, "R2": 45.0, "R3": 30.0}


def student(name: str, m_stft: float, content: str = "", **settings: Any) -> StudentResult:
    known = {"m_stft": {"version": 1, **settings}, "log2_f0": {"capacity": "full"}}
    made = result(name, scores(m_stft, 0.2, 1.0, settings=known))
    return replace(made, content=content or f"zip of {name}")


def the_class(numbers: Mapping[str, float] = NUMBERS, **changed: StudentResult) -> CourseScores:
    made = {name: student(name, value) for name, value in numbers.items()} | changed
    return replace(course(*made.values()), references=(Recording("001.wav", Path("001.wav"), "abc", ("", "")),))


def board(
    found: CourseScores | None = None,
    *,
    rubric: Rubric | None = None,
    times: Mapping[str, Any] = TIMES,
    reports: Mapping[str, float] = REPORTS,
    decisions: str = "",
) -> Leaderboard:
    rubric = rubric or the_rubric()
    text = "".join(f"- {{at: 2023-11-03, by: lin, reason: sick, {line}}}\n" for line in decisions.splitlines())
    return leaderboard(rubric, found or the_class(), times, reports, None, parse(text, rubric))


BEFORE = board()


def difference(after: Leaderboard, before: Leaderboard = BEFORE) -> Difference:
    return compare(snapshots.now(before), snapshots.now(after))


def told(after: Leaderboard, before: Leaderboard = BEFORE) -> dict[str, str]:
    return {move.student_id: move.sentence() for move in difference(after, before).moves}


def test_nothing_changed_and_nobody_moved() -> None:
    found = difference(board())
    assert (found.changed, found.moves) == ((), ())


def test_the_late_rule() -> None:
    found = difference(board(rubric=the_rubric({"late.after_percent": 80.0})))
    assert found.changed == ("rubric.yaml: late.after_percent: 60 → 80",)
    assert [move.sentence() for move in found.moves] == [
        "R4: points 7.04 so far → 3.52 so far, rank 4 as before: −3.52 by the late rule: late.after_percent: 60 → 80."
    ]


def test_a_decision_and_one_taken_back() -> None:
    with_one = board(decisions="student: r2, kind: extension, days: 2")
    said = "R2: points 48.00 → 80.00, rank 2 as before: +32.00 by the decision extension by 2 d"
    assert told(with_one)["R2"].startswith(said)
    assert told(BEFORE, with_one) == {
        "R2": "R2: points 80.00 → 48.00, rank 2 as before: −32.00 by the decision no longer: extension by 2 d."
    }


def test_a_new_hand_in_moves_its_owner_and_past_whom_it_went() -> None:
    after = board(the_class(R3=student("R3", 1.2, "another zip")))
    assert told(after) == {
        "R1": "R1: points 90.65 as before, rank 1 → 2: rank 1 → 2 as R3 moved past.",
        "R2": "R2: points 48.00 as before, rank 2 → 3: rank 2 → 3 as R3 moved past.",
        "R3": "R3: points 59.12 → 78.40, rank 3 → 1: +19.28 by a new hand-in, r3.zip.",
    }


def test_another_version_of_a_metric() -> None:
    after = board(the_class(**{name: student(name, value + 0.05, version=2) for name, value in NUMBERS.items()}))
    found = difference(after)
    assert "the metric m_stft: version: 1 → 2" in found.changed
    for move in found.moves:
        assert [cause.kind for cause in move.causes] == ["hand-in"]
        assert "by the metric m_stft: version: 1 → 2" in move.sentence()
    assert len(found.moves) == 4


def test_other_references_and_checks() -> None:
    other = replace(
        the_class(R1=student("R1", 1.5)), references=(Recording("001.wav", Path("001.wav"), "xyz", ("", "")),)
    )
    assert "by other reference recordings" in told(board(other))["R1"]
    refused = replace(student("R1", 1.3), scores=None, failure="it is silent", whose=Whose.STUDENT)
    before, after = snapshots.now(BEFORE), snapshots.now(board(the_class(R1=refused)))
    found = compare(before, replace(after, inputs={**after.inputs, "checks": 99}))
    sentence = next(move.sentence() for move in found.moves if move.student_id == "R1")
    assert sentence.startswith("R1: points 90.65 → none, rank 1 → none: 90.65 → none by the checks: version")


def test_report_points_and_the_reports_time() -> None:
    assert told(board(reports={**REPORTS, "R4": 20.0})) == {
        "R4": "R4: points 7.04 so far → 15.04, rank 4 as before: 7.04 so far → 15.04 by report points none → 20."
    }
    assert "−10.00 by report points 30 → 20" in told(board(reports={**REPORTS, "R3": 20.0}))["R3"]


def test_a_corrected_time() -> None:
    moved = told(board(times={**TIMES, "R2": ON_TIME}))
    assert moved == {"R2": "R2: points 48.00 → 80.00, rank 2 as before: +32.00 by the time of the hand-in."}
    without = told(board(times={name: TIMES[name] for name in ("R1", "R3", "R4")}))
    assert "+32.00 by the time is now from file time" in without["R2"]


def test_the_points_rule_and_the_baselines() -> None:
    anchors = [{"score": 1.0, "percent": 100}, {"score": 3.0, "percent": 0}]
    assert "by the rubric: points.anchors: " in told(board(rubric=the_rubric({"points.anchors": anchors})))["R1"]
    other = replace(the_class(), baselines={"griffin_lim": replace(GRIFFIN_LIM, m_stft=2.3)})
    found = difference(board(other))
    assert "the baselines' scores, which the anchors go by" in found.changed
    assert "by the baselines' scores" in found.moves[0].sentence()


def test_ranked_by_another_metric() -> None:
    rubric = the_rubric(
        {"metrics.rank_by": "log2_f0", "points.anchors": [{"score": 0.1, "percent": 100}, {"score": 0.3, "percent": 0}]}
    )
    moved = told(board(rubric=rubric))
    assert "by the rubric: metrics.rank_by: m_stft → log2_f0" in moved["R3"]


def test_several_causes_add_up() -> None:
    after = board(
        the_class(R2=student("R2", 1.4, "another zip")),
        rubric=the_rubric({"late.after_percent": 70.0, "late.deduct": "points"}),
        reports={**REPORTS, "R2": 40.0},
        times={**TIMES, "R2": ON_TIME + 80 * HOUR},
        decisions="student: r2, kind: points, what: quality, add: 3",
    )
    found = difference(after)
    move = next(move for move in found.moves if move.student_id == "R2")
    assert [cause.kind for cause in move.causes] == ["hand-in", "late rule", "decision", "report points"]
    assert move.before is not None
    assert move.after is not None
    assert sum(cause.points or 0 for cause in move.causes) == pytest.approx(
        (move.after.points or 0) - (move.before.points or 0)
    )


def test_who_is_new_and_who_is_gone() -> None:
    few = {name: value for name, value in NUMBERS.items() if name != "R1"}
    times = {name: value for name, value in TIMES.items() if name != "R1"}
    reports = {name: value for name, value in REPORTS.items() if name != "R1"}
    after = board(the_class(few), times=times, reports=reports)
    assert told(after)["R1"] == "R1 is gone: points 90.65, rank 1."
    assert told(BEFORE, after)["R1"] == "R1 is new: points 90.65, rank 1."
    assert "as R1 fell behind" in told(after)["R2"]


def test_best_instead_of_latest_is_the_rules_doing() -> None:
    earlier = student("R2", 1.2, "first zip")
    latest = replace(result("R2", scores(1.6866, 0.2, 1.0), attempts=2), content="zip of R2")
    first = replace(earlier, attempt=latest.hand_in.attempts[0], hand_in=latest.hand_in)
    times = {**TIMES, "R2": ()}
    before = board(the_class(R2=latest), times=times)
    after = board(
        the_class(R2=replace(latest, earlier=(first,))),
        times=times,
        rubric=the_rubric({"late.several_hand_ins": "best"}),
    )
    assert "by the rubric: late.several_hand_ins: latest → best" in told(after, before)["R2"]


def test_a_snapshot_is_kept_once_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    assert snapshots.take(BEFORE, folder) == (1, True)
    assert snapshots.take(board(), folder) == (1, False)
    after = board(decisions="student: r1, kind: comment")
    assert snapshots.take(after, folder) == (2, True)
    assert [path.name for path in sorted(folder.iterdir())] == ["0001.json", "0002.json"]
    first, second = snapshots.load(folder, 1), snapshots.load(folder, 2)
    assert replace(first, number=0, made_at="") == replace(snapshots.now(BEFORE), made_at="")
    found = compare(first, second)
    assert found.moves == ()  # a comment moves nobody
    assert json.loads(json.dumps(found.as_json()))["before"]["number"] == 1


def test_a_damaged_or_missing_snapshot(tmp_path: Path) -> None:
    snapshots.take(BEFORE, tmp_path)
    snapshots.path_of(tmp_path, 1).write_text("{}")
    with pytest.raises(CourseError, match=r"0001.json: cannot be read as a snapshot"):
        snapshots.load(tmp_path, 1)
    with pytest.raises(CourseError, match="there is no snapshot 3; kept are 1 to 1"):
        snapshots.load(tmp_path, 3)
    assert snapshots.take(BEFORE, tmp_path) == (2, True)


@pytest.mark.parametrize(
    ("names", "there", "wanted"),
    [
        ((), [1, 2, 5], (2, 5)),
        (("1",), [1, 2, 5], (1, 5)),
        (("5", "1"), [1, 5], (5, 1)),
        (("2", "now"), [1, 2], (2, None)),
        (("now",), [1], (None, 1)),
    ],
)
def test_which_two_are_compared(
    names: tuple[str, ...], there: list[int], wanted: tuple[int | None, int | None]
) -> None:
    assert snapshots.chosen(names, there) == wanted


@pytest.mark.parametrize(("names", "there"), [((), []), ((), [1]), (("1",), []), (("last",), [1, 2])])
def test_what_cannot_be_compared(names: tuple[str, ...], there: list[int]) -> None:
    with pytest.raises(CourseError):
        snapshots.chosen(names, there)


def test_a_disk_without_hard_links_and_one_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", no_link)
    assert snapshots.take(BEFORE, tmp_path) == (1, True)
    assert snapshots.load(tmp_path, 1).number == 1

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EnvironmentProblem, match="the snapshot cannot be written"):
        snapshots.take(board(reports={}), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0001.json"]


def test_another_process_was_first(tmp_path: Path) -> None:
    """Two at once get two numbers: a number that is taken meanwhile is not overwritten."""
    assert snapshots._write_new(snapshots.path_of(tmp_path, 1), {"first": True})
    assert not snapshots._write_new(snapshots.path_of(tmp_path, 1), {"first": False})
    assert json.loads(snapshots.path_of(tmp_path, 1).read_text()) == {"first": True}
