"""What benchmarks share: timing in turn, sound, and the rows of the table that they print."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

RATE_HZ = 22050


@dataclass
class Pairs:
    """Seconds of two ways that were timed in turn."""

    first: list[float]
    second: list[float]

    @property
    def medians(self) -> tuple[float, float]:
        return statistics.median(self.first), statistics.median(self.second)

    @property
    def ratio(self) -> float:
        """How many times as long the first takes: the median over pairs."""
        return statistics.median(a / b for a, b in zip(self.first, self.second, strict=True))


def in_turn(rounds: int, first: Callable[[], object], second: Callable[[], object]) -> Pairs:
    pairs = Pairs([], [])
    for _ in range(rounds):
        for way, seconds in ((first, pairs.first), (second, pairs.second)):
            seconds.append(timed(way))
    return pairs


def timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def row(what: str, times: Sequence[float], ratio: float | None, goal: str = "", reached: bool = True) -> None:
    """Print one row of the table: seconds of each way, their ratio, what was asked for, and whether it was reached."""
    answer = "" if not goal else "yes" if reached else "**no**"
    seconds = " / ".join(f"{value:.3g} s" for value in times)
    shown = "" if ratio is None else f"{ratio:.2f}"
    print(f"| {what} | {seconds} | {shown} | {goal} | {answer} |", flush=True)


def sung(number: int, seconds: float) -> np.ndarray:
    """A gliding, vibrating voice, another for each number; a whole number of mel frames."""
    samples = max(1, round(RATE_HZ * seconds / 256)) * 256
    t = np.arange(samples) / RATE_HZ
    hz = 180 * 2 ** ((number % 13 + 2 * t / max(seconds, 1) + 0.3 * np.sin(2 * np.pi * 5.5 * t)) / 12)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    return (0.08 * sum(np.sin(k * phase) / k for k in range(1, 9))).astype(np.float32)


def voiced_otherwise(number: int, seconds: float, seed: int) -> np.ndarray:
    """The pitch of :func:`sung` by another singer: as vocoders do it, nothing of the waveform is the same."""
    samples = len(sung(number, seconds))
    rng = np.random.default_rng(seed)
    cents = np.repeat(rng.normal(0, 30, -(-samples // 64)), 64)[:samples]
    hz = 180 * 2 ** ((number % 13 + cents / 100) / 12)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    voice = 0.05 * sum(np.sin(k * phase + rng.uniform(0, 2 * np.pi)) for k in range(1, 9))
    return breathy(voice.astype(np.float32), seed)


def breathy(audio: np.ndarray, seed: int) -> np.ndarray:
    return audio + np.random.default_rng(seed).normal(0, 0.004, len(audio)).astype(np.float32)


def write(path: Path, audio: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, audio, RATE_HZ, subtype="PCM_16")
    return path


def then_who(function: Callable[..., object], *arguments: object) -> int:
    """Call, wait a little, so that another worker gets the next job, and say which process this is."""
    function(*arguments)
    time.sleep(0.2)
    return os.getpid()
