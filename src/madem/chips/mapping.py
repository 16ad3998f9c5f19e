"""Signed weights and activities on the pairs and lines of a chip."""

from dataclasses import dataclass

from jaxtyping import Array, Float, Key

from madem.chips._base import AbstractChip
from madem.chips.tiles import Tiles


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
        tiles: Tiles,
        activities: Float[Array, "batch rows"],
        key: Key[Array, ""],
    ) -> Float[Array, "batch columns"]:
        """Product of activities at the rows of a matrix with its weights."""
        voltages = tiles.to_word_lines(chip.limits.v_read * activities)
        currents = chip.forward(
            tiles.first, voltages, key, columns=tiles.bit_lines, across=tiles.across
        )
        return self._weighted(chip, tiles.from_bit_lines(currents))

    def transposed(
        self,
        chip: AbstractChip,
        tiles: Tiles,
        activities: Float[Array, "batch columns"],
        key: Key[Array, ""],
    ) -> Float[Array, "batch rows"]:
        """Product of activities at the columns of a matrix with its weights."""
        voltages = tiles.to_bit_lines(chip.limits.v_read * activities)
        currents = chip.transposed(
            tiles.first, voltages, key, rows=tiles.word_lines, down=tiles.down
        )
        return self._weighted(chip, tiles.from_word_lines(currents))

    def _weighted(self, chip: AbstractChip, currents: Array) -> Array:
        return currents / (chip.limits.v_read * self.siemens(chip))
