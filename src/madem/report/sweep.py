"""A sweep as a table, as its response to each axis, and as a map of two axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from madem.report.figures import SMALL, plain
from madem.studies.sweep.axes import number_of

_INK, _BLUE = "#1f2937", "#2563eb"
_LOG_FROM = 30.0
"""Ratio of the ends of an axis from which it is drawn in ratios."""
_TICKS = 7
"""Most levels of an axis that have a tick each."""
_CELLS = 100
"""Most cells of a map whose figures are written in."""


def sweep_table(summary: dict[str, Any], most: int = 20) -> Table:
    """The best settings of a sweep; `summary` is that of the run."""
    measured = [entry for entry in summary["settings"] if entry["median"] is not None]
    shown = sorted(measured, key=lambda entry: -entry["median"])[:most]
    table = Table(
        title=f"The best {len(shown)} of {len(measured)} settings, percent of the test right",
        caption=_caption(summary, shown),
        box=box.SIMPLE_HEAD,
    )
    names = [axis["name"] for axis in summary["axes"]]
    for name in names:
        table.add_column(name, justify="right")
    for name in ("seeds", "median", "interval", "loss"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in shown:
        table.add_row(
            *(_text(entry["axes"][name]) for name in names),
            str(entry["seeds"]) + (f" ({entry['failed']} failed)" if entry["failed"] else ""),
            f"{100 * entry['median']:.2f}",
            f"{100 * entry['low']:.2f}–{100 * entry['high']:.2f}",
            f"{entry['cost']:.3f}",
        )
    return table


def sweep_figures(summary: dict[str, Any]) -> dict[str, Figure]:
    """Figures by name: `response`, and `map` where two axes vary."""
    varied = [axis for axis in summary["axes"] if len(axis["levels"]) > 1]
    measured = [entry for entry in summary["settings"] if entry["median"] is not None]
    if not varied or not measured:
        return {}
    figures = {"response": response_figure(varied, measured)}
    if len(varied) > 1:
        figures["map"] = map_figure(varied[0], varied[1], measured)
    return figures


def response_figure(axes: Sequence[dict[str, Any]], settings: Sequence[dict[str, Any]]) -> Figure:
    """The test against each axis: a bar is a setting's interval over seeds, a line the medians.

    The line is that of all settings of a level, where levels have several.
    """
    columns = min(len(axes), 3)
    rows = -(-len(axes) // columns)
    figure = Figure(figsize=(0.6 + 3.2 * columns, 2.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel in panels[len(axes) :]:
        panel.remove()
    for panel, axis in zip(panels, axes, strict=False):
        places = [_place(axis, entry) for entry in settings]
        low, middle, high = (
            100 * np.array([entry[name] for entry in settings])
            for name in ("low", "median", "high")
        )
        errors = np.stack([middle - low, high - middle])
        panel.errorbar(
            places, middle, errors, fmt="o", color=_BLUE, markersize=3, linewidth=1, alpha=0.4
        )
        levels = sorted(set(places))
        if len(levels) < len(places):
            each = [np.median(middle[np.array(places) == level]) for level in levels]
            panel.plot(levels, each, color=_INK, marker="_", linewidth=1.2)
        _label(panel, axis, "x")
        plain(panel)
    for panel in panels[: len(axes) : columns]:
        panel.set_ylabel("percent of the test right", fontsize=SMALL)
    return figure


def map_figure(
    first: dict[str, Any], second: dict[str, Any], settings: Sequence[dict[str, Any]]
) -> Figure:
    """The test over two axes: cells of a grid, medians over all else, or points as they lie."""
    figure = Figure(figsize=(5.4, 4.0), layout="constrained")
    panel = figure.subplots()
    middle = 100 * np.array([entry["median"] for entry in settings])
    shape = (len(second["levels"]), len(first["levels"]))
    cells: dict[tuple[int, int], list[float]] = {}
    for entry, value in zip(settings, middle.tolist(), strict=True):
        place = tuple(axis["levels"].index(entry["axes"][axis["name"]]) for axis in (second, first))
        cells.setdefault((place[0], place[1]), []).append(value)
    if 2 * len(cells) >= shape[0] * shape[1]:
        values = np.full(shape, np.nan)
        for place, found in cells.items():
            values[place] = np.median(found)
        shown = panel.imshow(values, origin="lower", aspect="auto", cmap="viridis")
        _ticks(panel, first, "x")
        _ticks(panel, second, "y")
        if values.size <= _CELLS:
            _write_in(panel, values)
    else:
        places = [[_place(axis, entry) for entry in settings] for axis in (first, second)]
        shown = panel.scatter(*places, c=middle, cmap="viridis", s=30)
        _label(panel, first, "x")
        _label(panel, second, "y")
    panel.tick_params(labelsize=SMALL)
    bar = figure.colorbar(shown, ax=panel)
    bar.set_label("percent of the test right", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _caption(summary: dict[str, Any], shown: Sequence[dict[str, Any]]) -> str:
    coverage = min((entry["coverage"] for entry in shown), default=0.0)
    missing = f"; {summary['missing']} points are missing" if summary["missing"] else ""
    return (
        f"median over seeds, and an interval that holds it {100 * coverage:.0f} % of the time or "
        f"more{missing}"
    )


def _numbers(axis: dict[str, Any]) -> list[float] | None:
    """Levels as numbers, fractions in percent; None if they are names."""
    numbers = [number_of(label, axis["unit"]) for label in axis["levels"]]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return None
    return [100 * number if axis["unit"] == "fraction" else number for number in known]


def _place(axis: dict[str, Any], entry: dict[str, Any]) -> float:
    place = axis["levels"].index(entry["axes"][axis["name"]])
    numbers = _numbers(axis)
    return place if numbers is None else numbers[place]


def _label(panel: Axes, axis: dict[str, Any], side: str) -> None:
    """Name, unit and scale of one side of a panel."""
    numbers = _numbers(axis)
    if numbers is None:
        _ticks(panel, axis, side)
        return
    unit = {None: "", "fraction": " (%)"}.get(axis["unit"], f" ({axis['unit']})")
    panel.set(**{f"{side}label": f"{axis['name']}{unit}"})
    getattr(panel, f"{side}axis").label.set_fontsize(SMALL)
    wide = min(numbers) > 0 and max(numbers) / min(numbers) >= _LOG_FROM
    if axis["log"] or wide:
        panel.set(**{f"{side}scale": "log"})
    if len(numbers) <= _TICKS:
        ticks = getattr(panel, f"{side}axis")
        ticks.set_ticks(numbers, [f"{number:.3g}" for number in numbers])
        ticks.set_ticks([], minor=True)


def _ticks(panel: Axes, axis: dict[str, Any], side: str) -> None:
    """One tick for each level."""
    names = [_text(label) for label in axis["levels"]]
    panel.set(**{f"{side}ticks": range(len(names)), f"{side}ticklabels": names})
    panel.set(**{f"{side}label": axis["name"]})
    getattr(panel, f"{side}axis").label.set_fontsize(SMALL)


def _write_in(panel: Axes, values: np.ndarray) -> None:
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value < middle else "black"
            panel.text(
                column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=SMALL
            )


def _text(label: float | int | str) -> str:
    return f"{label:.4g}" if isinstance(label, float) else str(label)
