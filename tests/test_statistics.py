from math import comb

import pytest

from madem.studies._statistics import wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (95, 100, 0.8882, 0.9785)],
)
def test_wilson_intervals_are_the_published_ones(successes, trials, low, high):
    found = wilson_interval(successes, trials)
    assert found == pytest.approx((low, high), abs=2e-4)


def test_intervals_cover_as_stated():
    # Exact coverage at p = 0.3, n = 50, summed over the binomial: near 95 %.
    covered = 0.0
    for k in range(51):
        low, high = wilson_interval(k, 50)
        if low <= 0.3 <= high:
            covered += comb(50, k) * 0.3**k * 0.7 ** (50 - k)
    assert 0.93 < covered < 0.97
