"""Grades of 300 students whose scores are known, and one jackknife: ``python -m tests.benchmarks.bench_grades``.

Timed apart from reading, checking and drawing: grading with its standings, a snapshot, the difference of two, and a
preview, in seconds of one processor (a busy machine takes longer by the clock). The jackknife is compared with a
matrix root of each side for each clip that is left out.
"""

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from grader.grades import snapshots
from grader.grades.difference import compare
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.grades.preview import affected, other_rule
from grader.grades.standing import of_class
from grader.metrics.frechet import Moments, frechet_distance, frechet_score
from grader.metrics.scores import ClipScore, Scores
from tests.benchmarks.measuring import in_turn, row
from tests.grades.making import CLIPS, ON_TIME, SETTINGS, course, result, the_rubric


def student(rng: np.random.Generator, hard: np.ndarray) -> Scores:
    quality = rng.uniform(1.0, 3.0)
    m_stft = quality * hard * rng.lognormal(0, 0.1, len(CLIPS))
    log2_f0 = 0.1 * quality * rng.lognormal(0, 0.6, len(CLIPS))
    clips = tuple(
        ClipScore(name, float(m), float(f), 400, 600) for name, m, f in zip(CLIPS, m_stft, log2_f0, strict=True)
    )
    without = tuple(map(float, 2 * quality + rng.normal(0, 0.02, len(CLIPS))))
    means = float(m_stft.mean()), float(log2_f0.mean())
    return Scores(*means, 2 * quality, "FAD", 0.1, 180, 180, clips, {}, SETTINGS, without)


def straightforward(predictions: list[np.ndarray], references: list[np.ndarray]) -> list[float]:
    """Each clip left out in turn, every distance from scratch but for the sums."""
    origin = np.concatenate(references).mean(axis=0, dtype=np.float64)
    clips = [[Moments.of(each, origin) for each in side] for side in (predictions, references)]
    wholes = [sum(side[1:], start=side[0]) for side in clips]
    return [
        frechet_distance(*(wholes[0] - a).gaussian(), *(wholes[1] - b).gaussian()) for a, b in zip(*clips, strict=True)
    ]


def processor_s(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="ten students, to see that it runs")
    students = 10 if parser.parse_args().small else 300
    rng = np.random.default_rng(0)
    hard = rng.lognormal(0, 0.2, len(CLIPS))
    names = [f"R{13_000_000 + number:08d}" for number in range(students)]
    found = course(*(result(name, student(rng, hard)) for name in names))
    times = {name: ON_TIME + dt.timedelta(hours=float(rng.uniform(-10, 60))) for name in names}
    reports = dict.fromkeys(names, 40.0)
    rubric = the_rubric()
    other = other_rule(rubric, {"late.after_percent": 80.0})

    def graded() -> Leaderboard:
        return leaderboard(rubric, found, times, reports)

    graded()
    seconds = processor_s(graded)
    row(f"{students} students graded, standings and sentences included", [seconds], None, "≤ 10 s", seconds <= 10)
    scores = {name: each.scores for name, each in found.students.items() if each.scores}
    row("  of these the standings", [processor_s(lambda: of_class(scores, "m_stft"))], None)
    board = graded()
    with tempfile.TemporaryDirectory() as folder:
        row("  a snapshot kept", [processor_s(lambda: snapshots.take(board, Path(folder)))], None)
    before, after = snapshots.now(board), snapshots.now(leaderboard(other, found, times, reports))
    row("  two snapshots compared", [processor_s(lambda: compare(before, after))], None)
    row("  a late rule previewed", [processor_s(lambda: affected(board, other))], None)

    patches = [[rng.normal(side, 1, (6, 128)).astype(np.float32) for _ in CLIPS] for side in (0.1, 0.0)]
    assert np.allclose(frechet_score(*patches).left_out, straightforward(*patches), rtol=1e-9)
    pairs = in_turn(5, lambda: straightforward(*patches), lambda: frechet_score(*patches))
    row("jackknife of one Fréchet distance, straightforward / here", pairs.medians, pairs.ratio)


if __name__ == "__main__":
    main()
