"""How numbers of a grade are rounded and written, the same in every sentence and table."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def hundredths(value: float) -> float:
    """``value`` rounded half up to two decimals.

    Every step of a grade is rounded like this before the next one uses it, so that what is shown adds up by hand.
    Rounding keeps order: a larger value never becomes the smaller one.
    """
    return float(Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def plain(value: float) -> str:
    """At most two decimals, no trailing zeros: 20.0 → ``20``, 39.5 → ``39.5``."""
    text = f"{hundredths(value):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def score(value: float) -> str:
    """A metric's number with four decimals."""
    return f"{value:.4f}"
