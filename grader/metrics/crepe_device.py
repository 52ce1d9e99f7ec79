"""CREPE on a GPU: the plain network, many frames at a time, in full single precision."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from grader.audio import Audio
from grader.errors import EnvironmentProblem
from grader.metrics import crepe
from grader.metrics.crepe import Activations

if TYPE_CHECKING:
    from grader.metrics.crepe_network import Crepe

BLOCK_FRAMES = 1024
"""Frames that go to the device together: ten seconds of sound."""

_DRIVER = Path("/dev/nvidiactl")


def device() -> str:
    """``cuda`` where there is a GPU that this PyTorch was built for, else ``cpu``; found out without importing torch.

    ``CUDA_VISIBLE_DEVICES=`` (empty) keeps a GPU out of it, as everywhere.
    """
    try:
        for_cpu = version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return "cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    return "cpu" if for_cpu or hidden or not _DRIVER.exists() else "cuda"


class DeviceCrepe:
    """The plain network on a device. Its activations are within 1e-5 of the CPU's, and scores carry the device."""

    def __init__(self, network: Crepe, device: str) -> None:
        """Raises :class:`EnvironmentProblem` where PyTorch does not get at the device."""
        import torch

        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        try:
            self._device = torch.device(device)
            self._network = network.to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise EnvironmentProblem(
                f"PyTorch cannot use the device {device}: {str(error).splitlines()[0][:200]}",
                help="mend the driver, or set CUDA_VISIBLE_DEVICES= (empty) to compute on the CPU",
            ) from None

    def __call__(self, samples: Audio) -> Activations:
        """Activations (B, 360) of the B frames in ``samples``, shape (160·(B − 1) + 1024,)."""
        import numpy as np
        import torch
        from numpy.lib.stride_tricks import sliding_window_view

        frames = sliding_window_view(samples, crepe.FRAME_SAMPLES)[:: crepe.HOP_SAMPLES]
        mean, deviation = crepe.mean_and_deviation(frames)
        with torch.inference_mode():
            normalised = torch.from_numpy(np.ascontiguousarray((frames - mean) / deviation)).to(self._device)
            activations: Activations = self._network(normalised).cpu().numpy()
        return activations
