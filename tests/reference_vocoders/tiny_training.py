"""A training of seconds, to be killed: ``python -m tests.reference_vocoders.tiny_training RECORDINGS OUT``.

Goes on where OUT stands, and adds a line of JSON to OUT/steps.jsonl at every step: its number and its losses.
"""

import dataclasses
import json
import sys
from pathlib import Path

import torch

from reference_vocoders.hifigan import data, train
from reference_vocoders.hifigan.configuration import PRESETS, Configuration, TrainingConfig
from reference_vocoders.hifigan.validation import Validator

TINY = Configuration(
    "tiny",
    dataclasses.replace(
        PRESETS["v2"].generator, initial_channels=16, resblock_kernels=(3,), resblock_dilations=((1,),)
    ),
    training=TrainingConfig(
        steps=8,
        batch=2,
        segment_frames=32,
        adversarial_from=2,
        discriminator_width=1 / 32,
        pitch_weight=1.0,
        validate_every=4,
        checkpoint_every=2,
    ),
)


def clips(folder: Path, cache: Path) -> tuple[list[data.Clip], list[data.Clip]]:
    """Recordings to train on, and the tenor's to validate with."""
    train_paths, held_out = data.split(folder, valid=["tenor"])
    return data.prepare(train_paths, cache), data.prepare(held_out, cache)


def run(folder: Path, out: Path) -> train.Run:
    """A training in ``out``, taken up where it is."""
    out.mkdir(exist_ok=True)
    seen, held_out = clips(folder, out / "audio")
    trainer = train.Trainer(TINY, torch.device("cpu"))
    if (out / "last.pt").exists():
        trainer.resume(out / "last.pt")
    segments = data.Segments(seen, TINY.training.segment_frames, TINY.training.seed)
    return train.Run(trainer, segments, Validator(held_out), out)


def main() -> None:
    torch.set_num_threads(1)
    folder, out = map(Path, sys.argv[1:])
    training = run(folder, out)

    def report(step: int, losses: dict[str, float]) -> None:
        with (out / "steps.jsonl").open("a") as lines:
            lines.write(json.dumps([step, losses]) + "\n")

    for _ in training.go(report):
        pass


if __name__ == "__main__":
    main()
