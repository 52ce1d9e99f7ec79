"""The pitch engine ``crepe``: the TensorFlow package that the course's evaluator calls, with its own weights.

For a TA who wants the course's program to the last bit, or its capacity ``medium``. Slow, and heavy to install.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from grader.audio import Audio
from grader.errors import EnvironmentProblem
from grader.metrics import crepe
from grader.metrics.crepe import Activations, Capacity
from grader.metrics.pitch import PitchTrack

_NEEDED = ("crepe", "tensorflow", "hmmlearn")
"""The package imports the other two when it first needs them, and does not ask for TensorFlow."""
_HELP = (
    "set metrics.log2_f0.engine to builtin in rubric.yaml; or install the package, whose setup is old and downloads "
    "its weights: pip install 'setuptools<81' wheel, then pip install --no-build-isolation 'grader[course]'"
)


class TensorFlowEngine:
    def __init__(self, capacity: Capacity) -> None:
        self._capacity: Capacity = capacity

    def settings(self) -> dict[str, Any]:
        """Without importing anything; raises :class:`EnvironmentProblem` where a package or the weights are missing."""
        weights = Path(_location()) / f"model-{self._capacity}.h5"
        if not weights.is_file():
            raise EnvironmentProblem(f"{weights}: the crepe package lacks these weights", help=_HELP)
        return {
            "engine": "crepe",
            "engine_version": importlib.metadata.version("crepe"),
            "capacity": self._capacity,
            "weights_sha256": crepe.sha256_of(weights),
            "precision": "float32",
        }

    def activations(self, signal: Audio, first_frame: int = 0) -> tuple[int, Activations]:
        """Always from frame 0 on: the package takes whole signals."""
        del first_frame
        activations = _package().get_activation(
            signal,
            crepe.SAMPLE_RATE_HZ,
            model_capacity=self._capacity,
            center=True,
            step_size=1000 * crepe.HOP_SAMPLES // crepe.SAMPLE_RATE_HZ,
            verbose=0,
        )
        return 0, np.asarray(activations, dtype=np.float32)

    def decode(self, activations: Activations) -> PitchTrack:
        """What the package's ``predict(…, viterbi=True)`` does behind its network."""
        cents = _package().core.to_viterbi_cents(activations)
        return PitchTrack(np.nan_to_num(10 * 2 ** (cents / 1200)), activations.max(axis=1))


def _location() -> str:
    """The package's folder, if everything it needs is installed."""
    specs = {name: importlib.util.find_spec(name) for name in _NEEDED}
    if missing := [name for name, spec in specs.items() if spec is None]:
        raise EnvironmentProblem(f"the pitch engine crepe needs {', '.join(missing)}, not installed here", help=_HELP)
    spec = specs["crepe"]
    assert spec is not None
    return (spec.submodule_search_locations or [""])[0]


def _package() -> ModuleType:
    _location()
    try:
        return importlib.import_module("crepe")
    except ImportError as error:
        raise EnvironmentProblem(f"the pitch engine crepe cannot be loaded: {error}", help=_HELP) from None
