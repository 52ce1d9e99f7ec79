"""The builtin pitch engine: our own CREPE on the original's weights."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grader.audio import Audio
from grader.metrics import crepe
from grader.metrics.crepe import Activations, Capacity
from grader.metrics.pitch import PitchTrack, decode

if TYPE_CHECKING:
    from grader.metrics.crepe_network import Crepe

BLOCK_FRAMES = 32
"""Frames that go through the network together. A clip is cut into blocks from its start and the last one filled up, so
that a frame's activations do not depend on how many frames follow it."""


class BuiltinEngine:
    def __init__(self, capacity: Capacity, weights_file: Path | None = None) -> None:
        self._capacity: Capacity = capacity
        self._weights_file = weights_file

    def settings(self) -> dict[str, Any]:
        digest = crepe.weights_sha256(self._capacity, self._weights_file)
        return {"engine": "builtin", "capacity": self._capacity, "weights_sha256": digest, "precision": "float32"}

    def activations(self, signal: Audio, first_frame: int = 0) -> tuple[int, Activations]:
        import torch

        first_frame -= first_frame % BLOCK_FRAMES
        frames = crepe.raw_frames(signal)[first_frame:]
        count = len(frames)
        if count == 0:
            return first_frame, np.zeros((0, 360), dtype=np.float32)
        mean, deviation = crepe.mean_and_deviation(frames)
        normalised = np.zeros((-(-count // BLOCK_FRAMES) * BLOCK_FRAMES, crepe.FRAME_SAMPLES), dtype=np.float32)
        normalised[:count] = (frames - mean) / deviation
        blocks = torch.from_numpy(normalised.reshape(-1, BLOCK_FRAMES, crepe.FRAME_SAMPLES))
        return first_frame, torch.cat([self._network(block) for block in blocks])[:count].numpy()

    def decode(self, activations: Activations) -> PitchTrack:
        return decode(activations)

    @cached_property
    def _network(self) -> Crepe:
        from grader.metrics import crepe_network

        return crepe_network.load(self._capacity, self._weights_file)
