"""From audio to what the generator sees, in torch, so that losses can be taken through it.

The course's mel is grader.audio.mel's; HiFi-GAN's own is defined by the official ``meldataset.py``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from grader.audio.mel import COURSE, filterbank
from reference_vocoders.hifigan.configuration import FrontEndConfig

CONTEXT_SAMPLES = COURSE.pad_samples
"""Audio needed on each side of hop · frames samples to compute these frames."""


@lru_cache(maxsize=8)
def _constants(kind: str, device: torch.device) -> tuple[Tensor, Tensor]:
    if kind == "official":
        import librosa

        bank = librosa.filters.mel(
            sr=COURSE.sample_rate_hz, n_fft=COURSE.n_fft, n_mels=COURSE.bands, fmin=COURSE.fmin_hz, fmax=COURSE.fmax_hz
        ).astype(np.float32)
    else:
        bank = filterbank()
    window = torch.hann_window(COURSE.win_length, device=device)
    return torch.from_numpy(bank).to(device), window


def _magnitude_squared(audio: Tensor, window: Tensor) -> Tensor:
    spectrum = torch.stft(audio, COURSE.n_fft, COURSE.hop_length, window=window, center=False, return_complex=True)
    return spectrum.real**2 + spectrum.imag**2


def see(audio: Tensor, config: FrontEndConfig) -> Tensor:
    """Audio (batch, context + hop · frames + context) to the generator's input (batch, bands, frames)."""
    bank, window = _constants(config.kind, audio.device)
    power = _magnitude_squared(audio.float(), window)
    if config.kind == "official":
        return torch.log(torch.clamp(bank @ torch.sqrt(power + 1e-9), min=1e-5))
    return normalise(bank @ power, config)


def normalise(mel: Tensor, config: FrontEndConfig) -> Tensor:
    """The course's linear-power mel (…, bands, frames) as the generator sees it."""
    return (torch.log(torch.clamp(mel, min=config.floor)) - config.mean) / config.scale


def padded(audio: Tensor, config: FrontEndConfig) -> Tensor:
    """A whole clip (batch, samples) with the context its front end assumes beyond its ends."""
    mode = "reflect" if config.kind == "official" else "constant"
    return functional.pad(audio[:, None], (CONTEXT_SAMPLES, CONTEXT_SAMPLES), mode=mode)[:, 0]
