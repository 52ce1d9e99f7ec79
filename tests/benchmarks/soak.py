"""A class of 1 000 students scored to the end by one process: ``python -m tests.benchmarks.soak`` (``make soak``).

Short clips and the tiny network, so that what grows with the class and not with the sound would show: memory must stay
flat from student to student, and processor time per student constant to within 15 %. Exit status 1 where it is not.
Time is counted in a fixed piece of work that is timed in between, as a machine that others use, too, changes its speed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grader.course import Course
from grader.metrics import crepe_network
from grader.metrics.crepe_fast import FastCrepe
from grader.progress import Progress
from grader.scoring import score_course
from tests.benchmarks import courses
from tests.benchmarks.bench_crepe import singing

PARTS = 10
BETWEEN = 5
"""Clips from one timing of the fixed work to the next."""


@dataclass(frozen=True)
class Mark:
    """So far: processor time of the scoring and of the fixed work, in seconds, and memory."""

    scoring_s: float
    fixed_s: float
    memory_mb: float


class Watching(Progress):
    """Notes processor time and memory as clips are finished."""

    def __init__(self) -> None:
        network, samples = FastCrepe(crepe_network.load("tiny")), singing(64)
        self.fixed_work = partial(network, samples)
        self.fixed_work()
        self.fixed_s = 0.0
        self.marks: list[Mark] = []

    def _mark(self) -> Mark:
        return Mark(time.process_time() - self.fixed_s, self.fixed_s, memory_mb())

    def start(self, what: str, total: float, items: int | None = None) -> None:
        super().start(what, total, items)
        print(f"{what}: {items}", flush=True)
        if what == "scoring clips":
            self.marks = [self._mark()]

    def advance(self, amount: float) -> None:
        super().advance(amount)
        if self.what != "scoring clips" or not self.items:
            return
        if self.done_items % BETWEEN == 0:
            start = time.process_time()
            self.fixed_work()
            self.fixed_s += time.process_time() - start
        if self.done_items * PARTS // self.items >= len(self.marks):
            self.marks.append(self._mark())


def memory_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--clips", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        course = courses.make(Path(folder) / "course", chosen.students, chosen.clips, 0.3, "tiny")
        watching = Watching()
        with course.store() as store:
            found = score_course(Course(course.root), store, processes=1, shown=watching)
        start = time.process_time()
        with course.store() as store:
            again = score_course(Course(course.root), store, processes=1)
        unchanged_s = time.process_time() - start
        size_mb = (course.state / "records.sqlite").stat().st_size / 1e6
    assert len(found.students) == chosen.students
    assert all(student.scores is not None for student in found.students.values())
    assert {name: one.scores for name, one in again.students.items()} == {
        name: one.scores for name, one in found.students.items()
    }
    pairs = list(zip(watching.marks[1:], watching.marks[2:], strict=False))
    seconds = [later.scoring_s - earlier.scoring_s for earlier, later in pairs]
    fixed = [later.fixed_s - earlier.fixed_s for earlier, later in pairs]
    ratios = [each / one for each, one in zip(seconds, fixed, strict=True)]
    memory = [mark.memory_mb for mark in watching.marks[1:]]
    middle = statistics.median(ratios)
    spread = max(abs(each / middle - 1) for each in ratios)
    print("processor time of each tenth after the first, s:", *(f"{each:.2f}" for each in seconds))
    print("the same in the fixed work of its time:", *(f"{each:.2f}" for each in ratios))
    print("memory after each tenth, MB:", *(f"{each:.0f}" for each in memory))
    print(f"time per student constant to within {spread:.1%}; memory grew by {memory[-1] / memory[0] - 1:.1%}")
    print(f"store: {size_mb:.0f} MB; the same class with nothing changed: {unchanged_s:.1f} s of processor time")
    return 0 if spread < 0.15 and memory[-1] < 1.1 * memory[0] else 1


if __name__ == "__main__":
    sys.exit(main())
