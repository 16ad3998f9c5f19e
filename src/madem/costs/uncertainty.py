"""What the ranges of the constants make of a result: bands by Monte Carlo, and a tornado."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from madem.costs.account import Values
from madem.costs.constants import Constant

_SHARE = 0.9
"""Probability that a constant lies within its range, and a result within its band."""
_Z = 1.6448536269514722
"""Normal quantile at 95 %."""


class Band(NamedTuple):
    """A result and the middle 90 % of its draws."""

    value: float
    """Of the best values."""
    low: float
    """5 % quantile."""
    high: float
    """95 % quantile."""


class Swing(NamedTuple):
    """A result with one constant at either end of its range."""

    name: str
    """The constant."""
    at_low: float
    """Result at its lower end."""
    at_high: float
    """Result at its upper end."""


def draws(
    constants: Mapping[str, Constant], number: int, seed: int
) -> dict[str, Float[np.ndarray, " draws"]]:
    """Independent draws of all constants, by name.

    The logarithm is normal on either side of the best value, each side as wide as puts 5 % beyond
    the end of the range: the best value is the median.
    """
    random = np.random.default_rng(seed)
    drawn = {}
    for name, constant in constants.items():
        z = random.standard_normal(number) / _Z
        down, up = (np.log(end / constant.value) for end in (constant.low, constant.high))
        drawn[name] = constant.value * np.exp(np.where(z < 0, -z * down, z * up))
    return drawn


def band(
    result: Callable[[Values], float | Float[np.ndarray, " draws"]],
    constants: Mapping[str, Constant],
    number: int = 4000,
    seed: int = 0,
) -> Band:
    """A result's value and 90 % band; `result` takes the constants by name."""
    best = result({name: constant.value for name, constant in constants.items()})
    drawn = np.broadcast_to(result(draws(constants, number, seed)), (number,))
    low, high = np.quantile(drawn, ((1 - _SHARE) / 2, (1 + _SHARE) / 2))
    return Band(float(best), float(low), float(high))


def tornado(
    result: Callable[[Values], float], constants: Mapping[str, Constant]
) -> tuple[Swing, ...]:
    """A result with each constant at either end and the others at best, widest swing first."""
    best = {name: constant.value for name, constant in constants.items()}
    swings = [
        Swing(
            name,
            float(result({**best, name: constant.low})),
            float(result({**best, name: constant.high})),
        )
        for name, constant in constants.items()
    ]
    return tuple(sorted(swings, key=lambda swing: -abs(swing.at_high - swing.at_low)))
