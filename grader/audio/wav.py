"""Audio files as the course reads them: what ``librosa.load(path, sr=22050)`` gives.

Mono is the mean over channels; another sample rate is converted by soxr HQ, before anything else looks at the signal.
Whether a hand-in's file is what it should be is judged by the checks, not here.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from grader.audio import Audio
from grader.errors import CourseError


@dataclass(frozen=True)
class Recording:
    """An audio file, read once. channels: float32 of shape (samples, channels)."""

    channels: npt.NDArray[np.float32]
    rate_hz: int

    def first(self) -> Audio:
        """The first channel, at the file's own rate."""
        return self.channels[:, 0]

    def mono(self) -> Audio:
        """The mean over channels, at the file's own rate."""
        audio: Audio = np.mean(self.channels.T, axis=0)
        return audio

    def load(self, sample_rate_hz: int = 22050) -> Audio:
        """Mono at ``sample_rate_hz``, shape (samples,)."""
        audio = self.mono()
        return audio if self.rate_hz == sample_rate_hz else _convert(audio, self.rate_hz, sample_rate_hz)


def recording(file: Path | bytes, name: str = "an audio file") -> Recording:
    """A file, or its bytes, as a recording; ``name`` is what bytes are called in an error.

    Raises :class:`CourseError` for a file that is missing, is not audio, or holds NaN or Inf.
    """
    where = str(file) if isinstance(file, Path) else name
    try:
        source = file if isinstance(file, Path) else io.BytesIO(file)
        channels, rate_hz = sf.read(source, dtype="float32", always_2d=True)
    except (OSError, sf.SoundFileError) as error:
        missing = isinstance(file, Path) and not file.exists()
        reason = "there is no such file" if missing else f"not readable as audio ({error})"
        raise CourseError(f"{where}: {reason}", help="give a wav or FLAC file that plays elsewhere") from None
    if not np.isfinite(channels).all():
        raise CourseError(f"{where}: holds NaN or Inf", help="export the recording again, as 16-bit PCM")
    return Recording(channels, rate_hz)


def load(path: Path, sample_rate_hz: int = 22050) -> Audio:
    """Read a recording as mono float32 at ``sample_rate_hz``, shape (samples,). Raises as :func:`recording` does."""
    return recording(path).load(sample_rate_hz)


def read(path: Path) -> tuple[Audio, int]:
    """A recording as mono float32 of shape (samples,), and its own sample rate in Hz; raises as :func:`recording`."""
    found = recording(path)
    return found.mono(), found.rate_hz


def samples_at(samples: int, from_hz: int, to_hz: int) -> int:
    """How long a clip of ``samples`` is once it is loaded at another rate."""
    return samples if from_hz == to_hz else math.ceil(samples * (to_hz / from_hz))


def _convert(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """soxr HQ, cut or padded to librosa's ceil(samples · to / from)."""
    import soxr

    converted = np.asarray(soxr.resample(audio, from_hz, to_hz, quality="soxr_hq"), dtype=np.float32)
    samples = samples_at(len(audio), from_hz, to_hz)
    return np.pad(converted[:samples], (0, max(0, samples - len(converted))))
