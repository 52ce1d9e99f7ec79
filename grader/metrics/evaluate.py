"""All metrics of one clip and of one hand-in, from files to numbers.

A number that cannot be had is ``None`` with a reason. A metric that fails takes no other with it, and a failure is not
lasting: the next run tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, get_args

import numpy as np

from grader import rubric
from grader.audio import Audio, wav
from grader.errors import EnvironmentProblem, GraderError
from grader.metrics import embedding, frechet, m_stft
from grader.metrics.crepe import Capacity
from grader.metrics.frechet import Embedding, FrechetScore
from grader.metrics.pitch import PitchTrack, PitchTracker, PreparedPitch, Thresholds
from grader.metrics.scores import ClipScore, Scores
from grader.progress import Progress
from grader.rubric import Metric

METRICS: tuple[Metric, ...] = get_args(Metric)
SAMPLE_RATE_HZ = 22050


@dataclass(frozen=True)
class Measurement:
    """One metric of one clip.

    value: the number; for FAD there is an ``embedding`` (patches, 128) instead. missing: why there is neither.
    by_reference: it is missing for every prediction, because the reference has nothing to compare with.
    frames, total_frames: for log2-F0, those compared of all; track: the prediction's pitch, for the pictures.
    lasting: False where a next try may succeed.
    """

    value: float | None = None
    missing: str | None = None
    by_reference: bool = False
    frames: int = 0
    total_frames: int = 0
    embedding: Embedding | None = field(default=None, repr=False)
    track: PitchTrack | None = field(default=None, repr=False)
    lasting: bool = True

    def as_json(self) -> dict[str, Any]:
        names = ("value", "missing", "by_reference", "frames", "total_frames")
        return {name: getattr(self, name) for name in names}

    def arrays(self) -> dict[str, np.ndarray] | None:
        return None if self.embedding is None else {"embedding": self.embedding}

    def without_arrays(self) -> Measurement:
        return replace(self, embedding=None, track=None)

    @classmethod
    def failed(cls, reason: str) -> Measurement:
        return cls(missing=reason, lasting=False)


Measured = Mapping[Metric, Measurement]


@dataclass(frozen=True)
class Prepared:
    """What is computed once per reference. audio: mono, 22 050 Hz. pitch: text says why it failed, None: not asked."""

    audio: Audio
    pitch: PreparedPitch | str | None = None


@dataclass(frozen=True)
class _PitchSettings:
    """What a pitch tracker is made of."""

    capacity: Capacity
    weights_file: Path | None
    engine: Literal["builtin", "crepe"]
    thresholds: Thresholds

    def tracker(self) -> PitchTracker:
        return PitchTracker(self.capacity, self.weights_file, self.engine, self.thresholds)


class Evaluator:
    """The metrics as the rubric sets them. Cheap to make and to pickle: networks are loaded when first needed."""

    def __init__(self, metrics: rubric.Metrics, source: embedding.Source | None = None) -> None:
        """``source`` is chosen here where it is not given, which may download weights."""
        self.source = source or embedding.choose(metrics.fad, Progress())
        f0 = metrics.log2_f0
        limits = Thresholds(f0.min_confidence, f0.min_hz, f0.max_hz)
        self._f0 = _PitchSettings(f0.capacity, Path(f0.weights_file) if f0.weights_file else None, f0.engine, limits)
        self._pitch = self._f0.tracker()

    def settings(self) -> Mapping[Metric, dict[str, Any]]:
        """Everything each metric's numbers depend on besides the audio, JSON-able. Does not import torch.

        Raises :class:`EnvironmentProblem` where a package or weight file is missing.
        """
        return self._settings

    @cached_property
    def _settings(self) -> Mapping[Metric, dict[str, Any]]:
        try:
            return {
                "m_stft": {"version": m_stft.VERSION, "auraloss": version("auraloss"), "torch": version("torch")},
                "log2_f0": self._pitch.settings(),
                "fad": self.source.settings(),
            }
        except PackageNotFoundError as error:
            raise EnvironmentProblem(
                f"the package {error.name} is not installed", help="pip install 'grader[grading]'"
            ) from None

    def track_settings(self) -> dict[str, Any]:
        """Everything a clip's pitch depends on besides the audio, JSON-able."""
        return self._pitch.track_settings()

    def files(self) -> tuple[Path, ...]:
        """Weight files named in the rubric or fetched: what a worker elsewhere needs besides its packages."""
        return tuple(path for path in (self.source.weights, self._f0.weights_file) if path)

    def with_files(self, places: Mapping[Path, Path]) -> Evaluator:
        """The same evaluator where those files lie elsewhere."""
        weights, f0 = self.source.weights, self._f0
        moved = copy(self)
        moved.source = replace(self.source, weights=weights and places[weights])
        moved._f0 = replace(f0, weights_file=f0.weights_file and places[f0.weights_file])
        moved._pitch = moved._f0.tracker()
        return moved

    def prepare(self, reference: Path | bytes, want: Collection[Metric] = METRICS) -> Prepared:
        """Read a reference (wav or FLAC, any rate) and compute what the wanted metrics need of it."""
        audio = wav.recording(reference, "a reference").load(SAMPLE_RATE_HZ)
        if "log2_f0" not in want:
            return Prepared(audio)
        try:
            return Prepared(audio, self._pitch.prepare(audio))
        except GraderError:
            raise
        except Exception as error:
            return Prepared(audio, _sentence("the pitch tracker failed on the reference", error))

    def embed(self, file: Path | bytes | wav.Recording) -> Measurement:
        """The embedding of a file's first channel at its own rate."""
        if self.source.kind == "none":
            return Measurement.failed(self.source.reason or "no embedding")

        def embed() -> Measurement:
            found = file if isinstance(file, wav.Recording) else wav.recording(file)
            return Measurement(embedding=self._embed(found.first(), found.rate_hz))

        return _guarded(embed)

    def measure(
        self,
        prepared: Prepared,
        prediction: Path | bytes,
        want: Collection[Metric] = METRICS,
        track: PitchTrack | None = None,
    ) -> Measured:
        """The wanted metrics of one prediction, its file read once. track: its pitch, where that is known already."""
        found = wav.recording(prediction, "a clip")
        audio = found.load(SAMPLE_RATE_HZ)
        measures: dict[Metric, Callable[[], Measurement]] = {
            "m_stft": lambda: _m_stft(prepared, audio),
            "log2_f0": lambda: self._log2_f0(prepared, audio, track),
            "fad": lambda: self.embed(found),
        }
        return {metric: _guarded(measure) for metric, measure in measures.items() if metric in want}

    def score_clip(self, name: str, prepared: Prepared, prediction: Path) -> tuple[ClipScore, dict[str, np.ndarray]]:
        """All metrics of one prediction: its score, and its ``embedding`` where there is one."""
        measured = self.measure(prepared, prediction)
        return clip_score(name, measured), measured["fad"].arrays() or {}

    def frechet(self, predictions: Sequence[Embedding], references: Sequence[Embedding]) -> FrechetScore:
        """The Fréchet distance over clips, by the chosen engine. Raises ValueError where there are too few patches."""
        score = frechet.frechet_score(predictions, references)
        if self.source.kind == "frechet_audio_distance":
            from grader.metrics.fad_engine import Engine

            return replace(score, distance=Engine().distance(predictions, references))
        return score

    def summarise(self, clips: Mapping[str, Measured], fad: FrechetScore | str) -> Scores:
        """The scores of a whole hand-in from its clips by name; ``fad``: the distance over them, or why there is none.

        A clip whose reference has nothing to compare with is left out of the mean, the same for everyone. Where a
        prediction itself lacks a number there is no mean, so that nobody gains by it.
        """
        left_out: dict[str, dict[str, str]] = {}
        for name, measured in clips.items():
            for metric, one in measured.items():
                if one.missing is not None:
                    left_out.setdefault(metric, {})[name] = one.missing
        settings: dict[str, Any] = {str(metric): known for metric, known in self.settings().items()}
        if self.source.reason:
            settings["fad"] = {**settings["fad"], "instead_of_vggish": self.source.reason}
        score = None
        if isinstance(fad, FrechetScore):
            score = fad
        elif "fad" not in left_out:
            left_out["fad"] = dict.fromkeys(clips, fad)
        return Scores(
            m_stft=_mean([measured["m_stft"] for measured in clips.values()]),
            log2_f0=_mean([measured["log2_f0"] for measured in clips.values()]),
            fad=score.distance if score else None,
            fad_name=self.source.name,
            fad_stderr=score.stderr if score else None,
            patches=score.patches if score else 0,
            reference_patches=score.reference_patches if score else 0,
            clips=tuple(clip_score(name, measured) for name, measured in clips.items()),
            left_out=left_out,
            settings=settings,
            fad_left_out=tuple(score.left_out) if score else (),
        )

    def _log2_f0(self, prepared: Prepared, audio: Audio, track: PitchTrack | None = None) -> Measurement:
        if not isinstance(prepared.pitch, PreparedPitch):
            return Measurement.failed(prepared.pitch or "the reference's pitch was not prepared")
        score = self._pitch.log2_f0(prepared.pitch, audio, track)
        frames, total, track = score.frames, score.total_frames, score.prediction
        return Measurement(score.semitones, score.reason, frames == 0, frames, total, track=track)

    @cached_property
    def _embed(self) -> embedding.Embed:
        return self.source.load()


