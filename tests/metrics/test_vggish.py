"""The network as torchvggish lays it out, with made-up weights; no real ones are at hand."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from grader.errors import EnvironmentProblem
from grader.metrics import logmel
from grader.metrics.vggish import Network, VGGish

SHAPES = {
    "features.0": (64, 1, 3, 3),
    "features.3": (128, 64, 3, 3),
    "features.6": (256, 128, 3, 3),
    "features.8": (256, 256, 3, 3),
    "features.11": (512, 256, 3, 3),
    "features.13": (512, 512, 3, 3),
    "embeddings.0": (4096, 12288),
    "embeddings.2": (4096, 4096),
    "embeddings.4": (128, 4096),
}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    made = {}
    for name, shape in SHAPES.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        made[f"{name}.weight"] = torch.empty(shape).uniform_(-scale, scale, generator=generator)
        made[f"{name}.bias"] = torch.empty(shape[0]).uniform_(-0.1, 0.1, generator=generator)
    return made


@pytest.fixture(scope="module")
def weight_file(weights: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("vggish") / "weights.pth"
    torch.save(weights, path)
    yield path
    path.unlink()


def test_the_weight_files_names_and_shapes() -> None:
    with torch.device("meta"):
        state = Network().state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items() if name.endswith("weight")} == {
        f"{name}.weight": shape for name, shape in SHAPES.items()
    }
    assert len(state) == 2 * len(SHAPES)


def test_an_embedding_is_what_the_layers_written_out_give(weights: dict[str, torch.Tensor], weight_file: Path) -> None:
    """Layer by layer; before the dense layers the order is time, band, channel; no ReLU at the end."""
    audio = np.random.default_rng(0).normal(0, 0.1, 3 * 16000).astype(np.float32)
    x = torch.from_numpy(logmel.patches(audio, 16000))[:, None]
    for name in ("0", "3", "6", "8", "11", "13"):
        x = functional.conv2d(x, weights[f"features.{name}.weight"], weights[f"features.{name}.bias"], padding=1).relu()
        if name in ("0", "3", "8", "13"):
            x = functional.max_pool2d(x, 2)
    assert x.shape == (3, 512, 6, 4)
    flat = torch.stack([x[:, channel, time, band] for time in range(6) for band in range(4) for channel in range(512)])
    x = functional.linear(flat.T, weights["embeddings.0.weight"], weights["embeddings.0.bias"]).relu()
    x = functional.linear(x, weights["embeddings.2.weight"], weights["embeddings.2.bias"]).relu()
    x = functional.linear(x, weights["embeddings.4.weight"], weights["embeddings.4.bias"])
    embedding = VGGish(weight_file).embed(audio, 16000)
    assert embedding.dtype == np.float32
    assert (embedding < 0).any()
    np.testing.assert_allclose(embedding, x.numpy(), rtol=1e-4, atol=1e-5)


def test_embedding_in_batches_changes_nothing(weight_file: Path) -> None:
    audio = np.random.default_rng(0).normal(0, 0.1, 34 * 16000).astype(np.float32)
    vggish = VGGish(weight_file)
    long = vggish.embed(audio, 16000)
    assert long.shape == (35, 128)
    patches = torch.from_numpy(logmel.patches(audio, 16000)[[33]])
    with torch.inference_mode():
        np.testing.assert_allclose(long[33], vggish._network(patches)[0].numpy(), rtol=1e-4, atol=1e-6)


class Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("the payload ran",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as PyTorch weights"),
        (b"hello world", "cannot be read as PyTorch weights"),
        (b"PK\x03\x04 cut off", "cannot be read as PyTorch weights"),
        (pickle.dumps(Payload()), "cannot be read as PyTorch weights"),
    ],
)
def test_files_that_are_no_weights(
    tmp_path: Path, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(EnvironmentProblem, match=said):
        VGGish(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "state",
    [[1, 2], {"model": 1}, {f"{name}.weight": torch.zeros(3) for name in SHAPES}],
    ids=["list", "keys", "shapes"],
)
def test_weights_of_something_else(tmp_path: Path, state: object) -> None:
    path = tmp_path / "other.pth"
    torch.save(state, path)
    with pytest.raises(EnvironmentProblem, match="not VGGish's weights"):
        VGGish(path)


def test_a_weight_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        VGGish(tmp_path / "none.pth")
