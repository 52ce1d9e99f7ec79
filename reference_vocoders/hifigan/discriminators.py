"""The multi-period and the multi-scale discriminator of HiFi-GAN (section 2.3 of the paper).

``width`` scales their channels: 1 is the paper's, less fits small machines.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

_SLOPE = 0.1
_PERIODS = (2, 3, 5, 7, 11)

Judgement = tuple[Tensor, list[Tensor]]
"""What one discriminator says: scores of shape (batch, n), and the feature maps that led there."""


def _scaled(channels: int, width: float) -> int:
    return max(4, int(channels * width) // 4 * 4)


class PeriodDiscriminator(nn.Module):
    """Looks at every ``period``-th sample as a column of an image."""

    def __init__(self, period: int, width: float) -> None:
        super().__init__()
        self.period = period
        sizes = [1, *(_scaled(channels, width) for channels in (32, 128, 512, 1024, 1024))]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(inside, outside, (5, 1), (1 if last else 3, 1), padding=(2, 0)))
            for inside, outside, last in zip(sizes, sizes[1:], [False] * 4 + [True], strict=False)
        )
        self.post = weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, audio: Tensor) -> Judgement:
        batch, _, samples = audio.shape
        audio = functional.pad(audio, (0, -samples % self.period), mode="reflect")
        return _judge(audio.view(batch, 1, -1, self.period), self.convs, self.post)


class ScaleDiscriminator(nn.Module):
    """Looks at the waveform with grouped strided convolutions."""

    def __init__(self, width: float, *, spectral: bool) -> None:
        super().__init__()
        norm = spectral_norm if spectral else weight_norm
        shapes = [  # outside, kernel, stride, groups
            (128, 15, 1, 1),
            (128, 41, 2, 4),
            (256, 41, 2, 16),
            (512, 41, 4, 16),
            (1024, 41, 4, 16),
            (1024, 41, 1, 16),
            (1024, 5, 1, 1),
        ]
        self.convs = nn.ModuleList()
        inside = 1
        for channels, kernel, stride, groups in shapes:
            outside = _scaled(channels, width)
            groups = groups if inside % groups == 0 and outside % groups == 0 else 4 if groups > 1 else 1
            self.convs.append(norm(nn.Conv1d(inside, outside, kernel, stride, kernel // 2, groups=groups)))
            inside = outside
        self.post = norm(nn.Conv1d(inside, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> Judgement:
        return _judge(audio, self.convs, self.post)


def _judge(x: Tensor, convs: nn.ModuleList, post: nn.Module) -> Judgement:
    features = []
    for conv in convs:
        x = functional.leaky_relu(conv(x), _SLOPE)
        features.append(x)
    x = post(x)
    features.append(x)
    return x.flatten(1), features


class Discriminators(nn.Module):
    """All of them: five periods, and three scales each averaged down by two from the one before."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.periods = nn.ModuleList(PeriodDiscriminator(period, width) for period in _PERIODS)
        self.scales = nn.ModuleList(ScaleDiscriminator(width, spectral=scale == 0) for scale in range(3))

    def forward(self, audio: Tensor) -> list[Judgement]:
        judgements = [period(audio) for period in self.periods]
        for number, scale in enumerate(self.scales):
            audio = functional.avg_pool1d(audio, 4, 2, padding=2) if number else audio
            judgements.append(scale(audio))
        return judgements
