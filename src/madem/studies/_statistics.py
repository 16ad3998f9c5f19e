"""Intervals of measured rates."""

import math

_Z95 = 1.959964  # normal quantile of a two-sided 95 % interval


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a rate (Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
    rate = successes / trials
    centre = rate + _Z95**2 / (2 * trials)
    half = _Z95 * math.sqrt(rate * (1 - rate) / trials + _Z95**2 / (4 * trials**2))
    scale = 1 + _Z95**2 / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
