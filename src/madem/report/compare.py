"""A comparison as a table and as a figure."""

from typing import Any

from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from madem.report.figures import SMALL, plain

_COLOURS = ("#2563eb", "#0891b2", "#dc2626", "#d97706", "#7c3aed", "#1f2937", "#9ca3af")
_MARKERS = "osD^vPX"


def compare_table(summary: dict[str, Any]) -> Table:
    """Medians and intervals in percent, one row a level; `summary` is that of the run."""
    table = Table(
        title=f"{summary['task']} on {summary['chip']}, percent right, against {summary['label']}",
        caption=f"median of {summary['seeds']} chips and, in brackets, an interval that holds it "
        f"{100 * summary['coverage']:.0f} % of the time; {summary['steps']} batches",
        box=box.SIMPLE_HEAD,
    )
    table.add_column(summary["unit"], justify="right")
    for method in summary["methods"]:
        table.add_column(method, justify="right")
    found = {(point["level"], point["method"]): point for point in summary["points"]}
    for level in summary["levels"]:
        cells = [_cell(found[level, method]) for method in summary["methods"]]
        table.add_row(f"{level:g}", *cells)
    return table


def compare_figure(summary: dict[str, Any]) -> Figure:
    """Accuracy against severity, one line a method; bands are the medians' intervals."""
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axis = figure.subplots()
    for number, method in enumerate(summary["methods"]):
        points = [point for point in summary["points"] if point["method"] == method]
        levels = [point["level"] for point in points]
        low, middle, high = (
            [100 * point[name] for point in points] for name in ("low", "median", "high")
        )
        colour = _COLOURS[number % len(_COLOURS)]
        marker = _MARKERS[number % len(_MARKERS)]
        axis.fill_between(levels, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(levels, middle, color=colour, marker=marker, markersize=4, label=method)
    axis.set_xlabel(f"{summary['label']} ({summary['unit']})", fontsize=SMALL)
    axis.set_ylabel(f"{summary['task']}, percent right", fontsize=SMALL)
    axis.set_title(f"{summary['chip']}, {summary['seeds']} chips each", fontsize=SMALL + 1)
    plain(axis)
    axis.legend(frameon=False, fontsize=SMALL)
    return figure


def _cell(point: dict[str, Any]) -> str:
    middle, low, high = (100 * point[name] for name in ("median", "low", "high"))
    return f"{middle:.1f} [{low:.1f}–{high:.1f}]"
