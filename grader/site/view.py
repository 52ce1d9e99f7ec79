"""What the page shows, computed from the leaderboard: columns and their scales, bars, and the drawing of the points.

No grade is computed here. Positions are percent of the space they are drawn in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from grader.checks.say import files_of
from grader.findings import Finding, Severity, alike
from grader.grades.leaderboard import Grade, Leaderboard, Row, Rung, missing_reason
from grader.grades.numbers import plain
from grader.grades.points import Curve, metric_label
from grader.grades.records import Interval
from grader.metrics.scores import ClipScore, Scores
from grader.site.tables import findings, scores

__all__ = ["alike", "findings", "missing_reason", "scores"]  # used by the templates too
METRICS = ("m_stft", "log2_f0", "fad")
KEYS = (  # of the listening page, and what each is for
    (("1", "…", "9"), "pick"),
    (("X",), "back"),
    (("↑", "↓"), "updown"),
    (("Space",), "play"),
    (("←", "→"), "seek"),
    (("Home",), "start"),
    (("[", "]"), "clip"),
    (("L",), "loop"),
    (("I", "O"), "inout"),
    (("B",), "blind"),
    (("V",), "vote"),
    (("M",), "match"),
    (("G", "P"), "view"),
    (("?",), "help"),
)
_SUMMARY = 2  # findings in a summary
_TICKS = 2  # baselines that have a tick of their own


@dataclass(frozen=True)
class Bar:
    """Length of a bar on its column's scale; ``over`` when the value lies beyond it."""

    percent: float
    over: bool


@dataclass(frozen=True)
class Column:
    """A metric's column. unit: beside the label. limit: where its bars end. marks: the baselines' values, its ticks."""

    metric: str
    label: str
    unit: str
    limit: float
    marks: tuple[float | None, ...]

    def bar(self, value: float) -> Bar:
        return Bar(round(min(value / self.limit, 1) * 100, 1), value > self.limit)

    def tone(self, value: float) -> str:
        """``behind`` every baseline, ``between`` them, or nothing for one as good as the best."""
        known = [mark for mark in self.marks if mark is not None]
        if not known or value <= min(known):
            return ""
        return "behind" if value > max(known) else "between"


@dataclass(frozen=True)
class Dot:
    """A place in the drawing of points by score, from its left and bottom edge."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Entry:
    """A line of the table: a student, or a baseline between them. number: counts the lines."""

    number: int
    row: Row | None = None
    rung: Rung | None = None


def in_order(board: Leaderboard) -> list[Entry]:
    """Students and baselines by score; a baseline stands behind a student who reached the same."""
    lines: list[tuple[float, int, Row | Rung]] = [(row.grade.score or 0.0, 0, row) for row in board.ranked]
    lines += [(float("inf") if rung.score is None else rung.score, 1, rung) for rung in board.rungs]
    lines.sort(key=lambda line: line[:2])
    return [
        Entry(number, rung=line) if isinstance(line, Rung) else Entry(number, row=line)
        for number, (_, _, line) in enumerate(lines, 1)
    ]


def columns(board: Leaderboard) -> list[Column]:
    """The three metrics, the ranking one first."""
    ranking = board.rubric.metrics.rank_by
    return [_column(board, metric) for metric in (ranking, *(each for each in METRICS if each != ranking))]


def _column(board: Leaderboard, metric: str) -> Column:
    marks = tuple(rung.scores.of(metric) for rung in board.rungs[:_TICKS])
    values = [value for found in _all_scores(board) if (value := found.of(metric)) is not None]
    unit = "semitones" if metric == "log2_f0" else ""
    return Column(metric, metric_label(metric, board.fad_name), unit, _limit(values), marks)


def marks_style(columns: list[Column]) -> str:
    """Where the baselines' ticks stand, as the custom properties of a table: ``--a0`` is the first's in the first."""
    places = [
        f"--{name}{index}:{column.bar(mark).percent}%"
        for index, column in enumerate(columns)
        for name, mark in zip("ab", column.marks, strict=False)
        if mark is not None
    ]
    return ";".join(places)


def any_standing(board: Leaderboard) -> bool:
    return any(row.standing for row in board.ranked)


def interval(row: Row, metric: str) -> Interval | None:
    """The 95 % interval of a student's number, where it is known."""
    return row.standing.intervals.get(metric) if row.standing else None


