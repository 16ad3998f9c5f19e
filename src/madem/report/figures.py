"""Figures of a run, as Matplotlib figures that the caller saves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from madem._files import replacing
from madem.data import DOTS_PER_CELL, decode

_INK, _WRONG, _FAINT = "#1f2937", "#dc2626", "#d1d5db"
_FREE, _TOWARDS, _AWAY = "#1f2937", "#2563eb", "#d97706"
_ROWS_OF_A_CELL = DOTS_PER_CELL // 2
_SMALL = 8


def recall_figure(
    distorted: Float[np.ndarray, "words dots"],
    recalled: Float[np.ndarray, "words dots"],
    true: Float[np.ndarray, "words dots"],
    title: str,
) -> Figure:
    """Each word distorted, reconstructed and true, as Braille dots; wrong dots are red."""
    count, dots = true.shape
    width = 2.4 + 3 * 0.3 * dots / DOTS_PER_CELL
    figure = Figure(figsize=(width, 0.9 + 0.55 * count), layout="constrained")
    axes = figure.subplots(1, 3)
    columns = ("distorted", distorted), ("reconstructed", recalled), ("true", true)
    for axis, (name, values) in zip(axes, columns, strict=True):
        _draw_cells(axis, values, true)
        axis.set_title(name, fontsize=_SMALL + 1, color=_INK)
    axes[2].set_yticks(_centres(count), decode(true), fontsize=_SMALL, color=_INK)
    axes[2].yaxis.tick_right()
    axes[2].tick_params(length=0)
    figure.suptitle(title, fontsize=_SMALL + 2, color=_INK)
    return figure


def relaxation_figure(
    free: Float[np.ndarray, "sweeps batch"],
    towards: Float[np.ndarray, "nudged_sweeps batch"],
    away: Float[np.ndarray, "nudged_sweeps batch"],
    beta: float,
) -> Figure:
    """Energy after each sweep: the free phase, then both nudged ones from where it ended.

    The nudged energies contain the nudge. Lines are medians, bands the middle 80 %.
    """
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axis = figure.subplots()
    start = len(free) - 1
    phases = (
        (0, free, _FREE, "free"),
        (start, towards, _TOWARDS, f"nudged towards the target (β = {beta:g})"),
        (start, away, _AWAY, f"nudged away (β = −{beta:g})"),
    )
    for first, energies, colour, label in phases:
        sweeps = first + np.arange(len(energies))
        low, middle, high = np.quantile(energies, (0.1, 0.5, 0.9), axis=1)
        axis.fill_between(sweeps, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(sweeps, middle, color=colour, label=label, marker=".", markersize=4)
    axis.set_xlabel("sweep")
    axis.set_ylabel("energy of the network (dimensionless)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=_SMALL)
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
            axis.set_title(f"array {number} {name}", fontsize=_SMALL + 1)
            axis.set_xlabel("bit line", fontsize=_SMALL)
            axis.set_ylabel("word line", fontsize=_SMALL)
            axis.tick_params(labelsize=_SMALL)
        figure.colorbar(image, ax=second, label="g⁺ − g⁻ (µS)")
        bins = np.linspace(0, 1.1 * micro * g_max, 56)
        for values, colour, name in ((before, _FAINT, "before"), (after, _INK, "after")):
            devices = micro * values[number, :rows, :columns].ravel()
            third.hist(devices, bins, color=colour, alpha=0.8, label=name)
        third.set_xlabel("conductance of a device (µS)", fontsize=_SMALL)
        third.set_ylabel("devices", fontsize=_SMALL)
        third.tick_params(labelsize=_SMALL)
        third.spines[["top", "right"]].set_visible(False)
        third.legend(frameon=False, fontsize=_SMALL)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG. Raises `WriteError`."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=160)


def _draw_cells(
    axis: Axes, values: Float[np.ndarray, "words dots"], true: Float[np.ndarray, "words dots"]
) -> None:
    """Dots of every word, one word below the other: filled where raised, rings where flat."""
    words, dots = values.shape
    word, dot = np.divmod(np.arange(values.size), dots)
    cell, position = np.divmod(dot, DOTS_PER_CELL)
    column, row = np.divmod(position, _ROWS_OF_A_CELL)
    x = 3 * cell + column
    y = -(_ROWS_OF_A_CELL + 1) * word - row
    raised = np.clip(values.ravel(), 0, 1)
    wrong = np.abs(values - true).ravel() >= 0.5  # noqa: PLR2004
    colours = np.where(wrong, _WRONG, np.where(true.ravel() > 0, _INK, _FAINT))
    axis.scatter(x, y, s=11, facecolors="none", edgecolors=colours, linewidths=0.6)
    axis.scatter(x, y, s=11, c=colours, alpha=raised, linewidths=0)
    axis.set_aspect("equal")
    axis.set_yticks([])
    axis.set_xticks([])
    axis.set_ylim(-(_ROWS_OF_A_CELL + 1) * words + 0.5, 1.5)
    axis.spines[:].set_visible(False)


def _centres(words: int) -> np.ndarray:
    return -(_ROWS_OF_A_CELL + 1) * np.arange(words) - 1.0
