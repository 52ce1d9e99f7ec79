"""Reruns on a terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.findings import Severity, Whose
from grader.intake.names import printable
from grader.rerun.evidence import Evidence, Kind
from grader.rerun.run import Draw

_COLOUR = {None: "green", Whose.STUDENT: "red", Whose.ENVIRONMENT: "yellow", Whose.GRADER: "magenta"}
_LOG_LINES = 12


def as_json(drawn: Draw, evidence: Sequence[Evidence]) -> dict[str, Any]:
    """The draw and everything known of each student. ``students`` holds :meth:`Evidence.as_json`, in order of IDs."""
    ordered = sorted(evidence, key=lambda one: one.student_id)
    return {
        "seed": drawn.seed,
        "drawn": list(drawn.students),
        "of": drawn.of,
        "students": [one.as_json() for one in ordered],
    }


def draw_line(drawn: Draw) -> str:
    """Who is rerun, and how to draw the same again."""
    if drawn.seed is None:
        return f"rerunning {', '.join(drawn.students)}"
    count = len(drawn.students)
    return f"drawn {count} of {drawn.of} with code, seed {drawn.seed}: {', '.join(drawn.students)}"


def show(evidence: Sequence[Evidence], known: frozenset[str], console: Console) -> None:
    """A table with one line for each student, then what a TA has to look at."""
    ordered = sorted(evidence, key=lambda one: one.student_id)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("student", "verdict", "clips"):
        table.add_column(name, no_wrap=name == "student")
    for name in ("wall s", "CPU s", "MB"):
        table.add_column(name, justify="right")
    table.add_column("from")
    for one in ordered:
        usage = [run["usage"] for run in one.runs]
        peaks = [
            f"{max(use[name] for use in usage):.1f}" if usage else "–" for name in ("wall_s", "cpu_s", "memory_mb")
        ]
        verdict = Text(one.kind, style=_COLOUR[one.whose])
        table.add_row(one.student_id, verdict, _tiers(one), *peaks, "store" if one.student_id in known else "now")
    console.print(table)
    for one in ordered:
        _details(one, console)


def exit_status(evidence: Sequence[Evidence]) -> int:
    """0: all reproduced; 1: a student's was not; 2: this machine or the grader failed somewhere."""
    if any(one.kind is Kind.NOT_RUN for one in evidence):
        return 2
    return 0 if all(one.kind is Kind.REPRODUCED for one in evidence) else 1


def _tiers(one: Evidence) -> str:
    counts = Counter(clip.tier for clip in one.clips)
    return ", ".join(f"{counts[tier]} {tier}" for tier in sorted(counts, key=lambda tier: tier.rank)) or "–"


def _details(one: Evidence, console: Console) -> None:
    lines = [] if one.kind is Kind.REPRODUCED else [one.sentence]
    if one.sandbox == "none":
        lines.append("ran WITHOUT a sandbox (--no-sandbox)")
    if one.command.get("source") == "rubric.yaml":
        lines += [
            f"its README proposes: {line}   (--accept-proposals takes it)" for line in one.command["proposals"][:3]
        ]
    elif one.command:
        reason = f" ({one.command['reason']})" if one.command["reason"] else ""
        lines.append(f"command of {one.command['source']}{reason}: {one.command['line']}")
    lines += [f"as installation it names: {comment}" for comment in one.requirements.get("comments", ())[:5]]
    lines += [
        f"{finding.severity}: {finding.where}: {finding.what_text()}"
        + (f" → {finding.fix_text()}" if finding.fix else "")
        for finding in one.findings
        if finding.severity is not Severity.ERROR and finding.what_text() not in one.sentence
    ]
    diff = one.requirements.get("diff", "").splitlines()
    percent = one.requirements.get("percent", 0)
    if diff:
        price = f", priced at {percent:g} % by the rubric, for you to deduct" if percent else ""
        lines += [f"requirements.txt was repaired{price}:", *(f"  {line}" for line in diff[2:30])]
    if one.kind in (Kind.FAILED, Kind.STOPPED, Kind.NOT_RUN) and one.runs:
        tail = str(one.runs[-1]["log"]).splitlines()[-_LOG_LINES:]
        lines += ["the log's last lines:", *(f"  {line}" for line in tail)] if tail else []
    if lines:
        console.print(Text(f"\n{one.student_id}: {one.kind}", style="bold"))
        for line in lines:
            console.print(Text(f"  {printable(line, 400)}"), soft_wrap=True)
