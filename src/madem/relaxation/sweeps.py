"""Relaxation by sweeps: every layer in turn moves to its minimum, until nothing moves."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem._checks import InputError, NotConvergedError
from madem.chips import AbstractChip
from madem.networks import AbstractNetwork, AbstractNudge


class Relaxed(NamedTuple):
    """Where a relaxation ended, and how."""

    state: tuple[Float[Array, "batch _"], ...]
    """Activities of each layer, averaged over the last sweeps where they had not settled."""
    residual: Float[Array, " batch"]
    """Largest change of any activity of each sample in the last sweep."""
    sweeps: Int[Array, ""]
    """Sweeps made."""
    converged: Bool[Array, " batch"]
    """Whether each residual came down to the tolerance."""

    def require(self) -> tuple[Float[Array, "batch _"], ...]:
        """Return the state; outside jit only. Raises `NotConvergedError` with the figures."""
        if not bool(self.converged.all()):
            raise NotConvergedError(
                f"relaxation did not converge: after {int(self.sweeps)} sweeps the activities of "
                f"{int((~self.converged).sum())} of {len(self.converged)} samples still move by up "
                f"to {float(self.residual.max()):.2g} a sweep; allow more sweeps, a larger "
                "tolerance (read noise sets a floor), or lower the weights"
            )
        return self.state


@dataclass(frozen=True)
class Sweeps:
    """Sweep until no activity moves by more than `tolerance`, at most `limit` times.

    Noise never lets a real chip come to rest: samples that have not settled at the limit are
    averaged over its last `average` sweeps, as an integrating sense amplifier would.
    """

    limit: int
    """Most sweeps."""
    tolerance: float = 1e-5
    """Largest change of an activity in one sweep at which a sample counts as settled."""
    average: int = 1
    """Sweeps over which unsettled samples are averaged, 1 to `limit`."""
    noise: float = 0.0
    """Standard deviation of what is added to every activity after each sweep: noise of the
    neurons themselves, beside that of the chip's reads."""

    def __post_init__(self):
        if not 1 <= self.average <= self.limit:
            raise InputError(
                f"Sweeps: average is {self.average} of a limit of {self.limit}; give a number from "
                "1 to the limit"
            )
        if not 0 <= self.noise < 1:
            raise InputError(
                f"Sweeps: noise is {self.noise}; give a standard deviation of an activity, from 0 "
                "to below 1"
            )

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

        def unsettled(carry):
            _, _, residual, sweeps = carry
            return jnp.any(residual > self.tolerance) & (sweeps < self.limit)

        def sweep(carry):
            state, total, _, sweeps = carry
            sweep_key = jax.random.fold_in(key, sweeps)
            new = network.sweep(chip, state, drive, nudge, sweep_key)
            if self.noise > 0:
                # A first split of `sweep_key` is no key that a sweep folds out of it.
                new = _noisy(new, self.noise, jax.random.split(sweep_key)[0])
            moves = [jnp.max(jnp.abs(a - b), -1) for a, b in zip(new, state, strict=True)]
            counted = sweeps >= self.limit - self.average
            total = jax.tree.map(lambda t, s: t + jnp.where(counted, s, 0.0), total, new)
            return new, total, jnp.max(jnp.stack(moves), 0), sweeps + 1

        nothing = jax.tree.map(jnp.zeros_like, state)
        start = (state, nothing, jnp.full(len(drive), jnp.inf), jnp.int32(0))
        state, total, residual, sweeps = jax.lax.while_loop(unsettled, sweep, start)
        converged = residual <= self.tolerance
        mean = jax.tree.map(
            lambda t, s: jnp.where(converged[:, None], s, t / self.average), total, state
        )
        return Relaxed(mean, residual, sweeps, converged)


def _noisy(
    state: tuple[Float[Array, "batch _"], ...], sd: float, key: Key[Array, ""]
) -> tuple[Float[Array, "batch _"], ...]:
    keys = jax.random.split(key, len(state))
    return tuple(
        layer + sd * jax.random.normal(layer_key, layer.shape)
        for layer, layer_key in zip(state, keys, strict=True)
    )


def energy_per_sweep(
    network: AbstractNetwork,
    chip: AbstractChip,
    state: tuple[Float[Array, "batch _"], ...],
    drive: Float[Array, "batch driven"],
    nudge: AbstractNudge | None,
    sweeps: int,
    key: Key[Array, ""],
) -> tuple[Float[Array, "{sweeps}+1 batch"], tuple[Float[Array, "batch _"], ...]]:
    """Energy before the first sweep and after each, and the state after the last."""

    def step(state, number):
        sweep_key, energy_key = jax.random.split(jax.random.fold_in(key, number))
        state = network.sweep(chip, state, drive, nudge, sweep_key)
        return state, network.energy(chip, state, drive, nudge, energy_key)

    first = network.energy(chip, state, drive, nudge, key)
    state, energies = jax.lax.scan(step, state, jnp.arange(sweeps))
    return jnp.concatenate([first[None], energies]), state
