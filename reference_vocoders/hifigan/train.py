"""Training: ``python -m reference_vocoders.hifigan.train --data DIR --config v2``.

Seeded, and resumed from the last checkpoint of its output folder by running the same command again. Spectral losses
teach the generator from the first step; the discriminators join at ``adversarial_from``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from grader.errors import GraderError
from reference_vocoders.hifigan import losses, warm_start
from reference_vocoders.hifigan.checkpoint import load_generator, read_tensors, write_safetensors, write_tensors
from reference_vocoders.hifigan.configuration import Configuration, TrainingConfig, preset
from reference_vocoders.hifigan.data import Clip, Segments, prepare, split
from reference_vocoders.hifigan.discriminators import Discriminators
from reference_vocoders.hifigan.front_end import CONTEXT_SAMPLES, see
from reference_vocoders.hifigan.generator import Generator
from reference_vocoders.hifigan.validation import Validation, Validator


def learning_rate(config: TrainingConfig, start: float, step: int) -> float:
    """A short rise, then a cosine from ``start`` down to ``final_learning_rate`` at the last step."""
    rise = min(1.0, (step + 1) / 200)
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
    return rise * (config.final_learning_rate + (start - config.final_learning_rate) * fall)


class Trainer:
    """The state of a training: networks, optimisers, and the step they are at."""

    def __init__(self, config: Configuration, device: torch.device, *, compiled: bool = False) -> None:
        torch.manual_seed(config.training.seed)
        random.seed(config.training.seed)
        self.config, self.device, self.step = config, device, 0
        training = config.training
        self.generator = Generator(config.generator).to(device)
        self.discriminators = Discriminators(training.discriminator_width).to(device)
        self.optimiser = torch.optim.AdamW(
            self.generator.parameters(), training.learning_rate, training.betas, weight_decay=training.weight_decay
        )
        self.discriminator_optimiser = torch.optim.AdamW(
            self.discriminators.parameters(),
            training.discriminator_learning_rate,
            training.betas,
            weight_decay=training.weight_decay,
        )
        self.stft = losses.StftLoss().to(device)
        self.pitch: losses.PitchLoss | None = None
        if training.pitch_weight:
            from grader.metrics.crepe_network import load

            self.pitch = losses.PitchLoss(load("tiny").to(device), training.pitch_frames).to(device)
        self.generate = torch.compile(self.generator) if compiled else self.generator
        self.average = _copied(self.generator.plain_state())

    def train_step(self, segments: Tensor) -> dict[str, float]:
        """One step on segments (batch, context + hop · frames + context); returns every loss by name."""
        training = self.config.training
        for optimiser, start in (
            (self.optimiser, training.learning_rate),
            (self.discriminator_optimiser, training.discriminator_learning_rate),
        ):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(training, start, self.step)
        segments = segments.to(self.device, non_blocking=True)
        real = segments[:, CONTEXT_SAMPLES:-CONTEXT_SAMPLES]
        seen = see(segments, self.config.front_end)
        with self._precision():
            generated = self.generate(seen)[:, 0].float()
        parts = {}
        if self.step >= training.adversarial_from:
            parts["discriminator"] = self._discriminate(real, generated.detach())
        total, generator_parts = self._generator_loss(segments, real, generated, seen)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 10.0)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return {name: float(value.detach()) for name, value in (generator_parts | parts).items()}

    def _follow(self) -> None:
        """Move the averaged weights towards the present ones; the first steps count fully."""
        keep = min(self.config.training.average, self.step / (self.step + 10))
        for key, value in self.generator.plain_state().items():
            self.average[key].lerp_(value, 1 - keep)

    def averaged(self) -> Generator:
        """The generator that is validated and kept: the mean of the last steps' weights, weight norm folded."""
        generator = Generator(self.config.generator).to(self.device).fold_weight_norm()
        generator.load_state_dict(self.average)
        return generator.eval().requires_grad_(False)

    def _discriminate(self, real: Tensor, generated: Tensor) -> Tensor:
        with self._precision():
            loss = losses.discriminator_loss(
                self.discriminators(real[:, None]), self.discriminators(generated[:, None])
            )
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_optimiser.step()
        return loss

    def _generator_loss(
        self, segments: Tensor, real: Tensor, generated: Tensor, seen: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        training = self.config.training
        context = segments.clone()
        context[:, CONTEXT_SAMPLES:-CONTEXT_SAMPLES] = generated
        parts = {
            "mel": training.mel_weight * functional.l1_loss(see(context, self.config.front_end), seen),
            "stft": training.stft_weight * self.stft(generated, real),
        }
        if self.pitch is not None:
            rng = torch.Generator().manual_seed(training.seed + self.step)
            parts["pitch"] = training.pitch_weight * self.pitch(generated, real, rng)
        if self.step >= training.adversarial_from:
            self.discriminators.requires_grad_(False)
            with self._precision():
                judged = self.discriminators(generated[:, None])
                with torch.no_grad():
                    judged_real = self.discriminators(real[:, None])
                parts["adversarial"] = losses.adversarial_loss(judged)
                parts["feature"] = training.feature_weight * losses.feature_loss(judged_real, judged)
            self.discriminators.requires_grad_(True)
        return torch.stack(list(parts.values())).sum(), parts

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.device.type != "cuda":
            return contextlib.nullcontext()
        return torch.autocast("cuda", torch.bfloat16)

    def state(self) -> dict[str, Any]:
        return {
            "configuration": json.dumps(self.config.as_json()),
            "step": self.step,
            "generator": self.generator.state_dict(),
            "average": self.average,
            "discriminators": self.discriminators.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
        }

    def resume(self, path: Path) -> None:
        """Take up where a checkpoint of the same configuration stopped."""
        record = read_tensors(path)
        try:
            if json.loads(record["configuration"])["generator"] != json.loads(
                json.dumps(self.config.as_json()["generator"])
            ):
                raise GraderError(f"{path}: made with another generator", help="name another --out, or its --config")
            self.generator.load_state_dict(record["generator"])
            self.average = {key: record["average"][key].to(self.device) for key in self.average}
            self.discriminators.load_state_dict(record["discriminators"])
            self.optimiser.load_state_dict(record["optimiser"])
            self.discriminator_optimiser.load_state_dict(record["discriminator_optimiser"])
            self.step = int(record["step"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise GraderError(
                f"{path}: not a training state of this configuration: {str(error).splitlines()[0]}",
                help="name another --out, or move that file away to begin anew",
            ) from None

    def start_from(self, path: Path, clips: Sequence[Clip]) -> float | None:
        """Begin with the weights of a finished generator; discriminators begin anew.

        Where it was trained to hear another mel, the difference is fitted to ``clips`` and folded in; returned is then
        the part of its mel's variance that the fit misses, otherwise None.
        """
        generator, config = load_generator(path)
        if config.generator != self.config.generator:
            raise GraderError(f"{path}: made with another generator ({config.name})", help="choose its --config")
        state, missed = generator.plain_state(), None
        if config.front_end != self.config.front_end:
            affine = warm_start.fit(clips, self.config.front_end, config.front_end)
            state, missed = warm_start.fold(state, affine), affine.unexplained
        with torch.no_grad():
            for key, value in state.items():
                name, part = key.rsplit(".", 1)
                if part == "weight":
                    self.generator.get_submodule(name).weight = value.to(self.device)
                else:
                    self.generator.get_parameter(key).copy_(value)
        self.average = _copied(self.generator.plain_state())
        return missed


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in state.items()}


@dataclasses.dataclass
class Run:
    """One training in a folder: ``last.pt`` to go on from, ``best.safetensors`` to use, ``log.jsonl`` of scores."""

    trainer: Trainer
    segments: Segments
    validator: Validator
    out: Path
    seconds: float = math.inf
    validate_first: bool = False
    best: float = math.inf

    def go(self, report: Any) -> Iterator[dict[str, Any]]:
        """Train to the last step or until ``seconds`` have passed; yields what each validation found."""
        training = self.trainer.config.training
        began = time.monotonic()
        recorded = self._recorded()
        self.best = min((entry["mean_loss"] for entry in recorded), default=math.inf)
        if self.validate_first and not recorded:
            yield self._validate({})
        while self.trainer.step < training.steps and time.monotonic() - began < self.seconds:
            batch = torch.from_numpy(self.segments.batch(self.trainer.step, training.batch))
            parts = self.trainer.train_step(batch)
            report(self.trainer.step, parts)
            if not all(map(math.isfinite, parts.values())):
                raise GraderError(
                    f"step {self.trainer.step}: a loss is not finite: {parts}",
                    help="run again to go on from the last checkpoint, with a lower learning rate",
                )
            if self.trainer.step % training.checkpoint_every == 0:
                write_tensors(self.out / "last.pt", self.trainer.state())
            if self.trainer.step % training.validate_every == 0:
                yield self._validate(parts)
        write_tensors(self.out / "last.pt", self.trainer.state())
        if self.trainer.step % training.validate_every:
            yield self._validate({})

    def _validate(self, parts: dict[str, float]) -> dict[str, Any]:
        generator, config = self.trainer.averaged(), self.trainer.config
        found: Validation = self.validator(generator, config, self.out)
        entry = {"step": self.trainer.step, "losses": parts, **dataclasses.asdict(found)}
        entry["mean_loss"] = found.m_stft + found.log2_f0
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        facts = {"step": str(self.trainer.step), "valid": json.dumps(dataclasses.asdict(found))}
        write_safetensors(self.out / "last.safetensors", generator, config, facts)
        if entry["mean_loss"] < self.best:
            self.best = entry["mean_loss"]
            write_safetensors(self.out / "best.safetensors", generator, config, facts)
        return entry

    def _recorded(self) -> list[dict[str, Any]]:
        path = self.out / "log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@click.command(help=__doc__)
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, help="Recordings."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("hifigan_run"), show_default=True, help="Results.")
@click.option("--config", "name", default="v2", show_default=True, help="v1, v2, v3, or v2-cpu for two cores.")
@click.option("--valid", multiple=True, help="Singer (beginning of the path) to hold out; may be given again.")
@click.option("--list", "listed", type=click.Path(path_type=Path, exists=True), help="CSV with columns file, split.")
@click.option("--from", "start", type=click.Path(path_type=Path, exists=True), help="Weights to begin with.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a number of the training.")
@click.option("--minutes", type=float, default=math.inf, help="Stop after so long, to be taken up later.")
@click.option("--device", default=None, help="cuda or cpu (default: cuda where there is one).")
def main(
    data: Path,
    out: Path,
    name: str,
    valid: tuple[str, ...],
    listed: Path | None,
    start: Path | None,
    changes: tuple[str, ...],
    minutes: float,
    device: str | None,
) -> None:
    from rich.progress import track

    try:
        config = _changed(preset(name), changes)
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        out.mkdir(parents=True, exist_ok=True)
        train_paths, valid_paths = split(data, valid=valid, listed=listed)
        everything = prepare(track(train_paths + valid_paths, description="preparing"), out / "audio")
        trainer = Trainer(config, chosen, compiled=chosen.type == "cuda")
        if (out / "last.pt").exists():
            trainer.resume(out / "last.pt")
        elif start is not None:
            missed = trainer.start_from(start, everything[: len(train_paths)])
            if missed is not None:
                click.echo(f"{start} hears another mel: folded into its first convolution, {missed:.2%} of it is lost")
        segments = Segments(everything[: len(train_paths)], config.training.segment_frames, config.training.seed)
        run = Run(trainer, segments, Validator(everything[len(train_paths) :]), out, seconds=minutes * 60)
        run.validate_first = start is not None
        _with_progress(run)
    except GraderError as error:
        raise SystemExit(f"{error}\n  help: {error.help}") from None


def _with_progress(run: Run) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    board = _tensorboard(run.out)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns) as progress:
        task = progress.add_task("", total=run.trainer.config.training.steps)
        smoothed: dict[str, float] = {}

        def report(step: int, parts: dict[str, float]) -> None:
            for key, value in parts.items():
                smoothed[key] = 0.98 * smoothed.get(key, value) + 0.02 * value
                if board is not None:
                    board.add_scalar(f"loss/{key}", value, step)
            described = "  ".join(f"{key} {value:.3f}" for key, value in smoothed.items())
            progress.update(task, completed=step, description=described)

        for entry in run.go(report):
            progress.console.print(
                f"step {entry['step']}: M-STFT {entry['m_stft']:.3f}, log2-F0 {entry['log2_f0']:.3f} semitone, "
                f"FD-logmel {entry['fd_logmel']:.2f} on {entry['clips']} held-out clips"
            )
            if board is not None:
                for key in ("m_stft", "log2_f0", "fd_logmel"):
                    board.add_scalar(f"valid/{key}", entry[key], entry["step"])


def _tensorboard(out: Path) -> Any:
    """A TensorBoard writer where TensorBoard is installed, else None."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(out / "tensorboard"))


def _changed(config: Configuration, changes: tuple[str, ...]) -> Configuration:
    """The configuration with ``KEY=VALUE`` changes of its training part."""
    training = config.training
    for change in changes:
        key, _, text = change.partition("=")
        known = {field.name: getattr(training, field.name) for field in dataclasses.fields(training)}
        if not isinstance(known.get(key), int | float):
            numbers = [name for name, value in known.items() if isinstance(value, int | float)]
            raise GraderError(f"--set {change}: no such number", help=f"choose one of {', '.join(numbers)}")
        try:
            training = dataclasses.replace(training, **{key: type(known[key])(text)})
        except ValueError:
            raise GraderError(f"--set {change}: not a number", help=f"for instance {key}={known[key]}") from None
    return dataclasses.replace(config, training=training)


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
