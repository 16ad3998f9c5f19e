"""Tables of quantiles, for `TabulatedDevice`, from fitted steps."""

import numpy as np
from jaxtyping import Float

from madem.devices.fit import Curves, StepFit
from madem.devices.tabulated import mean_of_quantiles

_ENOUGH = 100
"""Pulses near a conductance from which the shape of the distribution there is known."""
_ROUNDS, _WIDEST = 10, 3.0
"""Corrections for the window's edges, and how far they may widen a spread."""
_END = 0.01
"""Probability at which the outermost quantiles are taken: the most extreme steps are chance."""


def tables_of(
    fit: StepFit, *, limit: int = 48, levels: int = 11
) -> Float[np.ndarray, "tables 2 grid quantiles"]:
    """Quantiles of the step of some of the fitted devices, siemens.

    At most `limit` devices are taken, evenly by how far their pulses go. Their means and spreads
    are scaled so that over the tables they have the mean, the device-to-device and the
    cycle-to-cycle spread of the fit: what noise and so few pulses added is not simulated. The
    shape of the distribution, at each conductance, is that of all devices together.
    """
    reach = np.abs([curves.mean for curves in fit.curves]).mean((0, 2))
    taken = min(limit, len(reach))
    ranks = ((np.arange(taken) + 0.5) * len(reach) / taken).astype(int)
    chosen = np.argsort(reach, kind="stable")[ranks]
    found = type(fit.found)(*(np.apply_along_axis(_filled, 1, part) for part in fit.found))
    halves = []
    for pulse, curves in enumerate(fit.curves):
        apart = curves.mean[chosen] - curves.mean[chosen].mean(0)
        mean = found.mean[pulse] + apart * _factor(found.device[pulse], apart)
        variance = curves.variance[chosen]
        # A device that was never pulsed at a conductance spreads there as the others do.
        spread = np.where(variance > 0, np.sqrt(variance), found.cycle[pulse])
        spread = spread * _factor(found.cycle[pulse], spread)
        shape = _shapes(curves, len(fit.grid), levels)
        halves.append(_within(mean, spread, shape, fit.grid[0] - fit.grid, fit.grid[-1] - fit.grid))
    return np.stack(halves, axis=1)


def _within(
    mean: Float[np.ndarray, "devices grid"],
    spread: Float[np.ndarray, "devices grid"],
    shape: Float[np.ndarray, "grid quantiles"],
    lowest: Float[np.ndarray, " grid"],
    highest: Float[np.ndarray, " grid"],
) -> Float[np.ndarray, "devices grid quantiles"]:
    """Quantiles of such means and spreads, of steps that the edges of the window end.

    The edges take from both; so means are moved and spreads widened until what is left has them,
    or as nearly as it can.
    """
    moved, widened = mean, spread
    for _ in range(_ROUNDS):
        cut = _cut(moved, widened, shape, lowest, highest)
        moved = moved + mean - mean_of_quantiles(cut)
        left = _sd_of_quantiles(cut)
        wider = widened * spread / np.where(left > 0, left, 1)
        widened = np.where(left > 0, np.minimum(wider, _WIDEST * spread), widened)
    return _cut(moved, widened, shape, lowest, highest)


def _cut(
    mean: np.ndarray, spread: np.ndarray, shape: np.ndarray, lowest: np.ndarray, highest: np.ndarray
) -> Float[np.ndarray, "devices grid quantiles"]:
    quantiles = mean[..., None] + spread[..., None] * shape
    return np.clip(quantiles, lowest[:, None], highest[:, None])


def _shapes(curves: Curves, points: int, levels: int) -> Float[np.ndarray, "grid quantiles"]:
    """Quantiles of deviations near each point, scaled to mean 0 and variance 1."""
    at = np.linspace(0, 1, levels).clip(_END, 1 - _END)
    nearest = np.rint(curves.place)
    groups = [curves.deviation[nearest == point] for point in range(points)]
    shape = np.stack(
        [np.quantile(group if len(group) >= _ENOUGH else curves.deviation, at) for group in groups]
    )
    shape -= mean_of_quantiles(shape)[:, None]
    return shape / np.maximum(_sd_of_quantiles(shape), 1e-30)[:, None]


def _sd_of_quantiles(
    quantiles: Float[np.ndarray, "*tables levels"],
) -> Float[np.ndarray, "*tables"]:
    """Standard deviation of distributions whose quantiles are joined by straight lines."""
    apart = quantiles - mean_of_quantiles(quantiles)[..., None]
    low, high = apart[..., :-1], apart[..., 1:]
    return np.sqrt(np.mean(low**2 + low * high + high**2, axis=-1) / 3)


def _factor(
    target: Float[np.ndarray, " grid"], values: Float[np.ndarray, "devices grid"]
) -> Float[np.ndarray, " grid"]:
    """What scales values to a root mean square; 0 where they have none."""
    size = np.sqrt(np.mean(values**2, axis=0))
    return np.where(size > 0, target / np.where(size > 0, size, 1), 0.0)


def _filled(values: Float[np.ndarray, " grid"]) -> Float[np.ndarray, " grid"]:
    """Where nothing was seen, what lies between the nearest that were; 0 if none was."""
    at, seen = np.arange(len(values)), np.isfinite(values)
    return np.interp(at, at[seen], values[seen]) if seen.any() else np.zeros_like(values)
