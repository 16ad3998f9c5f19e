"""Intervals of what was measured."""

import math
from collections.abc import Sequence
from typing import NamedTuple

_Z95 = 1.959964  # normal quantile of a two-sided 95 % interval


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a rate (Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
    rate = successes / trials
    centre = rate + _Z95**2 / (2 * trials)
    half = _Z95 * math.sqrt(rate * (1 - rate) / trials + _Z95**2 / (4 * trials**2))
    scale = 1 + _Z95**2 / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


class Median(NamedTuple):
    """A median and how well it is known."""

    median: float
    """Median of the values."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end."""
    coverage: float
    """Probability that such an interval holds the median of where the values come from."""


def median_interval(values: Sequence[float], confidence: float = 0.9) -> Median:
    """Median with the narrowest interval between order statistics that reaches a confidence.

    It assumes nothing of the distribution (Thompson, Ann. Math. Stat. 7, 122, 1936): the k-th
    smallest and the k-th largest of n values enclose the median with probability
    1 − 2 P(B < k), B binomial of n fair coins. All values have to serve if they are few: five
    reach 0.94.
    """
    ordered = sorted(values)
    n = len(ordered)
    outside, left_out = 2 * 0.5**n, 0
    while left_out + 1 < (n + 1) // 2:
        more = outside + 2 * math.comb(n, left_out + 1) * 0.5**n
        if 1 - more < confidence:
            break
        outside, left_out = more, left_out + 1
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return Median(middle, ordered[left_out], ordered[n - 1 - left_out], max(0.0, 1 - outside))
