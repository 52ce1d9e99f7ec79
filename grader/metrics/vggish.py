"""VGGish (AudioSet): patches of log-mel spectrogram to 128 numbers, before the last ReLU, without PCA or quantising.

Source: Hershey et al., "CNN Architectures for Large-Scale Audio Classification" (2017), in the layout of
harritaylor/torchvggish, whose weights it loads. The front end is :mod:`grader.metrics.logmel`'s.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from grader.audio import Audio
from grader.errors import EnvironmentProblem
from grader.metrics.logmel import patches

VERSION = 1

BATCH = 32


class Network(nn.Module):
    """The layers under the names of torchvggish's weight file: ``features.0`` … ``embeddings.4``."""

    def __init__(self) -> None:
        super().__init__()
        features: list[nn.Module] = []
        channels = 1
        for width in (64, None, 128, None, 256, 256, None, 512, 512, None):
            if width is None:
                features.append(nn.MaxPool2d(2))
            else:
                features += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
        self.features = nn.Sequential(*features)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 128),
        )

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Patches (n, 96, 64) to embeddings (n, 128). Flattened time, band, channel, as the weights' TensorFlow did."""
        features: torch.Tensor = self.features(log_mel[:, None])
        embedding: torch.Tensor = self.embeddings(features.permute(0, 2, 3, 1).flatten(1))
        return embedding


class VGGish:
    """The network with its weights, ready to embed clips."""

    def __init__(self, weights: Path) -> None:
        """Load a weight file; raises :class:`EnvironmentProblem` where it is not VGGish's."""
        help = "remove the file to have it downloaded again, or name another at metrics.fad.weights_file"
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle raises anything
            kind = type(error).__name__
            raise EnvironmentProblem(f"{weights}: cannot be read as PyTorch weights ({kind})", help=help) from None
        with torch.device("meta"):
            self._network = Network()
        try:
            self._network.load_state_dict(state, assign=True)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EnvironmentProblem(f"{weights}: not VGGish's weights: {reason}", help=help) from None
        self._network.float().eval().requires_grad_(False)

    @torch.inference_mode()
    def embed(self, audio: Audio, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """One channel of audio to an embedding of shape (patches, 128)."""
        batches = torch.split(torch.from_numpy(patches(audio, sample_rate_hz)), BATCH)
        return torch.cat([self._network(batch) for batch in batches]).numpy()