def tags(row: Row) -> list[str]:
    """What a student's row can be picked by."""
    grade, found = row.grade, [str(each.severity) for each in findings(row)]
    picked = {
        "late": bool(grade.lateness and grade.lateness.step),
        "no_report": grade.report_points is None,
        "findings": "error" in found or "warning" in found,
        "rerun": row.rerun is not None and str(row.rerun.kind) != "reproduced",
        "file_time": bool(grade.lateness and grade.lateness.source == "file time"),
    }
    return [name for name, holds in picked.items() if holds]


def tags_there(board: Leaderboard) -> list[str]:
    """Those of :func:`tags` that anyone ranked has."""
    have = {name for row in board.ranked for name in tags(row)}
    return [name for name in ("late", "no_report", "findings", "rerun", "file_time") if name in have]


def shortly(text: str, most: int = 200) -> str:
    """``text``, cut where it is longer than what a summary has room for."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _all_scores(board: Leaderboard) -> list[Scores]:
    return [found for row in board.rows if (found := scores(row))] + [rung.scores for rung in board.rungs]


def _limit(values: list[float]) -> float:
    """The end of a scale: the largest value, unless one far off would squeeze all others."""
    if not values or max(values) == 0:
        return 1.0
    return min(max(values), 3 * median(values)) or max(values)


def clip_columns(board: Leaderboard) -> list[Column]:
    """The two metrics that have a number per clip, scaled over the clips of everyone."""
    clips = [clip for found in _all_scores(board) for clip in found.clips]
    by_metric = {
        "m_stft": [clip.m_stft for clip in clips if clip.m_stft is not None],
        "log2_f0": [clip.log2_f0 for clip in clips if clip.log2_f0 is not None],
    }
    shown = [column for column in columns(board) if column.metric in by_metric]
    return [Column(each.metric, each.label, each.unit, _limit(by_metric[each.metric]), ()) for each in shown]


def worst_first(found: Scores, metric: str) -> list[ClipScore]:
    """Clips by ``metric``, the worst first, those without a number before all."""

    def value(clip: ClipScore) -> float:
        number = clip.log2_f0 if metric == "log2_f0" else clip.m_stft
        return float("inf") if number is None else number

    return sorted(found.clips, key=lambda clip: (-value(clip), clip.name))


def counts(board: Leaderboard) -> dict[str, int]:
    rows = [row for row in board.rows if not row.grade.excused]
    return {
        "handed_in": sum(row.grade.lateness is not None for row in rows),
        "ranked": len(board.ranked),
        "unranked": sum(row.grade.rank is None for row in rows),
        "graded": len(rows),
        "late": sum(bool(row.grade.lateness and row.grade.lateness.step) for row in rows),
        "file_times": sum(bool(row.grade.lateness and row.grade.lateness.source == "file time") for row in rows),
        "without_report": sum(row.grade.report_points is None for row in rows),
    }


def severities(row: Row) -> list[tuple[str, int]]:
    """How many errors, warnings and notes a hand-in has, those that it has."""
    found = Counter(each.severity for each in findings(row))
    return [(str(severity), found[severity]) for severity in Severity if found[severity]]


def hours(board: Leaderboard, grade: Grade) -> float | None:
    """When a student handed in, in hours after the deadline (before it: below zero)."""
    if grade.lateness is None:
        return None
    return round((grade.lateness.submitted_at - board.rubric.deadline_at).total_seconds() / 3600, 2)


def named(found: Sequence[Finding]) -> str:
    """The files of findings; of very many the first."""
    names, more = files_of(found)
    return names + ("…" if more else "")


def summary_findings(row: Row, *, notes: bool = True) -> list[Finding]:
    """A few of a student's findings, the worst first, one of a kind. notes: also those with nothing to do about."""
    of_a_kind: dict[str, Finding] = {}
    for found in findings(row):
        if notes or found.severity is not Severity.NOTE:
            of_a_kind.setdefault(found.code, found)
    order = list(Severity)
    return sorted(of_a_kind.values(), key=lambda found: order.index(found.severity))[:_SUMMARY]


