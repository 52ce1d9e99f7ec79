"""The fast network against the plain one, whatever signal and weights; and that blocks and threads do not matter."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from grader.metrics import crepe, crepe_fast, crepe_network
from grader.metrics.crepe_engine import BLOCK_FRAMES, BuiltinEngine
from grader.metrics.crepe_fast import FastCrepe
from tests.metrics.test_crepe import random_weights


def singing(samples: int) -> np.ndarray:
    """Harmonics that glide, breath, and a pause; whole numbers of the 16-bit range."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / 16000
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (np.sin(3 * time) / 2)) / 16000
    audio = sum(np.sin(n * phase) / n for n in range(1, 8)) * (np.sin(7 * time) > -0.6) + rng.normal(0, 0.01, samples)
    return np.trunc(audio * 8000).astype(np.float32)


def length(frames: int) -> int:
    return 160 * (frames - 1) + 1024


def plainly(network: crepe_network.Crepe, samples: np.ndarray) -> np.ndarray:
    frames = sliding_window_view(samples, 1024)[::160]
    mean, deviation = crepe.mean_and_deviation(frames)
    return network(torch.from_numpy((frames - mean) / deviation)).numpy()


@pytest.mark.parametrize("capacity", crepe.PACKAGED)
@pytest.mark.parametrize("frames", [1, 2, 7, 32])
def test_equals_the_plain_network(capacity: crepe.Capacity, frames: int) -> None:
    network = crepe_network.load(capacity)
    samples = singing(20000)[3000 : 3000 + length(frames)]
    assert np.abs(FastCrepe(network)(samples) - plainly(network, samples)).max() < 3e-6


@pytest.mark.parametrize("capacity", ["tiny", "small", "medium", "large"])
def test_equals_the_plain_network_with_scales_of_either_sign(capacity: crepe.Capacity) -> None:
    """Trained or not: with random weights activations are all over 0 … 1."""
    network = crepe_network.Crepe(capacity, random_weights(capacity))
    samples = singing(20000)[: length(4)]
    plain = plainly(network, samples)
    assert plain.min() < 0.1
    assert plain.max() > 0.9
    assert np.abs(FastCrepe(network)(samples) - plain).max() < 1e-5


SIGNALS = {
    "silence": np.zeros(20000),
    "constant": np.full(20000, 700.0),
    "full scale": 32767 * np.sign(singing(20000)),
    "one unit of noise": np.random.default_rng(0).integers(-1, 2, 20000),
    "a click in silence": np.eye(1, 20000, 2000)[0] * 30000,
    "starts": singing(20000) * (np.arange(20000) > 3000),
    "stops at once on a constant": np.where(np.arange(20000) < 3000, singing(20000), 5000),
    "quiet singing far from zero": np.trunc(singing(20000) / 100) + 9000,
    "nearly nothing far from zero": np.random.default_rng(0).integers(20000, 20002, 20000),
    "loud, then nearly nothing far from zero": np.where(
        np.arange(20000) < 3000, singing(20000), np.random.default_rng(0).integers(20000, 20002, 20000)
    ),
    "a slow ramp": np.arange(20000) // 4,
    "nearly nothing on two levels": np.random.default_rng(0).integers(0, 2, 20000) + 20000 * (np.arange(20000) > 3000),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_equals_the_plain_network_on_hard_signals(name: str) -> None:
    network = crepe_network.load("tiny")
    samples = SIGNALS[name].astype(np.float32)[: length(32)]
    assert np.abs(FastCrepe(network)(samples) - plainly(network, samples)).max() < 5e-6


def test_goes_the_plain_way_where_digits_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    network = crepe_network.load("tiny")
    samples = SIGNALS["nearly nothing on two levels"].astype(np.float32)[: length(32)]
    monkeypatch.setattr(crepe_fast, "_MAX_OFFSET", np.inf)
    assert np.abs(FastCrepe(network)(samples) - plainly(network, samples)).max() > 1e-5


@pytest.fixture(scope="module")
def engine() -> BuiltinEngine:
    return BuiltinEngine("tiny")


@pytest.fixture
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 160 * 31, 160 * 32, 40000])
def test_engine_has_every_frame(engine: BuiltinEngine, samples: int) -> None:
    signal = singing(samples)
    first, activations = engine.activations(signal)
    assert first == 0
    assert activations.shape == (crepe.frame_count(samples), 360)
    mean, deviation = crepe.mean_and_deviation(crepe.raw_frames(signal))
    frames = torch.from_numpy((crepe.raw_frames(signal) - mean) / deviation)
    assert np.abs(activations - crepe_network.load("tiny")(frames).numpy()).max() < 3e-6


def test_frames_do_not_depend_on_what_follows_them(engine: BuiltinEngine) -> None:
    """To the last bit: a block is computed alone."""
    whole, start = engine.activations(singing(40000))[1], engine.activations(singing(40000)[:25000])[1]
    alike = (25000 - 512) // 160 // BLOCK_FRAMES * BLOCK_FRAMES
    np.testing.assert_array_equal(start[:alike], whole[:alike])


@pytest.mark.parametrize("first_frame", [0, 1, 31, 32, 33, 200, 250])
def test_can_begin_later(engine: BuiltinEngine, first_frame: int) -> None:
    whole = engine.activations(singing(40000))[1]
    first, end = engine.activations(singing(40000), first_frame)
    assert first_frame - BLOCK_FRAMES < first <= first_frame
    np.testing.assert_array_equal(end, whole[first:])


@pytest.mark.usefixtures("_threads")
def test_threads_change_no_bit(engine: BuiltinEngine) -> None:
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(engine.activations(singing(40000))[1])
        assert torch.get_num_threads() == threads, "the setting is left as it was"
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
