"""The leaderboard as JSON and CSV. FORMATS.md beside this file says what each field is.

The CSV files open in Excel as they are (UTF-8 with a mark, CRLF), and a cell that a spreadsheet would take for a
formula is led by an apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from grader.findings import Finding
from grader.grades.leaderboard import Leaderboard, Row, Rung
from grader.grades.points import Curve
from grader.metrics.scores import Scores
from grader.site import reruns

SCORE_FIELDS = ("m_stft", "log2_f0", "fad", "fad_name", "fad_stderr", "patches", "reference_patches")
BOARD_FIELDS = (
    "kind",
    "rank",
    "rank_first",
    "rank_last",
    "top_three",
    "student_id",
    *SCORE_FIELDS,
    "quality_percent",
    "quality_points",
    "submitted_at",
    "time_source",
    "delay_s",
    "late_percent",
    "report_submitted_at",
    "report_late_percent",
    "report_points",
    "bonus_points",
    "provisional_points",
    "final_points",
    "semester_percent",
    "findings",
    "excused",
    "failure",
    "failure_whose",
    "rerun",
    "rerun_tier",
    "rerun_whose",
)
CLIP_FIELDS = ("kind", "student_id", "clip", "m_stft", "log2_f0", "f0_frames", "f0_total", "missing")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def findings(row: Row) -> tuple[Finding, ...]:
    """What the checks found in a student's hand-in."""
    return tuple(row.result.check.findings) if row.result and row.result.check else ()


def scores(row: Row) -> Scores | None:
    return row.result.scores if row.result else None


def leaderboard_json(board: Leaderboard) -> str:
    rubric = board.rubric
    record = {
        "title": rubric.title,
        "course": rubric.course,
        "deadline": rubric.deadline_at.isoformat(),
        "timezone": rubric.timezone,
        "ranked_by": rubric.metrics.rank_by,
        "fad_name": board.fad_name,
        "points": {"quality": rubric.points.quality, "report": rubric.points.report, "total": board.most_points},
        "semester_weight_percent": rubric.semester_weight_percent,
        "anchors": [
            {"score": anchor.score, "percent": anchor.percent, "baseline": anchor.baseline, "factor": anchor.factor}
            for anchor in board.curve.anchors
        ],
        "curves": [_curve(line, weight) for line, weight in _curves(board)],
        "podium": asdict(board.podium) if board.podium else None,
        "baselines": [_baseline(rung) for rung in board.rungs],
        "students": [_student(row) for row in board.rows],
        "findings": [found.as_json() for found in board.findings],
    }
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _curves(board: Leaderboard) -> list[tuple[Curve, float]]:
    return list(zip(board.scale.curves, board.scale.weights, strict=True)) if board.scale else [(board.curve, 1.0)]


def _curve(line: Curve, weight: float) -> dict[str, Any]:
    return {"metric": line.metric, "weight": weight, "anchors": [asdict(anchor) for anchor in line.anchors]}


def leaderboard_csv(board: Leaderboard) -> str:
    rows: list[dict[str, Any]] = [
        {**_student(row), "kind": "student", "findings": len(findings(row))} for row in board.rows
    ]
    rows += [{**_baseline(rung), "kind": "baseline", "student_id": rung.label} for rung in board.rungs]
    return _csv(BOARD_FIELDS, rows)


def clips_csv(board: Leaderboard) -> str:
    scored = [("student", row.grade.student_id, found) for row in board.rows if (found := scores(row))]
    scored += [("baseline", rung.label, rung.scores) for rung in board.rungs]
    return _csv(
        CLIP_FIELDS,
        (
            {
                "kind": kind,
                "student_id": name,
                "clip": clip.name,
                "m_stft": clip.m_stft,
                "log2_f0": clip.log2_f0,
                "f0_frames": clip.f0_frames,
                "f0_total": clip.f0_total,
                "missing": "; ".join(f"{metric}: {reason}" for metric, reason in sorted(clip.missing.items())),
            }
            for kind, name, found in scored
            for clip in found.clips
        ),
    )


def _scores(found: Scores | None) -> dict[str, Any]:
    return {field: getattr(found, field, None) for field in (*SCORE_FIELDS, "left_out", "settings")}


def _baseline(rung: Rung) -> dict[str, Any]:
    return {
        "name": rung.name,
        "label": rung.label,
        **_scores(rung.scores),
        "quality_percent": rung.quality_percent,
    }


def _student(row: Row) -> dict[str, Any]:
    grade, late, report = row.grade, row.grade.lateness, row.grade.report_lateness
    standing = row.standing
    return {
        "student_id": grade.student_id,
        "rank": grade.rank,
        "rank_first": standing.first if standing else None,
        "rank_last": standing.last if standing else None,
        "top_three": standing.top_three if standing else None,
        "intervals": {
            metric: [interval.low, interval.high]
            for metric, interval in (standing.intervals if standing else {}).items()
        },
        **_scores(scores(row)),
        "quality_percent": grade.quality_percent,
        "quality_points": grade.quality_points,
        "quality_why": grade.quality_why,
        "submitted_at": late.submitted_at.isoformat() if late else None,
        "time_source": str(late.source) if late else None,
        "delay_s": late.delay.total_seconds() if late else None,
        "late_percent": late.percent if late else None,
        "late_why": grade.late_why,
        "late_lines": list(grade.late_lines),
        "report_submitted_at": report.submitted_at.isoformat() if report else None,
        "report_late_percent": report.percent if report else None,
        "report_points": grade.report_points,
        "report_why": grade.report_why,
        "bonus_points": grade.bonus_points,
        "bonus_why": grade.bonus_why,
        "provisional_points": grade.provisional_points,
        "final_points": grade.final_points,
        "semester_percent": grade.semester_percent,
        "final_why": grade.final_why,
        "would_change": list(grade.would_change),
        "decisions": [asdict(line) for line in grade.ledger_lines],
        "excused": grade.excused,
        "failure": grade.failure,
        "failure_whose": str(grade.whose) if grade.whose else None,
        "findings": [found.as_json() for found in findings(row)],
        **reruns.record(row),
    }


def _csv(fields: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    names = list(fields)
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    """A cell no spreadsheet runs: text that starts like a formula gets an apostrophe; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
