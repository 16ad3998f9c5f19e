"""Fitted devices as figures and tables."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from madem.devices.fit import Steps
from madem.report.figures import SMALL, plain

_INK, _CYCLE, _DEVICE, _FAINT = "#1f2937", "#2563eb", "#d97706", "#9ca3af"
_DOTS = 4000
"""Most pulses that a figure shows, evenly taken."""
_MICRO = 1e6
_LABELS = {"mean": "mean", "device": "± devices", "cycle": "± cycles"}


def step_figure(summary: dict[str, Any], steps: Steps, title: str) -> Figure:
    """Steps against conductance, SET and RESET: single pulses, means and spreads.

    `summary` is that of the fit; bars are 95 % intervals.
    """
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, name, chosen in zip(axes, ("set", "reset"), (steps.rises, ~steps.rises), strict=True):
        _draw_steps(axis, summary, name, np.stack([steps.start[chosen], steps.step[chosen]]))
    axes[0].set_ylabel("step by one pulse (µS)", fontsize=SMALL)
    axes[0].legend(frameon=False, fontsize=SMALL)
    figure.suptitle(title, fontsize=SMALL + 2, color=_INK)
    return figure


def step_table(summary: dict[str, Any], title: str) -> Table:
    """Mean step and spreads at each conductance, microsiemens."""
    table = Table(
        title=title,
        caption=f"microsiemens; R² {summary['set']['r_squared']:.3f} and "
        f"{summary['reset']['r_squared']:.3f}, read noise {_MICRO * summary['read_noise']:.3g}; "
        "– where too little was seen; intervals in the figure",
        box=box.SIMPLE_HEAD,
        padding=(0, 0),
    )
    table.add_column("at", justify="right")
    for name in ("SET", "RESET"):
        for label in _LABELS.values():
            table.add_column(f"{name} {label}", justify="right", no_wrap=True)
    for place, conductance in enumerate(summary["conductance"]):
        cells = (_cell(summary[name][part][place]) for name in ("set", "reset") for part in _LABELS)
        table.add_row(f"{_MICRO * conductance:.4g}", *cells)
    return table


def sweep_figure(
    voltage: Float[np.ndarray, " points"],
    current: Float[np.ndarray, " points"],
    laws: dict[str, Float[np.ndarray, " points"]],
    title: str,
) -> Figure:
    """A sweep and the laws fitted to it (their currents at its voltages), and what is left."""
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    whole, left = figure.subplots(1, 2, width_ratios=(3, 2))
    order = np.argsort(voltage)
    whole.plot(voltage, _MICRO * current, ".", color=_FAINT, markersize=3, label="measured")
    for (label, values), colour in zip(laws.items(), (_DEVICE, _CYCLE), strict=True):
        whole.plot(voltage[order], _MICRO * values[order], color=colour, label=label)
        left.plot(voltage, _MICRO * (current - values), ".", color=colour, markersize=3)
    whole.set_ylabel("current (µA)", fontsize=SMALL)
    left.set_ylabel("measured less law (µA)", fontsize=SMALL)
    whole.legend(frameon=False, fontsize=SMALL)
    for axis in (whole, left):
        axis.set_xlabel("voltage (V)", fontsize=SMALL)
        plain(axis)
    figure.suptitle(title, fontsize=SMALL + 2, color=_INK)
    return figure


def _draw_steps(axis: Axes, summary: dict[str, Any], name: str, points: np.ndarray) -> None:
    shown = _MICRO * points[:, :: max(1, points.shape[1] // _DOTS)]
    axis.plot(shown[0], shown[1], ".", color=_FAINT, markersize=1, alpha=0.4, zorder=0)
    grid = _MICRO * np.array(summary["conductance"])
    mean, low, high = _values(summary[name]["mean"])
    for part, colour in (("cycle", _CYCLE), ("device", _DEVICE)):
        spread = _values(summary[name][part])[0]
        for sign in (1, -1):
            label = _LABELS[part] if sign == 1 else None
            axis.plot(grid, mean + sign * spread, color=colour, linewidth=1, label=label)
    bars = np.maximum([mean - low, high - mean], 0)
    axis.errorbar(grid, mean, bars, color=_INK, marker="o", markersize=3, label="mean")
    axis.axhline(0, color=_FAINT, linewidth=0.5)
    axis.set_title(name.upper(), fontsize=SMALL + 1)
    axis.set_xlabel("conductance before (µS)", fontsize=SMALL)
    plain(axis)


def _values(entries: list[dict[str, float] | None]) -> Float[np.ndarray, "3 grid"]:
    rows = [list(entry.values()) if entry else [np.nan] * 3 for entry in entries]
    return _MICRO * np.array(rows).T


def _cell(entry: dict[str, float] | None) -> str:
    return "–" if entry is None else f"{_MICRO * entry['value']:.3g}"
