"""Quality points from a metric: straight lines between the rubric's anchors, flat outside.

Lower is better for every metric, so percent must rise as the score falls. An anchor may be a baseline's own score on
this course's clips; where that puts the anchors out of order (a Griffin-Lim often beats a GAN in M-STFT), grading
stops with an error that names them. Grades are never inverted silently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from grader.errors import CourseError
from grader.grades.numbers import hundredths, plain, score
from grader.metrics.scores import Scores
from grader.rubric import Rubric


def baseline_label(name: str) -> str:
    """A baseline's name as it is shown: ``griffin_lim`` → ``Griffin-Lim``."""
    return {"griffin_lim": "Griffin-Lim"}.get(name, name)


def metric_label(metric: str, fad_name: str) -> str:
    """A metric's name as it is shown; ``fad_name`` is ``FAD`` or, without VGGish, the name of what stands in."""
    return {"m_stft": "M-STFT", "log2_f0": "log2-F0", "fad": fad_name}[metric]


@dataclass(frozen=True)
class Anchor:
    """``score`` earns ``percent``. baseline, factor: where the score is from, or None and 1 for a plain number."""

    score: float
    percent: float
    baseline: str | None = None
    factor: float = 1.0

    @property
    def name(self) -> str:
        """``Griffin-Lim × 2 (4.4600)``, or the number."""
        if self.baseline is None:
            return score(self.score)
        factor = "" if self.factor == 1 else f" × {self.factor:g}"
        return f"{baseline_label(self.baseline)}{factor} ({score(self.score)})"


@dataclass(frozen=True)
class Curve:
    """Percent of the quality points by score; made by :func:`curve`. anchors: from the best score to the worst."""

    metric: str
    label: str
    anchors: tuple[Anchor, ...]

    def percent(self, value: float) -> float:
        """0 … 100, never rising with ``value``."""
        if math.isnan(value):
            raise ValueError("not a number")
        best, worst = self.anchors[0], self.anchors[-1]
        if value <= best.score:
            return hundredths(best.percent)
        for low, high in pairwise(self.anchors):
            if value <= high.score:
                share = (value - low.score) / (high.score - low.score)
                exact = low.percent + share * (high.percent - low.percent)
                return hundredths(min(max(exact, high.percent), low.percent))
        return hundredths(worst.percent)

    def why(self, value: float, most: float) -> str:
        """The sentence that explains the points of ``value``, out of ``most``."""
        percent = self.percent(value)
        points = hundredths(most * percent / 100)
        result = f"{plain(percent)} % of {plain(most)} quality points = {points:.2f}."
        said = f"{self.label} {score(value)}"
        best, worst = self.anchors[0], self.anchors[-1]
        if value <= best.score:
            return f"{said} is at or below (better than) the best anchor, {best.name}: {result}"
        if value >= worst.score:
            return f"{said} is at or above (worse than) the last anchor, {worst.name}: {result}"
        low, high = next((low, high) for low, high in pairwise(self.anchors) if low.score < value <= high.score)
        return (
            f"{said} lies between {low.name}, which earns {plain(low.percent)} %, "
            f"and {high.name}, which earns {plain(high.percent)} %: {result}"
        )


def curve(rubric: Rubric, baselines: Mapping[str, Scores]) -> Curve:
    """The rubric's anchors with the baselines' scores of this course put in.

    Raises :class:`CourseError` where an anchor names no baseline there is, where that baseline has no number in the
    ranking metric, or where a worse score would earn more than a better one.
    """
    metric = rubric.metrics.rank_by
    label = metric_label(metric, next((scores.fad_name for scores in baselines.values()), "FAD"))
    anchors = [_resolve(anchor.score, anchor.percent, metric, label, baselines) for anchor in rubric.points.anchors]
    anchors.sort(key=lambda anchor: (anchor.score, -anchor.percent))
    wrong = [
        _contradiction(better, worse)
        for index, better in enumerate(anchors)
        for worse in anchors[index + 1 :]
        if better.percent < worse.percent or (better.score == worse.score and better.percent != worse.percent)
    ]
    if wrong:
        raise CourseError(
            f"rubric.yaml: points.anchors: on these clips the anchors contradict each other in {label}, "
            f"where lower is better: {'; '.join(wrong)}",
            help=f"anchors are scores in {label}, the ranking metric: give one of the two another score or percent so "
            "that percent rises as the score falls, for instance a plain number in place of the baseline, or rank by "
            "another metric (metrics.rank_by); the scores are kept, only the grades wait",
        )
    return Curve(metric, label, tuple(anchors))


def _contradiction(better: Anchor, worse: Anchor) -> str:
    percents = f"{plain(better.percent)} % and {plain(worse.percent)} %"
    if better.score == worse.score:
        return f"{better.name} and {worse.name} are the same score but earn {percents}"
    return f"{better.name} is better than {worse.name}, but they earn {percents}"


def _resolve(given: float | str, percent: float, metric: str, label: str, baselines: Mapping[str, Scores]) -> Anchor:
    if not isinstance(given, str):
        return Anchor(float(given), percent)
    name, _, times = given.partition(" * ")
    try:
        factor = float(times) if times else 1.0
    except ValueError:
        raise CourseError(
            f"rubric.yaml: points.anchors: {times!r} in {given!r} is not a number", help="write it as griffin_lim * 1.5"
        ) from None
    if name not in baselines:
        raise CourseError(
            f"rubric.yaml: points.anchors: there is no baseline {name!r} here; scored are "
            f"{', '.join(sorted(baselines)) or 'none'}",
            help="name one of those, or write a number",
        )
    value = baselines[name].of(metric)
    if value is None:
        raise CourseError(
            f"rubric.yaml: points.anchors: {given!r} has no value: {baseline_label(name)} got no {label} here",
            help="write a number in its place, or rank by another metric (metrics.rank_by)",
        )
    return Anchor(value * factor, percent, name, factor)
