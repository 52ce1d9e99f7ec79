"""``clips/NNN.js``: all that a page needs to play and draw one clip of everyone. FORMATS.md says what each field is.

A page that is opened from disk may not fetch data, so it comes as a script that calls ``grader.clip(name, data)``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from grader.metrics.scores import ClipScore
from grader.site.media import pictures, tracks
from grader.site.media.making import Media, Settings

_QUIETEST_DB = 12.0
"""A source so far below the middle one is played as it is; nobody is turned down to it."""


@dataclass(frozen=True)
class Source:
    """One of those who sound in a clip. key, label: as pages name it. kind: reference, baseline or student."""

    key: str
    kind: str
    label: str
    media: Media
    f0: str | None
    scores: ClipScore | None


def level_gains(sources: Sequence[Media]) -> tuple[str, list[float | None]]:
    """The measure of level, ``lufs`` or ``rms_db``, and the gain (dB, at most 0) that brings each source to one level.

    RMS serves where a clip is too short for BS.1770. Everyone is turned down to the quietest, but none to one that is
    silent or more than 12 dB below the middle; such a one gets 0, and a silent one None.
    """
    measure = "lufs" if all(each.lufs is not None or each.rms_db is None for each in sources) else "rms_db"
    levels: list[float | None] = [getattr(each, measure) for each in sources]
    heard = [level for level in levels if level is not None]
    if not heard:
        return measure, [None] * len(levels)
    target = min(level for level in heard if level >= median(heard) - _QUIETEST_DB)
    return measure, [None if level is None else round(min(0.0, target - level), 2) for level in levels]


def clip(name: str, sources: Sequence[Source], settings: Settings, f0_range_hz: tuple[float, float]) -> dict[str, Any]:
    """The data of a clip; its first source's time axis is everyone's."""
    measure, gains = level_gains([source.media for source in sources])
    first = sources[0].media
    high = {"mel": settings.mel.fmax_hz, "linear": settings.mel.sample_rate_hz / 2}
    scales: dict[str, Any] = {
        kind: {"min_hz": 0, "max_hz": high[kind], "low_db": low_db, "high_db": high_db}
        for kind, (low_db, high_db) in first.scales.items()
    }
    return {
        "clip": stem(name),
        "seconds": first.seconds,
        "rate_hz": settings.mel.sample_rate_hz,
        "level": "BS.1770" if measure == "lufs" else "RMS",
        "f0": {"step_s": tracks.STEP_S, "min_hz": f0_range_hz[0], "max_hz": f0_range_hz[1]},
        "scales": {**scales, "difference": {"span_db": pictures.DIFFERENCE_DB}},
        "sources": [_source(*each, measure) for each in zip(sources, gains, strict=True)],
    }


def _source(source: Source, gain: float | None, measure: str) -> dict[str, Any]:
    media, scores = source.media, source.scores
    return {
        "key": source.key,
        "kind": source.kind,
        "label": source.label,
        "audio": media.audio,
        "gain_db": gain or 0.0,
        "lufs": getattr(media, measure),
        "mel": media.mel,
        "linear": media.linear,
        "difference": media.difference,
        "f0": source.f0,
        "peaks": media.peaks,
        "peak": media.peak,
        "scores": {"m_stft": scores.m_stft, "log2_f0": scores.log2_f0} if scores else {},
    }


def script(data: Mapping[str, Any]) -> str:
    """The file of a clip's data, safe as a script also inside a page."""
    return f"grader.clip({_json(data['clip'])},{_json(data)});\n"


def _json(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII: no line separators, no marks
    return text.replace("<", "\\u003c")


def stem(name: str) -> str:
    return Path(name).stem


def in_place(data: dict[str, Any], file: Callable[[str], str]) -> dict[str, Any]:
    """The same data with every file as what ``file`` gives for its path: for a page that holds all in itself."""
    places = ("audio", "mel", "linear", "difference")
    sources = [
        {key: file(value) if key in places and value else value for key, value in source.items()}
        for source in data["sources"]
    ]
    return {**data, "sources": sources}
