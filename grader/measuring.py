"""Many hand-ins' clips measured against the references: what the store knows is not computed, the rest by workers.

Each metric of each clip is a record of its own, under the bytes of prediction and reference and that metric's settings,
so that a change of one metric leaves the others' numbers standing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from grader.audio import wav
from grader.metrics.evaluate import METRICS, SAMPLE_RATE_HZ, Evaluator, Measured, Measurement, Prepared
from grader.metrics.frechet import Embedding, FrechetScore
from grader.metrics.pitch import PitchTrack, PreparedPitch
from grader.metrics.scores import Scores
from grader.progress import Progress
from grader.rubric import Metric
from grader.store import Record, Store, content_key, pack
from grader.workbench import Workbench
from grader.workers import Content, Failure, Job, Pool

_WITHOUT_PITCH = 0.05
"""What a clip costs without pitch tracking, as a share of what it costs with it."""

_AT_A_TIME = 32
"""Hand-ins whose embeddings are in memory at once."""

_Clip = tuple[str, str]
"""A clip's name and the hash of its bytes: what its numbers depend on, besides the settings."""


@dataclass(frozen=True)
class Take:
    """One clip to be scored. name: as the reference's; samples: its length once loaded at 22 050 Hz."""

    name: str
    path: Path
    sha256: str
    samples: int

    @classmethod
    def of(cls, name: str, path: Path, sha256: str, samples: int, rate_hz: int) -> Take:
        """A clip of ``samples`` at its own rate."""
        return cls(name, path, sha256, wav.samples_at(samples, rate_hz, SAMPLE_RATE_HZ))

    @property
    def clip(self) -> _Clip:
        return self.name, self.sha256

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE_HZ

    @property
    def content(self) -> Content:
        return Content(self.sha256, self.path)


@dataclass(frozen=True)
class Recording:
    """A clip to be listened to. track: the stage and the key under which the store keeps its pitch, once scored."""

    name: str
    path: Path
    sha256: str
    track: tuple[str, str]


def run(workers: Pool, what: str, jobs: Sequence[Job], shown: Progress) -> Iterator[tuple[Job, Any]]:
    """Run jobs as one stage of the progress, failures noted."""
    if jobs:
        shown.start(what, sum(job.cost for job in jobs), len(jobs))
        yield from _run_on(workers, jobs, shown)
        shown.finish()


def _run_on(workers: Pool, jobs: Sequence[Job], shown: Progress) -> Iterator[tuple[Job, Any]]:
    """Run jobs as a part of the stage that is shown."""
    for job, result in workers.run(jobs, shown):
        if isinstance(result, Failure):
            shown.note(f"{job.what}: {result.reason}")
        shown.advance(job.cost)
        yield job, result


