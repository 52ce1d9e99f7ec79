"""The one seam that runs many jobs: processes on this machine, or this process where one is enough.

A job is a picklable argument of one function, which every worker makes once for itself (its models stay loaded).
Results come back to the caller as they are ready, so that whoever keeps them does so in one place. A job that raises,
or whose process dies, is tried once more and then given back as a :class:`Failure` of that job alone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Self

from grader.errors import EnvironmentProblem, GraderError
from grader.findings import Whose

WORKER_BYTES = 1_500_000_000
"""Memory of a worker that has loaded PyTorch and the largest networks, with room for a long clip."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Function = Callable[[Any], Any]
Make = Callable[[], Function]


@dataclass(frozen=True, eq=False)
class Job:
    """what: for people, such as ``R12345678 › 003.wav``. argument: picklable. cost: its time, in any unit."""

    what: str
    argument: Any
    cost: float = 1.0


@dataclass(frozen=True)
class Failure:
    """Why a job has no result, and whose fault that is: never a student's."""

    reason: str
    whose: Whose


class Pool:
    """Workers that stay for several rounds of jobs; none starts before there is a job.

    With one process the jobs run in this one. Each worker computes with one thread, so that workers do not fight for
    cores and no number depends on how many there are.
    """

    def __init__(self, make: Make, processes: int) -> None:
        """``make`` is picklable and gives each worker its function."""
        self._make = make
        self._processes = processes
        self._function: Function | None = None
        self._workers: list[_Worker] = []
        self._limits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._limits.enter_context(_one_thread())
        return self

    def __exit__(self, *_: object) -> None:
        while self._workers:
            self._workers.pop().kill()
        self._limits.close()

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Any]]:
        """Yield each job with its result or its :class:`Failure`, as they are ready; costly jobs go first.

        A :class:`GraderError` that a job raises is about the surroundings of all, and is raised here.
        """
        waiting = deque(sorted(jobs, key=lambda job: -job.cost))
        return self._run_here(waiting) if self._processes == 1 else self._run_in_processes(waiting)

    def _run_here(self, waiting: deque[Job]) -> Iterator[tuple[Job, Any]]:
        for job in waiting:
            if self._function is None:
                self._function = self._make()
            result = _attempt(self._function, job.argument)
            if isinstance(result, Failure):
                result = _attempt(self._function, job.argument)
            yield job, result

    def _run_in_processes(self, waiting: deque[Job]) -> Iterator[tuple[Job, Any]]:
        failed_once: set[Job] = set()
        unfinished = len(waiting)
        try:
            while unfinished:
                missing = min(self._processes, unfinished) - len(self._workers)
                self._workers += [_Worker(self._make) for _ in range(missing)]
                for worker in self._workers:
                    if worker.ready and worker.job is None and waiting:
                        worker.give(waiting.popleft())
                for worker, result in self._listen():
                    job, worker.job = worker.job, None
                    if job is None:
                        continue
                    if isinstance(result, Failure) and job not in failed_once:
                        failed_once.add(job)
                        waiting.append(job)
                        continue
                    unfinished -= 1
                    yield job, result
        finally:
            for worker in [worker for worker in self._workers if worker.job]:  # the caller stopped listening
                self._workers.remove(worker)
                worker.kill()

    def _listen(self) -> list[tuple[_Worker, Any]]:
        """Wait until some workers have said something; the dead among them are taken off the list."""
        talking = wait([worker.connection for worker in self._workers])
        heard = []
        for worker in [worker for worker in self._workers if worker.connection in talking]:
            try:
                heard.append((worker, worker.hear()))
            except (EOFError, OSError):
                self._workers.remove(worker)
                heard.append((worker, worker.post_mortem()))
        return heard


class _Worker:
    """One process, the pipe to it, and the job it has."""

    def __init__(self, make: Make) -> None:
        self.job: Job | None = None
        self.ready = False
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, theirs), daemon=True)
        with _interrupts_held():
            self._process.start()
        theirs.close()

    def give(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # one that has just died is noticed by listening
            self.connection.send(job.argument)

    def hear(self) -> Any:
        """Its next message: that it is ready, the job's result or failure, or an error that ends the run, raised."""
        message = self.connection.recv()
        self.ready = True
        if isinstance(message, GraderError):
            raise message
        return message

    def post_mortem(self) -> Failure:
        """How it died; raises :class:`EnvironmentProblem` where it never was ready, as then none will be."""
        self._process.join()
        self.connection.close()
        code = self._process.exitcode or 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        if code == -9:
            how += ", as the system does when memory runs out"
        if not self.ready:
            raise EnvironmentProblem(
                f"a worker process {how} while it started", help="try `--jobs 1`, which shows the reason"
            )
        return Failure(f"its process {how}", Whose.ENVIRONMENT)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(make: Make, connection: Connection) -> None:
    """A worker's life: make the function, then answer jobs until the pipe closes. Ctrl-C is the parent's to heed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        try:
            function = make()
        except GraderError as error:
            connection.send(error)
            return
        connection.send(None)
        while True:
            argument = connection.recv()
            try:
                result = _attempt(function, argument)
            except GraderError as error:
                result = error
            connection.send(result)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _attempt(function: Function, argument: Any) -> Any:
    """The result, or a :class:`Failure` where it raises; :class:`GraderError` goes through."""
    try:
        return function(argument)
    except GraderError:
        raise
    except MemoryError:
        return Failure("it ran out of memory", Whose.ENVIRONMENT)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Failure(f"{reason} ({Path(place.filename).name}:{place.lineno})", Whose.GRADER)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back: processes started meanwhile never see it, and this one gets it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # or starting it would release what is held
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for BLAS and PyTorch: those loaded already, those loaded meanwhile, and those of new processes."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def default_processes() -> int:
    """As many as cores and free memory carry, at least one."""
    memory = _free_memory_bytes()
    return max(1, min(_cores(), memory // WORKER_BYTES if memory is not None else _cores()))


def _cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores this process may use: the machine's, less by affinity or a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    with contextlib.suppress(OSError, ValueError):
        quota_us = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        if quota_us > 0:
            cores = min(cores, max(1, quota_us // period_us))
    return cores


def _free_memory_bytes(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Memory that can be had without swapping, and no more than a container may use; None where it is not told."""
    free: list[int] = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = (proc / "meminfo").read_text().splitlines()
        free.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            free.append(int((cgroup / limit).read_text()))
    return min(free, default=None)
