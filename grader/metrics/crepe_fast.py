"""CREPE's activations for consecutive frames, many times faster than layer by layer, and not approximated.

The same sums as :class:`grader.metrics.crepe_network.Crepe`, in single precision, rearranged so that what repeats is
computed once and what meets only padding is left out:

- **conv1** sees windows of the signal itself. Frames overlap (a hop is 40 of its strides), so each half of its kernel
  meets each window once for all frames; only where a window sticks out of a frame has the frame sums of its own.
  Convolution is linear, so the frame's mean and deviation are applied after it.
- **conv2 … conv6** are circular convolutions, just long enough that nothing wraps around into what is used: a real DFT
  (a small matrix), one complex product per frequency, and back. For each pair of channels conv2 then needs 318 products
  instead of 8192.
- **Batch normalisation** is folded into the layer behind it. It stands between ReLU and pooling, so the maximum of a
  pair is taken first (the minimum where the scale is negative), which halves what follows.

Conventions: B frames; tensors are (frame, step, channel); the signal is in whole numbers of the 16-bit range.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional

from grader.audio import Audio
from grader.metrics import crepe
from grader.metrics.crepe import FRAME_SAMPLES, HOP_SAMPLES, LEAST_DEVIATION, Activations
from grader.metrics.crepe_network import EPSILON, PADDING, STRIDE, Crepe, Layer

_STEPS = 128
"""Of conv1's output behind its pooling; each further layer has half as many."""
_CHANNELS_AT_ONCE = 128
"""Channels of conv1 on their way to conv2's products at one time: as many as stay in the cache."""
_MAX_OFFSET = 16.0
"""Frames whose mean is off by more than this many deviations would lose digits when normalised after conv1."""

# conv1: the first half of its kernel at step k covers the frame's samples from 4k − 254, the second from 4k + 2. At the
# first 64 of 256 steps the first half sticks out of the frame, at the last 64 the second.
_HOP_STEPS = HOP_SAMPLES // STRIDE[0]
_HALF_TAPS = 256
_EDGE_STEPS = 64
_GROUP = 16
"""Edge steps that share one matrix product; from group to group 64 taps more (or fewer) are inside the frame."""
_MARGIN = STRIDE[0] * _GROUP - 2
"""Samples a group's windows reach beyond the frame."""


class FastCrepe:
    """Made from the plain network, which it keeps for signals that it cannot do exactly."""

    def __init__(self, network: Crepe) -> None:
        self._network = network
        first, *later = network.layers
        scales, shifts = zip(*(_batch_norm(layer) for layer in network.layers), strict=True)
        self._parts = [slice(at, at + _CHANNELS_AT_ONCE) for at in range(0, len(scales[0]), _CHANNELS_AT_ONCE)]
        self._first = [_FirstLayer(first.weight[part], first.bias[part], scales[0][part]) for part in self._parts]
        self._later = [
            _SpectralLayer(layer.weight, layer.bias, scale, shift, steps=_STEPS >> n)
            for n, (layer, scale, shift) in enumerate(zip(later, scales[:-1], shifts[:-1], strict=True))
        ]
        self._pools = [_Pool(scale) for scale in scales[1:]]
        weight, bias = network.classifier
        into_bins = weight.reshape(len(bias), -1, len(scales[5]))
        self._into_bins = (into_bins * scales[5]).flatten(1).T.contiguous()
        self._bias = bias + (into_bins * shifts[5]).sum(dim=(1, 2))

    def __call__(self, samples: Audio) -> Activations:
        """Activations (B, 360) of the B frames in ``samples``, shape (160·(B − 1) + 1024,)."""
        frames = sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]
        mean, deviation = crepe.mean_and_deviation(frames)
        varying = deviation > LEAST_DEVIATION
        level = _level(mean[varying], deviation[varying])
        if (np.abs(mean - level)[varying] > _MAX_OFFSET * deviation[varying]).any():
            plain: Activations = self._network(torch.from_numpy((frames - mean) / deviation)).numpy()
            return plain
        gain = np.where(varying, 1 / deviation, np.float32(0))
        block = _Block(samples - level, frames - mean, gain, (mean - level) * gain)
        second, product = self._later[0], None
        for first, part in zip(self._first, self._parts, strict=True):
            product = second.multiply(first(block), part, product)
        assert product is not None
        x = self._pools[0](second.restore(product)).relu_()
        for layer, pool in zip(self._later[1:], self._pools[1:], strict=True):
            x = pool(layer(x)).relu_()
        activations: Activations = torch.addmm(self._bias, x.flatten(1), self._into_bins).sigmoid_().numpy()
        return activations


