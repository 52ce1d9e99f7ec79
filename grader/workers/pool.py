"""Many jobs done by a crew of workers, their results as they are ready; what fails is tried once more."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Self

from grader.findings import Whose
from grader.progress import Progress
from grader.workers.content import Changed, Lacking
from grader.workers.crew import Crew, Worker
from grader.workers.jobs import Bench, Failure, Job, Make, Order
from grader.workers.machine import one_thread
from grader.workers.processes import Processes

TICK_S = 0.5
"""How often the pool looks up from listening: at who came and went, and at what takes long."""


class Pool:
    """Workers that stay for several rounds of jobs; none starts before there is a job.

    With one process the jobs run in this one. Each worker computes with one thread, so that workers do not fight for
    cores and no number depends on how many there are.
    """

    def __init__(self, make: Make, processes: int = 1, crew: Crew | None = None) -> None:
        """``make`` is picklable and gives each worker its function. crew: others than processes on this machine."""
        self._make = make
        self._bench: Bench | None = None
        self._crew = crew or (Processes(make, processes) if processes > 1 else None)
        self._limits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._limits.enter_context(one_thread())
        return self

    def __exit__(self, *_: object) -> None:
        if self._crew:
            self._crew.close()
        self._limits.close()

    def run(self, jobs: Iterable[Job], shown: Progress | None = None) -> Iterator[tuple[Job, Any]]:
        """Yield each job with its result or its :class:`Failure`, as they are ready; costly jobs go first.

        What is tried again, and what takes long, is told to ``shown``. A :class:`grader.errors.GraderError` that a job
        raises is about the surroundings of all, and is raised here.
        """
        waiting = deque(sorted(jobs, key=lambda job: -job.cost))
        shown = shown or Progress()
        return self._run_by(self._crew, waiting, shown) if self._crew else self._run_here(waiting, shown)

    def _run_here(self, waiting: deque[Job], shown: Progress) -> Iterator[tuple[Job, Any]]:
        for job in waiting:
            if self._bench is None:
                self._bench = Bench(self._make())
            order = Order(job.argument, job.inputs)
            result = self._bench.do(order)
            if isinstance(result, Failure):
                _note_retry(shown, job, result)
                result = self._bench.do(order)
            yield job, _unreadable(job) if isinstance(result, Lacking) else result

    def _run_by(self, crew: Crew, waiting: deque[Job], shown: Progress) -> Iterator[tuple[Job, Any]]:
        failed_once: set[Job] = set()
        unfinished = len(waiting)
        try:
            while unfinished:
                staff = crew.staff(unfinished)
                for worker in staff:
                    if worker.ready and worker.job is None and waiting:
                        job = waiting.popleft()
                        if problem := _give(worker, job):
                            unfinished -= 1
                            yield job, problem
                shown.at_work([(worker.job.what, time.monotonic() - worker.since) for worker in staff if worker.job])
                for worker, result in crew.listen(TICK_S):
                    job_done, worker.job = worker.job, None
                    if job_done is None:
                        continue
                    if isinstance(result, Lacking):
                        result = _give(worker, job_done, result.sha256s)
                        if result is None:
                            continue
                    if isinstance(result, Failure) and job_done not in failed_once:
                        failed_once.add(job_done)
                        waiting.append(job_done)
                        _note_retry(shown, job_done, result)
                        continue
                    unfinished -= 1
                    yield job_done, result
        finally:
            crew.stop_working()


def _give(worker: Worker, job: Job, asked: Collection[str] = ()) -> Failure | None:
    """Give a job with the bytes the worker asked for, or is known not to see; a failure where there are none."""
    if asked and worker.asked_for is job:
        return Failure("its inputs do not reach the worker whole", Whose.ENVIRONMENT)
    if asked:
        worker.asked_for = job
        worker.blind |= any(content.path is not None for content in job.inputs if content.sha256 in asked)
    given = {}
    for content in job.inputs:
        unseen = content.path is None or worker.blind
        if content.sha256 in asked or (unseen and content.sha256 not in worker.held):
            try:
                given[content.sha256] = content.read()
            except (OSError, Changed) as error:
                return Failure(str(error), Whose.ENVIRONMENT)
    worker.held.update(given)
    worker.job = job
    worker.give(Order(job.argument, tuple(content.named() for content in job.inputs), given))
    return None


def _unreadable(job: Job) -> Failure:
    """Why the inputs of a job are not to be had here."""
    try:
        for content in job.inputs:
            content.read()
    except (OSError, Changed) as error:
        return Failure(str(error), Whose.ENVIRONMENT)
    return Failure("its inputs were changed while it was being scored", Whose.ENVIRONMENT)


def _note_retry(shown: Progress, job: Job, failure: Failure) -> None:
    shown.note(f"{job.what}: {failure.reason}; it is tried once more")
