"""Begin with a generator that was trained to hear another mel: the difference is folded into its first convolution.

Both front ends see the same frames of the same audio, and both take a logarithm of bands of a spectrum, so what one
sees is nearly an affine function of what the other sees. That function is fitted to the training recordings by ridge
least squares and composed with ``conv_pre``: the generator's shape stays as it is, and it hears the new mel at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_vocoders.hifigan.configuration import FrontEndConfig
from reference_vocoders.hifigan.data import Clip
from reference_vocoders.hifigan.front_end import CONTEXT_SAMPLES, see

RIDGE = 1e-4
"""Weight of the penalty on the map, relative to the mean variance of a band."""


@dataclass(frozen=True)
class Affine:
    """``matrix @ x + offset`` is nearly what another front end sees where this one sees x.

    Shapes (bands, bands) and (bands,). unexplained: the part of the other's variance that the map misses, 0 … 1, on the
    recordings it was fitted to.
    """

    matrix: Tensor
    offset: Tensor
    unexplained: float

    def __call__(self, seen: Tensor) -> Tensor:
        """Seen mels of shape (…, bands, frames) as the other front end would see them."""
        return self.matrix @ seen + self.offset[:, None]


def fit(clips: Sequence[Clip], source: FrontEndConfig, target: FrontEndConfig) -> Affine:
    """The map from what ``source`` sees to what ``target`` sees, by least squares over every frame of ``clips``."""
    bands, count = 0, 0
    moments, sums = torch.zeros(0), torch.zeros(0)
    for clip in clips:
        audio = torch.from_numpy(clip.audio())[None]
        if audio.shape[1] <= 2 * CONTEXT_SAMPLES + 256:
            continue
        x, y = (see(audio, config)[0].double() for config in (source, target))
        if not bands:
            bands = len(x)
            moments, sums = torch.zeros(2 * bands, 2 * bands).double(), torch.zeros(2 * bands).double()
        both = torch.cat([x, y])
        moments += both @ both.T
        sums += both.sum(dim=1)
        count += both.shape[1]
    mean = sums / count
    covariance = moments / count - torch.outer(mean, mean)
    xx, xy, yy = covariance[:bands, :bands], covariance[:bands, bands:], covariance[bands:, bands:]
    penalty = RIDGE * xx.diagonal().mean() * torch.eye(bands).double()
    matrix = torch.linalg.solve(xx + penalty, xy).T
    missed = (yy - matrix @ xy - (matrix @ xy).T + matrix @ xx @ matrix.T).diagonal().sum()
    offset = mean[bands:] - matrix @ mean[:bands]
    return Affine(matrix.float(), offset.float(), float(missed / yy.diagonal().sum()))


def fold(state: Mapping[str, Tensor], affine: Affine) -> dict[str, Tensor]:
    """A generator's plain state whose first convolution hears ``affine`` of its input.

    Equal to the composition but for the frames whose kernel reaches over a clip's ends: beyond them the convolution
    sees zeros, which now stand for ``affine.offset`` instead of an official mel of zero.
    """
    weight, bias = state["conv_pre.weight"].double(), state["conv_pre.bias"].double()
    matrix, offset = affine.matrix.double(), affine.offset.double()
    folded = torch.einsum("oik,ij->ojk", weight, matrix)
    return dict(state) | {
        "conv_pre.weight": folded.float(),
        "conv_pre.bias": (bias + torch.einsum("oik,i->o", weight, offset)).float(),
    }
