"""A scored class made of sounds alone, for tests of tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile as sf

from grader.intake.submission import Attempt, HandIn
from grader.measuring import Recording
from grader.scoring import CourseScores, StudentResult
from grader.store import file_sha256
from tests.grades.making import GRIFFIN_LIM, ON_TIME, scores

RATE_HZ = 22050
Clips = Mapping[str, np.ndarray]


def voice(seed: int, seconds: float = 1.6) -> np.ndarray:
    """Something like a sung line: a gliding tone with partials, each of its own phase."""
    random = np.random.default_rng(seed)
    time = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (0.6 * np.sin(2 * np.pi * 0.7 * time + random.uniform(0, 6)))) / RATE_HZ
    partials = [np.sin(n * phase + random.uniform(0, 2 * np.pi)) / n for n in range(1, 25)]
    wobble = np.cumsum(random.normal(0, 0.15, len(time)))  # as a vocoder's phase runs away from the recording's
    return np.asarray(0.1 * sum(partials) * np.cos(wobble), dtype=np.float32)


def write(folder: Path, name: str, audio: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    sf.write(folder / name, audio, RATE_HZ, subtype="PCM_16")
    return folder / name


def recordings(folder: Path, clips: Clips) -> tuple[Recording, ...]:
    paths = {name: write(folder, name, audio) for name, audio in clips.items()}
    return tuple(Recording(name, path, file_sha256(path), ("", "")) for name, path in paths.items())


def a_class(
    folder: Path, students: Mapping[str, Clips], references: Clips, baselines: Mapping[str, Clips] | None = None
) -> CourseScores:
    """Students (by ID), each with clips by name. Nothing is said of their scores."""
    baselines = baselines or {}
    found = {owner: recordings(folder / owner, clips) for owner, clips in {**students, **baselines}.items()}
    return CourseScores(
        {student: result(student) for student in students},
        dict.fromkeys(baselines, GRIFFIN_LIM),
        recordings=found,
        references=recordings(folder / "references", references),
    )


def result(student: str, upload: Path | None = None, code: Path | None = None) -> StudentResult:
    attempt = Attempt(upload or Path(f"{student}.7z"), 0, ON_TIME)
    return StudentResult(student, HandIn(student, (attempt,), code=code), attempt, None, scores(1.2, 0.1, 0.3), None)
