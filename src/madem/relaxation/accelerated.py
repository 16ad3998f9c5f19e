"""Relaxation by sweeps that learn from each other: Anderson acceleration."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from madem._checks import InputError
from madem.chips import AbstractChip
from madem.networks import AbstractNetwork, AbstractNudge
from madem.relaxation.relaxed import Relaxed

_DEEPEST = 5
_LONGEST = 5.0
"""Largest weight of an earlier sweep: a longer step is a guess too far."""


@dataclass(frozen=True)
class Accelerated:
    """Sweeps, each started from where the last few say that they are heading.

    For calculation, and for chips without noise: it takes differences of sweeps. A sweep is a map
    of the layers of the output's turn (those of the first other turn follow from them), and its
    fixed point is sought as by a secant method in `depth` directions, sample by sample (Anderson,
    J. ACM 12, 547, 1965; Walker and Ni, SIAM J. Numer. Anal. 49, 1715, 2011). Where it ends is
    where a plain sweep led.
    """

    limit: int
    """Most sweeps."""
    tolerance: float = 1e-5
    """Largest change of an activity in one sweep at which a sample counts as settled."""
    depth: int = 2
    """Earlier sweeps that are looked at, 1 to 5."""

    def __post_init__(self):
        if self.limit < 1:
            raise InputError(f"Accelerated: limit is {self.limit}; give at least one sweep")
        if not 1 <= self.depth <= _DEEPEST:
            raise InputError(
                f"Accelerated: depth is {self.depth}; give a number from 1 to {_DEEPEST}"
            )

    @eqx.filter_jit
    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        state: tuple[Float[Array, "batch _"], ...],
        drive: Float[Array, "batch driven"],
        nudge: AbstractNudge | None,
        key: Key[Array, ""],
    ) -> Relaxed:
        """Relax `state` under a constant drive, nudged or free."""
        leading = [turn for turn in network.turns if len(state) - 1 in turn]
        led = [turn for turn in network.turns if turn not in leading]
        layers = [layer for turn in (*led[1:], *leading) for layer in turn]
        widths = [state[k].shape[-1] for k in layers]
        edges = [sum(widths[:n]) for n in range(1, len(widths))]

        def together(state: tuple[Array, ...]) -> Array:
            return jnp.concatenate([state[k] for k in layers], -1)

        def apart(activities: Array) -> tuple[Array, ...]:
            found = dict(zip(layers, jnp.split(activities, edges, axis=-1), strict=True))
            return tuple(found.get(k, layer) for k, layer in enumerate(state))

        def swept(activities: Array, turns: list[tuple[int, ...]], key: Key[Array, ""]):
            keys = network.sweep_keys(key)
            return network.sweep(chip, apart(activities), drive, nudge, keys, tuple(turns))

        def unsettled(carry):
            _, residual, sweeps, _ = carry
            return jnp.any(residual > self.tolerance) & (sweeps < self.limit)

        def sweep(carry):
            guess, _, sweeps, history = carry
            sweep_key = jax.random.fold_in(key, sweeps)
            image = together(swept(guess, [*led, *leading], sweep_key))
            history = history.after(image, image - guess, sweeps)
            residual = jnp.max(jnp.abs(history.miss), -1)
            return history.ahead(), residual, sweeps + 1, history

        history = _no_history(self.depth, len(drive), sum(widths))
        start = (together(state), jnp.full(len(drive), jnp.inf), jnp.int32(0), history)
        _, residual, sweeps, history = jax.lax.while_loop(unsettled, sweep, start)
        state = swept(history.image, led[:1], key)
        return Relaxed(state, residual, sweeps, residual <= self.tolerance)


class _History(eqx.Module):
    """How the last few sweeps differed from one another."""

    images: Float[Array, "depth batch leading"]
    """Differences of where sweeps led."""
    misses: Float[Array, "depth batch leading"]
    """Differences of how far that was from where they started."""
    image: Float[Array, "batch leading"]
    """Where the last sweep led."""
    miss: Float[Array, "batch leading"]
    """How far that was from where it started."""

    def after(self, image: Array, miss: Array, sweeps: Int[Array, ""]) -> "_History":
        """With one more sweep, which takes the place of the oldest."""
        slot = sweeps % len(self.images)
        known = sweeps > 0
        return _History(
            self.images.at[slot].set(jnp.where(known, image - self.image, 0.0)),
            self.misses.at[slot].set(jnp.where(known, miss - self.miss, 0.0)),
            image,
            miss,
        )

    def ahead(self) -> Float[Array, "batch leading"]:
        """Where the mix of sweeps would lead that misses least."""
        products = [[jnp.sum(one * two, -1) for two in self.misses] for one in self.misses]
        scale = sum(products[n][n] for n in range(len(products)))
        for n, row in enumerate(products):
            row[n] += 1e-5 * scale + 1e-12  # directions that are nearly one
        weights = _solved(products, [jnp.sum(one * self.miss, -1) for one in self.misses])
        return self.image - sum(
            jnp.clip(weight, -_LONGEST, _LONGEST)[:, None] * one
            for weight, one in zip(weights, self.images, strict=True)
        )


def _no_history(depth: int, batch: int, leading: int) -> _History:
    none = jnp.zeros((depth, batch, leading))
    return _History(none, none, none[0], none[0])


def _solved(matrix: list[list[Array]], right: list[Array]) -> list[Array]:
    """Solution of small positive definite systems, one per sample, by elimination."""
    size = len(right)
    for n in range(size):
        for m in range(n + 1, size):
            factor = matrix[m][n] / matrix[n][n]
            matrix[m] = [
                low - factor * high for low, high in zip(matrix[m], matrix[n], strict=True)
            ]
            right[m] = right[m] - factor * right[n]
    found: list[Array] = []
    for n in reversed(range(size)):
        known = sum(
            (matrix[n][n + 1 + k] * one for k, one in enumerate(found)), jnp.zeros_like(right[n])
        )
        found.insert(0, (right[n] - known) / matrix[n][n])
    return found
