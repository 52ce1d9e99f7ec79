"""Training audio: any folder of wav or FLAC, prepared once, cut into seeded random segments.

A clip is kept as 16-bit samples at the course's rate and read through a memory map, so thirty hours fit any machine.
The segments of a step depend on the seed and the step alone: a resumed training sees what an unbroken one would have.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from grader.audio import Audio
from grader.audio.mel import COURSE
from grader.audio.resample import resample
from grader.errors import CourseError
from reference_vocoders.hifigan.front_end import CONTEXT_SAMPLES

_SUFFIXES = {".wav", ".flac"}
_QUIET = 10 ** (-45 / 20)


@dataclass(frozen=True)
class Clip:
    """A recording at the course's rate, as int16 samples on disk."""

    name: str
    path: Path

    def samples(self) -> np.ndarray:
        return np.load(self.path, mmap_mode="r")

    def audio(self) -> Audio:
        return self.samples().astype(np.float32) / 32768


def split(folder: Path, *, valid: Sequence[str] = (), listed: Path | None = None) -> tuple[list[Path], list[Path]]:
    """The recordings in ``folder`` to train on and to validate with.

    ``listed``: a CSV with the columns ``file`` and ``split`` (``train``, ``valid``; other splits are left alone).
    Otherwise every recording whose path below ``folder`` begins with one of ``valid`` (such as a singer's folder or
    name) validates, and all others train. Raises :class:`CourseError` where either part is empty.
    """
    if listed is not None:
        with listed.open(encoding="utf-8-sig", newline="") as file:
            rows = [(row["file"], row["split"]) for row in csv.DictReader(file)]
        train, held_out = ([folder / name for name, part in rows if part == wanted] for wanted in ("train", "valid"))
        missing = [str(path) for path in train + held_out if not path.is_file()]
        if missing:
            raise CourseError(f"{listed}: {len(missing)} files are not there: {missing[0]} …", help="mend the list")
    else:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        prefixes = tuple(valid)
        held_out = [path for path in paths if prefixes and path.relative_to(folder).as_posix().startswith(prefixes)]
        train = [path for path in paths if path not in set(held_out)]
    if not train or not held_out:
        raise CourseError(
            f"{folder}: {len(train)} recordings to train on, {len(held_out)} to validate with; both are needed",
            help="name singers to hold out with --valid NAME, or give a list with --list FILE.csv",
        )
    return train, held_out


def prepare(paths: Iterable[Path], cache: Path, progress: Callable[[Path], None] = lambda _: None) -> list[Clip]:
    """Bring recordings to 22 050 Hz mono int16 in ``cache``; what is there already is not made again."""
    cache.mkdir(parents=True, exist_ok=True)
    clips = []
    for path in paths:
        stat = path.stat()
        identity = f"{path.absolute()}|{stat.st_size}|{stat.st_mtime_ns}"
        target = cache / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.npy"
        if not target.exists():
            try:
                recorded, rate = sf.read(path, dtype="float32", always_2d=True)
            except sf.LibsndfileError as error:
                raise CourseError(f"{path}: not readable audio: {error}", help="remove or mend that file") from None
            audio = resample(recorded.mean(axis=1), rate, COURSE.sample_rate_hz)
            partial = target.with_suffix(".partial.npy")
            np.save(partial, np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16))
            partial.replace(target)
        clips.append(Clip(path.stem, target))
        progress(path)
    return clips


class Segments:
    """Random segments of ``frames`` frames with the context their mel needs, from clips weighted by length."""

    def __init__(self, clips: Sequence[Clip], frames: int, seed: int) -> None:
        self._span = frames * COURSE.hop_length + 2 * CONTEXT_SAMPLES
        self._clips = [samples for clip in clips if len(samples := clip.samples()) >= self._span]
        if not self._clips:
            raise CourseError(f"every recording is shorter than {self._span} samples", help="train on longer ones")
        lengths = np.array([len(samples) for samples in self._clips], dtype=np.float64)
        self._weights = lengths / lengths.sum()
        self._seed = seed

    def batch(self, step: int, size: int) -> Audio:
        """The segments of a step: float32 of shape (size, context + hop · frames + context).

        Near-silent segments are drawn again, at most three times.
        """
        rng = np.random.default_rng((self._seed, step))
        return np.stack([self._draw(rng) for _ in range(size)])

    def _draw(self, rng: np.random.Generator) -> Audio:
        for _ in range(4):
            samples = self._clips[rng.choice(len(self._clips), p=self._weights)]
            start = int(rng.integers(0, len(samples) - self._span + 1))
            segment = np.asarray(samples[start : start + self._span], dtype=np.float32) / 32768
            if np.sqrt(np.mean(segment**2)) > _QUIET:
                break
        return segment * np.float32(10 ** (rng.uniform(-6, 3) / 20) if np.abs(segment).max() < 0.7 else 1.0)
