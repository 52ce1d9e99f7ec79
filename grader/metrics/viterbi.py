"""CREPE's own pitch tracking: a Viterbi path over 360 pitch bins, observed through the argmax of each frame.

Conventions: one state per bin (20 cents apart). Start: uniform. Transition: max(12 − |i−j|, 0), rows normalised.
Emission: 0.1 + 0.9/360 for the state's own bin, 0.9/360 for every other. Source: ``to_viterbi_cents`` of crepe 0.0.16.

Paths tie often and the tie decides the score, so arithmetic and ties are those of hmmlearn 0.3.3, which crepe calls:
natural logarithms in float64; the lowest of equal bins in the last frame, the highest of equal bins before it.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

BINS = 360
_REACH = 11
"""Bins a path may move from one frame to the next."""
_OTHER = 0.9 / BINS
_START, _HIT, _MISS = math.log(1 / BINS), math.log(0.1 + _OTHER), math.log(_OTHER)

Path = npt.NDArray[np.intp]


def viterbi_path(observed: Path) -> Path:
    """The most likely bin of each frame, given the argmax bin of each frame; both of shape (frames,), 0 … 359."""
    into = _log_transitions()
    frames = len(observed)
    emission = np.full((frames, BINS), _MISS)
    emission[np.arange(frames), observed] = _HIT
    # Infinite bins beyond both ends stand for moves that do not exist.
    lattice = np.full((frames, BINS + 2 * _REACH), -np.inf)
    inner = lattice[:, _REACH : _REACH + BINS]
    before = sliding_window_view(lattice, BINS, axis=1)  # before[t, k, j]: frame t, the state k − 11 bins above j
    inner[0] = _START + emission[0]
    moves = np.empty_like(into)
    for t in range(1, frames):
        np.add(before[t - 1], into, out=moves)
        np.max(moves, axis=0, out=inner[t])
        inner[t] += emission[t]

    path = np.empty(frames, dtype=np.intp)
    bin_ = int(inner[-1].argmax())
    path[-1] = bin_
    for t in range(frames - 2, -1, -1):
        candidates = before[t, :, bin_] + into[:, bin_]
        bin_ += _REACH - int(candidates[::-1].argmax())
        path[t] = bin_
    return path


@cache
def _log_transitions() -> npt.NDArray[np.float64]:
    """Log probability of moving into bin j from bin j + k − 11, shape (23, 360); −inf where there is no such bin."""
    bins = np.arange(BINS)
    weight = np.maximum(_REACH + 1 - np.abs(bins[:, None] - bins), 0)
    transition = weight / weight.sum(axis=1, keepdims=True)
    into = np.full((2 * _REACH + 1, BINS), -np.inf)
    for k in range(2 * _REACH + 1):
        for j in range(max(0, _REACH - k), min(BINS, BINS + _REACH - k)):
            into[k, j] = math.log(transition[j + k - _REACH, j])
    return into
