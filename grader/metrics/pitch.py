"""log2-F0: how far a prediction's pitch is from the reference's, in semitones, lower is better.

Conventions: audio is at 22 050 Hz; tracks have one value per 10 ms frame. The shorter of a pair is padded with zeros.
Frames count where the *reference's* confidence is above ``min_confidence`` and its pitch between ``min_hz`` and
``max_hz``; whether the prediction is voiced is ignored. Source: the course's evaluator (its ``log2f0_mean``) and
crepe 0.0.16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from grader.audio import Audio
from grader.errors import GraderError
from grader.metrics import crepe
from grader.metrics.crepe import Activations, Capacity
from grader.metrics.viterbi import BINS, viterbi_path

VERSION = 3
"""Raised whenever a change here, in CREPE's or in Viterbi's code changes a number or what is kept beside it."""

SAMPLE_RATE_HZ = 22050
_CENTS = 1997.3794084376191 + np.linspace(0, 7180, BINS)

Values = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Thresholds:
    """Which frames of a reference are compared."""

    min_confidence: float = 0.6
    min_hz: float = 50.0
    max_hz: float = 2100.0


@dataclass(frozen=True)
class PitchTrack:
    """F0 in Hz and the largest activation (0 … 1) of each frame, both of shape (frames,)."""

    f0_hz: Values
    confidence: Values

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> PitchTrack:
        return cls(arrays["f0_hz"], arrays["confidence"])


@dataclass(frozen=True)
class PreparedPitch:
    """What is computed once per reference: the clip, its activations (frames, 360), and its track.

    longer: its tracks when padded to so many samples, kept as they are asked for.
    """

    audio: Audio
    activations: Activations
    track: PitchTrack
    longer: dict[int, PitchTrack] = field(default_factory=dict, repr=False, compare=False)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"audio": self.audio, "activations": self.activations, **self.track.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> PreparedPitch:
        return cls(arrays["audio"], arrays["activations"], PitchTrack.from_arrays(arrays))


@dataclass(frozen=True)
class Log2F0:
    """semitones: mean over ``frames`` of ``total_frames``; None where there is no such number, and ``reason`` why.

    prediction: the track that was compared, of ``total_frames``.
    """

    semitones: float | None
    frames: int
    total_frames: int
    reason: str | None = None
    prediction: PitchTrack | None = field(default=None, repr=False, compare=False)


class Engine(Protocol):
    """Turns 16 kHz signals into activations and tracks."""

    def activations(self, signal: Audio, first_frame: int = 0) -> tuple[int, Activations]:
        """Activations from ``first_frame`` or somewhat earlier on, after the frame they begin at."""
        ...

    def decode(self, activations: Activations) -> PitchTrack: ...

    def settings(self) -> dict[str, Any]: ...


class PitchTracker:
    """Tracks pitch with CREPE. Weights are read at the first clip, so making one and asking its settings is cheap.

    engine: ``builtin``, or ``crepe`` for the TensorFlow package the course uses (extra ``course``).
    weights_file: CREPE weights of that capacity; None for the packaged ones (builtin engine, ``full`` and ``tiny``).
    """

    def __init__(
        self,
        capacity: Capacity = "full",
        weights_file: Path | None = None,
        engine: Literal["builtin", "crepe"] = "builtin",
        thresholds: Thresholds | None = None,
    ) -> None:
        self.thresholds = thresholds or Thresholds()
        self._engine = _engine(engine, capacity, weights_file)

    def settings(self) -> dict[str, Any]:
        """Everything a score depends on besides the audio, JSON-able. Raises :class:`EnvironmentProblem`."""
        return {**self.track_settings(), **asdict(self.thresholds)}

    def track_settings(self) -> dict[str, Any]:
        """Everything a track depends on besides the audio."""
        return {"version": VERSION, **self._engine.settings()}

    def track(self, audio: Audio) -> PitchTrack:
        """The pitch of a clip of shape (samples,); 1 + floor(its samples at 16 kHz / 160) frames."""
        return self._engine.decode(self._engine.activations(_signal(audio, len(audio)))[1])

    def prepare(self, reference: Audio) -> PreparedPitch:
        activations = self._engine.activations(_signal(reference, len(reference)))[1]
        return PreparedPitch(reference, activations, self._engine.decode(activations))

    def log2_f0(self, reference: PreparedPitch, prediction: Audio, track: PitchTrack | None = None) -> Log2F0:
        """The distance of a prediction of shape (samples,) from its reference.

        track: the prediction's, padded to the reference's length where that is longer, if it is known already.
        """
        samples = max(len(reference.audio), len(prediction))
        track = track or self.track(np.pad(prediction, (0, samples - len(prediction))))
        return replace(log2_f0(self.reference_track(reference, samples), track, self.thresholds), prediction=track)

    def reference_track(self, reference: PreparedPitch, samples: int) -> PitchTrack:
        """The reference's track when it is padded to ``samples``: equal to tracking it anew, at the cost of its end.

        Zeros behind a clip change its last frames, what the resampler makes of its last samples, and through Viterbi
        the whole path.
        """
        if samples <= len(reference.audio):
            return reference.track
        if samples not in reference.longer:
            reference.longer[samples] = self._longer_track(reference, samples)
        return reference.longer[samples]

    def _longer_track(self, reference: PreparedPitch, samples: int) -> PitchTrack:
        before, after = _signal(reference.audio, len(reference.audio)), _signal(reference.audio, samples)
        changed = np.flatnonzero(before != after[: len(before)])
        first_sample = int(changed[0]) if len(changed) else len(before)
        first_frame = max(0, (first_sample - crepe.FRAME_SAMPLES // 2) // crepe.HOP_SAMPLES + 1)
        first_frame, end = self._engine.activations(after, first_frame)
        return self._engine.decode(np.concatenate([reference.activations[:first_frame], end]))


def log2_f0(reference: PitchTrack, prediction: PitchTrack, thresholds: Thresholds | None = None) -> Log2F0:
    """Mean |12·log2(f_reference / f_prediction)| over the frames that the reference's track selects.

    Both tracks must have the same number of frames.
    """
    limits = thresholds or Thresholds()
    kept = (
        (reference.confidence > limits.min_confidence)
        & (reference.f0_hz > limits.min_hz)
        & (reference.f0_hz < limits.max_hz)
    )
    frames, total = int(kept.sum()), len(kept)
    if frames == 0:
        return Log2F0(None, 0, total, "the reference has no frame that is surely pitched")
    if not (prediction.f0_hz[kept] > 0).all():
        return Log2F0(None, frames, total, "the pitch tracker gives no pitch for some frames of the prediction")
    distance = np.abs(12 * (np.log2(reference.f0_hz[kept]) - np.log2(prediction.f0_hz[kept])))
    return Log2F0(float(distance.mean()), frames, total)


def decode(activations: Activations) -> PitchTrack:
    """CREPE's own decoding: Viterbi over the argmax bins, then the local weighted mean of cents around the path."""
    cents = np.empty(len(activations))
    with np.errstate(invalid="ignore"):  # weights that are all zero give no pitch
        for frame, bin_ in enumerate(viterbi_path(activations.argmax(axis=1))):
            near = slice(max(0, bin_ - 4), bin_ + 5)
            weights = activations[frame, near]
            cents[frame] = (weights * _CENTS[near]).sum() / weights.sum()
    return PitchTrack(np.nan_to_num(10 * 2 ** (cents / 1200)), activations.max(axis=1))


def _signal(audio: Audio, samples: int) -> Audio:
    return crepe.to_16k(np.pad(audio, (0, samples - len(audio))), SAMPLE_RATE_HZ)


def _engine(name: str, capacity: Capacity, weights_file: Path | None) -> Engine:
    if name == "crepe" and weights_file is not None:
        raise GraderError(
            "the pitch engine crepe has weights of its own and reads no weights_file",
            help="set metrics.log2_f0.weights_file to null in rubric.yaml, or engine to builtin",
        )
    if name == "crepe":
        from grader.metrics.crepe_tensorflow import TensorFlowEngine

        return TensorFlowEngine(capacity)
    from grader.metrics.crepe_engine import BuiltinEngine

    return BuiltinEngine(capacity, weights_file)
