"""The phases of activity-difference learning: one free, and any number nudged."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import AbstractChip
from madem.networks import AbstractNetwork, AbstractNudge
from madem.relaxation import Relaxation, Relaxed


class Phases(NamedTuple):
    """How the phases of one batch ended."""

    free: Relaxed
    """Without a nudge."""
    nudged: tuple[Relaxed, ...]
    """With each nudge."""


def run_phases(
    network: AbstractNetwork,
    chip: AbstractChip,
    inputs: Float[Array, "batch inputs"],
    nudges: Callable[[Float[Array, "batch outputs"]], tuple[AbstractNudge, ...]],
    *,
    free: Relaxation,
    nudged: Relaxation,
    key: Key[Array, ""],
) -> Phases:
    """Relax free from rest, then with each nudge from where the free phase ended.

    `nudges` makes the nudges from the free outputs; all of one kind, so that they relax as one
    batch, whose noise is drawn for each of them anew.
    """
    drive_key, free_key, nudged_key = jax.random.split(key, 3)
    batch = len(inputs)
    drive = network.drive(chip, inputs, drive_key)
    settled = free(network, chip, network.rest(batch), drive, None, free_key)
    each = nudges(network.output(settled.state))

    def repeat(array: Array) -> Array:
        return jnp.concatenate([array] * len(each))

    nudge = jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *each)
    start = jax.tree.map(repeat, settled.state)
    together = nudged(network, chip, start, repeat(drive), nudge, nudged_key)

    def part(number: int) -> Relaxed:
        rows = slice(number * batch, (number + 1) * batch)
        return Relaxed(
            tuple(layer[rows] for layer in together.state),
            together.residual[rows],
            together.sweeps,
            together.converged[rows],
        )

    return Phases(settled, tuple(part(number) for number in range(len(each))))
