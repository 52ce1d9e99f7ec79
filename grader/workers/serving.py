"""A Dask worker's side of the cluster: its benches, one for each course that is being scored, which outlive the run.

Caller and worker exchange pickled messages as bytes, so that Dask looks into none of them.
"""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from grader.errors import GraderError
from grader.workers.content import Content, Lacking, Shelf
from grader.workers.jobs import Bench, Function, Order
from grader.workers.machine import keep_freed_memory, one_thread

_MOST_BENCHES = 2
"""With one set of networks each; two graders may use a cluster at once."""


class Recipe(Protocol):
    """How a worker's function is made, also where this machine's files are not to be seen."""

    def __call__(self) -> Function: ...

    def files(self) -> tuple[Content, ...]:
        """Files that it reads."""
        ...

    def at(self, places: Mapping[str, Path]) -> Self:
        """The same where those files, by their hash, lie there."""
        ...

    def facts(self) -> dict[str, Any]:
        """What must be equal for two workers to compute the same."""
        ...


@dataclass(frozen=True)
class Hello:
    """The first message to a worker. key: the hash of the pickled recipe."""

    key: str
    recipe: bytes
    files: tuple[Content, ...]
    given: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Ready:
    """The answer to :class:`Hello`."""

    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A job for the bench of that key."""

    key: str
    order: Order


@dataclass(frozen=True)
class Unknown:
    """The answer to a :class:`Task` whose bench is not here: the worker was restarted, or had too many."""


_benches: OrderedDict[str, tuple[Bench, Mapping[str, Any]]] = OrderedDict()
_files = Shelf()
_lock = threading.Lock()


def serve(packed: bytes) -> bytes:
    """Answer one message; an error of the surroundings is an answer, too."""
    message = pickle.loads(packed)
    try:
        with one_thread():
            answer = _prepare(message) if isinstance(message, Hello) else _work(message)
    except GraderError as error:
        answer = error
    return pickle.dumps(answer)


def _prepare(hello: Hello) -> Ready | Lacking:
    with _lock:
        if hello.key not in _benches:
            places = _files.places(hello.files, hello.given)
            if isinstance(places, Lacking):
                return places
            keep_freed_memory()
            recipe: Recipe = pickle.loads(hello.recipe).at(places)
            _benches[hello.key] = Bench(recipe()), recipe.facts()
            if len(_benches) > _MOST_BENCHES:
                _benches.popitem(last=False)
        _benches.move_to_end(hello.key)
        return Ready(_benches[hello.key][1])


def _work(task: Task) -> Any:
    found = _benches.get(task.key)
    return found[0].do(task.order) if found else Unknown()
