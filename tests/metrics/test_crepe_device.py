"""Where CREPE runs: the choice, what is recorded of it, and the GPU's code with the CPU as its device."""

from pathlib import Path

import numpy as np
import pytest

from grader.errors import EnvironmentProblem
from grader.metrics import crepe_device, crepe_engine, crepe_network
from grader.metrics.crepe_device import DeviceCrepe, device
from grader.metrics.crepe_engine import BuiltinEngine


@pytest.mark.parametrize(
    ("build", "driver", "visible", "expected"),
    [
        ("2.13.0+cpu", True, None, "cpu"),
        ("2.13.0", False, None, "cpu"),
        ("2.13.0", True, None, "cuda"),
        ("2.13.0+cu130", True, "1", "cuda"),
        ("2.13.0+cu130", True, "", "cpu"),
        ("2.13.0+cu130", True, "-1", "cpu"),
    ],
)
def test_a_gpu_is_used_where_it_can_be(
    build: str,
    driver: bool,
    visible: str | None,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crepe_device, "version", lambda _: build)
    monkeypatch.setattr(crepe_device, "_DRIVER", tmp_path if driver else tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device() == expected
    assert BuiltinEngine("tiny").settings()["device"] == expected


def test_the_gpus_code_gives_the_cpus_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = np.trunc(8000 * np.sin(np.arange(20000) ** 1.3 / 500)).astype(np.float32)
    _, expected = BuiltinEngine("tiny", device="cpu").activations(signal)
    other = BuiltinEngine("tiny", device="cuda")
    assert other._block_frames == crepe_device.BLOCK_FRAMES
    monkeypatch.setattr(crepe_device, "BLOCK_FRAMES", 64)
    monkeypatch.setattr(crepe_engine, "DeviceCrepe", lambda network, _: DeviceCrepe(network, "cpu"))
    other = BuiltinEngine("tiny", device="cuda")
    first, found = other.activations(signal)
    assert first == 0
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)
    later, end = other.activations(signal, 100)
    assert later == 64
    np.testing.assert_array_equal(end, found[64:])


def test_a_device_that_does_not_work_is_said() -> None:
    with pytest.raises(EnvironmentProblem, match="PyTorch cannot use the device cuda") as caught:
        DeviceCrepe(crepe_network.load("tiny"), "cuda:99")
    assert "CUDA_VISIBLE_DEVICES" in caught.value.help
