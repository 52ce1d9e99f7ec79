"""Ranks by one metric, lower first; equal scores share a rank and the next one skips (1, 2, 2, 4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping


def ranks(scores: Mapping[str, float]) -> dict[str, int]:
    """Rank by name: one more than the number of strictly better scores. Independent of the order of ``scores``."""
    ordered = sorted(scores.values())
    return {name: bisect_left(ordered, value) + 1 for name, value in scores.items()}
