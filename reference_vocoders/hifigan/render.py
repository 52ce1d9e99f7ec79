"""The course's mels to audio: ``python -m reference_vocoders.hifigan.render --mels DIR --out DIR``."""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from pathlib import Path

import click
import numpy as np
import torch
from rich.console import Console

from grader import progress
from grader.audio import Audio, Mel
from grader.audio.mel import COURSE, load_mel
from grader.errors import CourseError, GraderError
from reference_vocoders.griffin_lim import write_wav
from reference_vocoders.hifigan import SHIPPED
from reference_vocoders.hifigan.checkpoint import load_generator
from reference_vocoders.hifigan.configuration import FrontEndConfig
from reference_vocoders.hifigan.front_end import normalise
from reference_vocoders.hifigan.generator import Generator


class Vocoder:
    """A trained generator that takes the course's mels."""

    def __init__(self, generator: Generator, front_end: FrontEndConfig) -> None:
        self._generator = generator
        self._front_end = front_end

    def __call__(self, mel: Mel) -> Audio:
        """Audio of shape (hop · frames,) in (−1, 1) for a mel of shape (bands, frames), linear power.

        The same mel gives the same audio. Raises ``ValueError`` for another shape, and values no power has.
        """
        mel = np.asarray(mel, dtype=np.float32)
        bands = self._generator.config.mel_bands
        if mel.ndim != 2 or mel.shape[0] != bands or mel.shape[1] == 0:
            raise ValueError(f"mel of shape {mel.shape}, expected ({bands}, frames)")
        if not np.isfinite(mel).all() or mel.min() < 0:
            raise ValueError("the mel holds NaN, Inf or negative values; expected linear power")
        with torch.inference_mode():
            audio: Audio = self._generator(normalise(torch.from_numpy(mel), self._front_end)[None])[0, 0].numpy()
        return audio


def vocoder(weights: Path = SHIPPED) -> Vocoder:
    """The vocoder of a checkpoint; the last ones are kept in memory as long as their file is the same.

    Raises :class:`GraderError` as :func:`load_generator` does, and for a generator that hears other mels.
    """
    try:
        stat = weights.stat()
    except OSError:
        raise GraderError(f"{weights}: no such checkpoint", help="check the path") from None
    return _loaded(weights, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=2)
def _loaded(weights: Path, _mtime_ns: int, _size: int) -> Vocoder:
    generator, config = load_generator(weights)
    if config.front_end.kind != "course":
        raise GraderError(
            f"{weights}: made for HiFi-GAN's own mels, which cannot be had from the course's",
            help="let reference_vocoders.hifigan.train --from begin with it: that makes it hear the course's mels",
        )
    hop = math.prod(config.generator.upsample_rates)
    if hop != COURSE.hop_length or config.generator.mel_bands != COURSE.bands:
        raise GraderError(
            f"{weights}: takes {config.generator.mel_bands} bands and makes {hop} samples a frame, "
            f"the course's mels have {COURSE.bands} and {COURSE.hop_length}",
            help="use a checkpoint that was trained with v1, v2 or v3",
        )
    return Vocoder(generator, config.front_end)


def render(mels: Path, out: Path, weights: Path, shown: progress.Progress) -> int:
    """Write ``out/NNN.wav`` for every ``mels/NNN.npy``, once all mels are read; return how many.

    Raises :class:`CourseError` for a folder without mels and for the first unusable one.
    """
    loaded = {path.stem: load_mel(path) for path in sorted(mels.glob("*.npy"))}
    if not loaded:
        raise CourseError(f"{mels}: no .npy files", help="name the folder of test mels: 001.npy, 002.npy, …")
    sing = vocoder(weights)
    out.mkdir(parents=True, exist_ok=True)
    shown.start("HiFi-GAN", total=sum(mel.shape[1] for mel in loaded.values()), items=len(loaded))
    for stem, mel in loaded.items():
        write_wav(out / f"{stem}.wav", sing(mel))
        shown.advance(mel.shape[1])
    return len(loaded)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--mels", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option(
    "--weights", type=click.Path(path_type=Path), default=SHIPPED, help="A checkpoint (default: the shipped)."
)
def main(mels: Path, out: Path, weights: Path) -> None:
    """Turn the mels in a folder (001.npy, …) into 16-bit wavs (001.wav, …) with HiFi-GAN."""
    try:
        with progress.on(Console(stderr=True)) as shown:
            count = render(mels, out, weights, shown)
    except GraderError as error:
        click.echo(f"hifigan: {error}\n  help: {error.help}", err=True)
        sys.exit(2)
    click.echo(f"{count} clips in {out}")


if __name__ == "__main__":
    main()
