"""Figures of a run, as Matplotlib figures that the caller saves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure

from madem._files import replacing
from madem.data import DOTS_PER_CELL, decode

_INK, _WRONG, _FAINT = "#1f2937", "#dc2626", "#d1d5db"
_FREE, _TOWARDS, _AWAY = "#1f2937", "#2563eb", "#d97706"
_ROWS_OF_A_CELL = DOTS_PER_CELL // 2
_CELL_WIDTH, _WORD_HEIGHT = 3, 4  # in dots: two columns and a gap, three rows and a gap
SMALL = 8
"""Size of small print, points."""


def recall_figure(
    distorted: Float[np.ndarray, "words dots"],
    recalled: Float[np.ndarray, "words dots"],
    true: Float[np.ndarray, "words dots"],
    title: str,
) -> Figure:
    """Each word distorted, reconstructed and true, as Braille dots; wrong dots are red."""
    count, dots = true.shape
    # Lengths in inches: a dot and its gap, then what stands around the three panels.
    pitch, names, head = 0.085, 1.0, 0.7
    panel = _CELL_WIDTH * dots / DOTS_PER_CELL * pitch
    size = (3 * (panel + 0.15) + names, count * _WORD_HEIGHT * pitch + head)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, 3)
    columns = ("distorted", distorted), ("reconstructed", recalled), ("true", true)
    for axis, (name, values) in zip(axes, columns, strict=True):
        _draw_cells(axis, values, true)
        axis.set_title(name, fontsize=SMALL + 1, color=_INK)
    axes[2].set_yticks(_centres(count), decode(true), fontsize=SMALL, color=_INK)
    axes[2].yaxis.tick_right()
    axes[2].tick_params(length=0)
    figure.suptitle(title, fontsize=SMALL + 2, color=_INK)
    return figure


def relaxation_figure(
    free: Float[np.ndarray, "sweeps batch"],
    towards: Float[np.ndarray, "nudged_sweeps batch"],
    away: Float[np.ndarray, "nudged_sweeps batch"],
    beta: float,
) -> Figure:
    """Energy after each sweep: the free phase, then both nudged ones from where it ended.

    On the right the nudged phases alone, as the change from each sample's free energy; the nudged
    energies contain the nudge. Lines are medians, bands the middle 80 %.
    """
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    whole, change = figure.subplots(1, 2, width_ratios=(3, 2))
    start = len(free) - 1
    _draw_energies(whole, 0, free, _FREE, "free")
    for energies, colour, label in (
        (towards, _TOWARDS, f"nudged towards the target (β = {beta:g})"),
        (away, _AWAY, f"nudged away from it (β = −{beta:g})"),
    ):
        _draw_energies(whole, start, energies, colour, label)
        _draw_energies(change, start, energies - free[-1], colour, label)
    whole.set_ylabel("energy of the network (dimensionless)", fontsize=SMALL)
    change.set_ylabel("change from the free energy", fontsize=SMALL)
    whole.legend(frameon=False, fontsize=SMALL)
    for axis in (whole, change):
        axis.set_xlabel("sweep", fontsize=SMALL)
        plain(axis)
    return figure


def conductance_figure(
    before: Float[np.ndarray, "arrays rows columns 2"],
    after: Float[np.ndarray, "arrays rows columns 2"],
    used: Sequence[tuple[int, int]],
    g_max: float,
) -> Figure:
    """Map of each used array's pairs before and after, and how the conductances are spread."""
    figure = Figure(figsize=(9.6, 0.4 + 2.9 * len(used)), layout="constrained")
    grid = figure.subplots(len(used), 3, squeeze=False)
    micro = 1e6
    for number, ((rows, columns), (first, second, third)) in enumerate(
        zip(used, grid, strict=True)
    ):
        image = None
        for axis, values, name in ((first, before, "before"), (second, after, "after")):
            pairs = values[number, :rows, :columns]
            difference = micro * (pairs[..., 0] - pairs[..., 1])
            image = axis.imshow(
                difference, cmap="RdBu_r", vmin=-micro * g_max, vmax=micro * g_max, aspect="auto"
            )
            axis.set_title(f"array {number} {name}", fontsize=SMALL + 1)
            axis.set_xlabel("bit line", fontsize=SMALL)
            axis.set_ylabel("word line", fontsize=SMALL)
            axis.tick_params(labelsize=SMALL)
        figure.colorbar(image, ax=second, label="g⁺ − g⁻ (µS)")
        bins = np.linspace(0, 1.1 * micro * g_max, 56)
        for values, colour, name in ((before, _FAINT, "before"), (after, _INK, "after")):
            devices = micro * values[number, :rows, :columns].ravel()
            third.hist(devices, bins, color=colour, alpha=0.8, label=name)
        third.set_xlabel("conductance of a device (µS)", fontsize=SMALL)
        third.set_ylabel("devices", fontsize=SMALL)
        plain(third)
        third.legend(frameon=False, fontsize=SMALL)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG. Raises `WriteError`."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=160)


def plain(axis: Axes) -> None:
    """Small figures at the ticks, and no frame."""
    axis.tick_params(labelsize=SMALL)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_cells(
    axis: Axes, values: Float[np.ndarray, "words dots"], true: Float[np.ndarray, "words dots"]
) -> None:
    """Dots of every word, one word below the other: filled where raised, rings where flat."""
    words, dots = values.shape
    word, dot = np.divmod(np.arange(values.size), dots)
    cell, position = np.divmod(dot, DOTS_PER_CELL)
    column, row = np.divmod(position, _ROWS_OF_A_CELL)
    x = _CELL_WIDTH * cell + column
    y = -_WORD_HEIGHT * word - row
    raised = np.clip(values.ravel(), 0, 1)
    wrong = np.abs(values - true).ravel() >= 0.5  # noqa: PLR2004
    names = np.where(wrong, _WRONG, np.where(true.ravel() > 0, _INK, _FAINT))
    edges = to_rgba_array(names.tolist())
    faces = edges * np.stack([np.ones_like(raised)] * 3 + [raised], axis=-1)
    axis.scatter(x, y, s=11, c=faces, edgecolors=list(map(tuple, edges)), linewidths=0.6)
    axis.set_aspect("equal")
    axis.set_yticks([])
    axis.set_xticks([])
    axis.set_xlim(-0.7, x.max() + 2.2)
    axis.set_ylim(0.3 - _WORD_HEIGHT * words, 0.7)
    axis.spines[:].set_visible(False)


def _draw_energies(
    axis: Axes, first: int, energies: Float[np.ndarray, "sweeps batch"], colour: str, label: str
) -> None:
    sweeps = first + np.arange(len(energies))
    low, middle, high = np.quantile(energies, (0.1, 0.5, 0.9), axis=1)
    axis.fill_between(sweeps, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.plot(sweeps, middle, color=colour, label=label, marker=".", markersize=4)


def _centres(words: int) -> np.ndarray:
    return -_WORD_HEIGHT * np.arange(words) - 1.0
