"""Quality points from one metric or several: straight lines between the rubric's anchors, flat outside.

Lower is better for every metric, so percent must rise as the score falls. An anchor may be a baseline's own score on
this course's clips; where that puts the anchors out of order (a Griffin-Lim often beats a GAN in M-STFT), grading
stops with an error that names them. Grades are never inverted silently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from grader import rubric as rubrics
from grader.errors import CourseError
from grader.grades.numbers import hundredths, plain, score
from grader.metrics.scores import Scores
from grader.rubric import Rubric


def baseline_label(name: str) -> str:
    """A baseline's name as it is shown: ``griffin_lim`` → ``Griffin-Lim``."""
    return {"griffin_lim": "Griffin-Lim", "hifigan": "HiFi-GAN"}.get(name, name)


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
        return f"{self.where(value)}: {plain(percent)} % of {plain(most)} quality points = {points:.2f}."

    def where(self, value: float) -> str:
        """Between which anchors ``value`` lies."""
        said = f"{self.label} {score(value)}"
        best, worst = self.anchors[0], self.anchors[-1]
        if value <= best.score:
            return f"{said} is at or below (better than) the best anchor, {best.name}"
        if value >= worst.score:
            return f"{said} is at or above (worse than) the last anchor, {worst.name}"
        low, high = next((low, high) for low, high in pairwise(self.anchors) if low.score < value <= high.score)
        return (
            f"{said} lies between {low.name}, which earns {plain(low.percent)} %, "
            f"and {high.name}, which earns {plain(high.percent)} %"
        )


@dataclass(frozen=True)
class Scale:
    """Percent of the quality points by one metric or several; made by :func:`scale`.

    weights: of the curves, in the same order; they need not add up to 1.
    """

    curves: tuple[Curve, ...]
    weights: tuple[float, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(line.metric for line in self.curves)

    def percent(self, values: Mapping[str, float]) -> float:
        """0 … 100 from the numbers by metric, never rising with any of them. Raises KeyError where one is missing."""
        if len(self.curves) == 1:
            return self.curves[0].percent(values[self.curves[0].metric])
        shares = [
            weight * line.percent(values[line.metric]) for line, weight in zip(self.curves, self.weights, strict=True)
        ]
        return hundredths(min(math.fsum(shares) / math.fsum(self.weights), 100.0))

    def why(self, values: Mapping[str, float], most: float) -> str:
        """The sentence that explains the points of a hand-in, out of ``most``."""
        if len(self.curves) == 1:
            return self.curves[0].why(values[self.curves[0].metric], most)
        percent = self.percent(values)
        each = [
            f"{line.where(values[line.metric])}: {plain(line.percent(values[line.metric]))} %" for line in self.curves
        ]
        whole = math.fsum(self.weights)
        terms = " + ".join(
            f"{plain(100 * weight / whole)} % × {plain(line.percent(values[line.metric]))} %"
            for line, weight in zip(self.curves, self.weights, strict=True)
        )
        points = hundredths(most * percent / 100)
        return f"{'; '.join(each)}. {terms} = {plain(percent)} % of {plain(most)} quality points = {points:.2f}."


def scale(rubric: Rubric, baselines: Mapping[str, Scores]) -> Scale:
    """The curves that the rubric names, by the ranking metric alone or by several. Raises as :func:`curve` does."""
    if rubric.points.metrics is None:
        return Scale((curve(rubric, baselines),), (1.0,))
    lines = tuple(
        _curve(each.metric, each.anchors, f"points.metrics: {each.metric}", baselines) for each in rubric.points.metrics
    )
    return Scale(lines, tuple(each.weight for each in rubric.points.metrics))


def curve(rubric: Rubric, baselines: Mapping[str, Scores]) -> Curve:
    """The rubric's anchors in the ranking metric with the baselines' scores of this course put in.

    Raises :class:`CourseError` where an anchor names no baseline there is, where that baseline has no number in the
    metric, or where a worse score would earn more than a better one.
    """
    return _curve(rubric.metrics.rank_by, rubric.points.anchors or [], "points.anchors", baselines)


def _curve(metric: str, given: Sequence[rubrics.Anchor], where: str, baselines: Mapping[str, Scores]) -> Curve:
    label = metric_label(metric, next((scores.fad_name for scores in baselines.values()), "FAD"))
    anchors = [_resolve(anchor.score, anchor.percent, metric, label, where, baselines) for anchor in given]
    anchors.sort(key=lambda anchor: (anchor.score, -anchor.percent))
    wrong = [
        _contradiction(better, worse)
        for index, better in enumerate(anchors)
        for worse in anchors[index + 1 :]
        if better.percent < worse.percent or (better.score == worse.score and better.percent != worse.percent)
    ]
    if wrong:
        raise CourseError(
            f"rubric.yaml: {where}: on these clips the anchors contradict each other in {label}, "
            f"where lower is better: {'; '.join(wrong)}",
            help=f"these anchors are scores in {label}: give one of the two another score or percent so that percent "
            "rises as the score falls, for instance a plain number in place of the baseline, or take another metric "
            "(metrics.rank_by, points.metrics); the scores are kept, only the grades wait",
        )
    return Curve(metric, label, tuple(anchors))


def _contradiction(better: Anchor, worse: Anchor) -> str:
    percents = f"{plain(better.percent)} % and {plain(worse.percent)} %"
    if better.score == worse.score:
        return f"{better.name} and {worse.name} are the same score but earn {percents}"
    return f"{better.name} is better than {worse.name}, but they earn {percents}"


def _resolve(
    given: float | str, percent: float, metric: str, label: str, where: str, baselines: Mapping[str, Scores]
) -> Anchor:
    if not isinstance(given, str):
        return Anchor(float(given), percent)
    name, _, times = given.partition(" * ")
    try:
        factor = float(times) if times else 1.0
    except ValueError:
        raise CourseError(
            f"rubric.yaml: {where}: {times!r} in {given!r} is not a number", help="write it as griffin_lim * 1.5"
        ) from None
    if name not in baselines:
        raise CourseError(
            f"rubric.yaml: {where}: there is no baseline {name!r} here; scored are "
            f"{', '.join(sorted(baselines)) or 'none'}",
            help="name one of those, or write a number",
        )
    value = baselines[name].of(metric)
    if value is None:
        raise CourseError(
            f"rubric.yaml: {where}: {given!r} has no value: {baseline_label(name)} got no {label} here",
            help="write a number in its place, or rank by another metric (metrics.rank_by)",
        )
    return Anchor(value * factor, percent, name, factor)
