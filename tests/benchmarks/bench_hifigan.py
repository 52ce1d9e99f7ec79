"""HiFi-GAN's generator against the same weights run plainly: ``python -m tests.benchmarks.bench_hifigan``.

Thirty clips of four to eight seconds, as a course has them; mels in memory to audio in memory, nothing else. Plain is
the generator as it is published: one-dimensional convolutions, weight norm computed anew at every call.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from reference_vocoders.hifigan import SHIPPED
from reference_vocoders.hifigan.checkpoint import load_generator
from reference_vocoders.hifigan.generator import Generator

CLIPS = 30


class Plain(nn.Module):
    """HiFi-GAN with residual blocks of kind 1, written as the paper's authors do."""

    def __init__(self, ours: Generator) -> None:
        super().__init__()
        self.config = ours.config
        self.layers = nn.ModuleDict()
        for name, module in ours.named_modules():
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                self.layers[name.replace(".", "-")] = weight_norm(_copy(module))
        self.eval()

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = self._layer("conv_pre", mel)
        kernels = len(self.config.resblock_kernels)
        for stage in range(len(self.config.upsample_rates)):
            x = self._layer(f"ups.{stage}", functional.leaky_relu(x, 0.1))
            outputs = [self._block(stage * kernels + number, x) for number in range(kernels)]
            x = sum(outputs) / kernels
        return torch.tanh(self._layer("conv_post", functional.leaky_relu(x)))

    def _block(self, number: int, x: torch.Tensor) -> torch.Tensor:
        for inner in range(len(self.config.resblock_dilations[0])):
            dilated = self._layer(f"resblocks.{number}.convs1.{inner}", functional.leaky_relu(x, 0.1))
            x = x + self._layer(f"resblocks.{number}.convs2.{inner}", functional.leaky_relu(dilated, 0.1))
        return x

    def _layer(self, name: str, x: torch.Tensor) -> torch.Tensor:
        layer: torch.Tensor = self.layers[name.replace(".", "-")](x)
        return layer


def _copy(module: nn.Conv1d | nn.ConvTranspose1d) -> nn.Module:
    """A convolution of PyTorch's own with the same weights."""
    kind = nn.ConvTranspose1d if isinstance(module, nn.ConvTranspose1d) else nn.Conv1d
    copy = kind(
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        module.stride,
        module.padding,
        dilation=module.dilation,
    )
    copy.load_state_dict(module.state_dict())
    return copy


def mels(frames_a_second: float = 22050 / 256) -> list[torch.Tensor]:
    """Log-mels as the generator sees them, of shape (1, 80, frames): what is in them costs nothing."""
    rng = np.random.default_rng(0)
    lengths = [int(rng.uniform(4, 8) * frames_a_second) for _ in range(CLIPS)]
    return [torch.from_numpy(rng.normal(-1, 0.5, (1, 80, frames)).astype(np.float32)) for frames in lengths]


@torch.inference_mode()
def seconds(network: Callable[[torch.Tensor], torch.Tensor], clips: list[torch.Tensor]) -> float:
    start = time.perf_counter()
    for clip in clips:
        network(clip)
    return time.perf_counter() - start


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    ours, config = load_generator(chosen.weights)
    plain, clips = Plain(ours), mels()
    audio = sum(clip.shape[2] for clip in clips) * 256 / 22050
    with torch.inference_mode():
        deviation = float((ours(clips[0]) - plain(clips[0])).abs().max())

    print(
        f"HiFi-GAN {config.name}, {chosen.threads} threads, torch {torch.__version__}, {CLIPS} clips of {audio:.0f} s"
    )
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(chosen.rounds):
        times["plain"].append(seconds(plain, clips))
        times["ours"].append(seconds(ours, clips))
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"  {name:5}: median {median:.1f} s of {chosen.rounds} rounds in turn, {audio / median:.1f} × real time")
    ratios = [slow / fast for slow, fast in zip(*times.values(), strict=True)]
    print(f"  ratio: median {statistics.median(ratios):.1f}, {min(ratios):.1f} … {max(ratios):.1f}")
    print(f"  audio within {deviation:.1e} of the plain network's")


if __name__ == "__main__":
    main()
