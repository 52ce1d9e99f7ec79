"""How near waveforms come, against the definition."""

import numpy as np
import pytest

from grader.tells.alignment import MAX_LAG_SAMPLES, align, spectrum
from tests.tells.making import voice


def si_sdr_db(reference: np.ndarray, estimate: np.ndarray) -> float:
    """As Le Roux et al. (2019) write it."""
    reference, estimate = reference.astype(np.float64), estimate.astype(np.float64)
    scaled = (estimate @ reference) / (reference @ reference) * reference
    return float(10 * np.log10((scaled @ scaled) / ((estimate - scaled) @ (estimate - scaled))))


def test_it_is_the_definition_at_the_best_of_all_lags() -> None:
    random = np.random.default_rng(1)
    one, other = random.normal(size=(2, 3000)).astype(np.float32)
    other[40:] += 0.5 * one[:-40]
    best = max(
        (si_sdr_db(one[max(0, -lag) : 3000 - max(0, lag)], other[max(0, lag) : 3000 + min(0, lag)]), lag)
        for lag in range(-MAX_LAG_SAMPLES, MAX_LAG_SAMPLES + 1)
    )
    found = align(spectrum(one, 3000), spectrum(other, 3000))
    assert found is not None
    assert found.lag_samples == best[1] == 40
    assert found.si_sdr_db == pytest.approx(best[0], abs=1e-4)


@pytest.mark.parametrize("lag", [-600, -599, -1, 0, 1, 37, 600])
@pytest.mark.parametrize("gain", [1.0, -0.01])
def test_delay_gain_and_polarity_do_not_matter(lag: int, gain: float) -> None:
    audio = voice(1)
    late = np.concatenate([np.zeros(max(0, lag), np.float32), gain * audio[max(0, -lag) :]])
    samples = len(audio) + 600
    one, other = spectrum(audio, samples), spectrum(late, samples)
    there, back = align(one, other), align(other, one)
    assert there is not None
    assert back is not None
    assert (there.lag_samples, back.lag_samples) == (lag, -lag)
    assert min(there.si_sdr_db, back.si_sdr_db) > 60


def test_noise_20_db_below_gives_20_db() -> None:
    audio = voice(2)
    noise = np.random.default_rng(0).normal(size=len(audio)).astype(np.float32)
    noise *= 0.1 * np.linalg.norm(audio) / np.linalg.norm(noise)
    found = align(spectrum(audio, len(audio)), spectrum(audio + noise, len(audio)))
    assert found is not None
    assert found.si_sdr_db == pytest.approx(20, abs=0.1)


def test_beyond_the_lags_nothing_is_found() -> None:
    audio = np.random.default_rng(3).normal(size=20_000).astype(np.float32)
    late = np.concatenate([np.zeros(700, np.float32), audio])
    found = align(spectrum(audio, 21_000), spectrum(late, 21_000))
    assert found is not None
    assert found.si_sdr_db < -15


def test_silence_short_and_equal_signals() -> None:
    audio = voice(4)
    quiet = np.zeros(1000, np.float32)
    assert align(spectrum(audio, 40_000), spectrum(quiet, 40_000)) is None
    assert align(spectrum(quiet[:0], 40_000), spectrum(audio, 40_000)) is None
    same = align(spectrum(audio, 40_000), spectrum(audio, 40_000))
    assert same is not None
    assert (same.si_sdr_db, same.lag_samples) == (120.0, 0)
    with pytest.raises(ValueError, match="different lengths"):
        align(spectrum(audio, 40_000), spectrum(audio, 50_000))
