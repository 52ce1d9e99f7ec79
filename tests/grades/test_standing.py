"""Intervals, bands and the first three: by brute force on small classes, at the rate they claim on simulated ones."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from grader.grades import standing
from grader.grades.ranking import ranks
from grader.metrics.frechet import frechet_distance, frechet_score
from grader.metrics.scores import ClipScore, Scores

CLIPS = 30


def scores(m_stft: np.ndarray, fad: float = 1.0, left_out: tuple[float, ...] = (), **changes: Any) -> Scores:
    clips = tuple(ClipScore(f"{n:03d}.wav", float(value), 2 * float(value), 400, 600) for n, value in enumerate(m_stft))
    mean = float(m_stft.mean())
    return Scores(mean, 2 * mean, fad, "FAD", 0.1, 180, 180, clips, fad_left_out=left_out, **changes)


def a_class(seed: int, students: int, spread: float = 0.1, clips: int = CLIPS) -> np.ndarray:
    """Shape (students, clips): clips are hard for everyone alike, students differ by 3 % from one to the next."""
    rng = np.random.default_rng(seed)
    hard = rng.gamma(16, 1 / 16, clips)
    return (
        np.linspace(1.2, 1.2 * (1 + 0.03 * students), students)[:, None]
        * hard
        * rng.gamma(1 / spread**2, spread**2, (students, clips))
    )


def test_the_bootstrap_is_what_one_gets_by_resampling_clip_by_clip() -> None:
    values = a_class(1, 6, clips=12)
    weights = standing._weights(12)
    lists = [np.repeat(np.arange(12), np.round(row * 12).astype(int)) for row in weights]
    assert all(len(drawn) == 12 for drawn in lists)
    low, high = standing.studentised_intervals(values)
    for row, below, above in zip(values, low, high, strict=True):
        error = row.std(ddof=1) / math.sqrt(12)
        students = []
        for drawn in lists:
            sample = row[drawn]
            deviation = sample.std() / math.sqrt(11)
            students.append((sample.mean() - row.mean()) / deviation if deviation > 1e-9 * error else 0.0)
        quantiles = np.quantile(students, [0.025, 0.975])
        assert (below, above) == pytest.approx((row.mean() - quantiles[1] * error, row.mean() - quantiles[0] * error))

    level = scipy.stats.norm.cdf(math.sqrt(12 / 11) * scipy.stats.t.ppf(0.025, 11))
    lowest, highest = math.floor(level * 1999), math.ceil((1 - level) * 1999)
    apart = standing.separated(values, resampled=True)
    for one, other in itertools.product(range(6), repeat=2):
        difference = values[one] - values[other]
        resampled = sorted(difference[drawn].mean() for drawn in lists)
        wanted = 1 if resampled[lowest] > 0 else -1 if resampled[highest] < 0 else 0
        assert apart[one, other] == wanted
    assert 0 < (apart == 0).sum() < 36 - 6  # the class has both


def test_the_jackknife_of_distances_is_that_of_recomputed_ones() -> None:
    rng = np.random.default_rng(2)
    references = [rng.normal(0, 1, (6, 4)) for _ in range(8)]
    students = {
        name: [rng.normal(shift, scale, (6, 4)) for _ in range(8)]
        for name, shift, scale in (("R1", 0.2, 1.0), ("R2", 0.25, 1.0), ("R3", 2.0, 1.5))
    }

    def brute(clips: list[np.ndarray], without: int | None) -> float:
        kept = [index for index in range(8) if index != without]
        sides = [np.concatenate([side[index] for index in kept]) for side in (clips, references)]
        gaussians = [(each.mean(axis=0), np.cov(each, rowvar=False)) for each in sides]
        return frechet_distance(*gaussians[0], *gaussians[1])

    found = {}
    for name, clips in students.items():
        score = frechet_score(clips, references)
        assert score.left_out == pytest.approx([brute(clips, index) for index in range(8)], rel=1e-9)
        found[name] = scores(np.ones(8), score.distance, score.left_out)
    shares = standing.contributions(found, list(found), "fad")
    assert shares is not None
    apart = standing.separated(shares, resampled=False)
    t = scipy.stats.t.ppf(0.975, 7)
    for (i, one), (j, other) in itertools.combinations(enumerate(students), 2):
        whole = brute(students[one], None) - brute(students[other], None)
        without = [brute(students[one], n) - brute(students[other], n) for n in range(8)]
        error = math.sqrt(7 / 8 * sum((each - np.mean(without)) ** 2 for each in without))
        assert apart[i, j] == (0 if abs(whole) <= t * error else np.sign(whole))
        assert apart[j, i] == -apart[i, j]
    assert apart[0, 1] == 0
    assert apart[0, 2] == -1
    interval = standing.intervals_of(found, "fad")["R1"]
    stderr = frechet_score(students["R1"], references).stderr
    assert stderr is not None
    assert interval.high == pytest.approx(brute(students["R1"], None) + t * stderr)


def lognormal(rng: np.random.Generator, size: Any) -> np.ndarray:
    return rng.lognormal(-0.125, 0.5, size)


def gamma(rng: np.random.Generator, size: Any) -> np.ndarray:
    return rng.gamma(16, 1 / 16, size)


@pytest.mark.parametrize(("draw", "seed"), [(gamma, 1), (lognormal, 2)], ids=["like M-STFT", "skewed like log2-F0"])
def test_the_intervals_hold_the_true_number_at_the_rate_they_claim(draw: Callable[..., np.ndarray], seed: int) -> None:
    """1500 students whose clips are drawn with mean 1: within 3 points of 95 %."""
    low, high = standing.studentised_intervals(draw(np.random.default_rng(seed), (1500, CLIPS)))
    assert ((low <= 1) & (high >= 1)).mean() == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("resampled", [True, False], ids=["bootstrap", "jackknife"])
def test_two_equal_students_are_told_apart_as_rarely_as_claimed(resampled: bool) -> None:
    """Pairs of equally good students over the same hard and easy clips: apart by chance in 5 %, within 3 points."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(30):
        hard = rng.lognormal(0, 0.3, CLIPS)
        shares = hard * rng.lognormal(-0.02, 0.2, (10, CLIPS))
        apart = standing.separated(shares, resampled=resampled)
        wrong += int((np.abs(apart).sum()) // 2)
    assert wrong / (30 * 45) == pytest.approx(0.05, abs=0.03)


def test_the_jackknifes_intervals_of_a_frechet_distance_hold_what_it_is_on_average() -> None:
    rng = np.random.default_rng(4)

    def clips(shift: float) -> list[np.ndarray]:
        return [rng.normal(shift, 0.3, (1, 3)) + rng.normal(0, 1, (5, 3)) for _ in range(CLIPS)]

    pairs = [(frechet_score(clips(0.6), clips(0.0))) for _ in range(200)]
    true = np.mean([each.distance for each in pairs])  # what this distance is on average with so many clips
    found = {f"R{n}": scores(np.ones(CLIPS), each.distance, each.left_out) for n, each in enumerate(pairs)}
    held = [each.low <= true <= each.high for each in standing.intervals_of(found, "fad").values()]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_bands_hold_the_rank_and_name_those_that_cannot_be_told_apart() -> None:
    values = a_class(5, 12)
    found = {f"R{n:02d}": scores(row) for n, row in enumerate(values)}
    standings, podium = standing.of_class(found, "m_stft")
    rank = ranks({name: float(row.mean()) for name, row in zip(found, values, strict=True)})
    for name, each in standings.items():
        assert each.first <= rank[name] <= each.last
        assert each.separable == (each.first == each.last)
        own = each.intervals["m_stft"]
        assert own.low < found[name].m_stft < own.high  # type: ignore[operator]
        assert 0 <= each.top_three <= 1
    assert any(not each.separable for each in standings.values())
    best = standings["R00"]
    assert best.band == f"1–{best.last}, not separable" if best.last > 1 else "1"
    assert podium is not None
    assert set(podium.students) == {name for name in rank if rank[name] <= 3}
    assert 0 < podium.same_three < 1
    assert sum(each.top_three for each in standings.values()) == pytest.approx(3)


def test_far_apart_is_sure_and_the_same_is_not() -> None:
    hard = np.linspace(0.8, 1.2, CLIPS)
    found = {
        "A": scores(hard),
        "B": scores(2 * hard),
        "C": scores(2 * hard),
        "D": scores(5 * hard),
        "E": scores(9 * hard),
    }
    standings, podium = standing.of_class(found, "m_stft")
    assert [(each.first, each.last) for each in standings.values()] == [(1, 1), (2, 3), (2, 3), (4, 4), (5, 5)]
    assert podium is not None
    assert (podium.students, podium.same_three, podium.same_first) == (("A", "B", "C"), 1.0, 1.0)
    assert [each.top_three for each in standings.values()] == [1, 1, 1, 0, 0]


def test_no_order_and_no_run_changes_anything() -> None:
    found = {f"R{n:02d}": scores(row) for n, row in enumerate(a_class(6, 8))}
    assert standing.of_class(dict(reversed(found.items())), "m_stft") == standing.of_class(found, "m_stft")
    standing._weights.cache_clear()
    again = standing.of_class(found, "m_stft")
    assert again == standing.of_class(found, "m_stft")


def test_clips_that_nobody_can_be_compared_on_are_left_out() -> None:
    values = a_class(7, 5)
    values[:, 4] = np.nan
    made = {}
    for name, row in zip("ABCDE", values, strict=True):
        clips = tuple(ClipScore(f"{n}.wav", None if np.isnan(v) else float(v), None, 0, 0) for n, v in enumerate(row))
        made[name] = Scores(float(np.nanmean(row)), None, None, "FAD", None, 0, 0, clips)
    standings, _ = standing.of_class(made, "m_stft")
    assert set(standings) == set("ABCDE")
    assert set(standings["A"].intervals) == {"m_stft"}
    assert standing.of_class({"A": made["A"]}, "fad") == ({}, None)


@pytest.mark.parametrize("freedom", [2, 3, 7, 10, 29, 200])
def test_students_t(freedom: int) -> None:
    assert standing.t_quantile(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), abs=1e-6)
