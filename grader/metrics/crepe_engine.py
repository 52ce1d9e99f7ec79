"""The builtin pitch engine: our own CREPE on the original's weights."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grader.audio import Audio
from grader.metrics import crepe, crepe_device
from grader.metrics.crepe import Activations, Capacity
from grader.metrics.crepe_device import DeviceCrepe
from grader.metrics.pitch import PitchTrack, decode

if TYPE_CHECKING:
    from grader.metrics.crepe_fast import FastCrepe

BLOCK_FRAMES = 32
"""Frames that go through the network together. A clip is cut into blocks from its start and the last one filled up, so
that a frame's activations do not depend on how many frames follow it."""


class BuiltinEngine:
    """device: ``cpu``, ``cuda``, or None for the GPU where there is one that can be used."""

    def __init__(self, capacity: Capacity, weights_file: Path | None = None, device: str | None = None) -> None:
        self._capacity: Capacity = capacity
        self._weights_file = weights_file
        self._device = device or crepe_device.device()
        self._block_frames = BLOCK_FRAMES if self._device == "cpu" else crepe_device.BLOCK_FRAMES

    def settings(self) -> dict[str, Any]:
        digest = crepe.weights_sha256(self._capacity, self._weights_file)
        known = {"engine": "builtin", "capacity": self._capacity, "weights_sha256": digest}
        return {**known, "device": self._device, "precision": "float32"}

    def activations(self, signal: Audio, first_frame: int = 0) -> tuple[int, Activations]:
        block = self._block_frames
        first_frame -= first_frame % block
        frames = crepe.frame_count(len(signal))
        margin = crepe.FRAME_SAMPLES // 2
        padded = np.pad(signal, (margin, margin + block * crepe.HOP_SAMPLES))
        length = (block - 1) * crepe.HOP_SAMPLES + crepe.FRAME_SAMPLES
        starts = range(first_frame * crepe.HOP_SAMPLES, frames * crepe.HOP_SAMPLES, block * crepe.HOP_SAMPLES)
        blocks = each(self._network, [padded[start : start + length] for start in starts])
        return first_frame, np.concatenate(blocks)[: frames - first_frame]

    def decode(self, activations: Activations) -> PitchTrack:
        return decode(activations)

    @cached_property
    def _network(self) -> FastCrepe | DeviceCrepe:
        from grader.metrics import crepe_fast, crepe_network

        network = crepe_network.load(self._capacity, self._weights_file)
        return crepe_fast.FastCrepe(network) if self._device == "cpu" else DeviceCrepe(network, self._device)


def each(network: Callable[[Audio], Activations], blocks: list[Audio]) -> list[Activations]:
    """Blocks side by side on as many threads as torch may use, and each on one.

    Nothing then depends on the number of threads, to the last bit, and no thread waits for another in every operation.
    """
    import torch

    threads = torch.get_num_threads()
    if threads == 1:
        return [network(block) for block in blocks]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(network, blocks))
    finally:
        torch.set_num_threads(threads)
