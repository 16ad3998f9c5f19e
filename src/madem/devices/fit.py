"""How pulses move devices: mean steps and their spreads, from single pulses as measured.

The mean step of each device is a curve of straight lines over a grid of conductances (least
squares). What is left is the cycle-to-cycle spread; how far the curves of devices differ, beyond
what so few pulses would make them differ, is the device-to-device spread (variance components by
the method of moments).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

_STIFFNESS = 0.1
"""Weight of a curve's flatness, in pulses: it decides where a device was hardly pulsed."""
_SEEN = 2.0
"""Pulses near a conductance from which a device counts there."""
_SHARE = 0.5
"""Share of the devices that must count: those that alone come to a conductance are not typical."""
_ERRORS = 3.0
"""Standard errors from which noise is told from none."""
_RESAMPLES = 200
_DEVICES = 8
"""Devices from which the bootstrap draws devices, and not pulses."""


class Steps(NamedTuple):
    """Single pulses, as measured."""

    device: Int[np.ndarray, " pulses"]
    """Which device, from 0 up."""
    rises: Bool[np.ndarray, " pulses"]
    """True for SET pulses, false for RESET pulses."""
    start: Float[np.ndarray, " pulses"]
    """Conductance before, siemens."""
    step: Float[np.ndarray, " pulses"]
    """Change by the pulse, siemens."""


class Curves(NamedTuple):
    """Steps of each device by one kind of pulse (SET or RESET) at each conductance of the grid."""

    mean: Float[np.ndarray, "devices grid"]
    """Mean step, siemens."""
    variance: Float[np.ndarray, "devices grid"]
    """Variance of steps about it, siemens²; 0 where there were none."""
    error: Float[np.ndarray, "devices grid"]
    """Variance of the mean itself, from so few pulses, over that of a step."""
    weight: Float[np.ndarray, "devices grid"]
    """Number of pulses near the conductance."""
    place: Float[np.ndarray, " pulses"]
    """Where on the grid each pulse began, in its points."""
    left: Float[np.ndarray, " pulses"]
    """How far each step was from its device's mean, siemens."""
    deviation: Float[np.ndarray, " pulses"]
    """The same in standard deviations there."""
    r_squared: float
    """Share of the variance of all steps that the mean curves explain."""


class Components(NamedTuple):
    """Mean step and its spreads by SET and RESET at each conductance, siemens.

    NaN where less than half of the devices were seen.
    """

    mean: Float[np.ndarray, "2 grid"]
    """Mean over devices."""
    device: Float[np.ndarray, "2 grid"]
    """Standard deviation over devices of their mean steps; NaN for a single device."""
    cycle: Float[np.ndarray, "2 grid"]
    """Standard deviation of a device's steps from pulse to pulse, root mean square of devices."""


class StepFit(NamedTuple):
    """What was found of the response to pulses."""

    grid: Float[np.ndarray, " grid"]
    """Conductances before the pulse, evenly spaced, siemens."""
    curves: tuple[Curves, Curves]
    """SET and RESET, device by device."""
    found: Components
    """Mean and spreads over all devices."""
    low: Components
    """Lower ends of their 95 % intervals (bootstrap)."""
    high: Components
    """Upper ends."""


def fit_steps(
    steps: Steps, g_min: float, g_max: float, *, noise: float = 0.0, points: int = 13, seed: int = 0
) -> StepFit:
    """Fit steps that began between `g_min` and `g_max`, siemens.

    `noise` is the standard deviation that reading adds to a measured step, siemens; it is taken
    out of the cycle-to-cycle spread. Intervals come from redrawn devices, or from redrawn pulses
    where there are fewer than eight devices.
    """
    devices = 1 + int(steps.device.max())
    place = _places(steps, g_min, g_max, points)
    count = len(steps.step)

    def redrawn(rng: np.random.Generator) -> Components:
        if devices >= _DEVICES:
            return _components(curves, rng.integers(0, devices, devices), noise)
        times = np.bincount(rng.integers(0, count, count), minlength=count).astype(float)
        drawn = _both_curves(steps, place, times, (devices, points))
        return _components(drawn, np.arange(devices), noise)

    curves = _both_curves(steps, place, np.ones(count), (devices, points))
    found = _components(curves, np.arange(devices), noise)
    low, high = _interval(redrawn, found, np.random.default_rng(seed))
    return StepFit(
        grid=np.linspace(g_min, g_max, points),
        curves=curves,
        found=found,
        low=low,
        high=high,
    )


def reading_noise(
    steps: Steps,
    follows: Bool[np.ndarray, " pulses"],
    g_min: float,
    g_max: float,
    *,
    points: int = 13,
) -> float:
    """Standard deviation of a single reading, from trains read once after each pulse, siemens.

    `follows` tells where a step began with the reading that ended the step before in `steps`.
    Noise of that reading lengthens one and shortens the other: the covariance of what is left of
    both, once the mean is taken away, is its variance with a minus (a moving average of order 1).
    0 if that is within three standard errors of nothing, as it is where steps are much larger.
    """
    place = _places(steps, g_min, g_max, points)
    shape = (1 + int(steps.device.max()), points)
    curves = _both_curves(steps, place, np.ones(len(steps.step)), shape)
    left = np.empty(len(steps.step))
    for curve, chosen in zip(curves, (steps.rises, ~steps.rises), strict=True):
        left[chosen] = curve.left
    pairs = (left[1:] * left[:-1])[follows[1:]]
    if len(pairs) == 0:
        return 0.0
    covariance, error = float(np.mean(pairs)), float(np.std(pairs)) / math.sqrt(len(pairs))
    return math.sqrt(-covariance) if covariance < -_ERRORS * error else 0.0


