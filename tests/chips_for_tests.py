"""Chips that tests use: altered descriptions, and one that shows its interface only."""

import dataclasses

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float, Int, Key

from madem.chips import AbstractChip, ChipDescription, Limits, SimulatedChip, load_chip


def alter(chip: ChipDescription, **sections) -> ChipDescription:
    """A description with some values replaced, section by section."""
    replaced = {
        name: dataclasses.replace(getattr(chip, name), **new) for name, new in sections.items()
    }
    return dataclasses.replace(chip, **replaced)


QUIET = alter(
    load_chip("ideal"), device={"as_formed": (0.0, 150e-6)}, read={"range": 1.0}, array={"count": 3}
)
"""Exact, with random weights, and converters that never clip a current."""


def with_weights(
    chip: SimulatedChip, weights: Float[Array, "arrays rows columns"]
) -> SimulatedChip:
    """The chip with given signed conductances (siemens), around the middle of the range."""
    middle = 75e-6
    pairs = jax.numpy.stack([middle + weights / 2, middle - weights / 2], -1)
    return eqx.tree_at(lambda c: (c.conductance, c.programmed), chip, (pairs, pairs))


class SealedChip(AbstractChip):
    """A chip of which nothing but `AbstractChip`'s own methods can be reached."""

    inside: tuple
    limits: Limits = eqx.field(static=True)

    def __init__(self, chip: AbstractChip):
        self.inside = (chip,)
        self.limits = chip.limits

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        return self.inside[0].forward(first, voltages, key, columns=columns, across=across)

    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        return self.inside[0].transposed(first, voltages, key, rows=rows, down=down)

    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "SealedChip":
        return SealedChip(self.inside[0].program(counts, key))

    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        return self.inside[0].verify(cells, key, known)

    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        return self.inside[0].read(cells, key, known)