def curves(board: Leaderboard) -> tuple[Curve, ...]:
    """Every curve that makes quality points."""
    return board.scale.curves if board.scale else (board.curve,)


def quality_metrics(board: Leaderboard) -> str:
    """What quality points are made of: ``M-STFT``, or ``M-STFT (75 %), log2-F0 (25 %)``."""
    if board.scale is None or len(board.scale.curves) == 1:
        return board.curve.label
    whole = sum(board.scale.weights)
    pairs = zip(board.scale.curves, board.scale.weights, strict=True)
    return ", ".join(f"{line.label} ({plain(100 * weight / whole)} %)" for line, weight in pairs)


def drawing(board: Leaderboard) -> list[Dot]:
    """The anchors of the points curve, from score 0 to a little behind the last anchor."""
    width = drawing_width(board)
    return [
        Dot(round(min(anchor.score / width, 1) * 100, 2), round(anchor.percent, 2), anchor.name)
        for anchor in board.curve.anchors
    ]


def drawing_width(board: Leaderboard) -> float:
    """The score at the right edge of the drawing."""
    return max(board.curve.anchors[-1].score * 1.12, 1e-9)


def settings(board: Leaderboard) -> list[tuple[str, str]]:
    """What the numbers depend on, as dotted names and values, from the records themselves."""
    return [each for each in _flat("", _settings(board)) if each[0] != "fad.instead_of_vggish"]


def setting(board: Leaderboard, metric: str, key: str) -> str | None:
    """One of the settings, where it is known."""
    value = _settings(board).get(metric, {}).get(key)
    return None if value is None else str(value)


def instead_of_vggish(board: Leaderboard) -> str | None:
    """Why another distance stands in for FAD, where one does and the reason is known."""
    return setting(board, "fad", "instead_of_vggish")


def _settings(board: Leaderboard) -> Mapping[str, Mapping[str, Any]]:
    return next((found.settings for found in _all_scores(board)), {})


def _flat(name: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in sorted(value.items()):
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, "none" if value is None else str(value)


@dataclass(frozen=True)
class LeftOut:
    """Clips without a number for the same reason, and whose; empty: everyone's."""

    metric: str
    reason: str
    clips: str
    whose: str


def left_out(board: Leaderboard) -> list[LeftOut]:
    """The clips without a number, one line for each metric and reason and those who share it."""
    found = [(rung.label, rung.scores) for rung in board.rungs]
    found += [(row.grade.student_id, each) for row in board.rows if (each := scores(row))]
    names: dict[tuple[str, str, str], list[str]] = {}
    for name, each in found:
        for metric, clips in each.left_out.items():
            for clip, reason in clips.items():
                names.setdefault((metric_label(metric, board.fad_name), reason, clip), []).append(name)
    clips_of: dict[tuple[str, str, str], list[str]] = {}
    for (metric, reason, clip), whose in sorted(names.items()):
        everyone = "" if len(whose) == len(found) else ", ".join(whose)
        clips_of.setdefault((metric, reason, everyone), []).append(clip)
    return [LeftOut(metric, reason, _few(clips), whose) for (metric, reason, whose), clips in clips_of.items()]


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{names[0]} … {names[-1]} ({len(names)} clips)"
