"""What a HiFi-GAN is made of and how it is trained. Plain values that are kept in every checkpoint.

The generators are those of the paper (Kong et al. 2020, Appendix A); the numbers of the official configurations.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grader.errors import GraderError


@dataclass(frozen=True)
class GeneratorConfig:
    upsample_rates: tuple[int, ...] = (8, 8, 2, 2)
    upsample_kernels: tuple[int, ...] = (16, 16, 4, 4)
    initial_channels: int = 512
    resblock: Literal["1", "2"] = "1"
    resblock_kernels: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    mel_bands: int = 80


@dataclass(frozen=True)
class FrontEndConfig:
    """How audio becomes what the generator sees.

    course: the course's linear-power HTK mel, then the natural log clamped at ``floor``, minus ``mean``,
    over ``scale``.
    official: HiFi-GAN's own (reflect padding, magnitude, Slaney scale and norm, natural log clamped at 1e-5).
    """

    kind: Literal["course", "official"] = "course"
    floor: float = 1e-6
    mean: float = -2.0
    scale: float = 4.0


@dataclass(frozen=True)
class TrainingConfig:
    """Losses are ordered so that a generator gets good early: spectral ones from the start, adversarial ones after.

    average: what is validated and kept are the weights' running mean; this much of it stays at each step.
    """

    steps: int = 400_000
    batch: int = 16
    segment_frames: int = 32
    learning_rate: float = 2e-4
    final_learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    adversarial_from: int = 20_000
    discriminator_width: float = 1.0
    discriminator_learning_rate: float = 2e-4
    mel_weight: float = 45.0
    stft_weight: float = 10.0
    feature_weight: float = 2.0
    pitch_weight: float = 0.0
    pitch_frames: int = 2
    average: float = 0.999
    validate_every: int = 5_000
    checkpoint_every: int = 1_000
    seed: int = 20231101


@dataclass(frozen=True)
class Configuration:
    name: str
    generator: GeneratorConfig
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Configuration:
        """Rebuild from :meth:`as_json`; raises :class:`GraderError` naming keys that are unknown or missing."""
        try:
            return cls(
                name=str(record["name"]),
                generator=GeneratorConfig(**_tuples(record["generator"])),
                front_end=FrontEndConfig(**record["front_end"]),
                training=TrainingConfig(**_tuples(record["training"])),
            )
        except (KeyError, TypeError) as error:
            raise GraderError(
                f"not a configuration of this HiFi-GAN: {error}",
                help="use a checkpoint that reference_vocoders.hifigan.train made, or an official one with config.json",
            ) from None

    @classmethod
    def from_official(cls, text: str) -> Configuration:
        """Read the ``config.json`` beside an official checkpoint; its front end is the official one."""
        try:
            record = json.loads(text)
            return cls(
                name="official",
                generator=GeneratorConfig(
                    upsample_rates=tuple(record["upsample_rates"]),
                    upsample_kernels=tuple(record["upsample_kernel_sizes"]),
                    initial_channels=record["upsample_initial_channel"],
                    resblock=record["resblock"],
                    resblock_kernels=tuple(record["resblock_kernel_sizes"]),
                    resblock_dilations=tuple(map(tuple, record["resblock_dilation_sizes"])),
                    mel_bands=record["num_mels"],
                ),
                front_end=FrontEndConfig(kind="official"),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise GraderError(
                f"not an official HiFi-GAN config.json: {error!r}", help="take the one released with the checkpoint"
            ) from None


def _tuples(record: Mapping[str, Any]) -> dict[str, Any]:
    """Lists, as JSON has them, back to the tuples of a configuration."""
    return {key: _tuple(value) for key, value in record.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list | tuple) else value


_V1 = GeneratorConfig()
_V2 = dataclasses.replace(_V1, initial_channels=128)
_V3 = GeneratorConfig(
    upsample_rates=(8, 8, 4),
    upsample_kernels=(16, 16, 8),
    initial_channels=256,
    resblock="2",
    resblock_kernels=(3, 5, 7),
    resblock_dilations=((1, 2), (2, 6), (3, 12)),
)
PRESETS: dict[str, Configuration] = {
    "v1": Configuration("v1", _V1),
    "v2": Configuration("v2", _V2),
    "v3": Configuration("v3", _V3),
    # Two CPU cores and an hour or two: a higher rate, small discriminators, and CREPE's view of the pitch as a loss.
    "v2-cpu": Configuration(
        "v2-cpu",
        _V2,
        training=TrainingConfig(
            steps=24_000,
            batch=8,
            learning_rate=1e-3,
            final_learning_rate=2e-5,
            adversarial_from=1_000_000,
            discriminator_width=0.125,
            discriminator_learning_rate=5e-4,
            pitch_weight=4.0,
            validate_every=2_000,
            checkpoint_every=500,
        ),
    ),
    # One CPU core and an hour and a half, from a generator that sings already (--from): a modest rate.
    "v2-tune": Configuration(
        "v2-tune",
        _V2,
        training=TrainingConfig(
            steps=3_000,
            batch=4,
            segment_frames=64,
            learning_rate=2e-4,
            final_learning_rate=1e-5,
            adversarial_from=1_000_000,
            discriminator_width=0.0625,
            mel_weight=30.0,
            stft_weight=15.0,
            pitch_weight=12.0,
            pitch_frames=4,
            validate_every=500,
            checkpoint_every=100,
        ),
    ),
}


def preset(name: str) -> Configuration:
    """A configuration by name; raises :class:`GraderError` that lists the names."""
    if name not in PRESETS:
        raise GraderError(f"no configuration {name!r}", help=f"choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
