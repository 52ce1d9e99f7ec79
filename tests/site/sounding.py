"""A course whose hand-ins can be heard: real little recordings with scores made by hand, so that nothing is scored."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from grader import rubric, scoring, tells
from grader.course import Course
from grader.findings import Severity
from grader.grades.leaderboard import Leaderboard
from grader.measuring import Recording
from grader.progress import Progress
from grader.scoring import CourseScores, StudentResult
from grader.site.build import build
from grader.store import file_sha256
from tests.grades.making import course as scores_of
from tests.grades.making import finding, result, scores
from tests.making import RATE_HZ, tone

FIRST, SECOND, SILENT = "R12922001", "B10902017", "R12922007"
CLIPS = ("001.wav", "002.wav")
NAME, SAID = "王小明 Wang Xiao-Ming", "what only the first student is told"
REPORT = {FIRST: 41.37, SECOND: 38.61, SILENT: 12.83}


@dataclass
class Sounding:
    """A course folder and what its scoring is made to find."""

    course: Course
    found: CourseScores

    def build(self, public: Path | None = None) -> Leaderboard:
        return build(Course(self.course.root), processes=1, shown=Progress(), public=public)[0]

    def sing(self, owner: str, hz: float) -> None:
        """Give an owner other recordings."""
        recordings = {**self.found.recordings, owner: record(self.course, owner, hz)}
        self.found = replace(self.found, recordings=recordings)

    def files(self, folder: str = "site") -> dict[str, tuple[int, int]]:
        """Inode and time of writing of every file by name."""
        root = self.course.root / folder
        return {
            path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def record(course: Course, owner: str, hz: float) -> tuple[Recording, ...]:
    """Two recordings, and their pitch in the store as the scoring leaves it."""
    made = []
    with course.store() as store:
        for number, name in enumerate(CLIPS):
            path = course.root / "heard" / owner / name
            path.parent.mkdir(parents=True, exist_ok=True)
            audio = tone(0.5, hz * (1 + number / 4)) * np.linspace(0.2, 1, RATE_HZ // 2, dtype=np.float32)
            sf.write(path, audio, RATE_HZ, subtype="PCM_16")
            track = ("log2_f0", f"{owner}-{name}-{hz}")
            pitch = {"f0_hz": np.full(51, hz, np.float32), "confidence": np.full(51, 0.9, np.float32)}
            store.put(*track, {}, pitch)
            made.append(Recording(name, path, file_sha256(path), track))
    return tuple(made)


def make(root: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str] | None = None) -> Sounding:
    """Two ranked students and one who failed. changes: texts of the packaged rubric to be replaced."""
    text = rubric.default_path().read_text(encoding="utf-8")
    for before, after in (changes or {}).items():
        assert before in text, before
        text = text.replace(before, after)
    (root / "rubric.yaml").write_text(text, encoding="utf-8")
    (root / "report_points.csv").write_text(
        "student_id,points\n" + "".join(f"{student},{points}\n" for student, points in REPORT.items())
    )
    late = "2023-11-02 03:21:09"
    (root / "submissions.csv").write_text(f"student_id,submitted_at\n{FIRST},{late}\n{SECOND},2023-11-01 09:08:07\n")
    course = Course(root)
    told = finding(Severity.WARNING, "{said}", "{said}", where=f"{FIRST}.zip › {NAME}.txt", facts={"said": SAID})
    students = (
        _scored(FIRST, 1.3127, findings=(told,), file_time=dt.datetime.fromisoformat(f"{late}+08:00")),
        _scored(SECOND, 1.2751),
        result(SILENT, None, failure=f"003.wav of {NAME} is silent."),
    )
    owners = {FIRST: 210.0, SECOND: 220.0, "griffin_lim": 230.0}
    found = replace(
        scores_of(*students, baselines={"griffin_lim": _short(2.2312)}),
        recordings={owner: record(course, owner, hz) for owner, hz in owners.items()},
        references=record(course, "reference", 200.0),
    )
    sounding = Sounding(course, found)

    def score_course(*_: Any, **__: Any) -> CourseScores:
        return sounding.found

    def nothing_told(*_: Any, **__: Any) -> tells.Tells:
        return tells.Tells()  # which would look into the zips, and there are none

    monkeypatch.setattr(scoring, "score_course", score_course)
    monkeypatch.setattr(tells, "tells", nothing_told)
    return sounding


def _short(m_stft: float) -> Any:
    whole = scores(m_stft, 0.15, 0.6)
    return replace(whole, clips=tuple(clip for clip in whole.clips if clip.name in CLIPS))


def _scored(student_id: str, m_stft: float, **changes: Any) -> StudentResult:
    return replace(result(student_id, _short(m_stft), **changes), owner=student_id)
