"""Does the program use the mels at all? One more run on mels nobody has seen tells a model from a copy of its upload.

The probe's mels are short cuts of the test mels, backwards in time, under the same names: what a vocoder makes of them
is new, while a program that only hands back what was uploaded (found by name, or inside a "model") is found out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile as sf

from grader.audio.mel import MelConfig, load_mel, mel_spectrogram
from grader.checks.mels import similarity

FRAMES = 86  # one second; of a shorter mel, half
COPY_SNR_DB = 30.0  # a vocoder's answer to another mel is near 0 dB from the upload, a copy far above
_LEAST_RMS = 1e-3


def make_mels(mels: Mapping[str, Path], folder: Path, config: MelConfig) -> dict[str, Path]:
    """The probe's mels in ``folder``, of the test mels' own shape and type, by clip name."""
    folder.mkdir(parents=True)
    made = {}
    for name, path in mels.items():
        whole = np.load(path, allow_pickle=False)
        power = load_mel(path, config).sum(axis=0)
        frames = min(FRAMES, max(1, len(power) // 2))
        loudest = int(np.argmax(np.convolve(power, np.ones(frames), "valid")))
        cut = whole[..., loudest : loudest + frames][..., ::-1]
        np.save(folder / path.name, np.ascontiguousarray(cut))
        made[name] = folder / path.name
    return made


def copies(answers: Mapping[str, Path], uploaded: Mapping[str, Path]) -> dict[str, str]:
    """Answers to the probe that are an uploaded clip, from its beginning or whole: name → the clip it is."""
    known = {name: _samples(path) for name, path in uploaded.items()}
    found = {}
    for name, path in answers.items():
        answer = _samples(path)
        for other, upload in known.items():
            length = min(len(answer), len(upload))
            if length and _snr_db(upload[:length], answer[:length]) > COPY_SNR_DB:
                found[name] = other
                break
    return found


def fits(answers: Mapping[str, Path], mels: Mapping[str, Path], config: MelConfig) -> float | None:
    """The median correlation, in dB over time and bands, of the answers' mels with the mels they were made from."""
    found = [
        similarity(mel_spectrogram(_samples(path).astype(np.float32), config), load_mel(mels[name], config))
        for name, path in answers.items()
    ]
    return float(np.median(found)) if found else None


def _samples(path: Path) -> np.ndarray:
    """The first channel of at most ten seconds; nothing where it cannot be read."""
    try:
        rate_hz = sf.info(path).samplerate
        samples, _ = sf.read(path, frames=10 * min(rate_hz, 48_000), dtype="float64", always_2d=True)
    except (sf.SoundFileError, RuntimeError, ValueError):
        return np.zeros(0)
    first: np.ndarray = np.nan_to_num(samples[:, 0])
    return first


def _snr_db(signal: np.ndarray, answer: np.ndarray) -> float:
    if np.sqrt(np.mean(signal**2)) < _LEAST_RMS:
        return -np.inf  # silence is everybody's
    return float(10 * np.log10(np.sum(signal**2) / max(np.sum((signal - answer) ** 2), 1e-20)))