class _Pool:
    """Pairs of neighbouring steps to one: the larger, or the smaller where the scale that comes later is negative."""

    def __init__(self, scale: torch.Tensor) -> None:
        self._negative = scale < 0 if bool((scale < 0).any()) else None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        even, odd = x[..., 0::2, :], x[..., 1::2, :]
        larger = torch.maximum(even, odd)
        return larger if self._negative is None else torch.where(self._negative, torch.minimum(even, odd), larger)


class _Block:
    """What conv1 needs of a block of frames, whichever its channel.

    gain, offset: 1 / deviation, and mean / deviation, of shape (B, 1, 1). windows: of the whole block, 256 samples from
    4v + 2 on. left, right: for each group of edge steps the windows of the centred frames, zero beyond them, with as
    many samples as may be inside, shape (B·16, taps).
    """

    def __init__(
        self,
        samples: Audio,
        centred: npt.NDArray[np.float32],
        gain: npt.NDArray[np.float32],
        offset: npt.NDArray[np.float32],
    ) -> None:
        self.gain = torch.from_numpy(gain)[:, :, None]
        self.offset = torch.from_numpy(offset)[:, :, None]
        self.windows = torch.from_numpy(samples)[2:].unfold(0, _HALF_TAPS, STRIDE[0]).contiguous()
        frames = functional.pad(torch.from_numpy(centred), (_MARGIN, _MARGIN))
        groups = range(_EDGE_STEPS // _GROUP)
        width = STRIDE[0] * _GROUP
        self.left = [_windows(frames, 0, width * (group + 1)) for group in groups]
        last = FRAME_SAMPLES + 2 * _MARGIN - STRIDE[0] * (_GROUP - 1)
        self.right = [_windows(frames, last - taps, taps) for taps in (_HALF_TAPS - width * group for group in groups)]


def _windows(frames: torch.Tensor, start: int, taps: int) -> torch.Tensor:
    """The windows of one group of edge steps, shape (B·16, taps)."""
    return frames[:, start : start + taps + STRIDE[0] * (_GROUP - 1)].unfold(1, taps, STRIDE[0]).flatten(0, 1)


class _FirstLayer:
    """conv1, pooling and ReLU for some of its channels."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, scale: torch.Tensor) -> None:
        """weight: (channels, 1, 512); scale: of the batch normalisation that follows."""
        halves = weight.reshape(-1, 2, _HALF_TAPS)
        self._halves = halves.permute(2, 1, 0).flatten(1).contiguous()
        self._first, self._second = halves.permute(1, 2, 0).contiguous()
        self._sum_first, self._sum_second = halves.sum(2).T
        self._bias = bias
        self._pool = _Pool(scale)

    def __call__(self, block: _Block) -> torch.Tensor:
        """Shape (B, 128, channels)."""
        first, second = torch.mm(block.windows, self._halves).chunk(2, dim=1)
        x = torch.empty(len(block.gain), _STEPS, len(self._bias))
        middle = self._pool(first[:-_EDGE_STEPS] + second[_EDGE_STEPS:])
        self._normalise(
            middle.unfold(0, _EDGE_STEPS, _HOP_STEPS // 2).transpose(1, 2),
            block,
            self._sum_first + self._sum_second,
            x[:, _EDGE_STEPS // 2 : -_EDGE_STEPS // 2],
        )
        own = [torch.mm(windows, self._first[-windows.shape[1] :]) for windows in block.left]
        self._edge(own, second[: -2 * _EDGE_STEPS], block, self._sum_second, x[:, : _EDGE_STEPS // 2])
        own = [torch.mm(windows, self._second[: windows.shape[1]]) for windows in block.right]
        self._edge(own, first[2 * _EDGE_STEPS :], block, self._sum_first, x[:, -_EDGE_STEPS // 2 :])
        return x.relu_()

    def _edge(
        self, own: list[torch.Tensor], shared: torch.Tensor, block: _Block, total: torch.Tensor, out: torch.Tensor
    ) -> None:
        """Edge steps: one half's sums are shared between frames, the other's the frame's own."""
        steps = shared.unfold(0, _EDGE_STEPS, _HOP_STEPS).transpose(1, 2)
        for group, sums in enumerate(own):
            pooled = _GROUP // 2 * group
            x = sums.view(-1, _GROUP, sums.shape[1]).add_(steps[:, _GROUP * group : _GROUP * (group + 1)])
            self._normalise(self._pool(x), block, total, out[:, pooled : pooled + _GROUP // 2])

    def _normalise(self, x: torch.Tensor, block: _Block, total: torch.Tensor, out: torch.Tensor) -> None:
        """What conv1 would give for the normalised frame; total: the sum of the taps that met the frame's mean."""
        torch.addcmul(self._bias - block.offset * total, x, block.gain, out=out)


class _SpectralLayer:
    """A convolution along few steps, in the frequency domain; the batch normalisation before it is folded in."""

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, steps: int
    ) -> None:
        """weight: (out, in, 64); scale, shift: of the input's batch normalisation."""
        before, after = (min(reach, steps - 1) for reach in PADDING[1])
        length = steps + min(steps, PADDING[1][1])
        taps, time = torch.arange(-before, after + 1), torch.arange(steps)
        frequencies = torch.arange(length // 2 + 1)
        weight = weight[:, :, PADDING[1][0] - before : PADDING[1][0] + after + 1]

        real, imaginary = _waves(frequencies, taps, length)
        spectrum = [(weight * scale[:, None]) @ wave.T.float() for wave in (real, imaginary)]
        self._weight = torch.cat(spectrum).permute(2, 1, 0).contiguous()

        real, imaginary = _waves(frequencies, time, length)
        self._forward = torch.cat([real, -imaginary]).float()
        counted = torch.full((len(frequencies), 1), 2 / length, dtype=torch.float64)
        counted[[0, -1]] = 1 / length
        self._inverse = torch.cat([counted * real, -counted * imaginary]).T.float().contiguous()

        reached = time[:, None] + taps
        inside = ((reached >= 0) & (reached < steps)).to(weight.dtype)
        self._constant = bias + inside @ (weight * shift[:, None]).sum(1).T
        self._frequencies = len(frequencies)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(B, steps, in) to (B, steps, out), bias included."""
        return self.restore(self.multiply(x))

    def multiply(self, x: torch.Tensor, part: slice = slice(None), product: torch.Tensor | None = None) -> torch.Tensor:
        """Products with the channels ``part`` of the input, added to those of other channels.

        Shape (frequencies, B × (real, imaginary input), (real, imaginary weight) × out).
        """
        spectrum = torch.matmul(self._forward, x).view(2 * len(x), self._frequencies, -1).transpose(0, 1)
        weight = self._weight[:, part]
        return torch.bmm(spectrum, weight) if product is None else product.baddbmm_(spectrum, weight)

    def restore(self, product: torch.Tensor) -> torch.Tensor:
        """From the products of all channels back to steps, shape (B, steps, out)."""
        frames, channels = product.shape[1] // 2, product.shape[2] // 2
        parts = product.view(self._frequencies, frames, 2, 2, channels)
        spectrum = torch.empty(frames, 2, self._frequencies, channels)
        real, imaginary = spectrum.permute(1, 2, 0, 3)
        torch.sub(parts[:, :, 0, 0], parts[:, :, 1, 1], out=real)
        torch.add(parts[:, :, 0, 1], parts[:, :, 1, 0], out=imaginary)
        return torch.matmul(self._inverse, spectrum.flatten(1, 2)).add_(self._constant)


def _waves(frequencies: torch.Tensor, time: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines in float64, each of shape (frequencies, time)."""
    angle = 2 * math.pi / length * (frequencies[:, None] * time % length).double()
    return angle.cos(), angle.sin()


def _batch_norm(layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
    """A layer's batch normalisation as scale and shift of each channel."""
    scale = layer.gamma / torch.sqrt(layer.variance + EPSILON)
    return scale, layer.beta - layer.mean * scale


def _level(mean: npt.NDArray[np.float32], deviation: npt.NDArray[np.float32]) -> np.float32:
    """A whole number near the mean of all frames, nearest to that of the quiet ones: taking it away costs no digit."""
    if len(mean) == 0:
        return np.float32(0)
    return np.float32(np.round(np.average(mean, weights=1 / deviation**2)))
