"""One worker against two, of processes on this machine and of Dask's: ``python -m tests.benchmarks.bench_scaling``.

The same clips by both in turn, workers and networks ready, records not written: what is timed is the work and what it
takes to hand it out. Only a machine with two idle cores can show it.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from grader import workbench
from grader.measuring import measure_clip
from grader.metrics.evaluate import Evaluator
from grader.progress import Progress
from grader.store import file_sha256, pack
from grader.workers import Content, Failure, Job, Pool
from grader.workers.cluster import Cluster
from grader.workers.processes import Processes
from tests.benchmarks import courses, measuring
from tests.benchmarks.measuring import breathy, in_turn, row, sung, write

METRICS = ("m_stft", "log2_f0", "fad")


def jobs(evaluator: Evaluator, root: Path, clips: int, seconds: float) -> list[Job]:
    made = []
    reference = write(root / "reference.wav", sung(1, seconds))
    pitch: Any = evaluator.prepare(reference).pitch
    prepared = Content.of(pack(pitch.arrays()))
    for number in range(clips):
        path = write(root / f"{number}.wav", breathy(sung(1, seconds), number))
        function = partial(measure_clip, metrics=METRICS, track=None, is_prepared=True, problem=None)
        made.append(Job(path.name, function, seconds, (Content(file_sha256(path), path), prepared)))
    return made


def results(pool: Pool, work: list[Job]) -> dict[str, Any]:
    found = {job.what: result for job, result in pool.run(work)}
    assert not any(isinstance(result, Failure) for result in found.values()), found
    return {what: [one.value for one in result.values()] for what, result in found.items()}


def warm_up(pool: Pool, work: list[Job], workers: int) -> None:
    """Until each worker has its networks and has measured a clip."""
    seen: set[int] = set()
    while len(seen) < workers:
        jobs = [Job("warm-up", partial(measuring.then_who, job.argument), 1, job.inputs) for job in work[:workers]]
        seen |= {result for _, result in pool.run(jobs) if isinstance(result, int)}


def compare(what: str, one: Pool, two: Pool, work: list[Job], rounds: int, goal: float) -> dict[str, Any]:
    with one, two:
        warm_up(one, work, 1)
        warm_up(two, work, 2)
        pairs = in_turn(rounds, lambda: results(one, work), lambda: results(two, work))
        row(what, pairs.medians, pairs.ratio, f"≥ {goal}", pairs.ratio >= goal)
        return results(two, work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="short clips and the tiny network, to see that it runs")
    small = parser.parse_args().small
    clips, seconds, rounds, capacity = (4, 0.5, 1, "tiny") if small else (16, 3.0, 3, "full")
    with tempfile.TemporaryDirectory() as folder:
        course = courses.make(Path(folder) / "course", 0, 2, seconds, capacity)
        evaluator = Evaluator(course.rubric.metrics)
        work = jobs(evaluator, Path(folder), clips, seconds)
        make = workbench.Make(evaluator)

        def local(count: int) -> Pool:
            return Pool(make, crew=Processes(make, count))

        def dask(count: int) -> Pool:
            return Pool(make, crew=Cluster(make, f"local:{count}", Progress()))

        kinds: dict[str, tuple[Callable[[int], Pool], float]]
        kinds = {"local processes": (local, 1.7), "Dask workers": (dask, 1.6)}
        found = []
        for kind, (pool, goal) in kinds.items():
            found.append(compare(f"one / two {kind}, {clips} × {seconds:g} s", pool(1), pool(2), work, rounds, goal))
        print(f"local and Dask results equal to the last bit: {found[0] == found[1]}")


if __name__ == "__main__":
    main()
