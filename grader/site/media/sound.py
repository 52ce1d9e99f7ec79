"""What is heard: encoded audio, its loudness, and the outline of its waveform.

Every source of a clip is encoded the same way, so that a coder's delay is the same for all; those used here add none
(tests decode and measure it).
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import soundfile as sf

from grader.audio import Audio
from grader.audio.resample import resample
from grader.rubric import SiteAudio

PEAK_COLUMNS = 800
SILENT_DBFS = -90.0
_OPUS_HZ = 24000
_SHORTEST_S = 0.4
"""BS.1770 measures in blocks of this length."""


@dataclass(frozen=True)
class Loudness:
    """lufs: by BS.1770, None for a clip shorter than 0.4 s. rms_db: re full scale. Both are None for silence."""

    lufs: float | None
    rms_db: float | None


@dataclass(frozen=True)
class Encoded:
    """content: the bytes of the file, without tags. suffix: of its name."""

    content: bytes
    suffix: str


def encode(audio: Audio, rate_hz: int, how: SiteAudio) -> Encoded:
    """A clip of shape (samples,) as MP3 at its own rate, or as Opus at 24 kHz; what lies beyond ±1 is clipped."""
    clipped = np.clip(audio, -1, 1)
    buffer = io.BytesIO()
    if how.format == "opus":
        level = 1 - (how.kbps - 6) / 250
        sf.write(buffer, resample(clipped, rate_hz, _OPUS_HZ), _OPUS_HZ, "OPUS", format="OGG", compression_level=level)
        return Encoded(buffer.getvalue(), "opus")
    slowest, fastest = (32, 320) if rate_hz >= 32000 else (8, 160)
    level = min(1.0, max(0.0, 1 - (how.kbps - slowest) / (fastest - slowest)))
    # at a constant rate below 56 kbps LAME leaves out the frame that says how much to skip: 50 ms of delay
    coding = {"compression_level": level, "bitrate_mode": "AVERAGE"}
    sf.write(buffer, clipped, rate_hz, "MPEG_LAYER_III", format="MP3", **coding)
    return Encoded(buffer.getvalue(), "mp3")


def loudness(audio: Audio, rate_hz: int) -> Loudness:
    """How loud a clip of shape (samples,) is."""
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) if len(audio) else 0.0
    rms_db = 20 * np.log10(rms) if rms > 0 else -np.inf
    if rms_db < SILENT_DBFS:
        return Loudness(None, None)
    if len(audio) < _SHORTEST_S * rate_hz:
        return Loudness(None, round(float(rms_db), 2))
    import pyloudnorm

    lufs = pyloudnorm.Meter(rate_hz).integrated_loudness(audio)
    return Loudness(round(float(lufs), 2) if np.isfinite(lufs) else None, round(float(rms_db), 2))


def peaks(audio: Audio, samples: int) -> tuple[str, float]:
    """The outline of a clip over a time axis of ``samples``, and its largest magnitude.

    The outline is base64 of ``PEAK_COLUMNS`` pairs of int8, the least and the largest sample of each column, 127 being
    the clip's own largest magnitude.
    """
    heard = np.clip(audio[:samples], -1, 1)
    heard = np.pad(heard, (0, samples - len(heard)))
    largest = float(np.abs(heard).max(initial=0.0))
    starts = np.arange(PEAK_COLUMNS) * samples // PEAK_COLUMNS
    if samples < PEAK_COLUMNS:
        pairs = np.zeros((PEAK_COLUMNS, 2))
    else:
        pairs = np.stack([np.minimum.reduceat(heard, starts), np.maximum.reduceat(heard, starts)], axis=1)
    scaled = np.round(pairs * (127 / largest if largest else 0)).astype(np.int8)
    return base64.b64encode(scaled.tobytes()).decode(), round(largest, 4)
