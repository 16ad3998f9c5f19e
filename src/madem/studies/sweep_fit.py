"""A current–voltage law from a measured sweep."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from madem._checks import InputError
from madem.circuits import AbstractLaw, Linear, Sinh

_FEWEST = 8
_SCATTER = 0.05
"""Deviation from the law, over the largest current, above which a sweep does not follow it."""
_RESAMPLES = 200
_ZOOMS = 4
_STEEP, _STRAIGHT = 0.05, 20.0
"""Limits of v0 as multiples of the largest voltage: beyond, exponential, or a straight line."""


class LawFit(NamedTuple):
    """One law, fitted."""

    law: AbstractLaw
    """The law."""
    conductance: float
    """Conductance at small voltages, siemens."""
    r_squared: float
    """Share of the variance of the current that it explains."""
    scatter: float
    """Root mean square of what is left, over the largest current."""
    bic: float
    """Bayesian information criterion, up to a constant: lower is better."""


class SweepFit(NamedTuple):
    """What a sweep says."""

    linear: LawFit
    """Ohm's law."""
    sinh: LawFit
    """Hopping conduction."""
    conductance: tuple[float, float, float]
    """The better law's, and its 95 % interval (bootstrap over the points), siemens."""
    v0: tuple[float, float, float]
    """Of the hyperbolic sine, and its 95 % interval, volt."""

    @property
    def better(self) -> LawFit:
        """The law with the lower information criterion."""
        return min(self.linear, self.sinh, key=lambda fit: fit.bic)


def fit_sweep(
    voltage: Float[np.ndarray, " points"], current: Float[np.ndarray, " points"], where: str
) -> SweepFit:
    """Fit Ohm's law and a hyperbolic sine to a sweep, in volt and ampere.

    Raises `InputError`, naming `where`, for too few points, and for a sweep that follows neither.
    """
    if np.count_nonzero(voltage) < _FEWEST:
        raise InputError(f"{where} has fewer than {_FEWEST} voltages that are not 0; give more")
    v0 = _v0(voltage, current)
    linear = _judged(Linear(), _straight(voltage), current, parameters=1)
    sinh = _judged(Sinh(v0), _sine(v0)(voltage), current, parameters=2)
    better = min(linear, sinh, key=lambda fit: fit.bic)
    if better.conductance <= 0 or better.scatter > _SCATTER:
        raise InputError(
            f"{where}: currents scatter by {better.scatter:.0%} of the largest about the better "
            f"law, or flow backwards; at most {_SCATTER:.0%} is expected: give one branch, "
            "measured below the voltage at which the device switches (are the columns the right "
            "ones?)"
        )
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(_RESAMPLES):
        chosen = rng.integers(0, len(voltage), len(voltage))
        redrawn = _v0(voltage[chosen], current[chosen])
        shape = _sine(redrawn) if better is sinh else _straight
        drawn.append((_scale(shape(voltage[chosen]), current[chosen]), redrawn))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0).tolist()
    return SweepFit(linear, sinh, (better.conductance, low[0], high[0]), (v0, low[1], high[1]))


def _v0(voltage: np.ndarray, current: np.ndarray) -> float:
    """v0 of the hyperbolic sine that fits best, volt."""
    largest = float(np.abs(voltage).max())

    def left(v0: float) -> float:
        shape = _sine(v0)(voltage)
        return float(np.sum((current - _scale(shape, current) * shape) ** 2))

    low, high = _STEEP * largest, _STRAIGHT * largest
    best = high
    for _ in range(_ZOOMS):
        grid = np.geomspace(low, high, 24)
        best = min(grid.tolist(), key=left)
        low, high = best * grid[0] / grid[1], best * grid[1] / grid[0]
    return best


def _judged(law: AbstractLaw, shape: np.ndarray, current: np.ndarray, parameters: int) -> LawFit:
    conductance = _scale(shape, current)
    left = float(np.sum((current - conductance * shape) ** 2))
    count, about = len(current), float(np.sum((current - current.mean()) ** 2))
    tiny = np.finfo(float).tiny
    return LawFit(
        law=law,
        conductance=conductance,
        r_squared=1 - left / max(about, tiny),
        scatter=math.sqrt(left / count) / max(float(np.abs(current).max()), tiny),
        bic=count * math.log(max(left, tiny) / count) + parameters * math.log(count),
    )


def _sine(v0: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda voltage: v0 * np.sinh(voltage / v0)


def _straight(voltage: np.ndarray) -> np.ndarray:
    return voltage


def _scale(shape: np.ndarray, current: np.ndarray) -> float:
    """Least squares of current = scale · shape."""
    return float(shape @ current / max(float(shape @ shape), np.finfo(float).tiny))
