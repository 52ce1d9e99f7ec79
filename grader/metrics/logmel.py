"""VGGish's front end, and an embedding that needs no weights.

Audio becomes patches of log-mel spectrogram, shape (patches, 96 frames, 64 bands), float32: 16 kHz, 25 ms windows every
10 ms, magnitude of a 512-point FFT, 64 HTK mel bands from 125 to 7500 Hz (triangles over mels, nothing from 0 Hz),
ln(x + 0.01), patches of 0.96 s that do not overlap; what is left at the end is dropped. Source: AudioSet's
``mel_features.py`` and ``vggish_input.py``, with the course's loading before it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from grader.audio import Audio
from grader.audio.resample import resample

VERSION = 1

SAMPLE_RATE_HZ = 16000
SHORTEST_S = 2
WINDOW_SAMPLES, HOP_SAMPLES, N_FFT = 400, 160, 512
BANDS, LOW_HZ, HIGH_HZ = 64, 125.0, 7500.0
PATCH_FRAMES = 96
LOG_OFFSET = 0.01


def patches(audio: Audio, sample_rate_hz: int) -> npt.NDArray[np.float32]:
    """Log-mel patches of one channel of audio, shape (patches, 96, 64). Short audio is padded to 2 s: two patches."""
    audio = resample(audio - audio.mean(dtype=np.float64), sample_rate_hz, SAMPLE_RATE_HZ)
    audio = np.pad(audio, (0, max(0, SHORTEST_S * SAMPLE_RATE_HZ - len(audio))))
    log_mel = np.log(_magnitudes(audio) @ _filterbank() + LOG_OFFSET)
    count = len(log_mel) // PATCH_FRAMES
    return log_mel[: count * PATCH_FRAMES].reshape(count, PATCH_FRAMES, BANDS).astype(np.float32)


def embed(audio: Audio, sample_rate_hz: int) -> npt.NDArray[np.float32]:
    """Per patch the mean and the standard deviation over time of each band: shape (patches, 128)."""
    bands = patches(audio, sample_rate_hz).astype(np.float64)
    return np.concatenate([bands.mean(axis=1), bands.std(axis=1)], axis=1).astype(np.float32)


def _magnitudes(audio: Audio) -> npt.NDArray[np.float64]:
    """Magnitude spectrogram of shape (frames, 257)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)
    frames = sliding_window_view(audio, WINDOW_SAMPLES)[::HOP_SAMPLES] * window
    return np.abs(np.fft.rfft(frames, n=N_FFT))


@lru_cache(maxsize=1)
def _filterbank() -> npt.NDArray[np.float64]:
    """Weights of shape (257, 64)."""

    def mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 1127 * np.log(1 + hz / 700)

    bins = mel(np.linspace(0, SAMPLE_RATE_HZ / 2, N_FFT // 2 + 1))[:, None]
    low, high = mel(np.array([LOW_HZ, HIGH_HZ]))
    edges = np.linspace(low, high, BANDS + 2)
    rise = (bins - edges[:-2]) / np.diff(edges)[:-1]
    fall = (edges[2:] - bins) / np.diff(edges)[1:]
    weights: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rise, fall))
    weights[0] = 0
    return weights
