"""Fréchet distance between two sets of embeddings, and its standard error.

‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), means and covariances (ddof 1) over patches, all in float64: Kilgour et al.,
"Fréchet Audio Distance" (2019), computed as the course does. An embedding of one clip has shape (patches, dimensions).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

VERSION = 2

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
    """distance: over all patches. stderr: its jackknife standard error over clips, None below three clips.

    left_out: the distance without each clip (on both sides) in turn, empty where there is no stderr.
    """

    distance: float
    stderr: float | None
    patches: int
    reference_patches: int
    left_out: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Side:
    """The references, the same for every prediction: moments about the origin, and roots of covariances.

    moments, roots: of all clips (the first), and of all but each clip in turn.
    """

    origin: Matrix
    moments: tuple[Moments, ...]
    gaussians: tuple[tuple[Matrix, Matrix] | None, ...]
    roots: tuple[Matrix | None, ...]


_prepared: dict[bytes, _Side] = {}


def _prepare(references: Sequence[Embedding]) -> _Side:
    """Kept from call to call: a class of students has the same references."""
    digest = hashlib.sha256(repr([(len(each), each.dtype.str) for each in references]).encode())
    for each in references:
        digest.update(each.tobytes())
    key = digest.digest()
    if key not in _prepared:
        origin = np.concatenate(references).mean(axis=0, dtype=np.float64)
        clips = tuple(Moments.of(embedding, origin) for embedding in references)
        whole = sum(clips[1:], start=clips[0])
        moments = (whole, *(whole - each for each in clips))
        gaussians = tuple(each.gaussian() if each.count > 1 else None for each in moments)
        roots = tuple(None if each is None else _root(each[1]) for each in gaussians)
        if len(_prepared) > 3:
            _prepared.clear()
        _prepared[key] = _Side(origin, moments, gaussians, roots)
    return _prepared[key]


def frechet_score(predictions: Sequence[Embedding], references: Sequence[Embedding]) -> FrechetScore:
    """The distance between the patches of all predictions and of all references, clip by clip in the same order.

    The jackknife leaves each clip out on both sides. Raises ValueError where a side has fewer than two patches, or
    the numbers of clips differ.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions and {len(references)} references")
    if any(sum(map(len, side)) < 2 for side in (predictions, references)):
        raise ValueError("fewer than two patches")
    side = _prepare(references)
    clips = [Moments.of(embedding, side.origin) for embedding in predictions]
    whole = sum(clips[1:], start=clips[0])
    distance = _between(whole, side, 0)
    left_out: tuple[float, ...] = ()
    without = [whole - each for each in clips]
    if len(clips) > 2 and all(min(a.count, b.count) > 1 for a, b in zip(without, side.moments[1:], strict=True)):
        left_out = tuple(_between(each, side, index) for index, each in enumerate(without, 1))
    stderr = jackknife_stderr(left_out) if left_out else None
    return FrechetScore(distance, stderr, whole.count, side.moments[0].count, left_out)


def _between(prediction: Moments, side: _Side, index: int) -> float:
    """The distance from the references without clip ``index`` (from 1; with 0 from all).

    Where both covariances have full rank, the eigenvalues of Σ₂^½ Σ₁ Σ₂^½ are precise enough and the cheapest.
    """
    reference, gaussian, root = side.moments[index], side.gaussians[index], side.roots[index]
    assert gaussian is not None
    assert root is not None
    mean, covariance = prediction.gaussian()
    if min(prediction.count, reference.count) <= len(mean) or index == 0:
        return frechet_distance(mean, covariance, *gaussian)
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ covariance @ root), 0, None)).sum()
    difference = mean - gaussian[0]
    return max(0.0, float(difference @ difference + np.trace(covariance) + np.trace(gaussian[1]) - 2 * shared))


def jackknife_stderr(left_out: Sequence[float]) -> float:
    """The standard error from the n values that leave one of n out each (Efron and Stein, 1981)."""
    values = np.asarray(left_out)
    return float(np.sqrt((len(values) - 1) * values.var()))
