"""How pulses move devices: mean steps and their spreads, from single pulses as measured.

The mean step of each device is a curve of straight lines over a grid of conductances (least
squares). What is left is the cycle-to-cycle spread; how far the curves of devices differ, beyond
what so few pulses would make them differ, is the device-to-device spread (variance components by
the method of moments).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

_STIFFNESS = 0.1
"""Weight of a curve's flatness, in pulses: it decides where a device was hardly pulsed."""
_SEEN = 5.0
"""Pulses near a conductance from which a device counts there."""
_SHARE = 0.5
"""Share of the devices that must count: those that alone come to a conductance are not typical."""
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
    """Variance of the mean itself, from so few pulses, siemens²."""
    weight: Float[np.ndarray, "devices grid"]
    """Number of pulses near the conductance."""
    place: Float[np.ndarray, " pulses"]
    """Where on the grid each pulse began, in its points."""
    deviation: Float[np.ndarray, " pulses"]
    """How far each step was from its device's mean, in standard deviations there."""
    r_squared: float
    """Share of the variance of all steps that the mean curves explain."""


class Components(NamedTuple):
    """Mean step and its spreads by SET and RESET at each conductance, siemens.

    NaN where less than half of the devices were seen.
    """

    mean: Float[np.ndarray, "2 grid"]
    """Mean over devices."""
    device: Float[np.ndarray, "2 grid"]
    """Standard deviation over devices of their mean steps."""
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
    place = np.clip((steps.start - g_min) / (g_max - g_min), 0, 1) * (points - 1)
    devices = 1 + int(steps.device.max())

    def fit(times: Float[np.ndarray, " pulses"]) -> tuple[Curves, Curves]:
        def half(chosen: np.ndarray) -> Curves:
            kept = chosen & (times > 0)
            return _curves(
                steps.device[kept], place[kept], steps.step[kept], times[kept], (devices, points)
            )

        return half(steps.rises), half(~steps.rises)

    def redrawn(rng: np.random.Generator) -> Components:
        if devices >= _DEVICES:
            drawn = rng.integers(0, devices, devices)
            return _components(curves, drawn, noise)
        count = len(steps.step)
        times = np.bincount(rng.integers(0, count, count), minlength=count).astype(float)
        return _components(fit(times), np.arange(devices), noise)

    curves = fit(np.ones(len(steps.step)))
    low, high = _interval(redrawn, np.random.default_rng(seed))
    return StepFit(
        grid=np.linspace(g_min, g_max, points),
        curves=curves,
        found=_components(curves, np.arange(devices), noise),
        low=low,
        high=high,
    )


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

    flat = np.diff(np.eye(points), axis=0)
    normal = np.tile(_STIFFNESS * flat.T @ flat + 1e-9 * np.eye(points), (shape[0], 1, 1))
    for k, m in np.ndindex(2, 2):
        np.add.at(normal, (device, below + k, below + m), times * hats[k] * hats[m])
    inverse = np.linalg.inv(normal)
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
        error=variance * np.diagonal(inverse, axis1=1, axis2=2),
        weight=weight,
        place=place,
        deviation=left / np.sqrt(np.maximum(there, 1e-30)),
        r_squared=1 - float(times @ left**2 / max(times @ about**2, 1e-30)),
    )


def _components(
    curves: tuple[Curves, Curves], devices: Int[np.ndarray, " drawn"], noise: float
) -> Components:
    """Variance components over some devices, each counted as often as it is named."""
    halves = []
    for curve in curves:
        seen = curve.weight[devices] > _SEEN
        mean = _mean(curve.mean[devices], seen)
        count = seen.sum(0)
        apart = _mean((curve.mean[devices] - mean) ** 2, seen) * count / np.maximum(count - 1, 1)
        between = apart - _mean(curve.error[devices], seen)
        within = _mean(curve.variance[devices], seen) - noise**2
        halves.append((mean, np.sqrt(np.maximum(between, 0)), np.sqrt(np.maximum(within, 0))))
    mean, device, cycle = (np.stack(parts) for parts in zip(*halves, strict=True))
    return Components(mean=mean, device=np.where(len(devices) > 1, device, 0.0), cycle=cycle)


def _mean(
    values: Float[np.ndarray, "devices grid"], seen: Bool[np.ndarray, "devices grid"]
) -> Float[np.ndarray, " grid"]:
    """Mean over the devices that were seen; NaN where they are too few."""
    count = seen.sum(0)
    total = np.where(seen, values, 0).sum(0)
    return np.where(count >= _SHARE * len(seen), total / np.maximum(count, 1), np.nan)


def _interval(
    draw: Callable[[np.random.Generator], Components], rng: np.random.Generator
) -> tuple[Components, Components]:
    drawn = [draw(rng) for _ in range(_RESAMPLES)]
    low, high = (
        Components(*(np.quantile(part, level, axis=0) for part in zip(*drawn, strict=True)))
        for level in (0.025, 0.975)
    )
    return low, high
