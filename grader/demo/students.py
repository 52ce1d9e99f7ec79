"""The pretend students: who they are, and how each one's clips come about.

Five hand in code, as it stands in ``code/``; the clips of three of them are what that code makes. The others' clips
are made here without a network: a "trained" student starts from the recording's own spectrum, blurred by noise, and
finds phases for it as Griffin-Lim does: better than anything made of the mel alone, as a trained vocoder is, and like
one without the recording's phases.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grader.audio import Audio, Mel
from grader.audio.mel import COURSE, power_spectrogram
from reference_vocoders.griffin_lim import audio_from_magnitude

_CODE = Path(__file__).parent / "code"
Render = Callable[[Audio, Mel, int], Audio]
"""From a recording at 22 050 Hz, its mel and a seed to a clip."""


def trained(blur: float) -> Render:
    """blur: standard deviation of the noise on the log magnitude, in nepers."""

    def render(recording: Audio, mel: Mel, seed: int) -> Audio:
        noise = np.random.default_rng(seed).normal(0, blur, (COURSE.n_fft // 2 + 1, mel.shape[1]))
        magnitude = np.sqrt(power_spectrogram(recording)) * np.exp(noise)
        return audio_from_magnitude(magnitude, COURSE, iterations=8, seed=seed)

    return render


@dataclass(frozen=True)
class Student:
    """what: for the course's README.txt. render: None where the code makes the clips, or there are none.

    submitted_at: local time. in_table: whether submissions.csv has it too, besides the files themselves.
    silent: numbers of clips left empty. report_size: width and height of a page in points.
    code: the folder in ``code/`` that is handed in. documents: whether requirements and README lie beside the zip.
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
    code: str | None = None
    code_zipped: bool = False
    documents: bool = True

    def code_files(self) -> dict[str, bytes]:
        """The code handed in, by file name; nothing for a student without."""
        if self.code is None:
            return {}
        return {path.name: path.read_bytes() for path in sorted((_CODE / self.code).iterdir()) if path.is_file()}


def _november(day: int, hour: int, minute: int) -> dt.datetime:
    return dt.datetime(2023, 11, day, hour, minute)


STUDENTS = (
    Student(
        "R12922001",
        "excellent, on time; the code makes other clips than those uploaded",
        trained(0.40),
        _november(1, 21, 3),
        46,
        code="other_model",
        code_zipped=True,
    ),
    Student(
        "R12922002",
        "good, four hours late; the code wants to download its weights when it runs",
        trained(0.62),
        _november(2, 4, 12),
        41.5,
        code="downloader",
    ),
    Student(
        "R12922003",
        "fair, much like Griffin-Lim; clips named 1.wav instead of 001.wav; the report is not read yet; "
        "requirements.txt is a list printed by conda",
        None,
        _november(1, 23, 58),
        None,
        clip_name="{number}.wav",
        code="conda_list",
    ),
    Student(
        "R12922004",
        "poor: a small network with its own weights, nothing above 5 kHz; three days late",
        None,
        _november(5, 0, 20),
        38,
        code="torch_vocoder",
        documents=False,
    ),
    Student(
        "R12922005",
        "below Griffin-Lim: a library's own, 256 samples short; a 4:3 report; no line in submissions.csv",
        None,
        _november(1, 15, 20),
        33,
        in_table=False,
        report_size=(720, 540),
        code="griffin_lim",
    ),
    Student(
        "R12922006", "good, but 017.wav is silent", trained(0.55), _november(1, 22, 47), 40, silent=frozenset({17})
    ),
    Student("R12922007", "good, but at 24 000 Hz", trained(0.55), _november(1, 20, 15), 44, sample_rate_hz=24000),
    Student("R12922008", "a report, but no zip", None, _november(1, 23, 30), 43),
)
