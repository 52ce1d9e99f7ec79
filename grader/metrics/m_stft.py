"""M-STFT: the multi-resolution STFT distance of two clips, dimensionless, lower is better.

Definition: ``auraloss.freq.MultiResolutionSTFTLoss()`` of auraloss 0.4.0 with its defaults, one clip at a time, the
prediction first and the ground truth second. The loss is not symmetric: the second argument is what it is relative to.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from grader.audio import Audio

if TYPE_CHECKING:
    import torch

VERSION = 1
"""Raised whenever a change here changes a number."""

_LONGEST_FFT = 2048


def m_stft(prediction: Audio, reference: Audio) -> float:
    """The distance of two clips of the same sample rate, shapes (samples,); the shorter is padded with zeros.

    Raises :class:`ValueError` where the number would mean nothing: a silent reference (the distance is relative to its
    energy), or clips that both are shorter than half the longest window.
    """
    import torch

    if not np.any(reference):
        raise ValueError("the reference is silent")
    samples = max(len(prediction), len(reference))
    if samples <= _LONGEST_FFT // 2:
        raise ValueError(f"{samples} samples are too few for an FFT of {_LONGEST_FFT}")
    with torch.no_grad():
        return float(_loss()(_clip(prediction, samples), _clip(reference, samples)))


def _clip(audio: Audio, samples: int) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.pad(np.asarray(audio, dtype=np.float32), (0, samples - len(audio))))[None, None]


@cache
def _loss() -> torch.nn.Module:
    from auraloss.freq import MultiResolutionSTFTLoss

    loss: torch.nn.Module = MultiResolutionSTFTLoss()
    return loss
