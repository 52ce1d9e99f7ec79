"""How good a generator is on held-out clips, by the grader's own metrics; with audio and spectrograms to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from grader.audio import Audio
from grader.audio.mel import COURSE, mel_spectrogram
from grader.metrics import logmel
from grader.metrics.frechet import frechet_score
from grader.metrics.m_stft import m_stft
from grader.metrics.pitch import PitchTracker, PreparedPitch
from reference_vocoders.hifigan.configuration import Configuration
from reference_vocoders.hifigan.data import Clip
from reference_vocoders.hifigan.front_end import padded, see
from reference_vocoders.hifigan.generator import Generator

_KEPT = 4
"""Clips whose audio and spectrograms are kept at each validation."""


@dataclass(frozen=True)
class Validation:
    """Means over held-out clips; log2_f0 in semitones by CREPE tiny, over the clips that have voiced frames."""

    m_stft: float
    log2_f0: float
    fd_logmel: float
    clips: int


class Validator:
    """Scores generators on the same clips again and again; the recordings' own pitch is tracked once."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self._clips = clips
        self._tracker = PitchTracker("tiny")
        self._pitch: list[PreparedPitch] = []

    def __call__(self, generator: Generator, config: Configuration, out: Path) -> Validation:
        """Render every clip from its own mel and score it; the first few are kept in ``out/valid``."""
        self._pitch = self._pitch or [self._tracker.prepare(clip.audio()) for clip in self._clips]
        distances, errors, real_patches, made_patches = [], [], [], []
        (out / "valid").mkdir(parents=True, exist_ok=True)
        for number, (clip, pitch) in enumerate(zip(self._clips, self._pitch, strict=True)):
            real = clip.audio()
            made = render(generator, config, real)
            distances.append(m_stft(made, real))
            error = self._tracker.log2_f0(pitch, made).semitones
            errors.extend([] if error is None else [error])
            real_patches.append(logmel.embed(real, COURSE.sample_rate_hz))
            made_patches.append(logmel.embed(made, COURSE.sample_rate_hz))
            if number < _KEPT:
                sf.write(out / "valid" / f"{number:02d}.wav", made, COURSE.sample_rate_hz, subtype="PCM_16")
                picture(real, made, out / "valid" / f"{number:02d}.png")
        distance = frechet_score(made_patches, real_patches).distance
        mean_error = float(np.mean(errors)) if errors else 0.0
        return Validation(float(np.mean(distances)), mean_error, distance, len(self._clips))


def render(generator: Generator, config: Configuration, audio: Audio) -> Audio:
    """What the generator makes of a clip's mel, through the configuration's own front end: 256 · T samples."""
    device = next(generator.parameters()).device
    clip = torch.from_numpy(audio)[None].to(device)
    with torch.inference_mode():
        made: Audio = generator(see(padded(clip, config.front_end), config.front_end))[0, 0].float().cpu().numpy()
    return made


def picture(real: Audio, made: Audio, path: Path) -> None:
    """Log-mel spectrograms of both, the recording above, as an 8-bit grey PNG."""
    from PIL import Image

    panels = [np.log10(np.maximum(mel_spectrogram(audio), 1e-5))[::-1] for audio in (real, made)]
    low, high = panels[0].min(), panels[0].max()
    frames = min(panel.shape[1] for panel in panels)
    grey = np.concatenate([np.pad(panel[:, :frames], ((0, 2), (0, 0)), constant_values=high) for panel in panels])
    pixels = (255 * np.clip((grey - low) / (high - low), 0, 1)).astype(np.uint8)
    Image.fromarray(pixels).resize((frames * 2, 4 * len(pixels))).save(path)
