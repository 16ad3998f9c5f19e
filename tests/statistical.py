"""Assertions about random numbers, with stated confidence."""

import math


def assert_rate(successes: int, trials: int, expected: float) -> None:
    """Fail if a rate lies over 4 standard errors off (by chance 6 times in 100,000)."""
    error = math.sqrt(expected * (1 - expected) / trials)
    assert abs(successes / trials - expected) < 4 * error
