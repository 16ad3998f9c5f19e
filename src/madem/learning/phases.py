"""The phases of activity-difference learning: one free, two nudged."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip
from madem.networks import AbstractLoss, AbstractNetwork, Nudge
from madem.relaxation import Relaxed, Sweeps


class Phases(NamedTuple):
    """How the phases of one batch ended."""

    free: Relaxed
    """Without a nudge."""
    towards: Relaxed
    """Nudged towards the target, strength +β."""
    away: Relaxed
    """Nudged away from it, strength −β."""


def centred_phases(
    network: AbstractNetwork,
    chip: AbstractChip,
    inputs: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    *,
    loss: AbstractLoss,
    beta: float,
    free: Sweeps,
    nudged: Sweeps,
    key: Key[Array, ""],
) -> Phases:
    """Relax free from rest, then nudged by +`beta` and −`beta` from where the free phase ended."""
    drive_key, free_key, nudged_key = jax.random.split(key, 3)
    batch = len(inputs)
    drive = network.drive(chip, inputs, drive_key)
    settled = free(network, chip, network.rest(batch), drive, None, free_key)

    # Both nudged phases relax as one batch: they differ in the sign of β alone.
    def twice(array: Array) -> Array:
        return jnp.concatenate([array, array])

    strength = jnp.concatenate([jnp.full((batch, 1), beta), jnp.full((batch, 1), -beta)])
    nudge = Nudge(loss, twice(targets), strength)
    start = jax.tree.map(twice, settled.state)
    both = nudged(network, chip, start, twice(drive), nudge, nudged_key)

    def half(part: slice) -> Relaxed:
        return Relaxed(
            tuple(layer[part] for layer in both.state),
            both.residual[part],
            both.sweeps,
            both.converged[part],
        )

    return Phases(settled, half(slice(None, batch)), half(slice(batch, None)))