class Measuring:
    """Scores takes against references of the same names. Made once for a run."""

    def __init__(
        self, references: Mapping[str, Path], evaluator: Evaluator, store: Store, workers: Pool, shown: Progress
    ) -> None:
        self._references = references
        self._evaluator = evaluator
        self._store = store
        self._workers = workers
        self._shown = shown
        self._sha256 = {name: store.sha256(path) for name, path in references.items()}
        self._samples = {name: _samples(path) for name, path in references.items()}
        self._settings = {metric: content_key(**known) for metric, known in evaluator.settings().items()}
        self._track_settings = content_key(**evaluator.track_settings())
        self._keys: dict[tuple[Metric, _Clip], str] = {}

    def scores(self, takes: Mapping[str, Sequence[Take]]) -> dict[str, Scores]:
        """The scores of each owner. A clip that fails costs its owner that metric, with the reason in the scores."""
        owners = {take.clip: (owner, take) for owner, owned in takes.items() for take in owned}
        measured = self._recall(owners)
        self._measure(owners, measured)
        distances = self._distances(takes, measured)
        return {
            owner: self._evaluator.summarise({take.name: measured[take.clip] for take in owned}, distances[owner])
            for owner, owned in takes.items()
        }

    def recordings(self, takes: Iterable[Take]) -> tuple[Recording, ...]:
        """One owner's clips, as :meth:`scores` left them in the store."""
        return tuple(Recording(take.name, take.path, take.sha256, ("pitch", self._track_key(take))) for take in takes)

    def references(self) -> tuple[Recording, ...]:
        return tuple(
            Recording(name, path, self._sha256[name], ("reference_pitch", self._reference_key(name)))
            for name, path in self._references.items()
        )

    def _key(self, metric: Metric, clip: _Clip) -> str:
        if (metric, clip) not in self._keys:
            name, sha256 = clip
            parts = {"audio": sha256} if metric == "fad" else {"reference": self._sha256[name], "prediction": sha256}
            self._keys[metric, clip] = content_key(**parts, settings=self._settings[metric])
        return self._keys[metric, clip]

    def _recall(self, clips: Iterable[_Clip]) -> dict[_Clip, dict[Metric, Measurement]]:
        """What the store knows of each clip. Embeddings stay there until a distance needs them."""
        measured: dict[_Clip, dict[Metric, Measurement]] = {clip: {} for clip in clips}
        for metric in METRICS:
            keys = {clip: self._key(metric, clip) for clip in measured}
            known = self._store.get_many(metric, list(keys.values()))
            for clip, key in keys.items():
                if key in known:
                    measured[clip][metric] = Measurement(**known[key])
        if self._evaluator.source.kind == "none":
            for found in measured.values():
                found["fad"] = Measurement.failed(self._evaluator.source.reason or "no embedding")
        return measured

    def _measure(
        self, owners: Mapping[_Clip, tuple[str, Take]], measured: Mapping[_Clip, dict[Metric, Measurement]]
    ) -> None:
        """Compute what is not known, keep it, and add it to ``measured``."""
        unknown = {clip: [metric for metric in METRICS if metric not in found] for clip, found in measured.items()}
        unknown = {clip: metrics for clip, metrics in unknown.items() if metrics}
        prepared, problems = self._prepare({name for (name, _), metrics in unknown.items() if "log2_f0" in metrics})
        first: list[_Clip] = []
        later: list[_Clip] = []
        begun: set[str] = set()
        for clip, metrics in unknown.items():
            track = self._track_key(owners[clip][1])
            same = "log2_f0" in metrics and track in begun
            (later if same else first).append(clip)
            begun.add(track)
        for what, clips in (("scoring clips", first), ("scoring clips heard before", later)):
            jobs = {}
            for clip in clips:
                name = clip[0]
                jobs[self._job(*owners[clip], unknown[clip], prepared.get(name), problems.get(name))] = clip
            for job, result in run(self._workers, what, list(jobs), self._shown):
                clip = jobs[job]
                if isinstance(result, Failure):
                    result = dict.fromkeys(unknown[clip], Measurement.failed(result.reason))
                self._keep(owners[clip][1], result)
                measured[clip].update({metric: one.without_arrays() for metric, one in result.items()})

    def _job(
        self, owner: str, take: Take, metrics: Collection[Metric], prepared: Content | None, problem: str | None
    ) -> Job:
        """One clip's unknown metrics. A pitch that is known, of this or of another owner, is not tracked again.

        problem: why the reference's pitch is not prepared.
        """
        track = self._store.arrays("pitch", self._track_key(take)) if "log2_f0" in metrics else None
        cost = take.seconds * (1 if "log2_f0" in metrics and track is None else _WITHOUT_PITCH)
        reference = prepared or Content(self._sha256[take.name], self._references[take.name])
        function = partial(measure_clip, metrics=metrics, track=track, is_prepared=bool(prepared), problem=problem)
        return Job(f"{owner} › {take.name}", function, cost, (take.content, reference))

    def _keep(self, take: Take, result: Measured) -> None:
        """Put all records of a clip into the store, together."""
        records = [
            Record(metric, self._key(metric, take.clip), one.as_json(), one.arrays())
            for metric, one in result.items()
            if one.lasting
        ]
        records += [
            Record("pitch", self._track_key(take), {}, one.track.arrays()) for one in result.values() if one.track
        ]
        self._store.put_all(records)

    def _prepare(self, names: Collection[str]) -> tuple[dict[str, Content], dict[str, str]]:
        """References with their pitch, packed, from the store or computed; and why some are not among them."""
        prepared, problems, jobs = {}, {}, []
        for name in sorted(names):
            packed = self._store.packed("reference_pitch", self._reference_key(name))
            if packed:
                prepared[name] = Content.of(packed)
            else:
                path = self._references[name]
                jobs.append(Job(name, _prepare_reference, path.stat().st_size, (Content(self._sha256[name], path),)))
        for job, result in run(self._workers, "preparing references", jobs, self._shown):
            if isinstance(result, Prepared) and isinstance(result.pitch, PreparedPitch):
                arrays = result.pitch.arrays()
                self._store.put("reference_pitch", self._reference_key(job.what), {}, arrays)
                prepared[job.what] = Content.of(pack(arrays))
            else:
                problems[job.what] = result.reason if isinstance(result, Failure) else str(result.pitch)
        return prepared, problems

    def _reference_key(self, name: str) -> str:
        return content_key(reference=self._sha256[name], settings=self._track_settings)

    def _track_key(self, take: Take) -> str:
        """Of a prediction's pitch: whoever handed it in, under whatever number, padded to its reference's length."""
        samples = max(take.samples, self._samples[take.name])
        return content_key(audio=take.sha256, samples=samples, settings=self._track_settings)

    def _distances(
        self, takes: Mapping[str, Sequence[Take]], measured: Mapping[_Clip, Measured]
    ) -> dict[str, FrechetScore | str]:
        """The Fréchet distance of each owner's clips from their references, or why there is none."""
        distances: dict[str, FrechetScore | str] = {}
        keys: dict[str, str] = {}
        for owner, owned in takes.items():
            if any(measured[take.clip]["fad"].missing is not None for take in owned):
                distances[owner] = "not every clip has an embedding"
            else:
                both = [
                    [self._key("fad", clip) for clip in (take.clip, self._reference_clip(take.name))] for take in owned
                ]
                keys[owner] = content_key(embeddings=both)
        known = self._store.get_many("distance", list(keys.values()))
        distances |= {owner: FrechetScore(**known[key]) for owner, key in keys.items() if key in known}
        missing = [owner for owner in keys if owner not in distances]
        references = self._embed_references({take.name for owner in missing for take in takes[owner]})
        if missing:
            self._shown.start("Fréchet distances", len(missing), len(missing))
        for start in range(0, len(missing), _AT_A_TIME):
            jobs = []
            for owner in missing[start : start + _AT_A_TIME]:
                lacking = [take.name for take in takes[owner] if take.name not in references]
                if lacking:
                    distances[owner] = f"the reference of {', '.join(lacking)} has no embedding"
                    continue
                try:
                    predictions = [self._embedding(take.clip) for take in takes[owner]]
                except KeyError:
                    distances[owner] = "an embedding was damaged in the store; run the same command again"
                    continue
                paired = [references[take.name] for take in takes[owner]]
                jobs.append(Job(owner, partial(_distance, predictions=predictions, references=paired)))
            for job, result in _run_on(self._workers, jobs, self._shown):
                if isinstance(result, FrechetScore):
                    self._store.put("distance", keys[job.what], dataclasses.asdict(result))
                distances[job.what] = result.reason if isinstance(result, Failure) else result
        self._shown.finish()
        return distances

    def _reference_clip(self, name: str) -> _Clip:
        return name, self._sha256[name]

    def _embedding(self, clip: _Clip) -> Embedding:
        """From the store; raises KeyError where it is not there."""
        return (self._store.arrays("fad", self._key("fad", clip)) or {})["embedding"]

    def _embed_references(self, names: Collection[str]) -> dict[str, Embedding]:
        """Embeddings of references, from the store or computed; without those that failed."""
        embeddings, jobs = {}, []
        for name in sorted(names):
            try:
                embeddings[name] = self._embedding(self._reference_clip(name))
            except KeyError:
                path = self._references[name]
                jobs.append(Job(name, _embed, path.stat().st_size, (Content(self._sha256[name], path),)))
        for job, result in run(self._workers, "embedding references", jobs, self._shown):
            if isinstance(result, Failure):
                continue
            if result.embedding is None:
                self._shown.note(f"{job.what}: {result.missing}")
                continue
            self._store.put("fad", self._key("fad", self._reference_clip(job.what)), result.as_json(), result.arrays())
            embeddings[job.what] = result.embedding
        return embeddings


