"""Devices whose steps are drawn from tables of quantiles."""

import abc

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from madem._noise import numbers, uniform
from madem.devices._base import AbstractDevice, PulseResponse


class AbstractDrawnDevice(AbstractDevice):
    """Each device has one of some tables, of which its steps are drawn."""

    @abc.abstractmethod
    def relative_steps(self) -> Float[np.ndarray, "tables 2 grid quantiles"]:
        """Tables, of SET and RESET steps, on an even grid, as fractions of the range."""

    @abc.abstractmethod
    def mean_steps(self) -> Float[np.ndarray, "2 grid"]:
        """Mean SET and RESET step over all tables at each conductance of the grid, siemens."""

    def response(self) -> PulseResponse:
        """Mean step over all tables, at each of their conductances."""
        up, down = self.mean_steps()
        return PulseResponse(
            self.g_min,
            self.g_max,
            up=tuple(np.maximum(up, 0).tolist()),
            down=tuple(np.maximum(-down, 0).tolist()),
        )

    def manufacture(self, key: Key[Array, ""], shape: tuple[int, ...]) -> Int[Array, "*devices"]:
        """Assign to each device one of the tables."""
        return jax.random.randint(key, shape, 0, len(self.relative_steps()))

    def pulse(
        self,
        conductance: Float[Array, "*devices"],
        counts: Int[Array, "*devices"],
        traits: Int[Array, "*devices"],
        key: Key[Array, ""],
        number: Int[Array, "*devices"] | None = None,
    ) -> Float[Array, "*devices"]:
        """Apply the pulses one by one; see `AbstractDevice.pulse`."""
        steps = jnp.asarray(self.relative_steps(), conductance.dtype)
        position = (conductance - self.g_min) / self.g_range
        if number is None:
            number = numbers(position.shape)
        position = _draw_train(steps, traits, position, counts, key, number)
        # Devices without a pulse keep their bits: no round trip through the scaled window.
        return jnp.where(counts == 0, conductance, self.g_min + self.g_range * position)


def _draw_train(
    steps: Float[Array, "tables 2 grid quantiles"],
    table: Int[Array, "*devices"],
    position: Float[Array, "*devices"],
    counts: Int[Array, "*devices"],
    key: Key[Array, ""],
    number: Int[Array, "*devices"],
) -> Float[Array, "*devices"]:
    """Positions after a train of pulses on each device, applied one by one.

    `steps` is table × (SET, RESET) × position × quantile, `table` the one of each device, and
    `counts` and `number` as `AbstractDevice.pulse` takes them. Positions and steps are fractions
    of the window, whose edges end every step.
    """
    longest = jnp.max(jnp.abs(counts), initial=0)

    def one(carry):
        position, applied = carry
        quantile = uniform(jax.random.fold_in(key, applied), number).astype(position.dtype)
        step = _draw(steps, table, counts < 0, position, quantile)
        moved = jnp.clip(position + step, 0.0, 1.0)
        return jnp.where(applied < jnp.abs(counts), moved, position), applied + 1

    start = (position, jnp.zeros_like(longest))
    return jax.lax.while_loop(lambda carry: carry[1] < longest, one, start)[0]


def _draw(
    steps: Float[Array, "tables 2 grid quantiles"],
    table: Int[Array, "*devices"],
    reset: Array,
    position: Float[Array, "*devices"],
    quantile: Float[Array, "*devices"],
) -> Float[Array, "*devices"]:
    """Interpolate the quantile function bilinearly at a position in the window and a quantile."""
    row, along_row = _bracket(position, steps.shape[2])
    column, along_column = _bracket(quantile, steps.shape[3])
    direction = reset.astype(table.dtype)

    def corner(dr: int, dc: int):
        return steps[table, direction, row + dr, column + dc]

    low = corner(0, 0) * (1 - along_column) + corner(0, 1) * along_column
    high = corner(1, 0) * (1 - along_column) + corner(1, 1) * along_column
    return low * (1 - along_row) + high * along_row


def _bracket(fraction: Array, points: int) -> tuple[Array, Array]:
    """Lower grid index, and the distance from it in grid units, of `fraction` in [0, 1]."""
    scaled = fraction * (points - 1)
    index = jnp.clip(scaled.astype(jnp.int32), 0, points - 2)
    return index, scaled - index.astype(scaled.dtype)
