"""Checkpoints: written whole or not at all, read without running anything they hold.

Three kinds are read: safetensors with this project's configuration in its metadata, a training state of ours, and an
official release (``{"generator": …}`` beside a ``config.json``). Weights are loaded by torch's weights-only reader or
by safetensors; neither can execute code.
"""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from grader.errors import GraderError
from reference_vocoders.hifigan.configuration import Configuration
from reference_vocoders.hifigan.generator import Generator

_MAGNITUDE, _DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"


def load_generator(path: Path) -> tuple[Generator, Configuration]:
    """Read a generator of any of the three kinds, weight norm folded, ready to infer.

    Raises :class:`GraderError` for a file that is absent, damaged, foreign, or holds more than tensors.
    """
    if path.suffix == ".safetensors":
        state, config = _read_safetensors(path)
    else:
        record = read_tensors(path)
        if "configuration" in record:
            config = Configuration.from_json(json.loads(record["configuration"]))
        else:
            beside = path.with_name("config.json")
            if not beside.is_file():
                raise _refused(path, "no configuration in it and no config.json beside it")
            config = Configuration.from_official(beside.read_text(encoding="utf-8"))
        state = record.get("average", record.get("generator"))
    generator = Generator(config.generator)
    _fill(generator, state, path)
    return generator.eval().requires_grad_(False), config


def _fill(generator: Generator, state: Any, path: Path) -> None:
    """Put a state dict into a generator, whichever way it writes weight norm; folds the generator."""
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise _refused(path, "its 'generator' is not a set of tensors")
    state = {key: value.float() for key, value in state.items()}
    renamed = {
        key.replace("weight_g", _MAGNITUDE).replace("weight_v", _DIRECTION): value for key, value in state.items()
    }
    if not any(key.endswith(_MAGNITUDE) for key in renamed):
        generator.fold_weight_norm()
    try:
        generator.load_state_dict(renamed)
    except RuntimeError as error:
        raise _refused(
            path, f"its tensors do not fit the configuration: {str(error).splitlines()[-1].strip()}"
        ) from None
    generator.fold_weight_norm()
    if not all(torch.isfinite(value).all() for value in generator.state_dict().values()):
        raise _refused(path, "it holds NaN or Inf")


def read_tensors(path: Path) -> dict[str, Any]:
    """Read a file of ``torch.save`` that holds tensors and plain values; anything else is refused, unexecuted."""
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise GraderError(f"{path}: no such checkpoint", help="check the path") from None
    except pickle.UnpicklingError:
        raise _refused(path, "it holds more than tensors, or is damaged; nothing in it was run") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _refused(path, f"damaged or not a checkpoint ({type(error).__name__})") from None
    if not isinstance(record, dict):
        raise _refused(path, f"it holds a {type(record).__name__}, not a training state")
    return record


def write_tensors(path: Path, record: Mapping[str, Any]) -> None:
    """``torch.save`` that leaves either the old file or the whole new one."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        torch.save(dict(record), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Configuration]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise GraderError(f"{path}: no such checkpoint", help="check the path") from None
    except (SafetensorError, OSError) as error:
        raise _refused(path, f"damaged or not safetensors ({error})") from None
    try:
        record = json.loads(metadata["configuration"])
    except (KeyError, ValueError):
        raise _refused(path, "no configuration in its metadata") from None
    return state, Configuration.from_json(record)


def write_safetensors(path: Path, generator: Generator, config: Configuration, facts: Mapping[str, str]) -> None:
    """Write a generator, weight norm folded, in half precision, with its configuration and ``facts`` as metadata."""
    from safetensors.torch import save_file

    state = {key: value.cpu().half().contiguous() for key, value in generator.plain_state().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file(state, partial, metadata={"configuration": json.dumps(config.as_json()), **facts})
    partial.replace(path)


def _refused(path: Path, reason: str) -> GraderError:
    return GraderError(
        f"{path}: not usable as a HiFi-GAN checkpoint: {reason}",
        help="use one that reference_vocoders.hifigan.train made, or an official generator_… with its config.json",
    )