def _samples(path: Path) -> int:
    """A recording's length once loaded at 22 050 Hz."""
    facts = sf.info(path)
    return wav.samples_at(facts.frames, facts.samplerate, SAMPLE_RATE_HZ)


def _prepare_reference(bench: Workbench, reference: Content) -> Prepared:
    return bench.evaluator.prepare(reference.read())


def _embed(bench: Workbench, audio: Content) -> Measurement:
    return bench.evaluator.embed(audio.read())


def measure_clip(
    bench: Workbench,
    prediction: Content,
    reference: Content,
    *,
    metrics: Collection[Metric],
    track: Mapping[str, np.ndarray] | None,
    is_prepared: bool,
    problem: str | None,
) -> Measured:
    """reference: packed with its pitch, or the recording itself, which serves every metric but log2-F0."""
    if is_prepared:
        prepared = bench.prepared(reference)
    else:
        prepared = dataclasses.replace(bench.evaluator.prepare(reference.read(), ()), pitch=problem)
    known = PitchTrack.from_arrays(track) if track else None
    return bench.evaluator.measure(prepared, prediction.read(), metrics, known)


def _distance(
    bench: Workbench, *, predictions: Sequence[Embedding], references: Sequence[Embedding]
) -> FrechetScore | str:
    try:
        return bench.evaluator.frechet(predictions, references)
    except ValueError as error:
        return str(error)
