"""What every worker has before it: the evaluator with its networks, loaded once, and the references it has met."""

from __future__ import annotations

import platform
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grader import __version__
from grader.metrics.crepe import sha256_of
from grader.metrics.evaluate import Evaluator, Prepared
from grader.metrics.pitch import PreparedPitch
from grader.progress import Progress
from grader.store import unpack
from grader.workers import Content, Pool

_REFERENCES = 64
"""Prepared references a worker keeps; a course has about thirty."""


class Workbench:
    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._references: OrderedDict[str, Prepared] = OrderedDict()

    def prepared(self, reference: Content) -> Prepared:
        """A reference that was prepared before and packed."""
        if reference.sha256 not in self._references:
            pitch = PreparedPitch.from_arrays(unpack(reference.read()))
            self._references[reference.sha256] = Prepared(pitch.audio, pitch)
            if len(self._references) > _REFERENCES:
                self._references.popitem(last=False)
        return self._references[reference.sha256]


@dataclass(frozen=True)
class Make:
    """Makes a worker's function, whose arguments are functions of a workbench and of a job's inputs."""

    evaluator: Evaluator

    def __call__(self) -> Callable[..., Any]:
        bench = Workbench(self.evaluator)
        return lambda function, *inputs: function(bench, *inputs)

    def at(self, places: Mapping[str, Path]) -> Make:
        """The same for a worker that has the :meth:`files` at these places, by their hash."""
        return Make(self.evaluator.with_files({file.path: places[file.sha256] for file in self.files() if file.path}))

    def files(self) -> tuple[Content, ...]:
        """Weight files that a worker without this machine's files has to be sent."""
        return tuple(Content(sha256_of(path), path) for path in self.evaluator.files())

    def facts(self) -> dict[str, Any]:
        """What must be the same for a worker to compute the same numbers, to the last bit."""
        return {
            "grader": __version__,
            "numpy": np.__version__,
            "machine": platform.machine(),
            "metrics": {str(metric): known for metric, known in self.evaluator.settings().items()},
        }


def pool(evaluator: Evaluator, processes: int) -> Pool:
    """Workers on this machine; each loads the networks it needs once."""
    return Pool(Make(evaluator), processes)


def cluster(evaluator: Evaluator, where: str, shown: Progress) -> Pool:
    """The workers of a cluster, or those of this machine that are asked as one.

    where: ``tcp://…``, ``slurm``, ``slurm:N`` or ``local:N``. Raises :class:`grader.errors.GraderError` for another.
    """
    from grader.workers.cluster import Cluster

    return Pool(Make(evaluator), crew=Cluster(Make(evaluator), where, shown))
