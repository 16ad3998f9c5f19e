"""What goes wrong on a bench, on purpose: for tests of whoever works with a served chip."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from madem._checks import InputError
from madem.chips._toml import quantity, section, whole


@dataclass(frozen=True)
class DeadColumn:
    """A bit line that breaks: no current, no pulses, and its devices read as 0."""

    array: int = whole(0)
    """Which array."""
    column: int = whole(0)
    """Which of its bit lines."""
    after: int = whole(0, 0)
    """Trains of pulses after which it breaks."""

    def silenced(self, first: int, values: np.ndarray) -> np.ndarray:
        """Values (driven, batch, columns) at the bit lines of arrays from `first` on."""
        if not first <= self.array < first + len(values):
            return values
        values = values.copy()
        values[self.array - first, :, self.column] = 0.0
        return values


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
