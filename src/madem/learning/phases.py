"""The phases of activity-difference learning: one free, two nudged."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip
from madem.networks import AbstractNetwork, Nudge
from madem.relaxation import Relaxed, Sweeps


class Phases(NamedTuple):
    """What was sensed in one batch."""

    free: Relaxed
    """Settled without a nudge."""
    towards: tuple[Array, ...]
    """Activities nudged towards the target, strength +β."""
    away: tuple[Array, ...]
    """Activities nudged away from it, strength −β."""
    nudged: Relaxed
    """How the two nudged phases, relaxed as one batch, ended."""


def run_phases(
    network: AbstractNetwork,
    chip: AbstractChip,
    inputs: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    beta: float,
    free: Sweeps,
    nudged: Sweeps,
    key: Key[Array, ""],
) -> Phases:
    """Relax free from rest, then nudged by ±`beta` from where the free phase ended."""
    drive_key, free_key, nudged_key = jax.random.split(key, 3)
    batch = len(inputs)
    drive = network.drive(chip, inputs, drive_key)
    settled = free(network, chip, network.rest(batch), drive, None, free_key)

    def twice(array: Array) -> Array:
        return jnp.concatenate([array, array])

    strengths = jnp.concatenate([jnp.full((batch, 1), beta), jnp.full((batch, 1), -beta)])
    both = nudged(
        network,
        chip,
        jax.tree.map(twice, settled.state),
        twice(drive),
        Nudge(twice(targets), strengths),
        nudged_key,
    )
    return Phases(
        free=settled,
        towards=jax.tree.map(lambda s: s[:batch], both.state),
        away=jax.tree.map(lambda s: s[batch:], both.state),
        nudged=both,
    )
