"""A solved crossbar: what its wires take from voltages and currents."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich import box
from rich.table import Table

_ALL = 32
"""Lines up to which a table shows every one."""
_SMALL = 8
"""Size of small print, points."""


def currents_table(
    currents: Float[np.ndarray, " sensed"], ideal: Float[np.ndarray, " sensed"], title: str
) -> Table:
    """Currents of each sensed line, ampere, beside those without wires; of many, first and last."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("line", "current (µA)", "without wires (µA)", "lost (%)"):
        table.add_column(name, justify="right", no_wrap=True)
    lost = _lost(currents, ideal)
    count = len(currents)
    for line in range(count):
        if count <= _ALL or not _ALL // 2 <= line < count - _ALL // 2:
            table.add_row(
                str(line),
                f"{1e6 * currents[line]:.6g}",
                f"{1e6 * ideal[line]:.6g}",
                f"{100 * lost[line]:.3f}",
            )
        elif line == _ALL // 2:
            table.add_row("…", "…", "…", "…")
    return table


def ir_drop_figure(
    found: Float[np.ndarray, "rows columns"],
    voltages: Float[np.ndarray, " driven"],
    direction: str,
    title: str,
) -> Figure:
    """Map of the part of each device's voltage that wires take; grey where its line is at 0 V.

    `found` is from word to bit line at each device, `voltages` at the driven lines, volt. Colours
    end at −100 % and 100 %: beside strongly driven lines a weakly driven one can gain or lose many
    times its own voltage.
    """
    forward = direction == "forward"
    ideal = np.broadcast_to(voltages[:, None] if forward else -voltages, found.shape)
    percent = np.ma.masked_invalid(100 * _lost(found, ideal))
    lowest, highest = (float(np.ma.filled(end, 0.0)) for end in (percent.min(), percent.max()))
    low, high = np.clip([min(lowest, 0.0), max(highest, 0.0)], -100.0, 100.0)
    figure = Figure(figsize=(6.0, 4.6), layout="constrained")
    axis = figure.subplots()
    axis.set_facecolor("#d1d5db")
    image = axis.imshow(
        percent, cmap="viridis", vmin=low, vmax=high, aspect="auto", interpolation="nearest"
    )
    words, bits = ("driven", "sensed") if forward else ("sensed", "driven")
    axis.set_title(title, fontsize=_SMALL + 2)
    axis.set_xlabel(f"bit line, {bits} at the bottom", fontsize=_SMALL)
    axis.set_ylabel(f"word line, {words} at the left", fontsize=_SMALL)
    axis.tick_params(labelsize=_SMALL)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    beyond = lowest < low or highest > high
    bar = figure.colorbar(image, extend="both" if beyond else "neither")
    bar.set_label("voltage of the device lost in wires (%)", fontsize=_SMALL)
    bar.ax.tick_params(labelsize=_SMALL)
    return figure


def _lost(
    found: Float[np.ndarray, "*shape"], ideal: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Part of what wires without resistance would give that is not there: (ideal − found) / ideal.

    Not a number where the ideal is 0. Beyond 0 to 1 where inputs of other lines, through shared
    wires, add more or turn the sign.
    """
    driven = ideal != 0
    return np.where(driven, 1 - found / np.where(driven, ideal, 1), np.nan)
