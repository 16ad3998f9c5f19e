"""Where SET and RESET pulses balance: each device's symmetric point.

Pulses that say nothing, as many up as down, carry a device to the conductance at which either
moves it equally far. What is counted from there decays to nothing by itself, and a bias that any
other zero would have is gone (zero-shifting: Kim et al., arXiv:1907.10228, 2019; Gokmen and
Haensch, Front. Neurosci. 14, 103, 2020).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from madem.chips import AbstractChip
from madem.learning.writing import Effort, effort_of, no_effort


class SymmetricPoints(NamedTuple):
    """A chip whose devices stand at their symmetric points, and where those are."""

    chip: AbstractChip
    """The chip, half a RESET pulse below them."""
    conductance: Float[Array, "arrays rows columns 2"]
    """Symmetric points of the devices asked for, siemens; 0 for the others. The weight of a pair
    there is the difference of its two (`weights_of`)."""
    effort: Effort
    """What it took."""


def find_symmetric_points(
    chip: AbstractChip,
    cells: Bool[Array, "arrays rows columns 2"],
    key: Key[Array, ""],
    *,
    cycles: int = 60,
    averaged: int = 20,
) -> SymmetricPoints:
    """Alternate SET and RESET pulses on `cells`, and average readings over the last cycles.

    `averaged` of the `cycles` are read, after either pulse. The mean of both readings lies midway
    between the pulses' turning points: off the conductance of equal steps by less than half a
    step, and exact where SET and RESET steps shrink alike.
    """
    alternating, nothing = jnp.where(cells, 1, 0), jnp.zeros(cells.shape)

    def one(number: Array, carry: tuple[AbstractChip, Array, Effort]):
        chip, total, effort = carry
        reads = cells & (number >= cycles - averaged)
        for counts, half_key in zip(
            (alternating, -alternating),
            jax.random.split(jax.random.fold_in(key, number)),
            strict=True,
        ):
            pulse_key, read_key = jax.random.split(half_key)
            chip = chip.program(counts, pulse_key)
            total += chip.read(reads, read_key, nothing)
            effort += effort_of(counts, reads)
        return chip, total, effort

    start = (chip, nothing, no_effort())
    chip, total, effort = jax.lax.fori_loop(0, cycles, one, start)
    return SymmetricPoints(chip, total / (2 * averaged), effort)
