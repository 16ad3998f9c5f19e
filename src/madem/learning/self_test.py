"""What a bench engineer does before training: find the devices that no longer switch."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from madem.chips import AbstractChip
from madem.learning.writing import Effort, read_devices, write_devices

_LOW, _HIGH = 0.25, 0.75
"""Levels to which every device is driven, as fractions of the range."""
_MOVES = 0.15
"""A device whose readings stay within this fraction of the range is stuck."""
_ROUNDS = 60
"""Most pulses (or trains) each way."""


class SelfTest(NamedTuple):
    """A chip after its self-test, and what was found."""

    chip: AbstractChip
    """The chip, its healthy devices somewhere high in their range."""
    healthy: Bool[Array, "arrays rows columns 2"]
    """Devices that switch."""
    sensed: Float[Array, "arrays rows columns 2"]
    """Last reading of every tested device, siemens; 0 for the others."""
    effort: Effort
    """What it took."""


def self_test(
    chip: AbstractChip, pairs: Bool[Array, "arrays rows columns"], key: Key[Array, ""]
) -> SelfTest:
    """Drive every device of `pairs` low and then high, and see by reading which follow."""
    cells = jnp.stack([pairs, pairs], -1)
    first_key, *stage_keys = jax.random.split(key, 3)
    sensed, effort = read_devices(chip, cells, 1, first_key)
    sensed = jnp.where(cells, sensed, 0)
    readings = [sensed]
    for level, stage_key in zip((_LOW, _HIGH), stage_keys, strict=True):
        chip, sensed, spent = write_devices(
            chip,
            chip.limits.g_min + level * chip.limits.g_range,
            sensed,
            cells,
            tolerance=0.1 * chip.limits.g_range,
            rounds=_ROUNDS,
            key=stage_key,
        )
        readings.append(sensed)
        effort = effort + spent
    moved = jnp.ptp(jnp.stack(readings), axis=0)
    return SelfTest(chip, cells & (moved > _MOVES * chip.limits.g_range), sensed, effort)