def clip_score(name: str, measured: Measured) -> ClipScore:
    """A clip's measurements of all metrics as one score."""
    f0 = measured["log2_f0"]
    return ClipScore(
        name=name,
        m_stft=measured["m_stft"].value,
        log2_f0=f0.value,
        f0_frames=f0.frames,
        f0_total=f0.total_frames,
        missing={metric: one.missing for metric, one in measured.items() if one.missing is not None},
    )


def _m_stft(prepared: Prepared, audio: Audio) -> Measurement:
    try:
        return Measurement(m_stft.m_stft(audio, prepared.audio))
    except ValueError as error:
        return Measurement(missing=str(error), by_reference=True)


def _guarded(measure: Callable[[], Measurement]) -> Measurement:
    """A measurement, or what it failed with. Numbers that are not finite are failures."""
    try:
        measurement = measure()
    except GraderError:
        raise
    except Exception as error:
        return Measurement.failed(_sentence("the metric failed", error))
    numbers = measurement.embedding if measurement.embedding is not None else measurement.value
    if numbers is not None and not np.isfinite(numbers).all():
        return Measurement(missing="the metric gives no finite number")
    return measurement


def _sentence(what: str, error: Exception) -> str:
    return f"{what}: " + " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _mean(measurements: Sequence[Measurement]) -> float | None:
    values = [one.value for one in measurements if one.value is not None]
    spoiled = any(one.missing is not None and not one.by_reference for one in measurements)
    return None if spoiled or not values else fmean(values)
