"""Encodes and draws recordings in parallel. What lies there already from an earlier run is not made again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import PIL
import soundfile as sf

from grader.audio import wav
from grader.audio.mel import MelConfig
from grader.measuring import Recording
from grader.progress import Progress
from grader.rubric import SiteAudio
from grader.site.media import pictures, sound
from grader.store import Store, content_key
from grader.workers import Failure, Job, Pool

VERSION = 1
"""Raised whenever the same recording gives other files or another record."""

NAME_DIGITS = 20


@dataclass(frozen=True)
class Settings:
    """What the files depend on besides the recordings."""

    audio: SiteAudio
    mel: MelConfig

    def as_json(self) -> dict[str, Any]:
        return {
            "version": [VERSION, pictures.VERSION, sf.__libsndfile_version__, PIL.__version__],
            "audio": self.audio.model_dump(),
            "mel": asdict(self.mel),
        }


@dataclass(frozen=True)
class Media:
    """What is known of one recording beside its reference.

    audio, mel, linear, difference: paths below the site, ``difference`` None for a reference itself. seconds: of the
    time axis, the reference's whole mel frames. lufs, rms_db: as :class:`grader.site.media.sound.Loudness`.
    peaks, peak: as :func:`grader.site.media.sound.peaks`. scales: ``{"mel": [low, high], "linear": [low, high]}``, dB.
    """

    audio: str
    mel: str
    linear: str
    difference: str | None
    seconds: float
    lufs: float | None
    rms_db: float | None
    peaks: str
    peak: float
    scales: Mapping[str, list[float]]

    def files(self) -> list[str]:
        return [name for name in (self.audio, self.mel, self.linear, self.difference) if name]


def workers(processes: int) -> Pool:
    """Workers whose jobs are functions without arguments."""
    return Pool(_workbench, processes)


def _workbench() -> Callable[[Callable[[], Any]], Any]:
    return lambda function: function()


def make(
    recordings: Mapping[str, Sequence[Recording]],
    references: Iterable[Recording],
    site: Path,
    settings: Settings,
    store: Store,
    pool: Pool,
    shown: Progress,
) -> dict[tuple[str, str], Media]:
    """The media of every recording and of the references (owner ``""``), by owner and clip name; files lie in ``site``.

    A recording that cannot be read or encoded is left out, with a note.
    """
    by_name = {reference.name: reference for reference in references}
    wanted = [("", reference) for reference in by_name.values()]
    wanted += [(owner, one) for owner, owned in recordings.items() for one in owned if one.name in by_name]
    known_by = settings.as_json()
    keys = {
        (owner, one.name): content_key(
            recording=one.sha256, reference=by_name[one.name].sha256 if owner else None, settings=known_by
        )
        for owner, one in wanted
    }
    known = {key: Media(**record) for key, record in store.get_many("media", sorted(set(keys.values()))).items()}
    there = {file for folder in ("audio", "pictures") for file in _names(site, folder)}
    made = {key: media for key, media in known.items() if there.issuperset(media.files())}
    jobs = {}
    for owner, one in wanted:
        key = keys[owner, one.name]
        if key not in made and key not in jobs:
            reference = None if not owner else by_name[one.name].path
            function = partial(_make, one.path, reference, site, settings)
            jobs[key] = Job(f"{owner or 'reference'} › {one.name}", function)
    keys_of_jobs = {job: key for key, job in jobs.items()}
    if jobs:
        for folder in ("audio", "pictures"):
            (site / folder).mkdir(parents=True, exist_ok=True)
        shown.start("encoding and drawing clips", len(jobs), len(jobs))
        for job, result in pool.run(jobs.values()):
            if isinstance(result, Failure):
                shown.note(f"{job.what}: neither sound nor picture: {result.reason}")
            else:
                made[keys_of_jobs[job]] = result
                if keys_of_jobs[job] not in known:
                    store.put("media", keys_of_jobs[job], asdict(result))
            shown.advance(1)
        shown.finish()
    return {place: made[key] for place, key in keys.items() if key in made}


def _names(site: Path, folder: str) -> set[str]:
    try:
        return {f"{folder}/{entry.name}" for entry in os.scandir(site / folder)}
    except FileNotFoundError:
        return set()


def _make(path: Path, reference_path: Path | None, site: Path, settings: Settings) -> Media:
    """Encode and draw one recording beside its reference (None: it is one)."""
    config, rate_hz = settings.mel, settings.mel.sample_rate_hz
    audio = wav.load(path, rate_hz)
    reference = audio if reference_path is None else wav.load(reference_path, rate_hz)
    frames = max(1, len(reference) // config.hop_length)
    drawn = pictures.spectra(audio, frames, config)
    beside = drawn if reference_path is None else pictures.spectra(reference, frames, config)
    mel_scale, linear_scale = pictures.scale(beside.mel), pictures.scale(beside.linear)
    difference = None
    if reference_path is not None:
        content = pictures.draw_difference(drawn.mel, beside.mel, mel_scale)
        difference = _keep(site, "pictures", content, "webp")
    encoded = sound.encode(audio, rate_hz, settings.audio)
    loud = sound.loudness(audio, rate_hz)
    outline, peak = sound.peaks(audio, frames * config.hop_length)
    return Media(
        audio=_keep(site, "audio", encoded.content, encoded.suffix),
        mel=_keep(site, "pictures", pictures.draw(drawn.mel, mel_scale), "webp"),
        linear=_keep(site, "pictures", pictures.draw(drawn.linear, linear_scale), "webp"),
        difference=difference,
        seconds=round(frames * config.hop_length / rate_hz, 4),
        lufs=loud.lufs,
        rms_db=loud.rms_db,
        peaks=outline,
        peak=peak,
        scales={
            "mel": [mel_scale.low_db, mel_scale.high_db],
            "linear": [linear_scale.low_db, linear_scale.high_db],
        },
    )


def _keep(site: Path, folder: str, content: bytes, suffix: str) -> str:
    """Write a file named by its content, whole or not at all; returns its path below the site."""
    name = f"{folder}/{sha256(content).hexdigest()[:NAME_DIGITS]}.{suffix}"
    path = site / name
    if not path.is_file():
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return name
