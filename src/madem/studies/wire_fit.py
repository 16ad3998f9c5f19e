"""Resistance of a chip's wires, from its products: far devices are seen less than near ones.

Every device is read, and random signs are applied to all lines at once, in either direction. What
the wires make of the readings is Kirchhoff's laws (`madem.circuits.transfer`), with one resistance
for all segments, and the positive and the negative devices of an array a crossbar each. Gain and
offset of every sensed line are fitted beside it: what wires take from a line as a whole is not
told from a low gain, and only how it goes along the line says how much they resist.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip
from madem.circuits import Wires, transfer

_READINGS = 16
"""Readings of every device."""
_AMPLITUDE = 0.4
"""Voltages, as a fraction of the full read voltage: of one size, so that converters, which round
it, multiply all by the same."""
_NEARLY_NONE = 1e-6
"""A segment as good as none, ohm."""
_OPEN = 1e-9
"""Least conductance of a device, siemens: Kirchhoff's equations need some."""
_STEP = 0.05
"""Step of the derivative, ohm."""
_ROUNDS = 8
"""Steps of Gauss and Newton."""
_FELT = 1e-3
"""Share of the currents that wires must take to be worth simulating: half a step of 9 bits."""
_SIGMAS = 1.96


class WireFit(NamedTuple):
    """What is known of a chip's wires."""

    r_wire: float
    """One segment between neighbouring devices, ohm; may come out below 0 where there is none."""
    low: float
    """Lower end of its 95 % interval, ohm."""
    high: float
    """Upper end, ohm."""
    lost: float
    """Share of the currents that they take."""
    gain: float
    """Standard deviation of the lines' gains about 1, with the wires' part taken out."""

    @property
    def found(self) -> bool:
        """Whether there are any: not by chance, and not without effect."""
        return self.low > 0 and self.lost > _FELT


def fit_wires(chip: AbstractChip, key: Key[Array, ""], products: int = 256) -> WireFit:
    """Fit one resistance of all wire segments to so many products in either direction.

    The interval is that of lines that err each in a way of its own (cluster-robust).
    """
    limits = chip.limits
    read_key, forward_key, transposed_key = jax.random.split(key, 3)
    cells = jnp.ones(limits.devices, bool)
    readings = [chip.read(cells, each) for each in jax.random.split(read_key, _READINGS)]
    conductance = np.maximum(np.mean(np.asarray(readings, np.float64), 0), _OPEN)

    def applied(product, lines: int, key: Key[Array, ""]):
        sign_key, noise_key = jax.random.split(key)
        signs = jax.random.rademacher(sign_key, (limits.arrays, products, lines), jnp.float32)
        voltages = _AMPLITUDE * limits.v_read * signs
        return tuple(np.asarray(x, np.float64) for x in (voltages, product(0, voltages, noise_key)))

    forward = applied(chip.forward, limits.rows, forward_key)
    transposed = applied(chip.transposed, limits.columns, transposed_key)
    sensed = _lines(forward[1], transposed[1])

    def foretold(r_wire: float) -> Float[np.ndarray, "lines products"]:
        down, up = (seen[..., 0] - seen[..., 1] for seen in _seen(conductance, r_wire))
        return _lines(forward[0] @ down, transposed[0] @ up.swapaxes(1, 2))

    r_wire = estimate = _NEARLY_NONE
    error = gain = 0.0
    for _ in range(_ROUNDS):
        move, error, gain = _step(foretold(r_wire), foretold(r_wire + _STEP), sensed)
        estimate, r_wire = r_wire + move, max(r_wire + move, _NEARLY_NONE)
        if abs(move) < error / 10 or r_wire == _NEARLY_NONE:
            break
    return WireFit(
        r_wire=estimate,
        low=estimate - _SIGMAS * error,
        high=estimate + _SIGMAS * error,
        lost=1 - float(np.sum(_seen(conductance, r_wire)[0]) / np.sum(conductance)),
        gain=gain,
    )


def _seen(
    conductance: Float[np.ndarray, "arrays rows columns 2"], r_wire: float
) -> Float[np.ndarray, "2 arrays rows columns 2"]:
    """What crossbars seem to be with their word lines driven, and with their bit lines driven."""
    wires = Wires(word=r_wire, bit=r_wire)
    seen = np.empty((2, *conductance.shape))
    for array in range(len(conductance)):
        for which in range(2):
            seen[:, array, ..., which] = transfer(conductance[array, ..., which], wires)
    return seen


def _lines(
    forward: Float[np.ndarray, "arrays products columns"],
    transposed: Float[np.ndarray, "arrays products rows"],
) -> Float[np.ndarray, "lines products"]:
    """Currents of every line, less their mean, which holds the offset."""
    both = [np.swapaxes(part, 1, 2).reshape(-1, part.shape[1]) for part in (forward, transposed)]
    lines = np.concatenate(both)
    return lines - lines.mean(1, keepdims=True)


def _step(
    now: Float[np.ndarray, "lines products"],
    ahead: Float[np.ndarray, "lines products"],
    sensed: Float[np.ndarray, "lines products"],
) -> tuple[float, float, float]:
    """Change of the resistance by least squares, its standard error, and the spread of gains."""
    power = np.maximum(_dot(now, now), np.finfo(float).tiny)
    gain = _dot(sensed, now) / power
    missed = sensed - gain[:, None] * now
    slope = gain[:, None] * (ahead - now) / _STEP
    slope -= (_dot(slope, now) / power)[:, None] * now
    pulls, weights = _dot(slope, missed), _dot(slope, slope)
    whole = max(float(weights.sum()), np.finfo(float).tiny)
    move = float(pulls.sum()) / whole
    error = math.sqrt(float(np.sum((pulls - move * weights) ** 2))) / whole
    noise = _dot(missed, missed) / (now.shape[1] - 2) / power
    spread = math.sqrt(max(float(np.mean((gain - 1) ** 2 - noise)), 0.0))
    return move, error, spread


def _dot(one: np.ndarray, other: np.ndarray) -> Float[np.ndarray, " lines"]:
    return np.sum(one * other, 1)
