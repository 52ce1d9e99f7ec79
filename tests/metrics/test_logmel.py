"""VGGish's front end against values of AudioSet's own code, and the embedding made from it."""

import math

import numpy as np
import pytest

from grader.metrics import logmel

RATE_HZ = 16000


def chirp(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return (0.3 * np.sin(2 * np.pi * (200 * t + 300 * t**2))).astype(np.float32)


def test_patches_of_a_chirp_are_audiosets() -> None:
    """Values printed by AudioSet's ``mel_features.py`` (float64) on this chirp minus its mean."""
    patches = logmel.patches(chirp(3), RATE_HZ)
    assert patches.shape == (3, 96, 64)
    assert patches.dtype == np.float32
    golden = {
        (0, 0, 0): 2.1476815499040467,
        (0, 50, 20): -4.272234327463956,
        (1, 95, 63): -4.603750116942107,
        (2, 10, 35): -4.406992855182517,
    }
    for place, value in golden.items():
        assert patches[place] == pytest.approx(value, abs=1e-4)
    assert (patches.mean(), patches.std()) == pytest.approx((-3.7999226546344005, 1.8150855561005665), abs=1e-5)


def test_one_frame_by_the_definition() -> None:
    """Frame 100, band 30, with the Fourier transform and the triangle written out."""
    audio = chirp(2)
    audio = audio - audio.mean()
    frame = [audio[100 * 160 + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400)) for n in range(400)]
    low, high = (1127 * math.log(1 + hz / 700) for hz in (125, 7500))
    left, centre, right = (low + (high - low) * edge / 65 for edge in (30, 31, 32))
    band = 0.0
    for k in range(1, 257):
        mel = 1127 * math.log(1 + k * 8000 / 256 / 700)
        weight = max(0.0, min((mel - left) / (centre - left), (right - mel) / (right - centre)))
        if weight:
            band += weight * abs(np.dot(frame, np.exp(-2j * np.pi * k * np.arange(400) / 512)))
    assert logmel.patches(chirp(2), RATE_HZ)[1, 4, 30] == pytest.approx(math.log(band + 0.01), abs=1e-4)


@pytest.mark.parametrize(("seconds", "patches"), [(0.01, 2), (1.9, 2), (2.0, 2), (2.89, 2), (2.9, 3), (6.0, 6)])
def test_how_many_patches(seconds: float, patches: int) -> None:
    assert len(logmel.patches(chirp(seconds), RATE_HZ)) == patches


def test_other_rates_are_resampled_and_a_constant_offset_does_not_count() -> None:
    same = logmel.patches(chirp(2.5, 22050) + 0.25, 22050)
    assert np.abs(same - logmel.patches(chirp(2.5), RATE_HZ))[:, :, :60].mean() < 0.02


def test_silence_is_the_log_of_the_offset() -> None:
    assert logmel.patches(np.zeros(48000, np.float32), RATE_HZ) == pytest.approx(math.log(0.01))


def test_the_embedding_is_mean_and_deviation_of_each_band() -> None:
    patches = logmel.patches(chirp(3), RATE_HZ).astype(np.float64)
    embedding = logmel.embed(chirp(3), RATE_HZ)
    assert embedding.shape == (3, 128)
    np.testing.assert_allclose(embedding[:, :64], patches.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(embedding[:, 64:] ** 2, ((patches**2).mean(1) - patches.mean(1) ** 2), atol=1e-5)
