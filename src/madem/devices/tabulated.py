"""Memristors as you measured them: steps drawn from tables that a chip file carries."""

import functools

import equinox as eqx
import numpy as np
from jaxtyping import Float

from madem._checks import InputError
from madem.devices._steps import AbstractDrawnDevice

_PULSES = ("SET", "RESET")
_MICRO = 1e-6
_LEAST_LEVELS = 2


class TabulatedDevice(AbstractDrawnDevice):
    """Steps drawn from the tables of measured devices, one of which each device gets.

    Steps that leave `g_min`…`g_max`, between which the devices were measured, end there.
    """

    g_min: float = eqx.field(static=True)
    """Lowest conductance of the tables, siemens."""
    g_max: float = eqx.field(static=True)
    """Highest conductance of the tables, siemens."""
    steps: str = eqx.field(static=True)
    """The tables as text; see `steps_text`."""

    def relative_steps(self) -> Float[np.ndarray, "tables 2 grid quantiles"]:
        """The tables, as fractions of the range."""
        return parse_steps(self.steps, self.g_min, self.g_max) / self.g_range

    def mean_steps(self) -> Float[np.ndarray, "2 grid"]:
        """Mean over the tables, whose quantiles are joined by straight lines."""
        quantiles = np.mean(parse_steps(self.steps, self.g_min, self.g_max), axis=0)
        return mean_of_quantiles(quantiles)


def steps_text(
    steps: Float[np.ndarray, "tables 2 grid quantiles"], g_min: float, g_max: float
) -> str:
    """Write tables as a chip file holds them: lines of comma-separated values, in microsiemens.

    Each line is the table's number, SET or RESET, the conductance before the pulse, and quantiles
    of the step at evenly spaced probabilities from 0 to 1. `steps` is in siemens, on a grid that
    is even from `g_min` to `g_max`.
    """
    tables, _, points, levels = steps.shape
    percent = (f"{100 * level:g} %" for level in np.linspace(0, 1, levels))
    lines = [",".join(["table", "pulse", "uS", *percent])]
    grid = np.linspace(g_min, g_max, points) / _MICRO
    for table in range(tables):
        for pulse, name in enumerate(_PULSES):
            for point, conductance in enumerate(grid):
                quantiles = ",".join(f"{step / _MICRO:.4g}" for step in steps[table, pulse, point])
                lines.append(f"{table},{name},{conductance:.6g},{quantiles}")
    return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=8)
def parse_steps(
    text: str, g_min: float, g_max: float
) -> Float[np.ndarray, "tables 2 grid quantiles"]:
    """Read what `steps_text` writes, in siemens.

    Raises `InputError`, naming the line, for tables that are not whole, on another grid, or whose
    quantiles fall.
    """
    lines = text.strip().splitlines()[1:]
    if not lines:
        raise InputError("steps has no line of values below its line of names")
    rows = [_row(line, number) for number, line in enumerate(lines, 2)]
    widths = {len(values) for _, _, values in rows}
    if len(widths) > 1 or min(widths) < 1 + _LEAST_LEVELS:
        raise InputError(
            "steps has lines of different length, or fewer than two quantiles; expected: table, "
            "pulse, conductance, and as many quantiles in each line"
        )
    values = np.array([values for _, _, values in rows])
    tables = 1 + max(table for table, _, _ in rows)
    points, rest = divmod(len(rows), 2 * tables)
    order = [(table, pulse) for table in range(tables) for pulse in _PULSES for _ in range(points)]
    if rest or points < _LEAST_LEVELS or [row[:2] for row in rows] != order:
        raise InputError(
            "steps is not whole; expected: for each table from 0 up, SET at every conductance and "
            "then RESET at every conductance"
        )
    grid = values[:, 0].reshape(2 * tables, points) * _MICRO
    if not np.allclose(grid, np.linspace(g_min, g_max, points), atol=1e-3 * (g_max - g_min)):
        raise InputError(
            f"steps has other conductances than {points} evenly spaced ones from g_min to g_max, "
            f"{g_min / _MICRO:g} to {g_max / _MICRO:g} uS"
        )
    falls = (np.diff(values[:, 1:], axis=1) < 0).any(axis=1)
    if falls.any():
        raise InputError(
            f"steps, line {2 + np.argmax(falls)}: quantiles fall; give them from low to high"
        )
    return values[:, 1:].reshape(tables, 2, points, -1) * _MICRO


def mean_of_quantiles(
    quantiles: Float[np.ndarray, "*tables levels"],
) -> Float[np.ndarray, "*tables"]:
    """Mean of distributions whose quantiles are joined by straight lines."""
    return np.mean((quantiles[..., 1:] + quantiles[..., :-1]) / 2, axis=-1)


def _row(line: str, number: int) -> tuple[int, str, list[float]]:
    table, _, rest = line.partition(",")
    pulse, *values = rest.split(",")
    try:
        row = int(table), pulse, [float(value) for value in values]
    except ValueError:
        row = -1, pulse, [np.nan]
    if row[0] < 0 or pulse not in _PULSES or not np.isfinite(row[2]).all():
        raise InputError(
            f"steps, line {number}, {line[:40]!r}: give a table's number, SET or RESET, and "
            "finite numbers"
        )
    return row
