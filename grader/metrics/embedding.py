"""Which embedding the Fréchet distance rests on: chosen once for a run, named wherever a number is shown. No torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from grader.audio import Audio
from grader.errors import EnvironmentProblem, RubricError
from grader.metrics import frechet, logmel, vggish_weights
from grader.progress import Progress
from grader.rubric import Fad
from grader.store import file_sha256

Embed = Callable[[Audio, int], npt.NDArray[np.float32]]

NAMES = {"vggish": "FAD", "frechet_audio_distance": "FAD", "none": "FAD", "logmel": "FD-logmel"}


@dataclass(frozen=True)
class Source:
    """Where embeddings come from.

    reason: why it is not VGGish's where the rubric asked for that; ``none`` has nothing but a reason.
    """

    kind: Literal["vggish", "logmel", "frechet_audio_distance", "none"]
    weights: Path | None = None
    weights_sha256: str | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """What the distance is called: ``FAD``, or ``FD-logmel`` with the weight-free embedding."""
        return NAMES[self.kind]

    def settings(self) -> dict[str, Any]:
        """Everything that an embedding of some audio, and the distance, depend on."""
        known: dict[str, Any] = {"embedding": self.kind, "front_end": logmel.VERSION, "distance": frechet.VERSION}
        if self.kind == "vggish":
            known |= {"weights_sha256": self.weights_sha256, "torch": version("torch")}
        if self.kind == "frechet_audio_distance":
            known |= {self.kind: version(self.kind), "torch": version("torch")}
        return known

    def load(self) -> Embed:
        """The function from one channel of audio and its sample rate to an embedding of shape (patches, 128).

        Raises :class:`EnvironmentProblem` for weights that cannot be used.
        """
        if self.kind == "vggish" and self.weights is not None:
            from grader.metrics.vggish import VGGish

            return VGGish(self.weights).embed
        if self.kind == "frechet_audio_distance":
            from grader.metrics.fad_engine import Engine

            return Engine().embed
        return logmel.embed


def choose(fad: Fad, shown: Progress, sha256: Callable[[Path], str] = file_sha256) -> Source:
    """The embedding the rubric asks for, or what it allows instead where VGGish's weights cannot be had.

    May download the weights. Raises :class:`EnvironmentProblem` for what the rubric names and this machine lacks.
    """
    if fad.engine == "frechet_audio_distance":
        if fad.embedding != "vggish":
            raise RubricError(
                f"metrics.fad: the engine frechet_audio_distance has no embedding {fad.embedding!r}",
                help="write embedding: vggish, or engine: builtin",
            )
        if importlib.util.find_spec("frechet_audio_distance") is None:
            raise EnvironmentProblem(
                "metrics.fad.engine: the package frechet_audio_distance is not installed",
                help="pip install 'grader[grading,course]', or write engine: builtin in rubric.yaml",
            )
        return Source("frechet_audio_distance")
    if fad.embedding == "logmel":
        return Source("logmel")
    try:
        weights = vggish_weights.find(fad.weights_file, shown, sha256=sha256)
    except vggish_weights.WeightsMissing as problem:
        shown.note(f"{'no FAD' if fad.fallback == 'none' else 'FD-logmel instead of FAD'}: {problem}")
        shown.note(f"  help: {problem.help}")
        return Source(fad.fallback, reason=str(problem))
    return Source("vggish", weights, sha256(weights))
