"""The resampler's properties; that it equals torchaudio's is tested through the mels and pitch scores."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.audio.resample import resample

RATES = [(48000, 22050), (22050, 16000), (16000, 22050), (24000, 22050), (44100, 22050), (8000, 16000)]


def tone(frequency_hz: float, rate_hz: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(int(seconds * rate_hz))).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3000), st.sampled_from(RATES))
def test_length(samples: int, rates: tuple[int, int]) -> None:
    from_hz, to_hz = rates
    resampled = resample(np.ones(samples, dtype=np.float32), from_hz, to_hz)
    assert resampled.shape == (math.ceil(samples * to_hz / from_hz),)
    assert resampled.dtype == np.float32


def test_same_rate_changes_nothing() -> None:
    audio = tone(440, 22050)
    np.testing.assert_array_equal(resample(audio, 22050, 22050), audio)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_keeps_a_tone(from_hz: int, to_hz: int) -> None:
    inside = slice(200, -200)
    resampled = resample(tone(1000, from_hz), from_hz, to_hz)
    np.testing.assert_allclose(resampled[inside], tone(1000, to_hz)[: len(resampled)][inside], atol=2e-3)


def test_removes_what_the_new_rate_cannot_hold() -> None:
    assert np.abs(resample(tone(15000, 48000), 48000, 22050)[200:-200]).max() < 5e-3


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_is_linear_and_local(from_hz: int, to_hz: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 2000)).astype(np.float32)
    both = resample(a, from_hz, to_hz) + 2 * resample(b, from_hz, to_hz)
    np.testing.assert_allclose(resample(a + 2 * b, from_hz, to_hz), both, atol=1e-5)
    impulse = np.zeros(2000, dtype=np.float32)
    impulse[1000] = 1
    heard = np.flatnonzero(resample(impulse, from_hz, to_hz)) / to_hz
    assert np.abs(heard - 1000 / from_hz).max() < 10 / min(from_hz, to_hz)


def test_zeros_behind_change_only_the_end() -> None:
    audio = np.random.default_rng(0).uniform(-1, 1, 3000).astype(np.float32)
    alone, padded = (resample(x, 22050, 16000) for x in (audio, np.pad(audio, (0, 500))))
    np.testing.assert_allclose(padded[: len(alone)], alone, atol=1e-6)
