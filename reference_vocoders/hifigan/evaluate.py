"""Vocoders side by side on recordings: ``python -m reference_vocoders.hifigan.evaluate --data DIR``.

Every system but the official ones makes each recording from its course mel alone, as a student has to. An official
generator hears HiFi-GAN's own mel, taken from the recording itself. All are measured by the grader's metrics.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from grader import progress, rubric, score_report
from grader.audio import Audio
from grader.audio.mel import COURSE, filterbank, mel_spectrogram
from grader.errors import CourseError, GraderError
from grader.metrics.evaluate import Evaluator, Measured
from grader.metrics.scores import Scores
from grader.rubric import Log2F0
from grader.scoring import CourseScores
from reference_vocoders.griffin_lim import audio_from_magnitude, griffin_lim, write_wav
from reference_vocoders.hifigan import SHIPPED
from reference_vocoders.hifigan.checkpoint import load_generator
from reference_vocoders.hifigan.render import vocoder
from reference_vocoders.hifigan.validation import render

System = Callable[[Audio], Audio]
"""From a recording at the course's rate to what a vocoder makes of it, 256 · T samples."""

_SUFFIXES = {".wav", ".flac"}


def pseudo_inverse(audio: Audio) -> Audio:
    """Griffin-Lim as it is often written: the filterbank's pseudo-inverse, clipped at zero, and no momentum."""
    power = np.maximum(0, np.linalg.pinv(filterbank()) @ mel_spectrogram(audio))
    return audio_from_magnitude(np.sqrt(power), COURSE, iterations=60, momentum=0)


def official(weights: Path) -> System:
    """A generator of any front end, which it takes from the recording."""
    generator, config = load_generator(weights)
    return lambda audio: render(generator, config, audio)


def systems(weights: Sequence[Path], officials: Sequence[Path]) -> dict[str, System]:
    """All that are compared, by the names they are shown under."""
    found: dict[str, System] = {
        "Griffin-Lim, pseudo-inverse": pseudo_inverse,
        "Griffin-Lim": lambda audio: griffin_lim(mel_spectrogram(audio)),
    }
    for path in weights:
        sing = vocoder(path)
        found[f"HiFi-GAN {path.stem}"] = lambda audio, sing=sing: sing(mel_spectrogram(audio))  # type: ignore[misc]
    return found | {f"official {path.name}, own mel": official(path) for path in officials}


def evaluate(
    recordings: Sequence[Path], compared: Mapping[str, System], evaluator: Evaluator, shown: progress.Progress
) -> dict[str, Scores]:
    """The scores of every system over ``recordings``, files of any rate."""
    shown.start("evaluating", total=len(recordings) * len(compared), items=len(recordings) * len(compared))
    references = [evaluator.embed(path).embedding for path in recordings]
    measured: dict[str, dict[str, Measured]] = {name: {} for name in compared}
    with tempfile.TemporaryDirectory() as folder:
        for path in recordings:
            prepared = evaluator.prepare(path)
            for name, system in compared.items():
                made = Path(folder) / "made.wav"
                write_wav(made, system(prepared.audio))
                measured[name][path.name] = evaluator.measure(prepared, made)
                shown.advance(1)
    scores = {}
    for name, clips in measured.items():
        distance = evaluator.frechet([one["fad"].embedding for one in clips.values()], references)
        scores[name] = evaluator.summarise(clips, distance)
    return scores


def find(folders: Iterable[Path], listed: Path | None, part: str) -> list[Path]:
    """Recordings in ``folders``; with ``listed``, of those below the one folder the rows whose split is ``part``."""
    found = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if listed is not None:
        import csv

        with listed.open(encoding="utf-8-sig", newline="") as file:
            wanted = {row["file"] for row in csv.DictReader(file) if row["split"] == part}
        found = [path for path in found if any(path.as_posix().endswith(f"/{name}") for name in wanted)]
    if len(found) < 2:
        raise CourseError(f"{len(found)} recordings found", help="name folders with at least two wav or FLAC files")
    return found


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option("--list", "listed", type=click.Path(path_type=Path, exists=True), help="CSV with columns file, split.")
@click.option("--split", "part", default="valid", show_default=True, help="With --list: rows to take.")
@click.option("--weights", type=click.Path(path_type=Path), multiple=True, help="Instead of the shipped weights.")
@click.option("--official", "officials", type=click.Path(path_type=Path), multiple=True, help="With a mel of its own.")
@click.option("--capacity", type=click.Choice(["full", "tiny"]), default="full", show_default=True, help="Of CREPE.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write all numbers there.")
def main(
    folders: tuple[Path, ...],
    listed: Path | None,
    part: str,
    weights: tuple[Path, ...],
    officials: tuple[Path, ...],
    capacity: str,
    out: Path | None,
) -> None:
    """Compare Griffin-Lim, HiFi-GAN and official generators on the recordings in folders."""
    try:
        with progress.on(Console(stderr=True)) as shown:
            metrics = rubric.load().metrics
            f0 = Log2F0(**{**metrics.log2_f0.model_dump(), "capacity": capacity})
            evaluator = Evaluator(metrics.model_copy(update={"log2_f0": f0}))
            compared = systems(weights or (SHIPPED,), officials)
            scores = evaluate(find(folders, listed, part), compared, evaluator, shown)
    except GraderError as error:
        click.echo(f"hifigan: {error}\n  help: {error.help}", err=True)
        sys.exit(2)
    console = Console(highlight=False)
    console.width = max(console.width, 110)  # names of files are long, and a table is of no use without them
    score_report.show(CourseScores({}, scores), "m_stft", console)
    if out is not None:
        record = {name: found.as_json() for name, found in scores.items()}
        out.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
