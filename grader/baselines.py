"""Reference systems that are scored on the course's test mels like a hand-in."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grader.audio import Audio, Mel
from grader.audio.mel import MelConfig, load_mel
from grader.store import content_key

SEED = 0


@dataclass(frozen=True)
class Baseline:
    """label: as people read it. version: raised by its author whenever its audio changes."""

    label: str
    version: int
    render: Callable[[Mel, MelConfig], Audio]

    def key(self, mel_sha256: str, config: MelConfig) -> str:
        """The hash of everything its audio depends on."""
        return content_key(
            label=self.label, version=self.version, seed=SEED, mel=mel_sha256, config=dataclasses.asdict(config)
        )


def baseline(name: str) -> Baseline:
    """A baseline by the name that rubric.yaml's anchors use."""
    return _BASELINES[name]()


def _griffin_lim() -> Baseline:
    from reference_vocoders import griffin_lim

    def render(mel: Mel, config: MelConfig) -> Audio:
        return griffin_lim.griffin_lim(mel, config, seed=SEED)

    return Baseline("Griffin-Lim", griffin_lim.VERSION, render)


_BASELINES: dict[str, Callable[[], Baseline]] = {"griffin_lim": _griffin_lim}
NAMES = tuple(_BASELINES)


def render_to(name: str, mel: Path, config: MelConfig, out: Path) -> None:
    """Render one test mel to a 16-bit wav, which appears only when whole."""
    from reference_vocoders.griffin_lim import write_wav

    audio = baseline(name).render(load_mel(mel, config), config)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(f".{os.getpid()}.part.wav")
    write_wav(part, audio, config.sample_rate_hz)
    part.replace(out)
