"""Fréchet distance: recorded and closed values, SciPy's matrix root, properties; the jackknife by brute force."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from grader.metrics.frechet import frechet_distance, frechet_score, jackknife_stderr
from tests.shared import SHARED, needs_shared


def gaussian(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return embedding.mean(axis=0, dtype=np.float64), np.cov(embedding.astype(np.float64), rowvar=False)


def samples(seed: int, patches: int, dimensions: int = 6, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, (patches, dimensions)) @ rng.normal(0, 1, (dimensions, dimensions))


@needs_shared
def test_the_recorded_distance_between_real_embeddings() -> None:
    generated, truth = (
        np.load(SHARED / f"golden/vggish_m4singer_{name}.npz")["embeddings"] for name in ("generated", "groundtruth")
    )
    means = generated.mean(axis=0), truth.mean(axis=0)  # in float32, as when it was recorded
    covariances = np.cov(generated, rowvar=False), np.cov(truth, rowvar=False)
    recorded = 7.021991454564555
    assert frechet_distance(means[0], covariances[0], means[1], covariances[1]) == pytest.approx(recorded, abs=1e-10)
    score = frechet_score([generated], [truth])
    assert score.distance == pytest.approx(recorded, abs=1e-5)
    assert (score.patches, score.reference_patches, score.stderr) == (6984, 6999, None)


def test_in_one_dimension_it_is_the_difference_of_means_and_deviations() -> None:
    one = np.eye(1)
    assert frechet_distance(np.array([1.0]), 9 * one, np.array([3.0]), 4 * one) == pytest.approx(4 + (3 - 2) ** 2)


def test_it_agrees_with_scipys_matrix_root_where_that_is_sound() -> None:
    (mean_a, cov_a), (mean_b, cov_b) = gaussian(samples(1, 400)), gaussian(samples(2, 300, shift=0.5))
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    expected = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(mean_a, cov_a, mean_b, cov_b) == pytest.approx(expected, rel=1e-10)


@given(seed=st.integers(0, 2**32 - 1), patches=st.integers(2, 40), scale=st.floats(1e-3, 1e3))
def test_symmetric_never_negative_and_zero_for_the_same(seed: int, patches: int, scale: float) -> None:
    a, b = gaussian(samples(seed, patches, dimensions=12)), gaussian(scale * samples(seed + 1, 20, dimensions=12))
    size = np.trace(a[1]) + np.trace(b[1]) + np.sum((a[0] - b[0]) ** 2)
    assert frechet_distance(*a, *b) >= 0
    assert frechet_distance(*a, *b) == pytest.approx(frechet_distance(*b, *a), abs=1e-7 * size)
    assert frechet_distance(*a, *a) == pytest.approx(0, abs=1e-12 * size)


def test_rank_deficient_covariances_of_known_distance() -> None:
    """Both on the same line through space: the roots add as on that line, whatever the other 127 dimensions hold."""
    direction = np.random.default_rng(0).normal(size=128)
    line = np.outer(direction, direction) / (direction @ direction)
    zero = np.zeros(128)
    assert frechet_distance(zero, 9 * line, zero, 4 * line) == pytest.approx(1, abs=1e-6)


def test_clips_add_up_to_the_distance_between_all_patches() -> None:
    predictions = [samples(seed, 3 + seed) for seed in range(5)]
    references = [samples(100 + seed, 4, shift=1) + 1000 for seed in range(5)]
    expected = frechet_distance(*gaussian(np.concatenate(predictions)), *gaussian(np.concatenate(references)))
    score = frechet_score(predictions, references)
    assert score.distance == pytest.approx(expected, rel=1e-9)
    assert (score.patches, score.reference_patches) == (25, 20)


def test_the_standard_error_leaves_each_clip_out_on_both_sides() -> None:
    predictions = [samples(seed, 3 + seed) for seed in range(6)]
    references = [samples(100 + seed, 4, shift=1) for seed in range(6)]
    left_out = [
        frechet_distance(
            *gaussian(np.concatenate(predictions[:n] + predictions[n + 1 :])),
            *gaussian(np.concatenate(references[:n] + references[n + 1 :])),
        )
        for n in range(6)
    ]
    expected = np.sqrt(5 / 6 * sum((value - np.mean(left_out)) ** 2 for value in left_out))
    assert frechet_score(predictions, references).stderr == pytest.approx(expected, rel=1e-7)


def test_the_jackknife_of_a_mean_is_its_textbook_standard_error() -> None:
    values = np.array([1.0, 4.0, 2.0, 8.0])
    left_out = [np.delete(values, n).mean() for n in range(4)]
    assert jackknife_stderr(left_out) == pytest.approx(values.std(ddof=1) / 2)


def test_two_clips_have_no_standard_error() -> None:
    clips = [samples(1, 4), samples(2, 4)]
    assert frechet_score(clips, clips).stderr is None


@pytest.mark.parametrize(
    ("predictions", "references", "said"),
    [
        ([samples(1, 1)], [samples(2, 5)], "fewer than two patches"),
        ([], [], "fewer than two patches"),
        ([samples(1, 3)], [], "1 predictions and 0 references"),
    ],
)
def test_too_little_to_compare(predictions: list[np.ndarray], references: list[np.ndarray], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        frechet_score(predictions, references)
