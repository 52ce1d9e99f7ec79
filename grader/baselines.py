"""Reference systems that are scored on the course's test mels like a hand-in."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grader.audio import Audio, Mel
from grader.audio.mel import COURSE, MelConfig, load_mel
from grader.errors import CourseError, EnvironmentProblem
from grader.rubric import Baselines
from grader.store import content_key

SEED = 0


@dataclass(frozen=True)
class Baseline:
    """label: as people read it. version: raised by its author whenever its audio changes. render: picklable.

    weights: the file its audio depends on, where there is one. course_mels_only: whether it knows no other mel
    settings than the course's.
    """

    label: str
    version: int
    render: Callable[[Mel, MelConfig], Audio]
    weights: Path | None = None
    course_mels_only: bool = False

    def key(self, mel_sha256: str, config: MelConfig, sha256: Callable[[Path], str]) -> str:
        """The hash of everything its audio depends on; ``sha256`` hashes a file."""
        weights = {} if self.weights is None else {"weights": sha256(self.weights)}
        settings = dataclasses.asdict(config)
        return content_key(
            label=self.label, version=self.version, seed=SEED, mel=mel_sha256, config=settings, **weights
        )

    def unfit(self, config: MelConfig) -> str | None:
        """Why it cannot take mels made in this way, or None."""
        if self.course_mels_only and config != COURSE:
            return "its weights know the handout's mel settings only, and rubric.yaml has others (mel, sample_rate_hz)"
        return None


def of(section: Baselines, root: Path, weights: Path | None = None) -> dict[str, Baseline]:
    """The baselines of a rubric by the names that its anchors use; files are named as seen from ``root``.

    weights: a HiFi-GAN checkpoint in place of the rubric's, whether the rubric uses HiFi-GAN or not.
    Raises :class:`CourseError` where a weight file is missing. Nothing heavy is imported.
    """
    named = section.hifigan_weights and root / Path(section.hifigan_weights).expanduser()
    names = [*section.use, *(["hifigan"] if weights and "hifigan" not in section.use else [])]
    return {name: _griffin_lim() if name == "griffin_lim" else _hifigan(weights or named or None) for name in names}


def _griffin_lim() -> Baseline:
    from reference_vocoders import griffin_lim

    return Baseline("Griffin-Lim", griffin_lim.VERSION, _render_griffin_lim)


def _render_griffin_lim(mel: Mel, config: MelConfig) -> Audio:
    from reference_vocoders.griffin_lim import griffin_lim

    return griffin_lim(mel, config, seed=SEED)


def _hifigan(weights: Path | None) -> Baseline:
    from reference_vocoders import hifigan

    if weights is None and not hifigan.SHIPPED.is_file():
        raise EnvironmentProblem(
            f"{hifigan.SHIPPED}: HiFi-GAN's weights are not where the package keeps them",
            help="install the grader again, or take hifigan out of baselines.use in rubric.yaml",
        )
    if weights is not None and not weights.is_file():
        raise CourseError(
            f"{weights}: no such file of HiFi-GAN weights",
            help="set baselines.hifigan_weights in rubric.yaml to null for the shipped ones, or name a checkpoint",
        )
    path = weights or hifigan.SHIPPED
    return Baseline("HiFi-GAN", hifigan.VERSION, partial(_render_hifigan, path), path, course_mels_only=True)


def _render_hifigan(weights: Path, mel: Mel, _: MelConfig) -> Audio:
    from reference_vocoders.hifigan.render import vocoder

    return vocoder(weights)(mel)


def render_to(baseline: Baseline, mel: Path, config: MelConfig, out: Path) -> None:
    """Render one test mel to a 16-bit wav, which appears only when whole."""
    from reference_vocoders.griffin_lim import write_wav

    audio = baseline.render(load_mel(mel, config), config)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(f".{os.getpid()}.part.wav")
    write_wav(part, audio, config.sample_rate_hz)
    part.replace(out)
