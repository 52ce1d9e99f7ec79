"""What is in the clips: numbers, sound, the right lengths, each its own, each in its place."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

import numpy as np

from grader.audio.mel import COURSE, load_mel, mel_spectrogram
from grader.checks.graph import SkipError, Sound, Subject
from grader.findings import Finding, Severity

_SILENT = 4 / 32768
_FULL_SCALE = 32767 / 32768
_CLIPPED_SHARE = 0.001
_OTHER_CLIP_NEPERS = 1.0


def samples_are_numbers(subject: Subject) -> Iterator[Finding]:
    """Every sample is a number, and lies within full scale."""
    if not subject.wavs:
        raise SkipError("no clip can be read")
    import soundfile as sf

    for name, entry in subject.wavs.items():
        try:
            audio, _ = sf.read(entry.path, dtype="float32")
        except (sf.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
            yield Finding(
                "wav-damaged",
                Severity.ERROR,
                subject.at(entry),
                "cannot be decoded: {detail}",
                "write it with soundfile.write(path, audio, {rate}, subtype='PCM_16')",
                facts={"detail": str(error)[:120], "rate": subject.rubric.clips.sample_rate_hz},
            )
            continue
        strange = int(len(audio) - np.isfinite(audio).sum())
        if strange:
            yield Finding(
                "wav-nan",
                Severity.ERROR,
                subject.at(entry),
                "{count} of its {total} samples are NaN or Inf",
                "look for a division by zero or an overflow in the model (half precision?), and write it anew",
                facts={"count": strange, "total": len(audio)},
            )
            continue
        subject.sounds[name] = Sound(audio, hashlib.sha256(entry.path.read_bytes()).hexdigest())
        beyond = float(np.mean(np.abs(audio) >= _FULL_SCALE))
        if beyond > _CLIPPED_SHARE:
            yield Finding(
                "wav-clipping",
                Severity.NOTE,
                subject.at(entry),
                "{percent} % of its samples are at or beyond full scale",
                "scale the model's output to stay within ±1 before writing",
                facts={"percent": f"{100 * beyond:.1f}"},
            )


def clips_can_be_heard(subject: Subject) -> Iterator[Finding]:
    """No clip is silent, and none is far too quiet."""
    if not subject.sounds:
        raise SkipError("no clip can be read")
    for name, sound in subject.sounds.items():
        where = subject.at(subject.clips[name])
        if np.ptp(sound.audio) <= _SILENT:
            yield Finding(
                "wav-silent",
                Severity.ERROR,
                where,
                "is silent: every sample is about {value}",
                "look whether the model's output was scaled to ±1 (not to ±1/32768) before writing, and listen to it",
                facts={"value": f"{float(sound.audio.mean()):.4f}"},
            )
            continue
        level = 10 * np.log10(float(np.mean(np.square(sound.audio, dtype=np.float64))))
        if level < subject.rubric.clips.quiet_dbfs:
            yield Finding(
                "wav-quiet",
                Severity.WARNING,
                where,
                "is very quiet: {level} dBFS on average",
                "look whether the output was scaled twice before writing",
                facts={"level": f"{level:.0f}"},
            )


def lengths_fit(subject: Subject) -> Iterator[Finding]:
    """Every clip is as long as its mel: T frames give 256·T samples."""
    if not subject.sounds:
        raise SkipError("no clip can be read")
    if not subject.mels:
        raise SkipError("the test mels are not here")
    tolerance = subject.rubric.clips.length_tolerance_samples
    notes: list[tuple[int, str]] = []
    for name, sound in subject.sounds.items():
        if name not in subject.mels:
            continue
        expected = COURSE.hop_length * load_mel(subject.mels[name]).shape[1]
        difference = len(sound.audio) - expected
        if abs(difference) > tolerance:
            yield Finding(
                "wav-length",
                Severity.ERROR,
                subject.at(subject.clips[name]),
                "has {found} samples, its mel gives {expected} ({seconds} s {direction})",
                "make it from its own mel, and write all of it, at the mel's own rate",
                facts={
                    "found": len(sound.audio),
                    "expected": expected,
                    "seconds": f"{abs(difference) / subject.rubric.clips.sample_rate_hz:.2f}",
                    "direction": "too long" if difference > 0 else "too short",
                },
            )
        elif difference:
            notes.append((difference, name))
    for difference, group in groupby(sorted(notes), key=lambda note: note[0]):
        names = [name for _, name in group]
        yield Finding(
            "wav-length-off",
            Severity.NOTE,
            f"{subject.source.name} › {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
            "{samples} samples {direction} than 256·T, within the {tolerance} allowed",
            facts={
                "samples": abs(difference),
                "direction": "longer" if difference > 0 else "shorter",
                "tolerance": tolerance,
            },
        )


def no_clip_stands_twice(subject: Subject) -> Iterator[Finding]:
    """No two clips hold the same audio."""
    if not subject.sounds:
        raise SkipError("no clip can be read")
    by_audio: defaultdict[bytes, list[str]] = defaultdict(list)
    for name, sound in subject.sounds.items():
        if np.ptp(sound.audio) > _SILENT:
            by_audio[hashlib.sha256(sound.audio.tobytes()).digest()].append(name)
    for names in by_audio.values():
        if len(names) > 1:
            yield Finding(
                "clips-same-audio",
                Severity.ERROR,
                f"{subject.source.name} › {names[0]}",
                "{names} hold the same audio, sample for sample",
                "render each from its own mel",
                facts={"names": " and ".join(names) if len(names) == 2 else ", ".join(names)},
            )


def clips_are_in_order(subject: Subject) -> Iterator[Finding]:
    """Every clip holds the sound of its own mel, not of another one."""
    if not subject.sounds:
        raise SkipError("no clip can be read")
    if not subject.mels:
        raise SkipError("the test mels are not here")
    mels = {name: _shape(load_mel(path)) for name, path in subject.mels.items()}
    for name, sound in subject.sounds.items():
        if name not in mels or np.ptp(sound.audio) <= _SILENT:
            continue
        heard = _shape(mel_spectrogram(sound.audio))
        own = _distance(heard, mels[name])
        if own < _OTHER_CLIP_NEPERS:
            continue
        distance, other = min((_distance(heard, mel), other) for other, mel in mels.items())
        if distance < _OTHER_CLIP_NEPERS and distance < own / 2:
            yield Finding(
                "clip-of-another-mel",
                Severity.ERROR,
                subject.at(subject.clips[name]),
                "sounds like mel {other}, not like its own",
                "look at the order in which the mels are read (sorted by name?), and write {other} for that mel",
                facts={"other": other.removesuffix(".wav")},
            )


def _shape(mel: np.ndarray) -> np.ndarray:
    """Log-mel relative to its own level, clamped 60 dB below its peak: what of it a vocoder must get right."""
    log = np.log(np.maximum(mel, 1e-10))
    log = np.maximum(log, log.max() - 60 / 10 * np.log(10))
    shape: np.ndarray = log - log.mean()
    return shape


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference in nepers of power over the frames both have; far where their lengths are far apart."""
    frames = min(a.shape[1], b.shape[1])
    if frames < 0.9 * max(a.shape[1], b.shape[1]):
        return float("inf")
    return float(np.abs(a[:, :frames] - b[:, :frames]).mean())
