"""What a clip and a whole hand-in scored. ``None`` is a missing number, and always has a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ClipScore:
    """One clip against its reference.

    m_stft: dimensionless distance. log2_f0: mean |12·log2| in semitones over ``f0_frames`` of ``f0_total``
    10 ms frames.
    missing: for each metric without a number, the reason.
    """

    name: str
    m_stft: float | None
    log2_f0: float | None
    f0_frames: int
    f0_total: int
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """A hand-in (or a baseline) over all its clips.

    m_stft, log2_f0: means over the clips whose references can be compared with; None where another clip has no number,
    so that nobody gains by it. fad: between the embeddings of all clips, with its name
    as it must be shown (``FAD`` with VGGish, ``FD-logmel`` with the weight-free fallback), its jackknife standard error
    over clips, and how many 0.96 s patches of prediction and reference it rests on.
    fad_left_out: the distance without each clip in turn, empty where there is no fad_stderr.
    left_out: for each metric, the clips without a number and why. settings: everything the numbers depend on.
    """

    m_stft: float | None
    log2_f0: float | None
    fad: float | None
    fad_name: str
    fad_stderr: float | None
    patches: int
    reference_patches: int
    clips: tuple[ClipScore, ...]
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    fad_left_out: tuple[float, ...] = ()

    def of(self, metric: str) -> float | None:
        """The number of ``m_stft``, ``log2_f0`` or ``fad``."""
        return {"m_stft": self.m_stft, "log2_f0": self.log2_f0, "fad": self.fad}[metric]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Scores:
        clips = tuple(ClipScore(**clip) for clip in record["clips"])
        return cls(**{**record, "clips": clips, "fad_left_out": tuple(record["fad_left_out"])})
