"""From recordings to what a course gives out and what it keeps: test mels, and the references behind them.

Mels are made as the course made them: mean of the channels, torchaudio's default resampling, the course's mel.
References are what the course's evaluator hears of the same files: soxr HQ, as 32-bit floats, so that nothing is
rounded twice.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grader.audio import Audio, wav
from grader.audio.mel import MelConfig, mel_spectrogram
from grader.audio.resample import resample
from grader.course import AUDIO_SUFFIXES
from grader.errors import CourseError
from grader.rubric import Rubric
from grader.store import file_sha256

TABLE_FIELDS = ("clip", "recording", "sample_rate_hz", "seconds", "frames", "sha256")


@dataclass(frozen=True)
class Made:
    """What :func:`make` did. recordings: by the number they got. table: where that is written down."""

    recordings: Mapping[str, Path]
    seconds: float
    table: Path
    notes: tuple[str, ...]


def make(
    inputs: Sequence[Path], out: Path, rubric: Rubric, *, references: Path | None = None, force: bool = False
) -> Made:
    """Write ``out/NNN.npy`` (float32, (bands, frames)) for each recording and, where asked, ``references/NNN.wav``.

    inputs: wav or FLAC files, or folders that are searched for them. ``out`` goes to the students; which recording
    became which number is written beside it, not in it.

    Everything is computed before anything is written. Raises :class:`CourseError` for recordings that cannot be used,
    and for files that are there already with other contents, unless ``force``.
    """
    recordings = number(find(inputs), rubric)
    config = rubric.mel_config()
    files: dict[Path, bytes] = {}
    rows = []
    seconds = 0.0
    for stem, path in recordings.items():
        audio, rate_hz = wav.read(path)
        _refuse_unusable(path, audio, len(audio) / rate_hz, rubric)
        mel = mel_spectrogram(resample(audio, rate_hz, config.sample_rate_hz), config)
        files[out / f"{stem}.npy"] = _npy_bytes(mel)
        if references is not None:
            files[references / f"{stem}.wav"] = _float_wav_bytes(wav.load(path, config.sample_rate_hz), config)
        lasts = len(audio) / rate_hz
        seconds += lasts
        rows.append((stem, _relative(path, out.parent), rate_hz, f"{lasts:.3f}", mel.shape[1], file_sha256(path)))
    table = out.parent / f"{out.name}.csv"
    files[table] = _csv_bytes(rows)
    _write(files, force)
    return Made(recordings, seconds, table, _notes(recordings, out, rubric))


def find(inputs: Sequence[Path]) -> list[Path]:
    """All wav and FLAC files named or inside named folders, each once, ``2.wav`` before ``10.wav``.

    Raises :class:`CourseError` for a name that is not there, another kind of file, or a folder without recordings.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if given.is_dir():
            inside = [path for path in given.rglob("*") if _is_recording(path) and not path.name.startswith(".")]
            if not inside:
                raise CourseError(f"{given}: no wav or FLAC files in it", help="name a folder that holds recordings")
        elif not given.exists():
            raise CourseError(f"{given}: there is no such file", help="name wav or FLAC files, or folders of them")
        elif not _is_recording(given):
            raise CourseError(f"{given}: not a .wav or .flac file", help="convert it to wav first")
        else:
            inside = [given]
        found.update((path.resolve(), path) for path in inside)
    return sorted(found.values(), key=_natural)


def number(recordings: Sequence[Path], rubric: Rubric) -> dict[str, Path]:
    """Recordings by clip stem (``001``): their own where all of them are named so, else counted in their order.

    Raises :class:`CourseError` where two recordings have the same number.
    """
    expected = {Path(name).stem for name in rubric.clips.names()}
    if not all(path.stem in expected for path in recordings):
        return {Path(rubric.clips.name.format(number=n)).stem: path for n, path in enumerate(recordings, 1)}
    numbered: dict[str, Path] = {}
    for path in sorted(recordings, key=lambda path: path.stem):
        if path.stem in numbered:
            raise CourseError(
                f"two recordings are called {path.stem}: {numbered[path.stem]} and {path}",
                help="rename one, or leave it out",
            )
        numbered[path.stem] = path
    return numbered


def _is_recording(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.as_posix().casefold())
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)]


def _refuse_unusable(path: Path, audio: Audio, seconds: float, rubric: Rubric) -> None:
    config = rubric.mel_config()
    if seconds * config.sample_rate_hz < config.n_fft:
        raise CourseError(f"{path}: only {len(audio)} samples, too short to score", help="leave it out")
    if not audio.any():
        raise CourseError(f"{path}: silent from end to end", help="leave it out; nothing can be scored against silence")
    if seconds > rubric.clips.max_seconds:
        raise CourseError(
            f"{path}: lasts {seconds:.1f} s; the rubric allows {rubric.clips.max_seconds:g} s, so nobody could pass",
            help="cut it, or raise clips.max_seconds in rubric.yaml",
        )


def _npy_bytes(mel: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(mel, dtype=np.float32))
    return buffer.getvalue()


def _float_wav_bytes(audio: Audio, config: MelConfig) -> bytes:
    """A 32-bit float wav. libsndfile would write the time of day into it; the same audio must give the same bytes."""
    import scipy.io.wavfile

    buffer = io.BytesIO()
    scipy.io.wavfile.write(buffer, config.sample_rate_hz, np.asarray(audio, dtype=np.float32))
    return buffer.getvalue()


def _csv_bytes(rows: Sequence[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TABLE_FIELDS)
    writer.writerows(rows)
    return text.getvalue().encode()


def _relative(path: Path, folder: Path) -> str:
    """``path`` as seen from ``folder``, or in full where there is no way (another drive)."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def _write(files: Mapping[Path, bytes], force: bool) -> None:
    other = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    if other and not force:
        shown = ", ".join(map(str, other[:3])) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        raise CourseError(
            f"already there with other contents: {shown}",
            help="name another folder, or overwrite them with --force (scores made with them are then made anew)",
        )
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _notes(recordings: Mapping[str, Path], out: Path, rubric: Rubric) -> tuple[str, ...]:
    notes = []
    if len(recordings) != rubric.clips.count:
        notes.append(f"the rubric counts {rubric.clips.count} clips, {len(recordings)} were made")
    others = sorted(path.name for path in out.glob("*.npy") if path.stem not in recordings)
    if others:
        notes.append(f"{out} also holds {', '.join(others)}, not made now")
    return tuple(notes)
