"""What goes wrong on a bench, on purpose: for tests of whoever works with a served chip."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from madem._checks import InputError
from madem.chips._base import AbstractChip, Limits, column_by_column, row_by_row
from madem.chips._toml import quantity, section, whole
from madem.chips.simulated import SimulatedChip


@dataclass(frozen=True)
class DeadColumn:
    """A bit line that breaks: no current, no pulses, and its devices read as 0."""

    array: int = whole(0)
    """Which array."""
    column: int = whole(0)
    """Which of its bit lines."""
    after: int = whole(0, 0)
    """Trains of pulses after which it breaks."""


@dataclass(frozen=True)
class Faults:
    """How often an answer goes astray, and what breaks."""

    drop: float = quantity("fraction", 0.0)
    """Share of answers that are never sent."""
    garbage: float = quantity("fraction", 0.0)
    """Share of answers that are garbled."""
    slow: float = quantity("fraction", 0.0)
    """Share of answers that come late."""
    delay: float = quantity("second", 1.0)
    """How late these are, s."""
    restart_after: int = whole(0, 0)
    """Requests after which the instrument restarts, hanging up on all; 0 for never."""
    dead_column: DeadColumn | None = field(default=None)
    """A bit line that breaks."""


class Silenced(AbstractChip):
    """A chip of which a bit line is broken: no current, no pulses, and its devices read as 0."""

    chip: SimulatedChip
    """The chip, whole."""
    limits: Limits = eqx.field(static=True)
    """Its geometry and ranges."""
    dead: DeadColumn = eqx.field(static=True)
    """What is broken."""

    def forward(
        self,
        first: int,
        voltages: Float[Array, "driven batch rows"],
        key: Key[Array, ""],
        *,
        columns: int | None = None,
        across: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """See `AbstractChip.forward`."""

        def sense(voltages: Array) -> Array:
            return self._without(first, self.chip.forward(first, voltages, key, columns=columns))

        return row_by_row(sense, voltages, across)

    def transposed(
        self,
        first: int,
        voltages: Float[Array, "driven batch columns"],
        key: Key[Array, ""],
        *,
        rows: int | None = None,
        down: int = 1,
    ) -> Float[Array, "driven batch sensed"]:
        """See `AbstractChip.transposed`."""

        def sense(voltages: Array) -> Array:
            return self.chip.transposed(first, self._without(first, voltages), key, rows=rows)

        return column_by_column(sense, voltages, down)

    def program(
        self, counts: Int[Array, "arrays rows columns 2"], key: Key[Array, ""]
    ) -> "Silenced":
        """See `AbstractChip.program`."""
        moving = counts.at[self.dead.array, :, self.dead.column].set(0)
        return Silenced(chip=self.chip.program(moving, key), limits=self.limits, dead=self.dead)

    def verify(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """See `AbstractChip.verify`."""
        return self._hidden(cells, self.chip.verify(cells, key, known))

    def read(
        self,
        cells: Bool[Array, "arrays rows columns 2"],
        key: Key[Array, ""],
        known: Float[Array, "arrays rows columns 2"] | None = None,
    ) -> Float[Array, "arrays rows columns 2"]:
        """See `AbstractChip.read`."""
        return self._hidden(cells, self.chip.read(cells, key, known))

    def _without(self, first: int, lines: Float[Array, "driven batch columns"]) -> Array:
        """Values at the bit lines of arrays from `first` on, 0 at the broken one."""
        number = self.dead.array - first
        if not (0 <= number < len(lines) and self.dead.column < lines.shape[-1]):
            return lines
        return lines.at[number, :, self.dead.column].set(0.0)

    def _hidden(self, cells: Array, sensed: Array) -> Array:
        place = (self.dead.array, slice(None), self.dead.column)
        return sensed.at[place].set(jnp.where(cells[place], 0.0, sensed[place]))


def load_faults(source: str) -> Faults:
    """Faults of a TOML file, or of text such as `drop = "1 %", garbage = "0.1 %"`.

    Raises `InputError` naming what is wrong.
    """
    try:
        path = Path(source)
        if path.is_file():
            table, where = tomllib.loads(path.read_text(encoding="utf-8")), source
        else:
            table, where = tomllib.loads(f"faults = {{{source}}}")["faults"], "--faults"
    except (OSError, ValueError) as error:
        raise InputError(
            f'--faults {source}: {error}; give a TOML file or text such as drop = "1 %"'
        ) from error
    dead = table.pop("dead_column", None)
    faults = section(Faults, table, where, "")
    if dead is None:
        return faults
    return dataclasses.replace(faults, dead_column=section(DeadColumn, dead, where, "dead_column."))
