"""Students' clips that are the same audio, or nearly: as another student's, or as a baseline's.

Every pair of sources is compared on every clip: first by one second of it, the recording's loudest, at a quarter of the
bandwidth, all pairs at once; whoever agrees there is compared over the whole clip. Two vocoders of the same mel agree
in that second to at most 0.54 (the square of the correlation at the best lag, over fifteen pairs of systems on sixteen
lines), copies through MP3 or noise to more than 0.9.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile as sf

from grader.audio import wav
from grader.progress import Progress
from grader.store import Store, content_key
from grader.tells.alignment import MAX_LAG_SAMPLES, align, spectrum
from grader.tells.groups import groups
from grader.tells.owners import label, student_of
from grader.tells.records import Kind, Piece, Sound, Tell

if TYPE_CHECKING:
    from grader.measuring import Recording
    from grader.scoring import CourseScores

VERSION = 1
STAGE = "tell_alike"
LIKELY = 0.65
_SECONDS = 1.0
_BAND = 4  # a quarter of the bandwidth
_EQUAL_DB = 100.0
_MOST_PIECES = 60
_INNOCENT = (
    "The same public checkpoint used without training gives the same audio too, and so does a shared account or a "
    "mixed-up upload. Equal weights or code beside it say more."
)

Pair = tuple[str, str]


def tells(scores: CourseScores, rate_hz: int, threshold_db: float, store: Store, shown: Progress) -> list[Tell]:
    """A tell for each group of sources that share audio, the largest share first."""
    pairs = alike(scores, rate_hz, threshold_db, store, shown)
    paths = {(owner, one.name): one.path for owner, clips in scores.recordings.items() for one in clips}
    result = []
    for members in groups(pairs):
        students = tuple(sorted({student for owner in members if (student := student_of(owner, scores))}))
        inside = {pair: clips for pair, clips in sorted(pairs.items()) if pair[0] in members and pair[1] in members}
        pieces = [piece for pair, clips in inside.items() for piece in _pieces(pair, clips, paths, scores)]
        result.append(
            Tell(
                Kind.AUDIO,
                students,
                _sentence(inside, len(scores.references), scores),
                _INNOCENT,
                tuple(pieces[:_MOST_PIECES]),
                max(0, len(pieces) - _MOST_PIECES),
            )
        )
    return sorted(result, key=lambda tell: (-len(tell.evidence) - tell.more, tell.students))


def alike(
    scores: CourseScores, rate_hz: int, threshold_db: float, store: Store, shown: Progress
) -> dict[Pair, dict[str, tuple[float, int]]]:
    """SI-SDR and lag of the clips that two sources share, by pair: of two students, or of a student and a baseline."""
    of_name: defaultdict[str, dict[str, Recording]] = defaultdict(dict)
    for owner, recordings in scores.recordings.items():
        for one in recordings:
            of_name[one.name][owner] = one
    clips = [_Clip(reference, of_name[reference.name]) for reference in scores.references]
    known = store.get_many(STAGE, [clip.key for clip in clips])
    missing = [clip for clip in clips if clip.key not in known]
    if missing:
        shown.start("comparing clips with each other", float(len(missing)), len(missing))
    for clip in missing:
        known[clip.key] = {"pairs": [[i, j, *aligned] for i, j, aligned in _compare(clip, rate_hz)]}
        store.put(STAGE, clip.key, known[clip.key])
        shown.advance(1.0)
    shown.finish()
    students = {owner: student_of(owner, scores) for owner in scores.recordings}
    found: defaultdict[Pair, dict[str, tuple[float, int]]] = defaultdict(dict)
    for clip in clips:
        for first, second, si_sdr_db, lag in clip.pairs(known[clip.key]["pairs"]):
            if si_sdr_db >= threshold_db and students[first] != students[second]:
                pair = (min(first, second), max(first, second))
                found[pair][clip.name] = (si_sdr_db, lag if pair[0] == first else -lag)
    return dict(found)


class _Clip:
    """One clip by everyone who has it. paths: one for each different file, as equal files are compared once."""

    def __init__(self, reference: Recording, owners: Mapping[str, Recording]) -> None:
        by_content: defaultdict[str, list[str]] = defaultdict(list)
        for owner, one in sorted(owners.items()):
            by_content[one.sha256].append(owner)
        contents = sorted(by_content)
        self.name, self.reference = reference.name, reference.path
        self.paths = [owners[by_content[content][0]].path for content in contents]
        self._owners = [by_content[content] for content in contents]
        self.key = content_key(version=VERSION, likely=LIKELY, reference=reference.sha256, contents=contents)

    def pairs(self, compared: Iterable[tuple[int, int, float, int]]) -> Iterator[tuple[str, str, float, int]]:
        """Every pair of owners of whose clips the excerpts agree: both, SI-SDR over the whole clip, and the lag."""
        for same in self._owners:
            for first, second in combinations(same, 2):
                yield first, second, 120.0, 0
        for i, j, si_sdr_db, lag in compared:
            for first, second in product(self._owners[i], self._owners[j]):
                yield first, second, si_sdr_db, lag


def _compare(clip: _Clip, rate_hz: int) -> Iterator[tuple[int, int, tuple[float, int]]]:
    """Places of two of the clip's files whose excerpts agree, with SI-SDR and lag of the whole."""
    window = _window(clip.reference, rate_hz)
    for i, j in likely_pairs([excerpt(path, *window) for path in clip.paths]):
        first, second = wav.load(clip.paths[i], rate_hz), wav.load(clip.paths[j], rate_hz)
        samples = max(len(first), len(second))
        aligned = align(spectrum(first, samples), spectrum(second, samples))
        if aligned:
            yield i, j, (aligned.si_sdr_db, aligned.lag_samples)


