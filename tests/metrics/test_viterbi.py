"""The banded Viterbi against a plain one that tries every move, ties included."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.metrics.viterbi import viterbi_path

BINS = 360
index = np.arange(BINS)
weight = np.maximum(12 - np.abs(index[:, None] - index), 0)
transition = weight / weight.sum(axis=1, keepdims=True)
LOG_TRANSITION = np.array([[math.log(p) if p else -math.inf for p in row] for row in transition])
emission = np.eye(BINS) * 0.1 + np.ones((BINS, BINS)) * ((1 - 0.1) / BINS)
LOG_EMISSION = np.array([[math.log(p) for p in row] for row in emission])


def plain_viterbi(observed: list[int], tie: int = -1) -> list[int]:
    """As hmmlearn 0.3.3 writes it: the first of equal bins in the last frame, the last of them on the way back."""
    lattice = [math.log(1 / BINS) + LOG_EMISSION[:, observed[0]]]
    for seen in observed[1:]:
        best = [max(lattice[-1] + LOG_TRANSITION[:, j]) for j in range(BINS)]
        lattice.append(np.array(best) + LOG_EMISSION[:, seen])
    path = [int(np.flatnonzero(lattice[-1] == lattice[-1].max())[0])]
    for scores in lattice[-2::-1]:
        candidates = scores + LOG_TRANSITION[:, path[-1]]
        path.append(int(np.flatnonzero(candidates == candidates.max())[tie]))
    return path[::-1]


bins = st.integers(0, BINS - 1)
anything = st.lists(bins, min_size=1, max_size=12)
few_values = st.lists(st.sampled_from([0, 1, 11, 12, 13, 180, 191, 348, 359]), min_size=1, max_size=12)
melody = st.tuples(bins, st.lists(st.integers(-14, 14), max_size=11)).map(
    lambda start: np.clip(np.cumsum([start[0], *start[1]]), 0, BINS - 1).tolist()
)


@settings(max_examples=40, deadline=None)
@given(st.one_of(anything, few_values, melody))
def test_equals_the_plain_one(observed: list[int]) -> None:
    assert viterbi_path(np.array(observed)).tolist() == plain_viterbi(observed)


def test_equals_the_plain_one_over_a_longer_line() -> None:
    rng = np.random.default_rng(0)
    observed = np.clip(180 + np.cumsum(rng.integers(-3, 4, 150)), 0, BINS - 1)
    observed[rng.random(150) < 0.2] = 40
    path = viterbi_path(observed)
    assert path.tolist() == plain_viterbi(observed.tolist())
    assert np.abs(np.diff(path)).max() <= 11


def test_ties_are_met_and_matter() -> None:
    """From 100 to 115 through 107 is as likely as through 108."""
    observed = [100, 100, 115, 115]
    assert plain_viterbi(observed, tie=0) == [100, 100, 107, 115]
    assert viterbi_path(np.array(observed)).tolist() == plain_viterbi(observed) == [100, 100, 108, 115]
