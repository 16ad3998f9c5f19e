"""Current–voltage laws of memristors: odd, rising, and smooth."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from madem._checks import InputError

_SCATTER = 0.05
"""Deviation from the curve, over the largest current, above which a sweep is no single curve."""


class AbstractLaw(eqx.Module):
    """What a device of conductance g conducts at a voltage: g · `relative`, elementwise.

    `relative` is odd, strictly rising and continuously differentiable.
    """

    @abc.abstractmethod
    def relative(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """Current over conductance, volt."""

    @abc.abstractmethod
    def slope(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """Differential conductance over conductance: the derivative of `relative`."""

    @abc.abstractmethod
    def limited(
        self, voltage: Float[Array, "*devices"], current: Float[Array, "*devices"]
    ) -> Float[Array, "*devices"]:
        """Voltage at which Newton's method puts the tangent in its first steps.

        For a device at `voltage` that carries `current` (over conductance): `voltage`, or a lower
        one if the law rises so steeply that its tangent there is of no use.
        """

    @abc.abstractmethod
    def expression(self, voltage: str) -> str:
        """`relative` as ngspice writes it, of the expression of a voltage."""


class Linear(AbstractLaw):
    """Ohm's law."""

    def relative(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        return voltage

    def slope(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        return jnp.ones_like(voltage)

    def limited(
        self, voltage: Float[Array, "*devices"], current: Float[Array, "*devices"]
    ) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        return voltage

    def expression(self, voltage: str) -> str:
        """See `AbstractLaw`."""
        return voltage


class Sinh(AbstractLaw):
    """Hopping conduction: v0 · sinh(V / v0); conductance is that at small voltages.

    Raises `InputError` unless `v0` is positive and finite.
    """

    v0: float | Float[Array, ""]
    """Voltage above which the current rises exponentially, volt."""

    def __check_init__(self):
        if isinstance(self.v0, Tracer) or not isinstance(self.v0, float | int | jax.Array):
            return  # under transformations its value is not there to be seen
        if not (np.isfinite(float(self.v0)) and float(self.v0) > 0):
            raise InputError(f"v0 = {float(self.v0):g} V; a positive, finite voltage is expected")

    def relative(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        return self.v0 * jnp.sinh(voltage / self.v0)

    def slope(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        return jnp.cosh(voltage / self.v0)

    def limited(
        self, voltage: Float[Array, "*devices"], current: Float[Array, "*devices"]
    ) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        carrying = self.v0 * jnp.arcsinh(current / self.v0)
        return jnp.where(jnp.abs(carrying) < jnp.abs(voltage), carrying, voltage)

    def expression(self, voltage: str) -> str:
        """See `AbstractLaw`."""
        return f"{float(self.v0)!r}*sinh({voltage}/{float(self.v0)!r})"


class Tabulated(AbstractLaw):
    """A table of currents at rising positive voltages, joined by cubics, odd about 0.

    Slopes at the knots are harmonic means of those on either side (Fritsch and Butland 1984,
    doi:10.1137/0905021), so the curve rises strictly where the table does, and its slope is
    continuous. Beyond the last knot it goes on straight. Raises `InputError` unless both columns
    rise from above 0.
    """

    voltage: Float[Array | np.ndarray, " knots"]
    """Voltages of the knots, without 0, volt."""
    current: Float[Array | np.ndarray, " knots"]
    """Currents there, over the conductance that stands for the device, volt."""

    def __check_init__(self):
        for name in ("voltage", "current"):
            values = getattr(self, name)
            if isinstance(values, Tracer) or not isinstance(values, jax.Array | np.ndarray):
                continue  # under transformations its values are not there to be seen
            steps = np.diff(np.asarray(values), prepend=0)
            if steps.size == 0 or not (np.isfinite(steps).all() and (steps > 0).all()):
                place = int(np.argmin(np.isfinite(steps) & (steps > 0))) if steps.size else 0
                raise InputError(
                    f"{name}[{place}] of the table does not rise above what is before it (0 at "
                    "the first); finite, strictly rising, positive values are expected"
                )

    @classmethod
    def from_measurement(
        cls,
        voltage: Float[np.ndarray, " voltages"],
        current: Float[np.ndarray, " currents"],
        read_voltage: float,
        *,
        knots: int = 24,
    ) -> "Tabulated":
        """Make a table of a sweep, of either polarity or both, in volt and ampere.

        Points are averaged in `knots` equal intervals of |V|, and neighbours that do not rise
        pooled (isotonic regression), which removes noise. The table is normalised to the device's
        conductance at `read_voltage`, which is then what `conductance` means.

        Raises `InputError` for points that are not finite or conduct backwards, and for currents
        that scatter about the curve by more than 5 % of the largest: a sweep with hysteresis or
        switching is no single curve.
        """
        voltage, current = np.asarray(voltage, np.float64), np.asarray(current, np.float64)
        finite = np.isfinite(voltage).all() and np.isfinite(current).all()
        if voltage.shape != current.shape or voltage.size == 0 or not finite:
            raise InputError(
                f"a sweep of {voltage.size} voltages and {current.size} currents cannot be made a "
                "table; as many finite ones of each are expected"
            )
        across, through = np.abs(voltage), np.sign(voltage) * current
        at, mean = _rising(*_averaged(across, through, knots))
        if at.size == 0 or at[0] <= 0 or mean[0] <= 0:
            raise InputError(
                "the sweep has no current in the direction of small voltages; expected: current "
                "of the same sign as the voltage (is an offset, or a column, the wrong one?)"
            )
        if not 0 < read_voltage <= at[-1]:
            raise InputError(
                f"read_voltage = {read_voltage:g} V, but the sweep's table reaches from 0 to "
                f"{at[-1]:g} V; a voltage in that range is expected"
            )
        table = cls(at, mean)
        with jax.enable_x64(True):
            curve = np.asarray(table.relative(jnp.asarray(across)))
            here = float(table.relative(jnp.asarray(read_voltage)))
        scatter = np.sqrt(np.mean((through - curve) ** 2)) / mean[-1]
        if scatter > _SCATTER:
            raise InputError(
                f"currents of the sweep scatter by {scatter:.0%} of the largest about the curve "
                f"through their means, but at most {_SCATTER:.0%} are expected; give one branch, "
                "measured below the voltage at which the device switches"
            )
        return cls(at, mean * (read_voltage / here))

    def relative(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        along, width, start, rise, first, last = self._piece(voltage)
        inside = jnp.minimum(along, 1.0)
        bent = first + last - 2 * rise
        inner = inside * (first + inside * (rise - first - bent + inside * bent))
        return jnp.sign(voltage) * (start + width * (inner + (along - inside) * last))

    def slope(self, voltage: Float[Array, "*devices"]) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        along, _, _, rise, first, last = self._piece(voltage)
        inside = jnp.minimum(along, 1.0)
        bent = first + last - 2 * rise
        return first + inside * (2 * (rise - first - bent) + inside * 3 * bent)

    def limited(
        self, voltage: Float[Array, "*devices"], current: Float[Array, "*devices"]
    ) -> Float[Array, "*devices"]:
        """See `AbstractLaw`."""
        return voltage

    def expression(self, voltage: str) -> str:
        """See `AbstractLaw`."""
        with jax.enable_x64(True):
            at, through, slopes = (column.tolist() for column in self._knots(jnp.float64))
        size = f"abs({voltage})"
        text = f"({through[-1]!r}+{slopes[-1]!r}*({size}-{at[-1]!r}))"
        for k in reversed(range(len(at) - 1)):
            width = at[k + 1] - at[k]
            rise = (through[k + 1] - through[k]) / width
            bent = slopes[k] + slopes[k + 1] - 2 * rise
            x = f"({size}-{at[k]!r})"
            square, cube = (rise - slopes[k] - bent) / width, bent / width**2
            piece = f"{through[k]!r}+{x}*({slopes[k]!r}+{x}*({square!r}+{x}*({cube!r})))"
            text = f"({size}<{at[k + 1]!r} ? {piece} : {text})"
        return f"sgn({voltage})*{text}"

    def _knots(self, dtype: Any) -> tuple[Array, Array, Array]:
        at, through = (
            jnp.pad(jnp.asarray(column, dtype), (1, 0)) for column in (self.voltage, self.current)
        )
        rises = jnp.diff(through) / jnp.diff(at)
        within = 2 / (1 / rises[1:] + 1 / rises[:-1])
        return at, through, jnp.concatenate([rises[:1], within, rises[-1:]])

    def _piece(self, voltage: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
        at, through, slopes = self._knots(voltage.dtype)
        size = jnp.abs(voltage)
        k = jnp.clip(jnp.searchsorted(at, size, side="right") - 1, 0, at.size - 2)
        width = at[k + 1] - at[k]
        rise = (through[k + 1] - through[k]) / width
        return (size - at[k]) / width, width, through[k], rise, slopes[k], slopes[k + 1]


def _averaged(
    across: np.ndarray, through: np.ndarray, intervals: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    edges = np.linspace(0, across.max(), intervals + 1)
    place = np.clip(np.searchsorted(edges, across) - 1, 0, intervals - 1)
    count = np.bincount(place, minlength=intervals)
    filled = count > 0
    sums = (np.bincount(place, values, intervals)[filled] for values in (across, through))
    at, mean = (total / count[filled] for total in sums)
    return at, mean, count[filled]


def _rising(at: np.ndarray, mean: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pool neighbours until the means rise."""
    pools: list[tuple[float, float, int]] = []
    for pool in zip(at.tolist(), mean.tolist(), count.tolist(), strict=True):
        pools.append(pool)
        while len(pools) > 1 and pools[-1][1] <= pools[-2][1]:
            (x, y, n), (u, v, m) = pools.pop(), pools.pop()
            pools.append(((n * x + m * u) / (n + m), (n * y + m * v) / (n + m), n + m))
    return np.array([x for x, _, _ in pools]), np.array([y for _, y, _ in pools])
