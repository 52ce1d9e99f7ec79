"""F0 curves, as the scoring computed them: one value per 10 ms, in cents, voiced or not."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import numpy as np

from grader.measuring import Recording
from grader.metrics.pitch import PitchTrack, Thresholds
from grader.store import Store, content_key

VERSION = 1
STEP_S = 0.01
CENTS_ABOVE_HZ = 10.0
_UNVOICED = -1


def curves(recordings: Iterable[Recording], thresholds: Thresholds, store: Store) -> dict[tuple[str, str], str]:
    """The encoded curve of every recording whose pitch the store knows, by its place there."""
    keys = {
        one.track: content_key(track=list(one.track), thresholds=list(vars(thresholds).values()), version=VERSION)
        for one in recordings
    }
    known = {key: record["f0"] for key, record in store.get_many("f0_curve", list(keys.values())).items()}
    for track, key in keys.items():
        if key in known:
            continue
        arrays = store.arrays(*track)
        if arrays:
            known[key] = encode(PitchTrack(arrays["f0_hz"], arrays["confidence"]), thresholds)
            store.put("f0_curve", key, {"f0": known[key]})
    return {track: known[key] for track, key in keys.items() if key in known}


def encode(track: PitchTrack, thresholds: Thresholds) -> str:
    """Base64 of int16, little-endian: cents above 10 Hz, −1 where the frame is not surely pitched."""
    voiced = (
        (track.confidence > thresholds.min_confidence)
        & (track.f0_hz > thresholds.min_hz)
        & (track.f0_hz < thresholds.max_hz)
    )
    cents = np.full(len(track.f0_hz), _UNVOICED, dtype="<i2")
    cents[voiced] = np.round(1200 * np.log2(track.f0_hz[voiced] / CENTS_ABOVE_HZ))
    return base64.b64encode(cents.tobytes()).decode()
