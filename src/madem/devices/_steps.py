"""Trains of pulses whose steps are drawn from tables of quantiles."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key


def draw_train(
    steps: Float[Array, "tables 2 grid quantiles"],
    table: Int[Array, "*devices"],
    position: Float[Array, "*devices"],
    counts: Int[Array, "*devices"],
    key: Key[Array, ""],
) -> Float[Array, "*devices"]:
    """Positions after a train of pulses on each device, applied one by one.

    `steps` is table × (SET, RESET) × position × quantile, `table` the one of each device, and
    `counts` as `AbstractDevice.pulse` takes it. Positions and steps are fractions of the window,
    whose edges end every step.
    """
    longest = jnp.max(jnp.abs(counts), initial=0)

    def one(carry):
        position, applied = carry
        quantile = jax.random.uniform(
            jax.random.fold_in(key, applied), position.shape, position.dtype
        )
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
