"""Clips for the listening page from made-up sounds, in the form that the site's clips have."""

import base64
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from PIL import Image

RATE_HZ = 22050
STEP_S = 0.01


def sung(seconds: float, pitch_hz: float, off_semitones: float = 0.0, noise: float = 0.0) -> np.ndarray:
    """A made-up voice gliding around ``pitch_hz``, silent in the middle tenth; float32, (samples,)."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    hz = _melody(time, seconds, pitch_hz) * 2 ** (off_semitones / 12)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * 0.2
    tone *= _voiced(time, seconds)
    return np.asarray(tone + noise * np.random.default_rng(1).standard_normal(len(time)), dtype=np.float32)


def _melody(time: np.ndarray, seconds: float, pitch_hz: float) -> np.ndarray:
    steps = np.floor(time / seconds * 4)
    return np.asarray(pitch_hz * 2 ** ((2 * steps + 0.3 * np.sin(2 * np.pi * 5.5 * time)) / 12))


def _voiced(time: np.ndarray, seconds: float) -> np.ndarray:
    return (np.abs(time / seconds - 0.5) > 0.05).astype(float)


def _source(folder: Path, key: str, kind: str, sound: np.ndarray, hz: np.ndarray, number: int) -> dict[str, Any]:
    name = f"{number:020x}"
    for part in ("audio", "pictures"):
        (folder / part).mkdir(exist_ok=True)
    sf.write(folder / "audio" / f"{name}.mp3", sound, RATE_HZ, format="MP3")
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, 512), 1024)[::256] * np.hanning(1024)
    level_db = 20 * np.log10(np.abs(np.fft.rfft(frames)).T[::-1][-256:] + 1e-3)
    grey = np.clip((level_db + 60) * 3, 0, 255).astype(np.uint8)
    Image.fromarray(grey).resize((min(800, grey.shape[1]), 80)).save(folder / "pictures" / f"{name}.webp")
    cents = [-1 if not f else round(1200 * math.log2(f / 10)) for f in hz]
    column = np.array_split(sound / np.abs(sound).max(), 800)
    peaks = np.array([[part.min(), part.max()] for part in column])
    return {
        "key": key,
        "kind": kind,
        "label": {"reference": "Reference", "griffin_lim": "Griffin-Lim", "hifigan": "HiFi-GAN"}.get(key, key),
        "audio": f"audio/{name}.mp3",
        "gain_db": -1.5 * (number % 4),
        "lufs": -21.0,
        "mel": f"pictures/{name}.webp",
        "linear": f"pictures/{name}.webp",
        "difference": None if kind == "reference" else f"pictures/{name}.webp",
        "f0": base64.b64encode(np.array(cents, dtype="<i2").tobytes()).decode(),
        "peak": float(np.abs(sound).max()),
        "peaks": base64.b64encode((peaks * 127).astype(np.int8).tobytes()).decode(),
        "scores": {"m_stft": 1.0 + 0.1 * number, "log2_f0": 0.1 * number} if kind != "reference" else {},
    }


def write_clips(
    folder: Path, students: Sequence[str], *, clips: Sequence[str] = ("001", "002"), seconds: float = 4.0
) -> None:
    """``clips/NNN.js``, ``audio/`` and ``pictures/`` of a reference, two baselines and ``students``."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    number = 0
    for index, clip in enumerate(clips):
        time = np.arange(0, seconds, STEP_S)
        pitch = 220.0 * 2 ** (index / 3)
        voiced = _voiced(time, seconds)
        sources = []
        everyone = [("reference", "reference"), ("hifigan", "baseline"), ("griffin_lim", "baseline")]
        for place, (key, kind) in enumerate([*everyone, *((student, "student") for student in students)]):
            off = 0.15 * max(0, place - 2)
            hz = _melody(time, seconds, pitch) * 2 ** (off / 12) * (voiced if place != 3 else 1)
            sound = sung(seconds, pitch, off, 0.002 * place)
            sources.append(_source(folder, key, kind, sound, hz, number))
            number += 1
        payload = {
            "clip": clip,
            "seconds": seconds,
            "rate_hz": RATE_HZ,
            "level": "BS.1770",
            "f0": {"step_s": STEP_S, "min_hz": 50, "max_hz": 2100},
            "scales": {
                "mel": {"min_hz": 0, "max_hz": 8000, "low_db": -80, "high_db": 0},
                "linear": {"min_hz": 0, "max_hz": 11025, "low_db": -80, "high_db": 0},
                "difference": {"span_db": 30},
            },
            "sources": sources,
        }
        text = f"grader.clip({json.dumps(clip)}, {json.dumps(payload)});\n"
        (folder / "clips" / f"{clip}.js").write_text(text, encoding="utf-8")
