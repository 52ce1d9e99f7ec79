"""M-STFT: the course's numbers, and what a distance must do."""

import json

import numpy as np
import pytest

from grader.audio import wav
from grader.metrics.m_stft import m_stft
from tests.shared import SHARED, needs_shared

SYSTEMS = {
    "GT": "ground_truth",
    "GTvoc": "systems/vocoded",
    "Diff": "systems/diffsinger",
    "GAN": "systems/gansinger",
    "FFT": "systems/fftsinger",
}


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)


@needs_shared
@pytest.mark.parametrize("line", range(1, 9))
def test_equals_the_course(line: int) -> None:
    assert SHARED is not None
    folder = SHARED / "singing/m4singer"
    golden = json.loads((SHARED / "golden/course_scores_full.json").read_text())
    reference = wav.load(folder / f"ground_truth/{line:03d}.flac")
    for system, name in SYSTEMS.items():
        prediction = wav.load(folder / f"{name}/{line:03d}.flac")
        expected = golden[f"{system}/{line}"]
        assert (len(prediction), len(reference)) == (expected["len_pred"], expected["len_gt"])
        assert m_stft(prediction, reference) == pytest.approx(expected["mstft"], abs=1e-6)


def test_identical_clips_are_at_zero(noise: np.ndarray) -> None:
    assert m_stft(noise, noise) == 0


def test_gain_is_seen_in_both_terms(noise: np.ndarray) -> None:
    """Half the amplitude: spectral convergence 1/2, log magnitude ln 2."""
    assert m_stft(noise / 2, noise) == pytest.approx(0.5 + np.log(2), abs=1e-4)
    assert m_stft(noise, noise / 2) == pytest.approx(1.0 + np.log(2), abs=1e-4), "relative to the second clip"


def test_the_shorter_is_padded_with_zeros(noise: np.ndarray) -> None:
    padded = np.pad(noise, (0, 3000))
    other = np.roll(padded, 17)
    assert m_stft(other, noise) == m_stft(other, padded)
    assert m_stft(noise, other) == m_stft(padded, other)


def test_takes_float64_and_leaves_no_gradient(noise: np.ndarray) -> None:
    assert m_stft(np.asarray(noise[::-1], dtype=np.float64), noise) == m_stft(noise[::-1], noise)


def test_a_silent_prediction_has_a_number(noise: np.ndarray) -> None:
    assert 1 < m_stft(np.zeros_like(noise), noise) < 20


def test_a_silent_reference_has_none(noise: np.ndarray) -> None:
    with pytest.raises(ValueError, match="the reference is silent"):
        m_stft(noise, np.zeros_like(noise))


def test_clips_shorter_than_a_window_have_none(noise: np.ndarray) -> None:
    with pytest.raises(ValueError, match="1024 samples are too few"):
        m_stft(noise[:10], noise[:1024])
    assert m_stft(noise[:10], noise[:1025]) > 0
