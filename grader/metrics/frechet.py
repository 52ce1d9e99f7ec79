"""Fréchet distance between two sets of embeddings, and its standard error.

‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), means and covariances (ddof 1) over patches, all in float64: Kilgour et al.,
"Fréchet Audio Distance" (2019), computed as the course does. An embedding of one clip has shape (patches, dimensions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

VERSION = 1

Matrix = npt.NDArray[np.float64]
Embedding = npt.NDArray[np.float32]


def frechet_distance(mean_a: Matrix, cov_a: Matrix, mean_b: Matrix, cov_b: Matrix) -> float:
    """The squared Fréchet distance between two Gaussians, never negative and never complex.

    Tr (Σ₁Σ₂)^½ is the sum of the roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which are the squared singular values of
    Σ₂^½ Σ₁^½. Taken from the latter they keep full precision where a covariance is rank-deficient.
    """
    shared = np.linalg.svd(_root(cov_b) @ _root(cov_a), compute_uv=False).sum()
    difference = mean_a - mean_b
    return max(0.0, float(difference @ difference + np.trace(cov_a) + np.trace(cov_b) - 2 * shared))


def _root(covariance: Matrix) -> Matrix:
    """The symmetric square root; eigenvalues that rounding made negative count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    root: Matrix = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root


@dataclass(frozen=True)
class Moments:
    """Sums over patches: how many, of the vectors (dimensions,), and of their outer products (dimensions, dimensions).

    Moments of several clips add up, and a clip is left out by subtraction.
    """

    count: int
    total: Matrix
    outer: Matrix

    @classmethod
    def of(cls, embedding: npt.NDArray[np.floating], origin: Matrix) -> Moments:
        """Moments about ``origin``, which must be the same for all that are added; near the mean, nothing cancels."""
        centred = np.asarray(embedding, dtype=np.float64) - origin
        return cls(len(centred), centred.sum(axis=0), centred.T @ centred)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.count - other.count, self.total - other.total, self.outer - other.outer)

    def gaussian(self) -> tuple[Matrix, Matrix]:
        """Mean (about the origin) and covariance (ddof 1); needs two patches."""
        mean = self.total / self.count
        return mean, (self.outer - self.count * np.outer(mean, mean)) / (self.count - 1)


@dataclass(frozen=True)
class FrechetScore:
    """distance: over all patches. stderr: its jackknife standard error over clips, None below three clips."""

    distance: float
    stderr: float | None
    patches: int
    reference_patches: int


def frechet_score(predictions: Sequence[Embedding], references: Sequence[Embedding]) -> FrechetScore:
    """The distance between the patches of all predictions and of all references, clip by clip in the same order.

    The jackknife leaves each clip out on both sides. Raises ValueError where a side has fewer than two patches, or
    the numbers of clips differ.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions and {len(references)} references")
    sides = (predictions, references)
    if any(sum(map(len, side)) < 2 for side in sides):
        raise ValueError("fewer than two patches")
    origin = np.concatenate(references).mean(axis=0, dtype=np.float64)
    clips = [[Moments.of(embedding, origin) for embedding in side] for side in sides]
    prediction, reference = (sum(side[1:], start=side[0]) for side in clips)

    def between(a: Moments, b: Moments) -> float:
        return frechet_distance(*a.gaussian(), *b.gaussian())

    left_out = [(prediction - a, reference - b) for a, b in zip(*clips, strict=True)]
    stderr = None
    if len(left_out) > 2 and all(min(a.count, b.count) > 1 for a, b in left_out):
        stderr = jackknife_stderr([between(a, b) for a, b in left_out])
    return FrechetScore(between(prediction, reference), stderr, prediction.count, reference.count)


def jackknife_stderr(left_out: Sequence[float]) -> float:
    """The standard error from the n values that leave one of n out each (Efron and Stein, 1981)."""
    values = np.asarray(left_out)
    return float(np.sqrt((len(values) - 1) * values.var()))
