"""Learning curves."""

from collections.abc import Sequence

from madem.report.html._blocks import Plot, Section, Table
from madem.report.html._figures import Series, lines
from madem.report.html._numbers import short, spread_rows
from madem.studies.shown_run import ShownRun

_CURVES = {
    "cost": ("Cost", "cost of the free outputs", 1.0),
    "exact": ("Training samples right", "every output's sign right (%)", 100.0),
    "test": ("Accuracy in the test", "test samples right (%)", 100.0),
    "residual": ("Unrest", "largest change in the last sweep", 1.0),
    "converged": ("Settled", "settled to the tolerance (%)", 100.0),
}
"""Of each metric: title, axis, and factor to its unit."""


def curves(runs: Sequence[ShownRun]) -> Section | None:
    """Every metric of learning over the steps, the runs overlaid."""
    plots = [curve(runs, name, *_CURVES[name]) for name in _CURVES]
    shown = tuple(plot for plot in plots if plot is not None)
    return Section("Learning", shown) if shown else None


def curve(
    runs: Sequence[ShownRun], metric: str, title: str, axis: str, factor: float
) -> Plot | None:
    """One metric of each run over steps; None where no run has it."""
    series = []
    for number, run in enumerate(runs):
        entries = [entry for entry in run.record.metrics if metric in entry]
        steps = [entry["step"] for entry in entries]
        if steps:
            values = [factor * entry[metric] for entry in entries]
            series.append(Series(run.name, steps, values, number=number, marks=len(steps) < 100))  # noqa: PLR2004
    if not series:
        return None
    told = "; ".join(
        f"{one.name}: from {short(float(one.y[0]))} at step {short(one.x[0])} to "
        f"{short(float(one.y[-1]))} at step {short(one.x[-1])}"
        for one in series
    )
    return Plot(
        title,
        f"Line plot of the {axis} over steps of training. {told}.",
        lines(series, "step", axis, from_zero=True),
        series_table(f"{title}: {axis}", "step", series),
    )


def series_table(caption: str, x: str, series: Sequence[Series]) -> Table:
    """Lines as a table; of many points, some evenly spread."""
    points = sorted({value for one in series for value in one.x})
    values = [dict(zip(one.x, one.y, strict=True)) for one in series]
    kept = [points[row] for row in spread_rows(len(points))]
    if len(kept) < len(points):
        caption += f" ({len(kept)} of {len(points)} points)"
    rows = tuple((short(x), *(short(found.get(x)) for found in values)) for x in kept)
    return Table(caption, (x, *(one.name for one in series)), rows)
