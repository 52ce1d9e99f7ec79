"""Every clip fits the mel it was made from: as long, and with its content. Only where the test mels are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from grader.audio import Audio, Mel
from grader.audio.mel import MelConfig, mel_spectrogram
from grader.checks.audio import Measured, load
from grader.checks.graph import Checked, Rules
from grader.checks.layout import Layout
from grader.checks.say import counted, error, note, place, warning
from grader.rubric import Rubric

rule = Rules("mels")

# Measured on 30 lines of real singing (tests/checks/test_mels.py): a clip correlates with its own mel by 0.94 to 1 from
# a vocoder, 0.69 and more from whole synthesis systems, 0.57 and more in noise 10 dB below; with another line's mel by
# 0.63 at most. The steps leave room on both sides, and a line that is sung twice fails the margin.
_SURE_CORRELATION = 0.7
_SURE_MARGIN = 0.25
_QUIET_DB = -30.0
_FLOOR_DB = -60.0


@rule()
def as_long(decoded: Mapping[str, Measured], mels: Mapping[str, Mel], source: Path, rubric: Rubric) -> Checked[None]:
    """Every clip is as long as its mel."""
    hop = rubric.mel.hop_length
    for name, clip in decoded.items():
        if name not in mels:
            continue
        expected = hop * mels[name].shape[1]
        off = clip.samples - expected
        facts = {
            "found": clip.samples,
            "expected": expected,
            "frames": mels[name].shape[1],
            "hop": hop,
            "off": f"{off:+d}",
            "clip": name,
            "allowed": rubric.clips.length_tolerance_samples,
            "samples": f"{counted(abs(off), 'sample')} {'shorter' if off < 0 else 'longer'}",
        }
        where = place(source, clip.file.name)
        if abs(off) > rubric.clips.length_tolerance_samples:
            yield error(
                "clip-length",
                where,
                "It has {found} samples, but its mel of {frames} frames makes {expected} ({hop} for each): {off}, "
                "where ±{allowed} are allowed.",
                "Check that {clip} is made from the mel of that number, at {hop} samples per frame, and is not cut or "
                "padded afterwards.",
                **facts,
            )
        elif off:
            yield note(
                "clip-length-near",
                where,
                "It is {samples} than its mel says, which is within what is allowed.",
                **facts,
            )


@rule()
def own_content(
    decoded: Mapping[str, Measured], mels: Mapping[str, Mel], layout: Layout, source: Path, rubric: Rubric
) -> Checked[None]:
    """Every clip holds what its own mel holds, not another one's."""
    config = rubric.mel_config()
    heard = {
        name: sparse_mel(load(clip.file.path), config)
        for name, clip in decoded.items()
        if name in mels and not clip.not_finite
    }
    wanted = {name: sparse_frames(mel, config) for name, mel in mels.items()}
    for name, mel in heard.items():
        own = similarity(mel, wanted[name])
        best, of = (
            (own, name)
            if own > 1 - _SURE_MARGIN
            else max((similarity(mel, other), number) for number, other in wanted.items())
        )
        where = place(source, layout.chosen[name].name)
        if of != name and best > _SURE_CORRELATION and best - own > _SURE_MARGIN:
            yield error(
                "clip-of-another-mel",
                where,
                "{clip} holds what the mel of {other} says (alike by {best}, to its own only by {own}).",
                "Make {clip} from its own mel. Were files counted from 0, or sorted as text (1, 10, 11, 2)?",
                clip=name,
                other=of,
                best=f"{best:.2f}",
                own=f"{own:.2f}",
            )
            continue
        frames = min(mel.shape[1], wanted[name].shape[1])
        power = float(mel[:, :frames].sum()), float(wanted[name][:, :frames].sum())
        level_db = 10 * np.log10(max(power[0], 1e-20) / max(power[1], 1e-20))
        if level_db < _QUIET_DB and decoded[name].rms_dbfs >= rubric.clips.quiet_dbfs:
            yield warning(
                "clip-quieter-than-mel",
                where,
                "It is {level} dB quieter than its mel says.",
                "Write what the model puts out, without another gain.",
                level=f"{-level_db:.0f}",
            )


def sparse_mel(audio: Audio, config: MelConfig) -> Mel:
    """Those frames of a clip's mel that :func:`sparse_frames` takes: enough to compare, and cheaper to compute."""
    first, step = _sparse(config)
    if step == 1:
        return mel_spectrogram(audio, config)
    start = first * config.hop_length - config.pad_samples
    return mel_spectrogram(audio[start:], dataclasses.replace(config, hop_length=config.n_fft))


def sparse_frames(mel: Mel, config: MelConfig) -> Mel:
    first, step = _sparse(config)
    return mel[:, first::step]


def _sparse(config: MelConfig) -> tuple[int, int]:
    """First frame and step: frames one window apart, the first that needs no padding in front."""
    if config.n_fft % config.hop_length or config.win_length != config.n_fft:
        return 0, 1
    return -(-config.pad_samples // config.hop_length), config.n_fft // config.hop_length


def similarity(one: Mel, other: Mel) -> float:
    """Correlation of two mels in dB over the frames both have, 60 dB down from the loudest; 0 where there are none."""
    frames = min(one.shape[1], other.shape[1])
    if frames == 0:
        return 0.0
    a, b = (_in_db(mel[:, :frames]) for mel in (one, other))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / norm) if norm else 0.0


def _in_db(mel: Mel) -> np.ndarray:
    db = 10 * np.log10(np.maximum(mel, 1e-20))
    db = np.maximum(db, db.max() + _FLOOR_DB)
    centred: np.ndarray = db - db.mean()
    return centred
