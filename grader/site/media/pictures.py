"""What is seen: mel and linear spectrograms and their difference, as small WebP files.

Left to right a picture spans exactly the time axis it is drawn for, whole mel frames of it; high frequencies are on
top. Colours run from :attr:`Scale.low_db` to :attr:`Scale.high_db`, which come from the reference, so that all sources
of a clip are drawn alike. A frame's power is the course's: Hann 1024, hop 256.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from grader.audio import Audio
from grader.audio.mel import MelConfig, filterbank, power_spectrogram

VERSION = 1
"""Raised whenever the same sound gives another picture."""

MOST_COLUMNS = 800
LINEAR_ROWS = 256
RANGE_DB = 75.0
DIFFERENCE_DB = 30.0
_QUALITY, _DIFFERENCE_QUALITY = 30, 25
_SILENCE = 1e-10

Levels = npt.NDArray[np.float32]
"""Levels in dB, shape (rows, columns), the lowest frequency first."""


@dataclass(frozen=True)
class Scale:
    """Which levels the colours span."""

    low_db: float
    high_db: float


@dataclass(frozen=True)
class Spectra:
    """A clip's levels on a time axis of whole mel frames. mel: shape (bands, columns). linear: (256, columns)."""

    mel: Levels
    linear: Levels


def spectra(audio: Audio, frames: int, config: MelConfig) -> Spectra:
    """The levels of a clip of shape (samples,), cut or padded to ``frames`` (at least one)."""
    samples = frames * config.hop_length
    power = power_spectrogram(np.pad(audio[:samples], (0, max(0, samples - len(audio)))), config)
    columns = min(frames, MOST_COLUMNS)
    mel = _gather(filterbank(config) @ power, columns, axis=1)
    linear = _gather(_gather(power[1:], LINEAR_ROWS, axis=0), columns, axis=1)
    return Spectra(_decibel(mel), _decibel(linear))


def scale(levels: Levels) -> Scale:
    """The scale of all pictures of a clip, from its reference's levels; in whole dB."""
    high = float(np.ceil(levels.max()))
    return Scale(high - RANGE_DB, high)


def draw(levels: Levels, colours: Scale) -> bytes:
    """A spectrogram as WebP."""
    return _webp(_heat(), (levels - colours.low_db) / (colours.high_db - colours.low_db))


def draw_difference(prediction: Levels, reference: Levels, colours: Scale) -> bytes:
    """Prediction minus reference as WebP, from −30 to 30 dB: blue lacks energy, red has too much.

    What lies below the scale counts as its lower end, so that noise floors nobody hears do not differ.
    """
    apart = np.maximum(prediction, colours.low_db) - np.maximum(reference, colours.low_db)
    return _webp(_diverging(), 0.5 + apart / (2 * DIFFERENCE_DB), _DIFFERENCE_QUALITY)


def _gather(power: npt.NDArray[np.float32], count: int, axis: int) -> npt.NDArray[np.float32]:
    """The mean over neighbours along ``axis``, so that ``count`` are left."""
    size = power.shape[axis]
    if size <= count:
        return power
    starts = np.arange(count) * size // count
    sums = np.add.reduceat(power, starts, axis=axis)
    sizes = np.diff(np.append(starts, size)).astype(np.float32)
    mean: npt.NDArray[np.float32] = (sums / (sizes[:, None] if axis == 0 else sizes)).astype(np.float32)
    return mean


def _decibel(power: npt.NDArray[np.float32]) -> Levels:
    levels: Levels = 10 * np.log10(np.maximum(power, _SILENCE))
    return levels


def _webp(colours: npt.NDArray[np.uint8], position: Any, quality: int = _QUALITY) -> bytes:
    """Pixels coloured by their position, 0 … 1, among ``colours`` of shape (256, 3); the last row is on top."""
    index = np.clip(np.round(position * 255), 0, 255).astype(np.uint8)[::-1]
    buffer = io.BytesIO()
    Image.fromarray(colours[index]).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


@cache
def _heat() -> npt.NDArray[np.uint8]:
    """From black over violet and orange to pale yellow, evenly brighter (magma's stops)."""
    return _between(
        ["000004", "140e36", "3b0f70", "641a80", "8c2981", "b73779", "de4968", "f7705c", "fe9f6d", "fecf92", "fcfdbf"]
    )


@cache
def _diverging() -> npt.NDArray[np.uint8]:
    """From blue over a light grey to red, told apart by the colour-blind too (ColorBrewer's RdBu, turned)."""
    return _between(
        ["053061", "2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d", "b2182b", "67001f"]
    )


def _between(stops: list[str]) -> npt.NDArray[np.uint8]:
    points = np.array([list(bytes.fromhex(stop)) for stop in stops])
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, np.arange(len(stops)), points[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)
