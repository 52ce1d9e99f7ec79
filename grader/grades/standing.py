"""How sure the ranks are: intervals, who can be told apart from whom, and the first three.

Everyone is scored on the same clips, so students are compared clip by clip: what makes a clip hard for all cancels.
M-STFT and log2-F0 are means over clips and are bootstrapped over clips, the same resamples for everyone; a student's
own interval is studentised (Efron and Tibshirani 1993, ch. 12), which holds its 95 % also with skewed clips, and the
interval of a difference is the percentile one, as much wider as Student's t is than the normal (Hesterberg 2015). A
Fréchet distance is no mean over clips: there the jackknife gives each clip's share, and the intervals are Student's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from grader.grades.ranking import ranks
from grader.grades.records import Interval, Podium, Standing
from grader.metrics.scores import Scores

Matrix = npt.NDArray[np.float64]

RESAMPLES = 2000
SEED = 20231101
METRICS = ("m_stft", "log2_f0", "fad")
_FEWEST_CLIPS = 3
_BEYOND_DOUBT = 7.0
"""Standard errors from which no percentile interval of a resampled mean can reach 0 (Cantelli's inequality)."""


def of_class(found: Mapping[str, Scores], metric: str) -> tuple[dict[str, Standing], Podium | None]:
    """The standing by ``metric`` of everyone in ``found``, and the first three; nothing where clips are too few."""
    names = sorted(found)
    values = {name: value for name in names if (value := found[name].of(metric)) is not None}
    shares = contributions(found, list(values), metric)
    if shares is None:
        return {}, None
    intervals = {each: intervals_of(found, each) for each in METRICS}
    apart = separated(shares, resampled=metric != "fad")
    means = _weights(shares.shape[1]) @ shares.T  # (resamples, students)
    third = np.sort(means, axis=1)[:, min(2, means.shape[1] - 1)]
    top_three = (means <= third[:, None]).mean(axis=0)
    standings = {}
    for index, name in enumerate(values):
        first = 1 + int((apart[index] > 0).sum())
        last = len(values) - int((apart[index] < 0).sum())
        own = {each: intervals[each][name] for each in METRICS if name in intervals[each]}
        standings[name] = Standing(first, last, first == last, float(top_three[index]), own)
    return standings, _podium(values, means)


def contributions(found: Mapping[str, Scores], names: list[str], metric: str) -> Matrix | None:
    """What each clip brings to each student's number, shape (students, clips); its mean over clips is the number.

    None where there are fewer than three clips or students' clips differ. Of a Fréchet distance these are the
    jackknife's pseudo-values, shifted so that their mean is the distance itself.
    """
    if not names:
        return None
    if metric == "fad":
        left_out = [found[name].fad_left_out for name in names]
        if len({len(each) for each in left_out}) != 1 or len(left_out[0]) < _FEWEST_CLIPS:
            return None
        without = np.array(left_out)
        distances = np.array([found[name].of("fad") for name in names])
        shares: Matrix = distances[:, None] - (without.shape[1] - 1) * (without - without.mean(axis=1, keepdims=True))
        return shares
    rows = [[clip.m_stft if metric == "m_stft" else clip.log2_f0 for clip in found[name].clips] for name in names]
    if len({len(row) for row in rows}) != 1:
        return None
    clips = np.array(rows, dtype=np.float64)
    clips = clips[:, ~np.isnan(clips).any(axis=0)]
    return clips if clips.shape[1] >= _FEWEST_CLIPS else None


def intervals_of(found: Mapping[str, Scores], metric: str) -> dict[str, Interval]:
    """The 95 % interval of each student's number in ``metric``, of those who have one."""
    names = [name for name in found if found[name].of(metric) is not None]
    shares = contributions(found, names, metric)
    if shares is None:
        return {}
    low, high = jackknife_intervals(shares) if metric == "fad" else studentised_intervals(shares)
    return {
        name: Interval(max(0.0, float(below)), float(above))
        for name, below, above in zip(names, low, high, strict=True)
    }


def studentised_intervals(shares: Matrix) -> tuple[Matrix, Matrix]:
    """Bootstrap-t intervals of the means of rows (students, clips)."""
    clips = shares.shape[1]
    mean, error = shares.mean(axis=1), shares.std(axis=1, ddof=1) / math.sqrt(clips)
    weights = _weights(clips)
    centred = shares - mean[:, None]
    means = weights @ centred.T
    errors = np.sqrt(np.maximum(weights @ (centred**2).T - means**2, 0) / (clips - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        students = np.where(errors > 1e-9 * error, means / errors, 0.0)
    low, high = np.quantile(students, [0.025, 0.975], axis=0)
    return mean - high * error, mean - low * error


def jackknife_intervals(shares: Matrix) -> tuple[Matrix, Matrix]:
    """Student's t intervals of rows whose mean is the number and whose spread is the jackknife's."""
    clips = shares.shape[1]
    mean, error = shares.mean(axis=1), shares.std(axis=1, ddof=1) / math.sqrt(clips)
    return mean - t_quantile(clips - 1) * error, mean + t_quantile(clips - 1) * error


def separated(shares: Matrix, *, resampled: bool) -> npt.NDArray[np.int8]:
    """Which rows differ for sure, shape (students, students): 1 where row i is worse than row j, −1 where better.

    Sure: the 95 % interval of the difference of their numbers, clip by clip, does not hold 0.
    """
    students, clips = shares.shape
    mean = shares.mean(axis=1)
    centred = shares - mean[:, None]
    products = centred @ centred.T
    spread = np.diag(products)
    variance = np.maximum(spread[:, None] + spread[None, :] - 2 * products, 0) / (clips - 1)
    difference = mean[:, None] - mean[None, :]
    error = np.sqrt(variance / clips)
    error[error < 1e-12 * np.abs(mean).max(initial=0.0)] = 0.0
    sign = np.sign(difference).astype(np.int8)
    if not resampled:
        return np.where(np.abs(difference) > t_quantile(clips - 1) * error, sign, 0).astype(np.int8)
    found = np.where(np.abs(difference) > _BEYOND_DOUBT * error, sign, 0).astype(np.int8)
    means = np.ascontiguousarray((_weights(clips) @ centred.T).T)  # (students, resamples)
    below = _expanded_level(clips)
    lowest, highest = math.floor(below * (RESAMPLES - 1)), math.ceil((1 - below) * (RESAMPLES - 1))
    for index in range(students):
        others = np.flatnonzero(found[index, index + 1 :] == 0) + index + 1
        if not len(others):
            continue
        resampled_differences = means[index] - means[others]
        zero = -difference[index, others, None]
        # the sign of the sorted differences at lowest and highest is all that matters, and counting tells it
        up_to_zero = np.count_nonzero(resampled_differences <= zero, axis=1)
        below_zero = np.count_nonzero(resampled_differences < zero, axis=1)
        decided = np.where(up_to_zero <= lowest, 1, np.where(below_zero > highest, -1, 0)).astype(np.int8)
        found[index, others], found[others, index] = decided, -decided
    return found


def _podium(values: Mapping[str, float], means: Matrix) -> Podium | None:
    """The first three and how sure they are; None where nobody is behind them."""
    names = list(values)
    rank = ranks(values)
    first = [name for name in sorted(names, key=lambda name: (rank[name], name)) if rank[name] <= 3]
    if len(first) >= len(names):
        return None
    chosen = np.isin(names, first)
    same = means[:, chosen].max(axis=1) < means[:, ~chosen].min(axis=1)
    best = np.isin(names, [name for name in names if rank[name] == 1])
    leads = means[:, best].min(axis=1) <= means[:, ~best].min(axis=1)
    return Podium(tuple(first), float(same.mean()), float(leads.mean()))


@cache
def _weights(clips: int) -> Matrix:
    """How often each resample takes each clip, as shares: (resamples, clips); always the same."""
    drawn = np.random.default_rng([SEED, clips]).multinomial(clips, np.full(clips, 1 / clips), size=RESAMPLES)
    weights = drawn / clips
    weights.setflags(write=False)
    return weights


def _expanded_level(clips: int) -> float:
    """The share of resamples below an interval that is as wide as Student's t asks, near 0.025 for many clips."""
    return NormalDist().cdf(-math.sqrt(clips / (clips - 1)) * t_quantile(clips - 1))


@cache
def t_quantile(freedom: int) -> float:
    """Student's t at 97.5 %, by bisection of its distribution (exact to 1e-6)."""
    low, high = 1.9, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_cdf(middle, freedom) < 0.975 else (low, middle)
    return low


def _t_cdf(t: float, freedom: int) -> float:
    """Student's distribution by its finite trigonometric sums (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    term = total = cosine if freedom % 2 else 1.0
    for step in range(3 if freedom % 2 else 2, freedom, 2):
        term *= cosine**2 * (step - 1) / step
        total += term
    if freedom == 1:
        return 0.5 + angle / math.pi
    return 0.5 + ((angle + sine * total) / math.pi if freedom % 2 else sine * total / 2)
