"""Tables of quantiles, for `TabulatedDevice`, from fitted steps."""

import numpy as np
from jaxtyping import Float

from madem.devices.fit import Curves, StepFit
from madem.devices.tabulated import mean_of_quantiles

_ENOUGH = 100
"""Pulses near a conductance from which the shape of the distribution there is known."""
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
        spread = np.sqrt(curves.variance[chosen])
        spread = spread * _factor(found.cycle[pulse], spread)
        shape = _shapes(curves, len(fit.grid), levels)
        halves.append(mean[..., None] + spread[..., None] * shape)
    return np.sort(np.stack(halves, axis=1), axis=-1)


def _shapes(curves: Curves, points: int, levels: int) -> Float[np.ndarray, "grid quantiles"]:
    """Quantiles of deviations near each point, scaled to mean 0 and variance 1."""
    at = np.linspace(0, 1, levels).clip(_END, 1 - _END)
    nearest = np.rint(curves.place)
    groups = [curves.deviation[nearest == point] for point in range(points)]
    shape = np.stack(
        [np.quantile(group if len(group) >= _ENOUGH else curves.deviation, at) for group in groups]
    )
    shape -= mean_of_quantiles(shape)[:, None]
    low, high = shape[:, :-1], shape[:, 1:]
    variance = np.mean(low**2 + low * high + high**2, axis=1) / 3
    return shape / np.sqrt(np.maximum(variance, 1e-30))[:, None]


def _factor(
    target: Float[np.ndarray, " grid"], values: Float[np.ndarray, "devices grid"]
) -> Float[np.ndarray, " grid"]:
    """What scales values to a root mean square; 0 where they have none."""
    size = np.sqrt(np.mean(values**2, axis=0))
    return np.where(size > 0, target / np.where(size > 0, size, 1), 0.0)


def _filled(values: Float[np.ndarray, " grid"]) -> Float[np.ndarray, " grid"]:
    """Where nothing was seen, what lies between the nearest that were."""
    at, seen = np.arange(len(values)), np.isfinite(values)
    return np.interp(at, at[seen], values[seen])
