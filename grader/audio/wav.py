"""Audio files as the course reads them: what ``librosa.load(path, sr=22050)`` gives.

Mono is the mean over channels; another sample rate is converted by soxr HQ, before anything else looks at the signal.
Whether a hand-in's file is what it should be is judged by the checks, not here.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import soundfile as sf

from grader.audio import Audio
from grader.errors import CourseError


def load(path: Path, sample_rate_hz: int = 22050) -> Audio:
    """Read a recording as mono float32 at ``sample_rate_hz``, shape (samples,). Raises as :func:`read` does."""
    audio, rate_hz = read(path)
    return audio if rate_hz == sample_rate_hz else _convert(audio, rate_hz, sample_rate_hz)


def read(path: Path) -> tuple[Audio, int]:
    """A recording as mono float32 of shape (samples,), and its own sample rate in Hz.

    Raises :class:`CourseError` for a file that is missing, is not audio, or holds NaN or Inf.
    """
    try:
        channels, rate_hz = sf.read(path, dtype="float32", always_2d=True)
    except (OSError, sf.SoundFileError) as error:
        reason = "there is no such file" if not path.exists() else f"not readable as audio ({error})"
        raise CourseError(f"{path}: {reason}", help="give a wav or FLAC file that plays elsewhere") from None
    audio: Audio = np.mean(channels.T, axis=0)
    if not np.isfinite(audio).all():
        raise CourseError(f"{path}: holds NaN or Inf", help="export the recording again, as 16-bit PCM")
    return audio, rate_hz


def _convert(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """soxr HQ, cut or padded to librosa's ceil(samples · to / from)."""
    import soxr

    converted = np.asarray(soxr.resample(audio, from_hz, to_hz, quality="soxr_hq"), dtype=np.float32)
    samples = math.ceil(len(audio) * (to_hz / from_hz))
    return np.pad(converted[:samples], (0, max(0, samples - len(converted))))
