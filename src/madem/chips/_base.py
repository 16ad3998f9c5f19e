"""What a chip can do, and nothing more: the only door to hardware."""

import abc
from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from madem.devices import PulseResponse

Weights = PyTree[Float[Array, "..."]]
"""A number for each pair of a chip: one array of shape (arrays, rows, columns), or a tuple with one
of shape (rows, columns) for each array where they differ in size."""


@dataclass(frozen=True)
class Limits:
    """Geometry of a chip, and the ranges that it can apply."""

    arrays: int
    """Number of crossbar arrays."""
    rows: int
    """Word lines of each array."""
    columns: int
    """Bit lines of each array."""
    v_read: float
    """Largest read voltage of either sign, volt."""
    g_min: float
    """Lowest conductance that programming aims at, siemens."""
    g_max: float
    """Highest conductance that programming aims at, siemens."""
    response: PulseResponse
    """How far one pulse typically moves a device."""
    longest_train: int
    """Most pulses to a device in one call of `program`."""
    sizes: tuple[tuple[int, int], ...] | None = None
    """Word and bit lines of each array, where they differ; none are larger than the rest says."""

    def size(self, array: int) -> tuple[int, int]:
        """Word and bit lines of an array."""
        return (self.rows, self.columns) if self.sizes is None else self.sizes[array]

    @property
    def g_range(self) -> float:
        """Width of the conductance range, siemens."""
        return self.g_max - self.g_min

    @property
    def devices(self) -> tuple[int, int, int, int]:
        """Shape of all devices: arrays, rows, columns, and the two of a differential pair."""
        return (self.arrays, self.rows, self.columns, 2)


class AbstractChip(eqx.Module):
    """Arrays of differential pairs with converters at their lines.

    The two devices of a pair share their lines; the current sensed at a line is that of the
    first (positive) devices minus that of the second (negative) ones. Chips are values:
    `program` returns the chip as it is afterwards.
    """

    limits: eqx.AbstractVar[Limits]
    """Geometry and ranges."""

    @abc.abstractmethod
    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Drive word lines (volt) and sense bit lines (ampere) of arrays from `first` on.

        Word lines beyond those given stay at 0 V. Only the first `columns` bit lines are sensed,
        or all of them. Each of `driven` drives `across` arrays that follow one another, whose
        bit lines come side by side.
        """

    @abc.abstractmethod
    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """Drive bit lines (volt) and sense word lines (ampere) of arrays from `first` on.

        Bit lines beyond those given stay at 0 V. Only the first `rows` word lines are sensed, or
        all of them. Each of `driven` drives `down` arrays, one of every `driven` that follow one
        another, whose word lines come side by side.
        """

    @abc.abstractmethod
    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "AbstractChip":
        """Apply pulses: SET where `counts` is positive, RESET where it is negative."""

    @abc.abstractmethod
    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices right after their pulses, before they relax.

        Siemens; `known` of what is not read, or else NaN.
        """

    @abc.abstractmethod
    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """Read devices as they have settled.

        Siemens; `known` of what is not read, or else NaN.
        """


def row_by_row(
    sense: Callable[[Float[Array, "arrays batch rows"]], Float[Array, "arrays batch sensed"]],
    voltages: Float[Array, "driven batch rows"],
    across: int,
) -> Float[Array, "driven batch columns"]:
    """`AbstractChip.forward` of chips that are given voltages for each array."""
    sensed = sense(jnp.repeat(voltages, across, axis=0))
    driven, batch, _ = voltages.shape
    return sensed.reshape(driven, across, batch, -1).swapaxes(1, 2).reshape(driven, batch, -1)


def column_by_column(
    sense: Callable[[Float[Array, "arrays batch columns"]], Float[Array, "arrays batch sensed"]],
    voltages: Float[Array, "driven batch columns"],
    down: int,
) -> Float[Array, "driven batch rows"]:
    """`AbstractChip.transposed` of chips that are given voltages for each array."""
    sensed = sense(jnp.tile(voltages, (down, 1, 1)))
    driven, batch, _ = voltages.shape
    parts = sensed.reshape(down, driven, batch, -1)
    return jnp.moveaxis(parts, 0, 2).reshape(driven, batch, -1)
