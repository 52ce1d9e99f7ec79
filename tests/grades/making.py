"""A class made by hand, with scores as real systems get them, for tests of grades and pages."""

import datetime as dt
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader import rubric
from grader.checks import CheckReport
from grader.checks.graph import CheckResult, Status
from grader.findings import Finding, Severity, Whose
from grader.intake.submission import Attempt, HandIn
from grader.metrics.scores import ClipScore, Scores
from grader.rerun.comparison import ClipComparison, Tier
from grader.rerun.evidence import Evidence, Kind
from grader.rubric import Rubric
from grader.scoring import CourseScores, StudentResult

CLIPS = [f"{number:03d}.wav" for number in range(1, 31)]
SETTINGS = {"m_stft": {"engine": "auraloss 0.4.0"}, "log2_f0": {"engine": "builtin", "capacity": "full"}}
ON_TIME = dt.datetime.fromisoformat("2023-11-01T20:00:00+08:00")


def the_rubric(changes: Mapping[str, Any] | None = None) -> Rubric:
    """The packaged rubric with some keys changed: ``the_rubric({"metrics.rank_by": "log2_f0"})``."""
    values = rubric.load().model_dump()
    for path, value in (changes or {}).items():
        *sections, key = path.split(".")
        inner = values
        for section in sections:
            inner = inner[section]
        assert key in inner, path
        inner[key] = value
    return Rubric.model_validate(values)


def scores(m_stft: float, log2_f0: float, fad: float | None, *, fad_name: str = "FAD", **changes: Any) -> Scores:
    """Scores whose clips spread around the means as real ones do."""
    clips = []
    for index, name in enumerate(CLIPS):
        wave = math.sin(2.4 * index + m_stft)
        clips.append(ClipScore(name, m_stft * (1 + 0.25 * wave), log2_f0 * (1 - 0.6 * wave), 380 + 5 * index, 601))
    usual: dict[str, Any] = {
        "fad_name": fad_name,
        "fad_stderr": None if fad is None else 0.07 * fad,
        "patches": 178,
        "reference_patches": 178,
        "clips": tuple(clips),
        "settings": SETTINGS,
    }
    return Scores(m_stft, log2_f0, fad, **{**usual, **changes})


GRIFFIN_LIM = scores(2.2312, 0.1123, 3.41)


def finding(severity: Severity, what: str, fix: str = "", **changes: Any) -> Finding:
    usual: dict[str, Any] = {"code": "made-for-a-test", "where": "r12922001.zip › 003.wav", "whose": Whose.STUDENT}
    return Finding(**{**usual, "severity": severity, "what": what, "fix": fix, **changes})


def result(
    student_id: str,
    found: Scores | None,
    *,
    failure: str | None = None,
    whose: Whose | None = None,
    findings: tuple[Finding, ...] = (),
    file_time: dt.datetime = ON_TIME,
    attempts: int = 1,
) -> StudentResult:
    """One student's result; ``attempts=0`` for one without a zip."""
    uploads = tuple(
        Attempt(Path(f"submissions/{student_id.lower()}{f'-{number}' * bool(number)}.zip"), number, file_time)
        for number in range(attempts)
    )
    attempt = uploads[-1] if uploads else None
    status = Status.FAILED if failure else Status.PASSED
    checked = (CheckResult("made_for_a_test", "A sentence.", status, findings),)
    report = CheckReport(student_id, attempt.path, checked, None) if attempt else None
    return StudentResult(student_id, HandIn(student_id, uploads), attempt, report, found, failure, whose)


def course(
    *results: StudentResult, baselines: Mapping[str, Scores] | None = None, findings: tuple[Finding, ...] = ()
) -> CourseScores:
    found = {"griffin_lim": GRIFFIN_LIM} if baselines is None else dict(baselines)
    return CourseScores({each.student_id: each for each in results}, found, findings)


def rerun(student_id: str, kind: Kind, said: str = "as it should", *, whose: Whose | None = None) -> Evidence:
    """A rerun as the store gives it back; ``said`` stands in all that a student's code or hand-in can fill."""
    usage = {"wall_s": 9.5, "cpu_s": 2.75, "memory_mb": 85.0, "processes": 7, "output_mb": 3.0}
    later = {**usage, "cpu_s": 3.25}
    reproduced = kind is Kind.REPRODUCED
    return Evidence(
        student_id,
        kind,
        "all 30 clips: within 1 LSB" if reproduced else said,
        whose,
        sandbox="bubblewrap",
        command={
            "line": f"python {said} {{mels}} {{out}}",
            "workdir": "",
            "source": "grader.toml",
            "proposals": [],
            "reason": said,
        },
        requirements={
            "lines": ["numpy==1.26.0"],
            "repairs": [
                {"kind": "table", "line": 1, "before": said, "after": "openssl==3", "why": said},
                {"kind": "table", "line": 2, "before": f"numpy {said}", "after": "numpy==1.26.0", "why": said},
            ],
            "percent": 2.0,
        },
        environment={"packages": [{"name": "numpy", "version": "1.26.0", "hashes": []}]},
        limits={"wall_s": 1800.0, "cpu_s": 3600.0, "memory_mb": 8000.0, "output_mb": 500.0},
        runs=(
            {"run": "1", "usage": usage, "log": f"first\nlast: {said}"},
            {"run": "2", "usage": later, "log": f"again\nlast: {said}"},
        ),
        clips=tuple(
            ClipComparison(name, Tier.LSB if index else Tier.BYTES, 84.5 if index else None)
            for index, name in enumerate(CLIPS)
        )
        if reproduced
        else (),
        findings=(finding(Severity.WARNING, "found: {said}", "{said}", where=said, facts={"said": said}),),
        made_at="2023-11-20T08:00:00+00:00",
    )
