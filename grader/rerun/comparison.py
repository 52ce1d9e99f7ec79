"""Clips made again against clips uploaded: each pair falls into the strictest tier that holds.

Samples are compared as 16-bit audio has them, full scale 1: one LSB is 2^-15. SNR in dB is
10·log10(Σ uploaded² / Σ (uploaded − rerun)²), over the longer of the two, the shorter padded with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from grader.rubric import Same
from grader.store import file_sha256

LSB = 2.0**-15
_MOST_SECONDS = 600
Delta = Callable[[str, Path, Path], Mapping[str, float]]


class Tier(StrEnum):
    """From the strictest to the loosest; the order is the order of verdicts."""

    BYTES = "identical bytes"
    SAMPLES = "identical samples"
    LSB = "within 1 LSB"
    CLOSE = "numerically close"
    METRICS = "same by the metrics"
    DIFFERENT = "different"
    MISSING = "missing"

    @property
    def rank(self) -> int:
        return list(Tier).index(self)

    @property
    def same(self) -> bool:
        return self.rank <= Tier.METRICS.rank


@dataclass(frozen=True)
class ClipComparison:
    """One clip. most: the largest difference of two samples; snr_db: None where the two are equal (or not comparable).

    deltas: how far the scores are apart, by metric. why: for a clip that is different or missing.
    """

    name: str
    tier: Tier
    snr_db: float | None = None
    most: float | None = None
    deltas: Mapping[str, float] | None = None
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "tier": str(self.tier)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> ClipComparison:
        return cls(**{**record, "tier": Tier(record["tier"])})


def compare_all(
    uploaded: Mapping[str, Path], rerun: Mapping[str, Path], same: Same, delta: Delta | None = None
) -> tuple[ClipComparison, ...]:
    """Every uploaded clip with the clip of that name that the rerun made.

    delta: the differences of scores of two files for a clip's name; without it no pair is "same by the metrics".
    """
    return tuple(
        compare(name, path, rerun[name], same, delta)
        if name in rerun
        else ClipComparison(name, Tier.MISSING, why="the rerun made no such file")
        for name, path in uploaded.items()
    )


def compare(name: str, uploaded: Path, rerun: Path, same: Same, delta: Delta | None = None) -> ClipComparison:
    """One pair. Never raises for what the rerun's file holds."""
    if file_sha256(uploaded) == file_sha256(rerun):
        return ClipComparison(name, Tier.BYTES, most=0.0)
    first, rate_hz = sf.read(uploaded, dtype="float64", always_2d=True)
    try:
        facts = sf.info(rerun)
        if (facts.samplerate, facts.channels) != (rate_hz, first.shape[1]):
            why = (
                f"{facts.samplerate} Hz with {facts.channels} channels, uploaded was {rate_hz} Hz with {first.shape[1]}"
            )
            return ClipComparison(name, Tier.DIFFERENT, why=why)
        if facts.duration > _MOST_SECONDS:
            return ClipComparison(name, Tier.DIFFERENT, why=f"the rerun's file lasts {facts.duration:.0f} s")
        second, _ = sf.read(rerun, dtype="float64", always_2d=True)
    except (sf.SoundFileError, RuntimeError, ValueError, MemoryError) as error:
        return ClipComparison(name, Tier.DIFFERENT, why=f"the rerun's file is no audio: {error}")
    if not np.isfinite(second).all():
        return ClipComparison(name, Tier.DIFFERENT, why="the rerun's file holds NaN or infinity")
    if first.shape == second.shape and np.array_equal(first, second):
        return ClipComparison(name, Tier.SAMPLES, most=0.0)
    difference = _padded(first, len(second)) - _padded(second, len(first))
    most, snr_db = float(np.abs(difference).max()), _snr_db(first, difference)
    lengths = "" if len(first) == len(second) else f"{len(second)} samples, uploaded were {len(first)}"
    if not lengths and most <= LSB * 1.001:
        return ClipComparison(name, Tier.LSB, snr_db, most)
    if snr_db >= same.snr_db:
        return ClipComparison(name, Tier.CLOSE, snr_db, most, why=lengths)
    deltas = delta(name, uploaded, rerun) if delta else {}
    tolerances = {"m_stft": same.m_stft, "log2_f0": same.log2_f0}
    if deltas and all(deltas.get(metric, np.inf) <= most_apart for metric, most_apart in tolerances.items()):
        return ClipComparison(name, Tier.METRICS, snr_db, most, deltas, lengths)
    return ClipComparison(name, Tier.DIFFERENT, snr_db, most, deltas or None, lengths)


def worst(clips: tuple[ClipComparison, ...]) -> Tier | None:
    """The loosest tier of all clips; None where there are none."""
    return max((clip.tier for clip in clips), key=lambda tier: tier.rank, default=None)


def _padded(audio: np.ndarray, samples: int) -> np.ndarray:
    return np.pad(audio, ((0, max(0, samples - len(audio))), (0, 0)))


def _snr_db(signal: np.ndarray, difference: np.ndarray) -> float:
    power, noise = float(np.sum(signal**2)), float(np.sum(difference**2))
    return float(10 * np.log10(max(power, 1e-20) / max(noise, 1e-20)))
