"""What the generator and the discriminators are trained to lower.

Adversarial and feature-matching losses: HiFi-GAN, equations 1–6. Multi-resolution STFT: Yamamoto et al. 2020, with a
4096-sample resolution added, which only a waveform whose harmonics stay coherent for 0.2 s can satisfy. Pitch: the
activations of CREPE tiny (Kim et al. 2018) on random frames of generated and real audio.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from grader.audio.mel import COURSE
from grader.audio.resample import sinc_kernels
from grader.metrics.crepe_network import Crepe
from reference_vocoders.hifigan.discriminators import Judgement

_RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200), (4096, 480, 4096))


def discriminator_loss(real: list[Judgement], generated: list[Judgement]) -> Tensor:
    """Least squares: real audio towards 1, generated towards 0."""
    pairs = zip(real, generated, strict=True)
    return torch.stack([((1 - r) ** 2).mean() + (g**2).mean() for (r, _), (g, _) in pairs]).sum()


def adversarial_loss(generated: list[Judgement]) -> Tensor:
    """Least squares: generated audio towards 1."""
    return torch.stack([((1 - score) ** 2).mean() for score, _ in generated]).sum()


def feature_loss(real: list[Judgement], generated: list[Judgement]) -> Tensor:
    """Mean absolute difference of the discriminators' feature maps."""
    maps = [(r, g) for (_, rs), (_, gs) in zip(real, generated, strict=True) for r, g in zip(rs, gs, strict=True)]
    return torch.stack([functional.l1_loss(g, r.detach()) for r, g in maps]).sum()


class StftLoss(nn.Module):
    """Spectral convergence plus log-magnitude L1, mean over the resolutions; audio of shape (batch, samples)."""

    def __init__(self) -> None:
        super().__init__()
        for _, _, length in _RESOLUTIONS:
            self.register_buffer(f"window_{length}", torch.hann_window(length), persistent=False)

    def forward(self, generated: Tensor, real: Tensor) -> Tensor:
        losses = []
        for n_fft, hop, length in _RESOLUTIONS:
            window = getattr(self, f"window_{length}")
            g, r = (_magnitude(audio, n_fft, hop, length, window) for audio in (generated, real))
            convergence = torch.linalg.vector_norm(r - g) / torch.linalg.vector_norm(r).clamp(min=1e-3)
            losses.append(convergence + functional.l1_loss(g.log(), r.log()))
        return torch.stack(losses).mean()


def _magnitude(audio: Tensor, n_fft: int, hop: int, length: int, window: Tensor) -> Tensor:
    spectrum = torch.stft(audio, n_fft, hop, length, window, return_complex=True)
    return torch.sqrt(torch.clamp(spectrum.real**2 + spectrum.imag**2, min=1e-8))


class PitchLoss(nn.Module):
    """Cross-entropy of CREPE's 360 pitch activations on generated against real audio at 22 050 Hz.

    ``crepe`` maps normalised 16 kHz frames (n, 1024) to activations (n, 360), its weights fixed. A few frames
    a segment are looked at, where the real audio is voiced.
    """

    def __init__(self, crepe: Crepe, frames: int = 2) -> None:
        super().__init__()
        self.crepe = crepe
        self.frames = frames
        kernels, self.width = sinc_kernels(320, 441)
        self.register_buffer("kernels", torch.from_numpy(kernels)[:, None], persistent=False)

    def forward(self, generated: Tensor, real: Tensor, rng: torch.Generator) -> Tensor:
        span = int(real.shape[-1] * 16000 / COURSE.sample_rate_hz) - 1024
        starts = torch.randint(0, span, (self.frames,), generator=rng).tolist()
        with torch.no_grad():
            target = self.crepe(self._framed(real, starts))
            voiced = (target.amax(dim=1) > 0.5).float()
        heard = self.crepe(self._framed(generated, starts)).clamp(1e-6, 1 - 1e-6)
        entropy = functional.binary_cross_entropy(heard, target, reduction="none").sum(dim=1)
        return (entropy * voiced).sum() / voiced.sum().clamp(min=1) / 10

    def _framed(self, audio: Tensor, starts: list[int]) -> Tensor:
        at_16k = functional.conv1d(
            functional.pad(audio[:, None], (self.width, self.width + 441)), self.kernels, stride=441
        )
        at_16k = at_16k.transpose(1, 2).flatten(1)
        frames = torch.cat([at_16k[:, start : start + 1024] for start in starts])
        frames = frames - frames.mean(dim=1, keepdim=True)
        return frames / frames.std(dim=1, keepdim=True, unbiased=False).clamp(min=1e-4)
