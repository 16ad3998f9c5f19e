"""Tantalum oxide memristors, as measured.

The tables (`tables/README.md`) hold the distribution of the step that one SET or RESET pulse of
fixed amplitude makes, for each of 33 devices and 101 conductances. They are harsh, and real: a
SET pulse takes a device from mid-range most of the way to the top, a RESET pulse moves it by
about a fifth of its range.
"""

import functools
from importlib import resources

import equinox as eqx
import numpy as np
from jaxtyping import Float

from madem.devices._steps import AbstractDrawnDevice


class TaOxDevice(AbstractDrawnDevice):
    """Steps drawn from the measured tables, each device with the table of a measured one.

    The measured windows differ from device to device (4–31 µS to 102–185 µS). Each is scaled to
    `g_min`…`g_max`: what remains of the device-to-device spread is the shape and the size of the
    steps relative to the window. Steps that leave the measured window end at its edge, since
    the tables say nothing beyond it.
    """

    g_min: float = eqx.field(static=True)
    """Conductance at the lower edge of the window, siemens."""
    g_max: float = eqx.field(static=True)
    """Conductance at the upper edge of the window, siemens."""

    def relative_steps(self) -> Float[np.ndarray, "tables 2 grid quantiles"]:
        """Steps as fractions of each measured window."""
        return _relative_steps()

    def mean_steps(self) -> Float[np.ndarray, "2 grid"]:
        """Mean over all measured devices, and all their cycles, cut at the window's edges."""
        steps = _relative_steps()
        position = np.linspace(0, 1, steps.shape[2])[None, None, :, None]
        moved = np.clip(position + steps, 0, 1) - position
        return self.g_range * np.mean(moved, axis=(0, 3))


@functools.cache
def measured_steps() -> dict[str, np.ndarray]:
    """Read the measured tables: `conductance`, `quantile`, `step`, `device` (siemens).

    Shapes are given in `tables/README.md`; `step` is device × (SET, RESET) × conductance ×
    quantile.
    """
    path = resources.files("madem.devices") / "tables" / "taox_steps.npz"
    with path.open("rb") as file, np.load(file) as tables:
        return {name: tables[name] for name in tables.files}


@functools.cache
def _relative_steps() -> Float[np.ndarray, "tables 2 grid quantiles"]:
    """Steps as fractions of each measured window."""
    tables = measured_steps()
    window = tables["conductance"][:, -1] - tables["conductance"][:, 0]
    return tables["step"] / window[:, None, None, None]
