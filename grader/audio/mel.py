"""The course's mel spectrogram: linear power, HTK scale, no log. Not HiFi-GAN's.

Source of the definition: the course's Melspectrogram.py, which is torchaudio's ``MelSpectrogram`` with pad 384,
``center=False`` and otherwise defaults (periodic Hann, power 2, HTK, ``norm=None``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from grader.audio import Audio, Mel
from grader.errors import CourseError

HIFIGAN_FLOOR = float(np.log(1e-5))


@dataclass(frozen=True)
class MelConfig:
    sample_rate_hz: int = 22050
    bands: int = 80
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 256
    fmin_hz: float = 0.0
    fmax_hz: float = 8000.0

    @property
    def pad_samples(self) -> int:
        """Zeros on each side, so that N samples give floor(N / hop) frames."""
        return (self.n_fft - self.hop_length) // 2


COURSE = MelConfig()


@lru_cache(maxsize=8)
def filterbank(config: MelConfig = COURSE) -> np.ndarray:
    """Triangles of the HTK mel scale, unit height, shape (bands, n_fft/2 + 1), float32."""
    bins_hz = np.linspace(0, config.sample_rate_hz // 2, config.n_fft // 2 + 1)
    low, high = 2595 * np.log10(1 + np.array([config.fmin_hz, config.fmax_hz]) / 700)
    edges_hz = 700 * (10 ** (np.linspace(low, high, config.bands + 2) / 2595) - 1)
    rise = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    fall = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def power_spectrogram(audio: Audio, config: MelConfig = COURSE) -> np.ndarray:
    """Power spectrogram of shape (n_fft/2 + 1, floor(samples / hop)), float32."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.win_length) / config.win_length)).astype(np.float32)
    padded = np.pad(np.asarray(audio, dtype=np.float32), config.pad_samples)
    if len(padded) < config.n_fft:
        return np.zeros((config.n_fft // 2 + 1, 0), dtype=np.float32)
    frames = sliding_window_view(padded, config.win_length)[:: config.hop_length] * window
    spectrum = np.fft.rfft(frames, n=config.n_fft).astype(np.complex64)
    return np.ascontiguousarray((spectrum.real**2 + spectrum.imag**2).T)


def mel_spectrogram(audio: Audio, config: MelConfig = COURSE) -> Mel:
    """The course's mel of audio at ``config.sample_rate_hz``: shape (bands, floor(samples / hop)), linear power."""
    mel: Mel = filterbank(config) @ power_spectrogram(audio, config)
    return mel


def load_mel(path: Path, config: MelConfig = COURSE) -> Mel:
    """Read a test mel (``.npy``) of shape (bands, frames) or (1, bands, frames); linear power, float32.

    HiFi-GAN's natural-log convention is refused, like every other shape or value no course mel has.
    Raises :class:`CourseError`.
    """
    try:
        mel = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CourseError(f"{path}: not a readable .npy array ({error})", help="make it with `grader mels`") from None
    if mel.ndim == 3 and mel.shape[0] == 1:
        mel = mel[0]
    if mel.ndim != 2 or mel.shape[0] != config.bands:
        turned = mel.ndim == 2 and mel.shape[1] == config.bands
        raise CourseError(
            f"{path}: shape {mel.shape}, expected ({config.bands}, frames)",
            help="transpose it before saving" if turned else "make it with `grader mels`",
        )
    if mel.shape[1] == 0 or not np.issubdtype(mel.dtype, np.floating) or not np.isfinite(mel).all():
        raise CourseError(f"{path}: empty, not floating point, or holds NaN or Inf", help="make it with `grader mels`")
    if mel.min() < 0:
        raise CourseError(
            f"{path}: negative values, as in a log mel (HiFi-GAN's floor: {HIFIGAN_FLOOR:.3f}); expected linear power",
            help="make it with `grader mels`, or give exp() of it where it is the course's mel in log form",
        )
    return np.asarray(mel, dtype=np.float32)
