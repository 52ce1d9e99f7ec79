"""Clips that hold the recording's own waveform, which no mel can give.

A mel holds no phase: what a vocoder makes of it is far from the recording sample by sample, whatever it sounds like. On
sixteen sung lines vocoders came to −26 … −3 dB SI-SDR at the best lag, the recording itself through MP3 to 26 … 37 dB
and with noise 20 dB below it to 20 dB. A clip is told of where it reaches the rubric's threshold and stands far above
every baseline of this course on the same clip, so that a long even tone, on which anything agrees, is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from grader.audio import wav
from grader.grades.points import baseline_label
from grader.progress import Progress
from grader.store import Store, content_key
from grader.tells.alignment import MAX_LAG_SAMPLES, Aligned, Spectrum, align, spectrum
from grader.tells.owners import student_of
from grader.tells.records import Kind, Piece, Sound, Tell
from grader.workers import Failure, Job, Pool, default_processes

if TYPE_CHECKING:
    from grader.measuring import Recording
    from grader.scoring import CourseScores

VERSION = 1
STAGE = "tell_waveform"
ABOVE_BASELINES_DB = 10.0
_ROOM_SAMPLES = 4096  # a clip may be a little longer than its recording
_INNOCENT = (
    "A recording put among the outputs by mistake, or test recordings that are public somewhere. Nothing made from a "
    "mel alone comes near this: ask for the code and rerun it."
)

Agreement = Mapping[str, Aligned | None]
"""By clip name; None where a clip is silent."""


def agreements(
    scores: CourseScores, rate_hz: int, store: Store, processes: int | None, shown: Progress
) -> dict[str, Agreement]:
    """How every student's and baseline's clips agree with the recordings, from the store or computed."""
    references = {one.name: one for one in scores.references}
    keys = {owner: _key(clips, references) for owner, clips in scores.recordings.items()}
    records = store.get_many(STAGE, list(keys.values()))
    missing = [owner for owner, key in keys.items() if key not in records]
    if missing:
        shown.start("comparing waveforms with the recordings", float(len(missing)), len(missing))
        jobs = [
            Job(owner, [(one.name, one.path, references[one.name].path) for one in scores.recordings[owner]])
            for owner in missing
        ]
        with Pool(partial(_make, rate_hz), min(processes or default_processes(), len(jobs))) as pool:
            for job, result in pool.run(jobs):
                shown.advance(1.0)
                if isinstance(result, Failure):
                    shown.note(f"{job.what}: waveforms were not compared: {result.reason}")
                    continue
                records[keys[job.what]] = {"clips": result}
                store.put(STAGE, keys[job.what], {"clips": result})
        shown.finish()
    return {
        owner: {name: Aligned(*pair) if pair else None for name, pair in records[key]["clips"].items()}
        for owner, key in keys.items()
        if key in records
    }


def tells(
    scores: CourseScores, rate_hz: int, threshold_db: float, store: Store, processes: int | None, shown: Progress
) -> list[Tell]:
    """A tell for each student with such clips, most clips first."""
    found = agreements(scores, rate_hz, store, processes, shown)
    baselines = {name: found[name] for name in scores.baselines if name in found}
    recordings = {one.name: one.path for one in scores.references}
    result = []
    for owner in found:
        student = student_of(owner, scores)
        if student is None:
            continue
        own = {name: each for name, each in found[owner].items() if each}
        flagged = {
            name: each
            for name, each in own.items()
            if each.si_sdr_db >= max(threshold_db, _highest(name, baselines) + ABOVE_BASELINES_DB)
        }
        if flagged:
            paths = {one.name: one.path for one in scores.recordings[owner]}
            shown_as = "" if owner == student else f"{owner}: "
            result.append(_tell(student, shown_as, own, flagged, baselines, paths, recordings))
    return sorted(result, key=lambda tell: (-len(tell.evidence), tell.students))


def _tell(
    student: str,
    start: str,
    own: Mapping[str, Aligned],
    flagged: Mapping[str, Aligned],
    baselines: Mapping[str, Agreement],
    paths: Mapping[str, Path],
    recordings: Mapping[str, Path],
) -> Tell:
    mean = fmean(each.si_sdr_db for each in own.values())
    beside = ", ".join(
        f"{baseline_label(name)} {fmean(values):.1f} dB"
        for name, agreement in baselines.items()
        if (values := [each.si_sdr_db for each in agreement.values() if each])
    )
    sentence = (
        f"{start}{len(flagged)} of {len(own)} clips hold the recording's own waveform: SI-SDR up to "
        f"{max(each.si_sdr_db for each in flagged.values()):.1f} dB; over all clips {mean:.1f} dB on average"
        + (f", beside {beside}." if beside else ".")
    )
    pieces = tuple(
        Piece(
            name,
            {"SI-SDR dB": round(each.si_sdr_db, 1), "lag samples": each.lag_samples}
            | {
                f"{baseline_label(baseline)} dB": round(agreement[name].si_sdr_db, 1)  # type: ignore[union-attr]
                for baseline, agreement in baselines.items()
                if agreement.get(name)
            },
            (Sound(student, paths[name]), Sound("recording", recordings[name])),
        )
        for name, each in sorted(flagged.items())
    )
    return Tell(Kind.WAVEFORM, (student,), sentence, _INNOCENT, pieces)


def _highest(name: str, baselines: Mapping[str, Agreement]) -> float:
    values = [each.si_sdr_db for agreement in baselines.values() if (each := agreement.get(name))]
    return max(values, default=-float("inf"))


def _key(clips: Sequence[Recording], references: Mapping[str, Recording]) -> str:
    pairs = [[one.name, one.sha256, references[one.name].sha256] for one in clips]
    return content_key(version=VERSION, lag=MAX_LAG_SAMPLES, clips=pairs)


def _make(rate_hz: int) -> Callable[[list[tuple[str, Path, Path]]], dict[str, Any]]:
    return partial(compare, rate_hz=rate_hz)


def compare(clips: list[tuple[str, Path, Path]], rate_hz: int) -> dict[str, Any]:
    """SI-SDR and lag of each clip (name, path, path of the recording), as plain values."""
    found = {}
    for name, path, reference in clips:
        prepared = _reference(reference, rate_hz)
        aligned = align(prepared, spectrum(wav.load(path, rate_hz), len(prepared.audio) + _ROOM_SAMPLES))
        found[name] = [aligned.si_sdr_db, aligned.lag_samples] if aligned else None
    return found


@lru_cache(maxsize=64)
def _reference(path: Path, rate_hz: int) -> Spectrum:
    audio = wav.load(path, rate_hz)
    return spectrum(audio, len(audio) + _ROOM_SAMPLES)
