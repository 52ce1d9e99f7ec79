"""The workers of a Dask cluster as a crew: ``tcp://…`` (one that runs already), ``slurm[:N]``, ``local:N``.

Each worker has one job at a time, pinned to it, so that a job which kills its worker takes no neighbour with it and is
the only one to blame. Results are fetched as they are ready; what a lost worker had is done by another.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import logging
import os
import pickle
import queue
import re
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from grader.errors import EnvironmentProblem, GraderError
from grader.findings import Whose
from grader.progress import Progress
from grader.workers.content import Changed, Lacking
from grader.workers.crew import Worker
from grader.workers.jobs import Failure, Order
from grader.workers.processes import interrupts_held
from grader.workers.serving import Hello, Ready, Recipe, Task, Unknown, serve

CONNECT_S = 10.0
PATIENCE_S = 60.0
"""How long a cluster may be without any worker. Slurm may take as long as its queue is."""
SAY_S = 5.0
"""How long until it is said that there is none."""

_LOOK_S = 1.0
_RESULT_S = 20.0
_SLURM_WORKERS = 8
_NO_DASHBOARD = {"dashboard": False, "dashboard_address": ":0"}
_WORKER_MEMORY = "3GB"
_FORMS = "write tcp://HOST:PORT of a Dask scheduler, slurm or slurm:N, or local:N"


class Cluster:
    """Nothing is started or connected to before there is a job."""

    def __init__(self, recipe: Recipe, where: str, shown: Progress) -> None:
        """Raises :class:`GraderError` where ``where`` names no kind of cluster."""
        self._start = _starter(where)
        self._where = where
        self._patience_s = None if where.startswith("slurm") else PATIENCE_S
        self._shown = shown
        self._recipe = recipe
        self._packed = pickle.dumps(recipe)
        self._key = hashlib.sha256(self._packed).hexdigest()
        self._workers: dict[str, _DaskWorker] = {}
        self._unfit: dict[str, str] = {}
        self._inbox: queue.SimpleQueue[tuple[_DaskWorker, Any]] = queue.SimpleQueue()
        self._client: Any = None
        self._own: Any = None
        self._looked_at = self._somebody_at = time.monotonic()
        self._said_alone = False

    def staff(self, wanted: int) -> Sequence[Worker]:
        del wanted  # a cluster is as large as it is
        if self._client is None:
            self._connect()
        if time.monotonic() - self._looked_at >= _LOOK_S or not self._workers:
            self._look_around()
        return list(self._workers.values())

    def listen(self, timeout_s: float) -> list[tuple[Worker, Any]]:
        heard: list[tuple[Worker, Any]] = []
        with contextlib.suppress(queue.Empty):
            said = self._inbox.get(timeout=timeout_s)
            while True:
                heard += self._understand(*said)
                said = self._inbox.get_nowait()
        return heard

    def stop_working(self) -> None:
        for worker in self._workers.values():
            if worker.job:
                worker.drop()

    def close(self) -> None:
        """Within a second or so, whatever the workers are at."""
        if self._own is not None:
            _kill_workers(self._own)
        for closing in (self._client, self._own):
            if closing is not None:
                with contextlib.suppress(Exception):  # a scheduler that is gone cannot be taken leave of
                    closing.close(timeout=0.5)
        self._client = self._own = None
        self._workers.clear()

    def _connect(self) -> None:
        distributed: Any = importlib.import_module("distributed")

        _quiet()
        with interrupts_held():
            self._own = address = self._start()
            try:
                self._client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
            except (OSError, TimeoutError) as error:
                raise EnvironmentProblem(
                    f"no Dask scheduler answers at {self._where} ({_first_line(error)})",
                    help="start one with `dask scheduler` and workers with `dask worker tcp://…`, or use --cluster "
                    "local:2",
                ) from None
        if isinstance(address, str):
            self._own = None
        self._somebody_at = time.monotonic()

    def _look_around(self) -> None:
        """See who came and who went."""
        self._looked_at = time.monotonic()
        try:
            there = set(self._client.nthreads()) if self._client.status == "running" else None
        except (OSError, TimeoutError):
            there = None
        if there is None:
            raise self._scheduler_lost()
        for address in self._workers.keys() - there:
            self._inbox.put((self._forget(self._workers[address]), _lost(address)))
        for address in sorted(there - self._workers.keys() - self._unfit.keys()):
            worker = self._workers[address] = _DaskWorker(address, self._key, self._client, self._inbox.put)
            self._greet(worker)
        alone_s = time.monotonic() - self._somebody_at
        if self._workers:
            self._somebody_at, self._said_alone = time.monotonic(), False
        elif self._unfit and there <= self._unfit.keys():
            raise EnvironmentProblem(
                f"no worker of {self._where} can be used: {next(iter(self._unfit.values()))}",
                help="install the same version of grader[grading,cluster] for the workers as here",
            )
        elif self._patience_s is not None and alone_s > self._patience_s:
            raise EnvironmentProblem(
                f"the cluster at {self._where} has had no worker for {self._patience_s:.0f} s",
                help="start some (`dask worker tcp://…`) and run the same command again; what was finished is kept",
            )
        elif alone_s > SAY_S and not self._said_alone:
            self._said_alone = True
            until = "as long as its queue takes" if self._patience_s is None else f"{self._patience_s:.0f} s"
            self._shown.note(f"{self._where} has no worker; waiting for one {until}")

    def _forget(self, worker: _DaskWorker) -> _DaskWorker:
        """Give it no further job; should the scheduler still know it, it is greeted as a new one."""
        worker.future = None
        if self._workers.pop(worker.address, None):
            self._shown.note(f"the worker {worker.address} is gone; {len(self._workers)} left")
        return worker

    def _greet(self, worker: _DaskWorker, lacking: Sequence[str] = ()) -> None:
        files = self._recipe.files()
        try:
            given = {file.sha256: file.read() for file in files if file.sha256 in lacking}
        except (OSError, Changed) as error:
            raise EnvironmentProblem(
                f"weights for the cluster's workers cannot be read: {error}", help="run the same command again"
            ) from None
        worker.ready = False
        worker.send(Hello(self._key, self._packed, tuple(file.named() for file in files), given))

    def _understand(self, worker: _DaskWorker, said: Any) -> list[tuple[Worker, Any]]:
        """What a message, or a future that is done, means to the pool; raises what concerns all."""
        if isinstance(said, Failure):
            return [(worker, said)]
        if said is not worker.future:  # of a job that was given up
            return []
        worker.future = None
        message = self._outcome(worker, said)
        if not worker.ready and isinstance(message, Lacking):
            self._greet(worker, message.sha256s)
            return []
        if isinstance(message, Unknown):  # restarted, so it holds nothing any more
            worker.held.clear()
            worker.asked_for = None
            self._greet(worker)
            return []
        if isinstance(message, Ready):
            if message.facts != self._recipe.facts():
                return self._dismiss(worker, _difference(worker.address, self._recipe.facts(), dict(message.facts)))
            worker.ready = True
            if worker.order:
                worker.give(worker.order)
                return []
            return [(worker, None)]
        if isinstance(message, (GraderError, Failure)) and not worker.ready:
            return self._dismiss(worker, f"{worker.address}: {getattr(message, 'reason', message)}")
        if isinstance(message, GraderError):
            raise message
        worker.order = None
        if isinstance(message, _Lost):
            self._forget(worker)
        return [(worker, message)]

    def _outcome(self, worker: _DaskWorker, future: Any) -> Any:
        """The message a future holds; a failure where it was lost with its worker."""
        if future.status == "finished":
            try:
                return pickle.loads(future.result(timeout=_RESULT_S))
            except Exception:  # its worker went before the result was fetched: Dask raises many things
                return _lost(worker.address)
        if self._client.status != "running":
            raise self._scheduler_lost()
        if future.status == "error":
            error = future.exception(timeout=_RESULT_S)
            if isinstance(error, ImportError):
                return EnvironmentProblem(f"it lacks {error.name}", help="install grader[grading,cluster] there")
            if type(error).__name__ != "KilledWorker":
                return Failure(f"{type(error).__name__}: {_first_line(error)}", Whose.GRADER)
        return _lost(worker.address)

    def _dismiss(self, worker: _DaskWorker, why: str) -> list[tuple[Worker, Any]]:
        """Give this worker no jobs in this run; one it had goes to another."""
        self._unfit[worker.address] = why
        self._workers.pop(worker.address, None)
        self._shown.note(f"a worker is not used: {why}")
        return [(worker, _lost(worker.address))]

    def _scheduler_lost(self) -> EnvironmentProblem:
        return EnvironmentProblem(
            f"the Dask scheduler at {self._where} does not answer any more",
            help="what was finished is kept: when the scheduler runs again, run the same command again",
        )


class _DaskWorker(Worker):
    def __init__(self, address: str, key: str, client: Any, tell: Callable[[tuple[_DaskWorker, Any]], None]) -> None:
        super().__init__()
        self.address = address
        self.future: Any = None
        self.order: Order | None = None
        self._key = key
        self._client = client
        self._tell = tell

    def give(self, order: Order) -> None:
        self.order = order
        self.send(Task(self._key, order))

    def send(self, message: Hello | Task) -> None:
        self.future = self._client.submit(
            serve,
            pickle.dumps(message),
            key=f"grader-{uuid.uuid4().hex}",
            workers=[self.address],
            allow_other_workers=False,
            pure=False,
        )
        self.future.add_done_callback(functools.partial(_tell_of, self._tell, self))

    def drop(self) -> None:
        """Its job is not wanted any more."""
        future, self.future, self.order, self.job = self.future, None, None, None
        if future is not None:
            with contextlib.suppress(Exception):
                future.cancel()


def _tell_of(tell: Callable[[tuple[_DaskWorker, Any]], None], worker: _DaskWorker, future: Any) -> None:
    tell((worker, future))


def _starter(where: str) -> Callable[[], Any]:
    """A function that starts the cluster, or gives the address of one."""
    if re.fullmatch(r"(tcp|tls)://.+:\d+", where):
        return lambda: where
    if match := re.fullmatch(r"local:([1-9]\d*)", where):
        return functools.partial(_local, int(match[1]))
    if match := re.fullmatch(r"slurm(?::([1-9]\d*))?", where):
        return functools.partial(_slurm, int(match[1] or _SLURM_WORKERS))
    raise GraderError(f"--cluster {where}: no such kind of cluster", help=_FORMS)


def _local(workers: int) -> Any:
    """Separate processes on this machine, over TCP."""
    distributed: Any = importlib.import_module("distributed")
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        protocol="tcp://",
        host="127.0.0.1",
        scheduler_kwargs=_NO_DASHBOARD,
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )


def _slurm(workers: int) -> Any:
    """Jobs of one worker each; account, queue and the like are set in Dask's own jobqueue.yaml."""
    import dask

    jobqueue: Any = importlib.import_module("dask_jobqueue")

    told = dask.config.get("jobqueue.slurm", {})
    wanted = {"cores": 1, "processes": 1, "memory": _WORKER_MEMORY}
    unsaid = {name: value for name, value in wanted.items() if told.get(name) is None}
    cluster = jobqueue.SLURMCluster(**unsaid, scheduler_options=_NO_DASHBOARD)
    cluster.scale(jobs=workers)
    return cluster


def _kill_workers(cluster: Any) -> None:
    """A local cluster's processes at once, as closing waits for what they are at. Others' end with their scheduler.

    Dask closes what is still open once more when Python exits, with ten seconds' patience; with no process left there
    is nothing to wait for.
    """
    for nanny in getattr(cluster, "workers", {}).values():
        nanny.auto_restart = False
        pid = getattr(getattr(nanny, "process", None), "pid", None)
        if pid:
            cluster.shutdown_on_close = False
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _quiet() -> None:
    """Dask's own log lines say in many words what our notes say."""
    import dask

    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})
    dask.config.set({"distributed.scheduler.allowed-failures": 0})
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _Lost(Failure):
    """A job's worker, or its connection to the scheduler, ended before the job."""


def _lost(address: str) -> _Lost:
    return _Lost(f"its worker {address} was lost", Whose.ENVIRONMENT)


def _difference(address: str, ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    different = [name for name in ours if ours[name] != theirs.get(name)]
    name = different[0]
    return f"{address} would compute other numbers: {name} is {theirs.get(name)!r} there and {ours[name]!r} here"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
