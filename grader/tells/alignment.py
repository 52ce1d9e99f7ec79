"""How near two recordings come as waveforms, whatever the delay and the gain.

Audio has shape (samples,), float32, one sample rate for both. Lags are in samples; a positive one means that the second
recording comes later. SI-SDR (Le Roux et al., 2019) is the energy of the part of one signal that is a multiple of the
other, over the rest, in dB; polarity does not matter. It is the same in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grader.audio import Audio

MAX_LAG_SAMPLES = 600
_MOST_DB = 120.0  # what equal signals get


@dataclass(frozen=True)
class Aligned:
    """si_sdr_db at the best lag, at most 120."""

    si_sdr_db: float
    lag_samples: int


@dataclass(frozen=True)
class Spectrum:
    """A recording, prepared for many comparisons. energies: of the first n samples, for n from 0."""

    audio: Audio
    size: int
    values: np.ndarray
    energies: np.ndarray


def spectrum(audio: Audio, samples: int) -> Spectrum:
    """Prepare a recording to be compared with others of up to ``samples`` samples; it is cut to that itself."""
    from scipy import fft

    audio = np.asarray(audio[:samples], dtype=np.float32)
    size = int(fft.next_fast_len(samples + MAX_LAG_SAMPLES, real=True))
    energies = np.concatenate([[0.0], np.cumsum(audio.astype(np.float64) ** 2)])
    return Spectrum(audio, size, fft.rfft(audio, size), energies)


def align(first: Spectrum, second: Spectrum) -> Aligned | None:
    """The best lag within ±600 samples, and the SI-SDR there; None where one of the two is silent.

    Both must have been prepared for the same number of samples.
    """
    from scipy import fft

    if first.size != second.size:
        raise ValueError("prepared for different lengths")
    lags = np.arange(-MAX_LAG_SAMPLES, MAX_LAG_SAMPLES + 1)
    products = fft.irfft(first.values.conj() * second.values, first.size)[lags]
    start = np.maximum(0, -lags)
    end = np.minimum(len(first.audio), len(second.audio) - lags)
    overlap = end > start
    start, end = np.where(overlap, start, 0), np.where(overlap, end, 0)
    energy = (first.energies[end] - first.energies[start]) * (
        second.energies[np.clip(end + lags, 0, None)] - second.energies[np.clip(start + lags, 0, None)]
    )
    floor = 1e-12 * first.energies[-1] * second.energies[-1]
    if not floor > 0:
        return None
    likeness = np.where(energy > floor, products.astype(np.float64) ** 2 / np.maximum(energy, floor), 0.0)
    best = int(np.argmax(likeness))
    lag = int(lags[best])
    one = first.audio[start[best] : end[best]].astype(np.float64)
    other = second.audio[start[best] + lag : end[best] + lag].astype(np.float64)
    return Aligned(_si_sdr_db(one, other), lag)


def _si_sdr_db(one: np.ndarray, other: np.ndarray) -> float:
    product, energies = float(one @ other), float(one @ one) * float(other @ other)
    if not energies:
        return -_MOST_DB
    likeness = product * product / energies
    if likeness <= 0:
        return -_MOST_DB
    rest = max(1.0 - likeness, 0.0)
    if rest < 1e-12:
        return _MOST_DB
    return float(np.clip(10 * np.log10(likeness / rest), -_MOST_DB, _MOST_DB))
