"""HiFi-GAN's generator against the same weights run plainly: ``python -m tests.benchmarks.bench_hifigan``.

Thirty clips of four to eight seconds, as a course has them; mels in memory to audio in memory, nothing else. Plain is
the generator as it is published: one-dimensional convolutions, weight norm computed anew at every call.
"""

import argparse
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
from tests.benchmarks.measuring import in_turn, row

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
def sing(network: Callable[[torch.Tensor], torch.Tensor], clips: list[torch.Tensor]) -> None:
    for clip in clips:
        network(clip)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="two clips, to see that it runs")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--threads", type=int, default=min(2, torch.get_num_threads()))
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    ours, config = load_generator(chosen.weights)
    plain, clips = Plain(ours), mels()[: 2 if chosen.small else CLIPS]
    audio = sum(clip.shape[2] for clip in clips) * 256 / 22050
    with torch.inference_mode():
        deviation = float((ours(clips[0]) - plain(clips[0])).abs().max())
    pairs = in_turn(1 if chosen.small else 3, lambda: sing(plain, clips), lambda: sing(ours, clips))
    slow, fast = (audio / seconds for seconds in pairs.medians)
    print(f"HiFi-GAN {config.name}, {chosen.threads} threads, {len(clips)} clips, {audio:.0f} s of audio")
    print(f"  plain {slow:.1f} × real time, ours {fast:.1f} ×; audio within {deviation:.1e} of the plain network's")
    what = f"HiFi-GAN V2, {audio:.0f} s of audio: the same weights run plainly / ours, {fast:.1f} × real time"
    row(what, pairs.medians, pairs.ratio, "≥ 5 × real time", fast >= 5)


if __name__ == "__main__":
    main()
