"""Signed weights and activities on the pairs and lines of a chip."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips._base import AbstractChip


@dataclass(frozen=True)
class Mapping:
    """Scales between a network's numbers and a chip's volts, siemens and amperes.

    Activity 1 is the full read voltage; weight `weight_max` is a pair with one device at the
    top of the conductance range and the other at its bottom.
    """

    weight_max: float
    """Largest weight of either sign."""

    def siemens(self, chip: AbstractChip) -> float:
        """Conductance difference of a pair that makes a weight of 1, siemens."""
        return chip.limits.g_range / self.weight_max

    def forward(
        self,
        chip: AbstractChip,
        array: int,
        activities: Float[Array, "batch rows_used"],
        columns: int,
        key: Key[Array, ""],
    ) -> Float[Array, "batch columns"]:
        """Product of activities at the first rows with the weights of the first columns."""
        voltages = self._voltages(chip, activities, chip.limits.rows)
        return self._weighted(chip, chip.forward(array, voltages, key))[:, :columns]

    def transposed(
        self,
        chip: AbstractChip,
        array: int,
        activities: Float[Array, "batch columns_used"],
        rows: int,
        key: Key[Array, ""],
    ) -> Float[Array, "batch rows"]:
        """Product of activities at the first columns with the weights of the first rows."""
        voltages = self._voltages(chip, activities, chip.limits.columns)
        return self._weighted(chip, chip.transposed(array, voltages, key))[:, :rows]

    def _voltages(self, chip: AbstractChip, activities: Array, lines: int) -> Array:
        idle = lines - activities.shape[-1]
        return jnp.pad(chip.limits.v_read * activities, ((0, 0), (0, idle)))

    def _weighted(self, chip: AbstractChip, currents: Array) -> Array:
        return currents / (chip.limits.v_read * self.siemens(chip))