def _window(reference: Path, rate_hz: int) -> tuple[int, int]:
    """The loudest second of a recording: its first sample and its length, at the clips' own sample rate."""
    audio = wav.load(reference, rate_hz)
    length = min(len(audio), round(_SECONDS * rate_hz))
    energy = np.concatenate([[0.0], np.cumsum(audio.astype(np.float64) ** 2)])
    return int(np.argmax(energy[length:] - energy[: len(energy) - length])), length


def excerpt(path: Path, start: int, length: int) -> np.ndarray:
    """The lower quarter of the spectrum of a part of a clip, of unit energy; zeros where that is silent."""
    from scipy import fft

    with sf.SoundFile(path) as file:
        file.seek(min(start, file.frames))
        audio = file.read(length, dtype="float32", always_2d=True).mean(axis=1)
    size = _size(length)
    values = fft.rfft(audio, size)[: size // 2 // _BAND]
    values[0] = 0
    norm = float(np.sqrt(np.sum(np.abs(values.astype(np.complex128)) ** 2)))
    unit: np.ndarray = values / norm if norm > 0 else values
    return unit


def likely_pairs(excerpts: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """The places of every two excerpts whose squared correlation, at the best lag, reaches :data:`LIKELY`."""
    from scipy import fft

    if not excerpts:
        return
    matrix = np.stack(excerpts)
    size = 2 * matrix.shape[1]
    lags = -(-MAX_LAG_SAMPLES // _BAND)
    for first in range(len(matrix) - 1):
        products = fft.irfft(matrix[first].conj() * matrix[first + 1 :], size, axis=1) * (size / 2)
        near = np.concatenate([products[:, : lags + 1], products[:, -lags:]], axis=1)
        for offset in np.flatnonzero(np.max(near**2, axis=1) >= LIKELY):
            yield first, first + 1 + int(offset)


def _size(length: int) -> int:
    """Transform length: no part wraps around within the lags that are looked at."""
    from scipy import fft

    unit = 2 * _BAND
    return unit * int(fft.next_fast_len(-(-(length + MAX_LAG_SAMPLES) // unit)))


def _pieces(
    pair: Pair, clips: Mapping[str, tuple[float, int]], paths: Mapping[tuple[str, str], Path], scores: CourseScores
) -> Iterator[Piece]:
    for name, (si_sdr_db, lag) in sorted(clips.items()):
        how = "equal" if si_sdr_db >= _EQUAL_DB else f"{si_sdr_db:.1f} dB"
        yield Piece(
            f"{name}: {label(pair[0], scores)}, {label(pair[1], scores)}",
            {"SI-SDR": how, "lag samples": lag},
            tuple(Sound(label(owner, scores), paths[owner, name]) for owner in pair),
        )


def _sentence(pairs: Mapping[Pair, Mapping[str, tuple[float, int]]], count: int, scores: CourseScores) -> str:
    said = []
    for (first, second), clips in sorted(pairs.items(), key=lambda each: (-len(each[1]), each[0]))[:3]:
        equal = sum(value >= _EQUAL_DB for value, _ in clips.values())
        how = "equal" if equal == len(clips) else f"nearly equal ({equal} of them equal)" if equal else "nearly equal"
        said.append(f"{label(first, scores)} and {label(second, scores)}: {len(clips)} of {count} clips {how}")
    more = len(pairs) - len(said)
    return "; ".join(said) + (f"; and {more} more pairs." if more > 0 else ".")
