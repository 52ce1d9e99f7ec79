"""The scores of a course for people and for programs: ``grader score`` and its ``--json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.findings import Whose
from grader.grades.points import baseline_label, metric_label
from grader.metrics.scores import Scores
from grader.rubric import Metric
from grader.scoring import CourseScores

_METRICS: tuple[Metric, ...] = ("m_stft", "log2_f0", "fad")


def show(result: CourseScores, rank_by: Metric, console: Console) -> None:
    """A table, best by the ranking metric first, then what is left out, what failed and what else to know."""
    scored = [(baseline_label(name), scores) for name, scores in result.baselines.items()]
    scored += [(student_id, one.scores) for student_id, one in result.students.items() if one.scores]
    if scored:
        console.print(_table(sorted(scored, key=lambda row: _order(row[1].of(rank_by))), rank_by))
    for name, scores in scored:
        for metric, reasons in scores.left_out.items():
            label = metric_label(metric, scores.fad_name)
            for reason in dict.fromkeys(reasons.values()):
                clips = ", ".join(Path(clip).stem for clip, why in reasons.items() if why == reason)
                _line(console, f"without {label}: {name}, clips {clips}: {reason}", "yellow")
    for student_id, one in result.students.items():
        if one.failure:
            innocent = f" (the {one.whose}'s fault, not the student's)" if one.whose is not Whose.STUDENT else ""
            _line(console, f"no scores: {student_id}{innocent}: {one.failure}", "red")
    for finding in result.findings:
        _line(console, f"{finding.severity}: {finding.where}: {finding.what_text()}; {finding.fix_text()}", "yellow")
    names = {scores.fad_name for _, scores in scored}
    if "FD-logmel" in names:
        _line(console, "FD-logmel is not FAD: it rests on log-mel statistics instead of VGGish and has its own scale")


def as_json(result: CourseScores) -> dict[str, Any]:
    """Everything, with ``None`` for what is missing; the fields are those of the records."""
    return {
        "students": {
            student_id: {
                "attempt": one.attempt.path.name if one.attempt else None,
                "scores": one.scores.as_json() if one.scores else None,
                "failure": one.failure,
                "whose": one.whose,
            }
            for student_id, one in result.students.items()
        },
        "baselines": {name: scores.as_json() for name, scores in result.baselines.items()},
        "findings": [finding.as_json() for finding in result.findings],
    }


def _table(scored: list[tuple[str, Scores]], rank_by: Metric) -> Table:
    fad_name = scored[0][1].fad_name
    clips = len(scored[0][1].clips)
    title = f"{clips} clips, lower is better; log2-F0 in semitones; ±: standard error of {fad_name}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for metric in _METRICS:
        style = "bold" if metric == rank_by else ""
        table.add_column(metric_label(metric, fad_name), justify="right", style=style, no_wrap=True)
    for heading in ("±", "patches", "left out"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, scores in scored:
        left_out = sum(len(reasons) for reasons in scores.left_out.values())
        table.add_row(
            Text(name),
            *(_number(scores.of(metric)) for metric in _METRICS),
            _number(scores.fad_stderr),
            str(scores.patches),
            str(left_out or ""),
        )
    return table


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"


def _order(value: float | None) -> tuple[bool, float]:
    return value is None, value or 0.0


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