def _places(steps: Steps, g_min: float, g_max: float, points: int) -> Float[np.ndarray, " pulses"]:
    """Where on the grid each pulse began, in its points."""
    return np.clip((steps.start - g_min) / (g_max - g_min), 0, 1) * (points - 1)


def _both_curves(
    steps: Steps,
    place: Float[np.ndarray, " pulses"],
    times: Float[np.ndarray, " pulses"],
    shape: tuple[int, int],
) -> tuple[Curves, Curves]:
    """Curves of SET and of RESET pulses, each pulse counted so many times."""

    def half(chosen: np.ndarray) -> Curves:
        kept = chosen & (times > 0)
        return _curves(steps.device[kept], place[kept], steps.step[kept], times[kept], shape)

    return half(steps.rises), half(~steps.rises)


def _curves(
    device: Int[np.ndarray, " pulses"],
    place: Float[np.ndarray, " pulses"],
    step: Float[np.ndarray, " pulses"],
    times: Float[np.ndarray, " pulses"],
    shape: tuple[int, int],
) -> Curves:
    """Least squares of a piecewise linear curve for each device; `times` weighs the pulses."""
    points = shape[1]
    below = np.minimum(place.astype(int), points - 2)
    low, high = device * points + below, device * points + below + 1
    along = place - below
    hats = np.stack([1 - along, along])

    def sums(values: np.ndarray) -> np.ndarray:
        """Of each device at each point, weighed by nearness."""
        weighed = times * hats * values
        size = shape[0] * points
        return (np.bincount(low, weighed[0], size) + np.bincount(high, weighed[1], size)).reshape(
            shape
        )

    def along_curves(values: np.ndarray) -> np.ndarray:
        """Value of each pulse's curve where it began."""
        return hats[0] * values.ravel()[low] + hats[1] * values.ravel()[high]

    normal = np.zeros((shape[0], points, points))
    for k, m in np.ndindex(2, 2):
        np.add.at(normal, (device, below + k, below + m), times * hats[k] * hats[m])
    flat = np.diff(np.eye(points), axis=0)
    inverse = np.linalg.inv(normal + _STIFFNESS * flat.T @ flat + 1e-9 * np.eye(points))
    mean = np.einsum("dkm,dm->dk", inverse, sums(step))
    left = step - along_curves(mean)
    # A curve passes nearer to the steps that it was fitted to than to others, by their leverage.
    leverage = times * np.sum(
        [hats[k] * hats[m] * inverse[device, below + k, below + m] for k, m in np.ndindex(2, 2)],
        axis=0,
    )
    squared = left**2 / np.maximum(1 - leverage, 0.1)
    weight = sums(np.ones_like(step))
    variance = sums(squared) / np.maximum(weight, 1e-9)
    there = along_curves(variance)
    about = step - np.average(step, weights=times)
    return Curves(
        mean=mean,
        variance=variance,
        error=np.einsum("dkm,dmn,dnk->dk", inverse, normal, inverse),
        weight=weight,
        place=place,
        left=left,
        deviation=left / np.sqrt(np.maximum(there, 1e-30)),
        r_squared=1 - float(times @ left**2 / max(times @ about**2, 1e-30)),
    )


def _components(
    curves: tuple[Curves, Curves], devices: Int[np.ndarray, " drawn"], noise: float
) -> Components:
    """Variance components over some devices, each counted as often as it is named.

    Between conductances where it was pulsed, a device's curve is straight, and counts.
    """
    halves = []
    for curve in curves:
        near = curve.weight[devices] > _SEEN
        within = np.logical_and(
            np.logical_or.accumulate(near, axis=1),
            np.logical_or.accumulate(near[:, ::-1], axis=1)[:, ::-1],
        )
        count = within.sum(0)
        steps = curve.mean[devices]
        mean = _mean(steps, within)
        about = _mean(curve.variance[devices], near)
        apart = _mean((steps - mean) ** 2, within) * count / np.maximum(count - 1, 1)
        apart -= about * _mean(curve.error[devices], within)
        cycle = np.sqrt(np.maximum(about - noise**2, 0))
        halves.append((mean, np.sqrt(np.maximum(apart, 0)), cycle))
    mean, device, cycle = (np.stack(parts) for parts in zip(*halves, strict=True))
    return Components(mean=mean, device=np.where(len(devices) > 1, device, np.nan), cycle=cycle)


def _mean(
    values: Float[np.ndarray, "devices grid"], seen: Bool[np.ndarray, "devices grid"]
) -> Float[np.ndarray, " grid"]:
    """Mean over the devices that were seen; NaN where they are too few."""
    count = seen.sum(0)
    total = np.where(seen, values, 0).sum(0)
    return np.where(count >= _SHARE * len(seen), total / np.maximum(count, 1), np.nan)


def _interval(
    draw: Callable[[np.random.Generator], Components], found: Components, rng: np.random.Generator
) -> tuple[Components, Components]:
    """95 % intervals; where too few of a draw's devices were seen, it says what all say."""
    drawn = [draw(rng) for _ in range(_RESAMPLES)]
    ends = []
    for level in (0.025, 0.975):
        parts = (
            np.quantile(np.where(np.isnan(part), whole, part), level, axis=0)
            for whole, *part in zip(found, *drawn, strict=True)
        )
        ends.append(Components(*parts))
    return ends[0], ends[1]
