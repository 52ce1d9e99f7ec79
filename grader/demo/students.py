"""The pretend students: who they are, and how each one's clips come about.

No network is trained here. A "trained" student starts from the recording's own spectrum, blurred by noise, and finds
phases for it as Griffin-Lim does: better than anything made of the mel alone, as a trained vocoder is, and like one
without the recording's phases.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from grader.audio import Audio, Mel
from grader.audio.mel import COURSE, filterbank, power_spectrogram
from reference_vocoders.griffin_lim import audio_from_magnitude, power_from_mel

Render = Callable[[Audio, Mel, int], Audio]
"""From a recording at 22 050 Hz, its mel and a seed to a clip."""


def trained(blur: float) -> Render:
    """blur: standard deviation of the noise on the log magnitude, in nepers."""

    def render(recording: Audio, mel: Mel, seed: int) -> Audio:
        noise = np.random.default_rng(seed).normal(0, blur, (COURSE.n_fft // 2 + 1, mel.shape[1]))
        magnitude = np.sqrt(power_spectrogram(recording)) * np.exp(noise)
        return audio_from_magnitude(magnitude, COURSE, iterations=8, seed=seed)

    return render


def narrow_band(highest_hz: float) -> Render:
    """Griffin-Lim stopped after four iterations, silent above ``highest_hz``."""

    def render(_recording: Audio, mel: Mel, seed: int) -> Audio:
        magnitude = np.sqrt(power_from_mel(mel))
        magnitude[round(highest_hz / COURSE.sample_rate_hz * COURSE.n_fft) :] = 0
        return audio_from_magnitude(magnitude, COURSE, iterations=4, seed=seed)

    return render


def library_griffin_lim(_recording: Audio, mel: Mel, seed: int) -> Audio:
    """As a common library does it: clipped pseudo-inverse, 128 samples early, 256·(T−1) samples long."""
    power = np.maximum(0, _pseudo_inverse() @ mel)
    return audio_from_magnitude(np.sqrt(power), COURSE, iterations=16, seed=seed)[128:-128]


@cache
def _pseudo_inverse() -> np.ndarray:
    return np.linalg.pinv(filterbank())


@dataclass(frozen=True)
class Student:
    """what: for the course's README.txt. render: None for a student without a zip.

    submitted_at: local time. in_table: whether submissions.csv has it too, besides the files themselves.
    silent: numbers of clips left empty. report_size: width and height of a page in points.
    """

    student_id: str
    what: str
    render: Render | None
    submitted_at: dt.datetime
    report_points: float | None
    in_table: bool = True
    clip_name: str = "{number:03d}.wav"
    sample_rate_hz: int = COURSE.sample_rate_hz
    silent: frozenset[int] = frozenset()
    report_size: tuple[int, int] = (960, 540)
    requirements: str | None = "numpy\nsoundfile\ntorch==2.13.0\n"


def _november(day: int, hour: int, minute: int) -> dt.datetime:
    return dt.datetime(2023, 11, day, hour, minute)


STUDENTS = (
    Student("R12922001", "excellent, on time", trained(0.40), _november(1, 21, 3), 46),
    Student("R12922002", "good, four hours late", trained(0.62), _november(2, 4, 12), 41.5),
    Student(
        "R12922003",
        "fair; clips named 1.wav instead of 001.wav; the report is not read yet",
        trained(0.75),
        _november(1, 23, 58),
        None,
        clip_name="{number}.wav",
    ),
    Student(
        "R12922004",
        "poor: few iterations, nothing above 5 kHz; three days late",
        narrow_band(5000),
        _november(5, 0, 20),
        38,
        requirements=None,
    ),
    Student(
        "R12922005",
        "below Griffin-Lim: a library's own, 256 samples short; a 4:3 report; no line in submissions.csv",
        library_griffin_lim,
        _november(1, 15, 20),
        33,
        in_table=False,
        report_size=(720, 540),
    ),
    Student(
        "R12922006", "good, but 017.wav is silent", trained(0.55), _november(1, 22, 47), 40, silent=frozenset({17})
    ),
    Student("R12922007", "good, but at 24 000 Hz", trained(0.55), _november(1, 20, 15), 44, sample_rate_hz=24000),
    Student("R12922008", "a report, but no zip", None, _november(1, 23, 30), 43),
)
