"""The package frechet_audio_distance (0.1.2) as an engine: its own loading, network, weights and distance.

It fetches torchvggish and its weights through torch.hub, so the first use needs a network.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from grader.audio import Audio
from grader.errors import EnvironmentProblem

_REPOSITORY = "harritaylor/torchvggish"


class Engine:
    """VGGish as the package sets it up: no PCA, no final ReLU."""

    def __init__(self) -> None:
        """Load the network; raises :class:`EnvironmentProblem` where the package or its weights cannot be had."""
        try:
            from frechet_audio_distance import FrechetAudioDistance

            self._fad: Any = FrechetAudioDistance(model_name="vggish", use_pca=False, use_activation=False)
        except Exception as error:  # torch.hub raises anything, EOFError where it asks for trust
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise EnvironmentProblem(
                f"the engine frechet_audio_distance does not start: {reason}",
                help="with a network, once: "
                f"python -c \"import torch; torch.hub.load('{_REPOSITORY}', 'vggish', trust_repo=True)\"",
            ) from None

    def embed(self, audio: Audio, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """One channel of audio to an embedding of shape (patches, 128). Raises RuntimeError where there is none."""
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                embedding = self._fad.get_embeddings([audio], sr=sample_rate_hz)
        except ValueError:  # it prints what went wrong and then joins nothing
            raise RuntimeError(" ".join(said.getvalue().split()) or "frechet_audio_distance gave nothing") from None
        return np.asarray(embedding, dtype=np.float32)

    def distance(
        self, predictions: Sequence[npt.NDArray[np.float32]], references: Sequence[npt.NDArray[np.float32]]
    ) -> float:
        """The package's distance between the patches of all clips."""
        means_and_covariances = [
            part
            for side in (predictions, references)
            for part in self._fad.calculate_embd_statistics(np.concatenate(side))
        ]
        return float(self._fad.calculate_frechet_distance(*means_and_covariances))
