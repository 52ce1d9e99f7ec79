"""Jobs, what may go wrong with one, and a worker's side of them: the same wherever it runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.errors import GraderError, no_writing
from grader.findings import Whose
from grader.workers.content import Content, Lacking, Shelf

Function = Callable[..., Any]
Make = Callable[[], Function]


@dataclass(frozen=True, eq=False)
class Job:
    """what: for people, such as ``R12345678 › 003.wav``. argument: picklable. cost: its time, in any unit.

    inputs: the bytes it reads; the function gets them behind the argument.
    """

    what: str
    argument: Any
    cost: float = 1.0
    inputs: tuple[Content, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a job has no result, and whose fault that is: never a student's."""

    reason: str
    whose: Whose


@dataclass(frozen=True)
class Order:
    """A job as a worker gets it. given: bytes that it is likely to lack, by hash."""

    argument: Any
    inputs: tuple[Content, ...] = ()
    given: Mapping[str, bytes] = field(default_factory=dict)


class Bench:
    """Where a worker works: its function, made once, and the bytes it was given."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._shelf = Shelf()

    def do(self, order: Order) -> Any:
        """The result, a :class:`Failure`, or what is :class:`Lacking`; :class:`GraderError` goes through."""
        inputs = self._shelf.fetch(order.inputs, order.given)
        if isinstance(inputs, Lacking):
            return inputs
        try:
            return self._function(order.argument, *inputs)
        except GraderError:
            raise
        except MemoryError:
            return Failure("it ran out of memory", Whose.ENVIRONMENT)
        except Exception as error:
            if isinstance(error, OSError) and (problem := no_writing(error)):
                raise problem from None
            place = traceback.extract_tb(error.__traceback__)[-1]
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return Failure(f"{reason} ({Path(place.filename).name}:{place.lineno})", Whose.GRADER)
