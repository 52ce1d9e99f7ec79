"""What the pool asks of those who work for it: processes here, or a cluster's workers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from grader.workers.jobs import Job, Order


class Worker:
    """One who does one job at a time.

    ready: it can take a job. held: hashes of the bytes it was given. blind: it does not see this machine's files.
    asked_for: the last job for which it asked for bytes. since: when its job began, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.ready = False
        self.blind = False
        self.held: set[str] = set()
        self.asked_for: Job | None = None
        self._job: Job | None = None
        self.since = 0.0

    @property
    def job(self) -> Job | None:
        return self._job

    @job.setter
    def job(self, job: Job | None) -> None:
        self._job = job
        self.since = time.monotonic()

    def give(self, order: Order) -> None:
        """Send it a job; what comes of it is heard by listening."""
        raise NotImplementedError


class Crew(Protocol):
    def staff(self, wanted: int) -> Sequence[Worker]:
        """Those who are there now, more being called where fewer than ``wanted`` are and there can be more.

        Raises :class:`grader.errors.EnvironmentProblem` where nobody is and nobody will come.
        """
        ...

    def listen(self, timeout_s: float) -> list[tuple[Worker, Any]]:
        """Wait until some have said something, and what: None when one becomes ready, a result, a
        :class:`grader.workers.jobs.Failure` (of one that died, too), or what it is lacking."""
        ...

    def stop_working(self) -> None:
        """Nobody listens any more: what is being done is dropped."""
        ...

    def close(self) -> None: ...
