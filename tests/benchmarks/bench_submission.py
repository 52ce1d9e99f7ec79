"""One hand-in of 30 clips of 6 s, scored cold, against a straightforward version of the course's procedure; and again
with three clips changed: ``python -m tests.benchmarks.bench_submission``.

The procedure: one clip after the other, the stock torch CREPE (same weights and capacity, its better form and batch
size, all threads) for the reference and for the prediction, the same decoding, auraloss, one embedding of each, and the
Fréchet distance by a matrix square root. It is timed on a few clips and counted up to all. Ours: everything, from
starting the workers to the last record in a new store. ``grader score`` as a whole renders and scores Griffin-Lim, too.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from grader import workbench
from grader.audio import wav
from grader.course import Course
from grader.measuring import Measuring, Take
from grader.metrics import crepe, crepe_network, logmel, m_stft
from grader.metrics.evaluate import Evaluator
from grader.metrics.pitch import PitchTrack, decode, log2_f0
from grader.progress import Progress
from grader.store import Store, file_sha256
from grader.workers import default_processes
from tests.benchmarks import courses
from tests.benchmarks.bench_crepe import Stock, stock_activations
from tests.benchmarks.measuring import breathy, row, sung, timed, voiced_otherwise, write

SAMPLE = 2
"""Clips of the procedure in each round."""


class Procedure:
    def __init__(self, capacity: crepe.Capacity) -> None:
        weights = crepe_network.load(capacity)
        probe = np.trunc(8000 * np.sin(np.arange(160 * 95 + 1024) / 20)).astype(np.float32)
        forms = [(Stock(weights, dimensions), batch) for dimensions in (1, 2) for batch in (16, 32)]
        self.network, self.batch = min(
            forms, key=lambda form: timed(partial(stock_activations, form[0], probe, form[1]))
        )

    def track(self, audio: np.ndarray) -> PitchTrack:
        signal = crepe.to_16k(audio, 22050)
        padded = np.pad(signal, crepe.FRAME_SAMPLES // 2)
        return decode(stock_activations(self.network, padded, self.batch))

    def clip(self, reference: Path, prediction: Path) -> tuple[float, float | None, list[np.ndarray]]:
        real, made = wav.load(reference), wav.load(prediction)
        distance = m_stft.m_stft(made, real)
        semitones = log2_f0(self.track(real), self.track(made)).semitones
        return distance, semitones, [logmel.embed(real, 22050), logmel.embed(made, 22050)]


def frechet(embeddings: Sequence[list[np.ndarray]]) -> float:
    from scipy.linalg import sqrtm

    real, made = (np.concatenate(side).astype(np.float64) for side in zip(*embeddings, strict=True))
    covariances = [np.cov(side, rowvar=False) for side in (real, made)]
    root = np.real(sqrtm(covariances[0] @ covariances[1]))
    difference = real.mean(axis=0) - made.mean(axis=0)
    return float(difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root))


def score(evaluator: Evaluator, references: dict[str, Path], takes: list[Take], store_path: Path) -> object:
    """Everything new: workers, and what the store does not know."""
    with Store(store_path) as store, workbench.pool(evaluator, default_processes()) as pool:
        return Measuring(references, evaluator, store, pool, Progress()).scores({"student": takes})["student"]


def take(path: Path) -> Take:
    return Take.of(path.name, path, file_sha256(path), wav.recording(path).channels.shape[0], 22050)


def command(course: Course) -> None:
    subprocess.run(
        [sys.executable, "-m", "grader", "score", "--course", str(course.root)], check=True, capture_output=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="short clips and the tiny network, to see that it runs")
    small = parser.parse_args().small
    clips, seconds, rounds, capacity = (6, 0.5, 1, "tiny") if small else (30, 6.0, 3, "full")
    with tempfile.TemporaryDirectory() as folder:
        against_the_procedure(Path(folder), clips, seconds, rounds, capacity)
        resubmission(Path(folder) / "course", clips, seconds, capacity)


def against_the_procedure(root: Path, clips: int, seconds: float, rounds: int, capacity: str) -> None:
    course = courses.make(root / "measured", 0, clips, seconds, capacity)
    references = course.reference_paths()
    voices = {name: wav.load(path) for name, path in references.items()}
    paths = [write(root / "made" / name, breathy(voice, n)) for n, (name, voice) in enumerate(voices.items())]
    evaluator = Evaluator(course.rubric.metrics)
    procedure, ours, theirs, again, wrong = Procedure(course.rubric.metrics.log2_f0.capacity), [], [], [], 0.0
    for number in range(rounds):
        store_path = root / f"{number}.sqlite"
        takes = [take(path) for path in paths]
        start = time.perf_counter()
        scores = score(evaluator, references, takes, store_path)
        ours.append(time.perf_counter() - start)
        sample = list(zip(references.values(), paths, strict=True))[number * SAMPLE : (number + 1) * SAMPLE]
        start = time.perf_counter()
        done = [procedure.clip(*pair) for pair in sample]
        per_clip = (time.perf_counter() - start) / len(sample)
        theirs.append(per_clip * clips + timed(lambda done=done: frechet([each for _, _, each in done])))  # type: ignore[misc]
        for (distance, semitones, _), found in zip(done, scores.clips[number * SAMPLE :], strict=False):  # type: ignore[attr-defined]
            wrong = max(wrong, abs(distance - found.m_stft), abs((semitones or 0) - (found.log2_f0 or 0)))
        changed = [write(root / "changed" / path.name, sung(n, seconds)) for n, path in enumerate(paths[:3])]
        takes = [take(path) for path in (*changed, *paths[3:])]
        again.append(timed(lambda takes=takes, path=store_path: score(evaluator, references, takes, path)))  # type: ignore[misc]
    ratios = sorted(slow / fast for slow, fast in zip(theirs, ours, strict=True))
    ratio = ratios[len(ratios) // 2]
    seconds_each = (sorted(theirs)[rounds // 2], sorted(ours)[rounds // 2])
    what = (
        f"one hand-in of {clips} × {seconds:g} s cold: the course's procedure / ours, {default_processes()} processes"
    )
    row(what, seconds_each, ratio, "≥ 6", ratio >= 6)
    print(f"the scores of both differ by at most {wrong:.1e}; the procedure's batch is {procedure.batch}")
    print(f"ours with 3 clips changed, without the command around it: {sorted(again)[rounds // 2]:.2f} s")


def resubmission(root: Path, clips: int, seconds: float, capacity: str) -> None:
    """The whole command on a new course, after a resubmission, and with nothing changed."""
    course = courses.make(root, 1, clips, seconds, capacity)
    cold, again = timed(lambda: command(course)), []
    student = courses.name(0)
    for number in range(1, 4):
        changed = [voiced_otherwise(n, seconds, n + (100 * number if n < 3 else 0)) for n in range(clips)]
        courses.hand_in(course, student, changed)
        course.submissions.joinpath(f"{student}.zip").rename(course.submissions / f"{student}-{number}.zip")
        again.append(timed(lambda: command(course)))
    again.sort()
    what = "`grader score` of one hand-in and the baselines: in a new course / with 3 clips resubmitted"
    row(what, (cold, again[1]), cold / again[1], "≥ 8", cold / again[1] >= 8)
    print(f"and with nothing changed: {timed(lambda: command(course)):.2f} s")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
