"""HiFi-GAN's generator: transposed convolutions, each followed by a multi-receptive-field fusion of residual blocks.

Definition: Kong, Kim, Bae, "HiFi-GAN", NeurIPS 2020, section 2.2 and Appendix A. Parameter names follow the official
release, so that its checkpoints load.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from reference_vocoders.hifigan.configuration import GeneratorConfig

_SLOPE = 0.1


def _same(kernel: int, dilation: int = 1) -> int:
    return (kernel - 1) * dilation // 2


class Conv(nn.Conv1d):
    """A Conv1d in all but how it is computed: over images one pixel high, (batch, channels, 1, samples).

    With few channels stored last, a CPU convolves such images two to five times as fast as signals.
    """

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(
            x, self.weight[:, :, None], self.bias, padding=(0, int(self.padding[0])), dilation=(1, *self.dilation)
        )


class ConvTranspose(nn.ConvTranspose1d):
    """A ConvTranspose1d over images one pixel high, as :class:`Conv`."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        assert output_size is None
        return functional.conv_transpose2d(
            x, self.weight[:, :, None], self.bias, stride=(1, *self.stride), padding=(0, int(self.padding[0]))
        )


def _conv(channels: int, kernel: int, dilation: int) -> nn.Module:
    conv = Conv(channels, channels, kernel, dilation=dilation, padding=_same(kernel, dilation))
    nn.init.normal_(conv.weight, 0.0, 0.01)
    return weight_norm(conv)


class ResBlock1(nn.Module):
    """Per dilation: a dilated and a plain convolution around a shortcut (generators V1 and V2)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(functional.leaky_relu(dilated(functional.leaky_relu(x, _SLOPE)), _SLOPE))
        return x


class ResBlock2(nn.Module):
    """Per dilation: one dilated convolution around a shortcut (generator V3)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels, kernel, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = x + conv(functional.leaky_relu(x, _SLOPE))
        return x


class Generator(nn.Module):
    """From a log-mel of shape (batch, bands, frames) to audio of shape (batch, 1, hop · frames) in (−1, 1)."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        block = ResBlock1 if config.resblock == "1" else ResBlock2
        channels = config.initial_channels
        self.conv_pre = weight_norm(Conv(config.mel_bands, channels, 7, padding=3))
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernels, strict=True):
            up = ConvTranspose(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            nn.init.normal_(up.weight, 0.0, 0.01)
            self.ups.append(weight_norm(up))
            channels //= 2
            for size, dilations in zip(config.resblock_kernels, config.resblock_dilations, strict=True):
                self.resblocks.append(block(channels, size, dilations))
        post = Conv(channels, 1, 7, padding=3)
        nn.init.normal_(post.weight, 0.0, 0.01)
        self.conv_post = weight_norm(post)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.conv_pre(mel[:, :, None].contiguous(memory_format=torch.channels_last))
        kernels = len(self.config.resblock_kernels)
        for stage, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, _SLOPE))
            blocks = self.resblocks[stage * kernels : (stage + 1) * kernels]
            x = sum(block(x) for block in blocks) / kernels
        return torch.tanh(self.conv_post(functional.leaky_relu(x)))[:, :, 0]

    def plain_state(self) -> dict[str, Tensor]:
        """Weights and biases by name, whether weight norm is folded or not."""
        return {
            f"{name}.{part}": getattr(module, part).detach()
            for name, module in self.named_modules()
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d)
            for part in ("weight", "bias")
        }

    def fold_weight_norm(self) -> Generator:
        """Replace every normalised weight by its value: the same audio, faster. Not for training."""
        for module in self.modules():
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight")
        return self
