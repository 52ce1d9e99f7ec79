"""Processes on this machine as workers: each with one pipe, one job at a time, and one thread to compute with."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from grader.errors import EnvironmentProblem, GraderError
from grader.findings import Whose
from grader.workers.crew import Worker
from grader.workers.jobs import Bench, Failure, Make, Order


class Processes:
    """Up to ``most`` processes, started as there are jobs for them, and again where one dies."""

    def __init__(self, make: Make, most: int) -> None:
        self._make = make
        self._most = most
        self._workers: list[_Process] = []

    def staff(self, wanted: int) -> Sequence[Worker]:
        missing = min(self._most, wanted) - len(self._workers)
        self._workers += [_Process(self._make) for _ in range(missing)]
        return self._workers

    def listen(self, timeout_s: float) -> list[tuple[Worker, Any]]:
        talking = wait([worker.connection for worker in self._workers], timeout_s)
        heard: list[tuple[Worker, Any]] = []
        for worker in [worker for worker in self._workers if worker.connection in talking]:
            try:
                heard.append((worker, worker.hear()))
            except (EOFError, OSError):
                self._workers.remove(worker)
                heard.append((worker, worker.post_mortem()))
        return heard

    def stop_working(self) -> None:
        for worker in [worker for worker in self._workers if worker.job]:
            self._workers.remove(worker)
            worker.kill()

    def close(self) -> None:
        while self._workers:
            self._workers.pop().kill()


class _Process(Worker):
    def __init__(self, make: Make) -> None:
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, theirs), daemon=True)
        with interrupts_held():
            self._process.start()
        theirs.close()

    def give(self, order: Order) -> None:
        with contextlib.suppress(OSError):  # one that has just died is noticed by listening
            self.connection.send(order)

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
            bench = Bench(make())
        except GraderError as error:
            connection.send(error)
            return
        connection.send(None)
        while True:
            order = connection.recv()
            try:
                result = bench.do(order)
            except GraderError as error:
                result = error
            connection.send(result)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
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
