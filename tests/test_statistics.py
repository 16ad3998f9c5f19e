from math import comb

import numpy as np
import pytest
from scipy import stats

from madem.studies._statistics import median_interval, wilson_interval
from statistical import assert_rate


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


def test_an_interval_of_the_median_is_closed_by_order_statistics():
    assert median_interval([3.0, 1.0, 2.0, 5.0, 4.0]) == (3.0, 1.0, 5.0, 0.9375)
    assert median_interval([7.0]) == (7.0, 7.0, 7.0, 0.0)
    median, low, high, coverage = median_interval([float(n) for n in range(1, 21)])
    assert (median, low, high) == (10.5, 6.0, 15.0)
    np.testing.assert_allclose(coverage, 1 - 2 * stats.binom.cdf(5, 20, 0.5))


def test_such_intervals_hold_the_median_as_often_as_they_say():
    random = np.random.default_rng(0)
    trials, inside, coverage = 4000, 0, 0.0
    for values in random.exponential(size=(trials, 9)):
        _, low, high, coverage = median_interval(values.tolist())
        inside += low <= np.log(2) <= high
    assert_rate(inside, trials, coverage)
