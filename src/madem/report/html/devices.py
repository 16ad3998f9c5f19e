"""Conductances before and after, and the pulses between."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from madem.report.html._blocks import Block, Plot, Section, Table, Text
from madem.report.html._figures import Series, heatmap, lines
from madem.report.html._numbers import MISSING, percent, short
from madem.report.html.curves import curve, series_table
from madem.studies.pictures import Devices
from madem.studies.shown_run import ShownRun

_MICRO = 1e6
_MOST_ARRAYS = 4
_BINS = 50
_MOVED = 0.05
"""Of the highest conductance: above the noise of two readings."""


def conductances(run: ShownRun) -> Section | None:
    """Maps of each array before and after training, and histograms."""
    devices = run.pictures.devices
    if devices is None:
        return None
    blocks: list[Block] = []
    if len(devices.used) > _MOST_ARRAYS:
        blocks.append(
            Text(f"The first {_MOST_ARRAYS} of {len(devices.used)} arrays in use are shown.")
        )
    for array in range(min(len(devices.used), _MOST_ARRAYS)):
        before, after = _used(devices, devices.before, array), _used(devices, devices.after, array)
        blocks += [
            _map(f"Array {array}, before", before, devices.g_max),
            _map(f"Array {array}, after", after, devices.g_max),
            _histogram(array, before, after, devices.g_max),
        ]
    return Section("Conductances before and after", tuple(blocks))


def pulses(runs: Sequence[ShownRun]) -> Section | None:
    """What training did to devices: pulses and readings, and how many devices moved."""
    plots = [
        curve(runs, "pulses", "Pulses", "pulses so far", 1.0),
        curve(runs, "reads", "Readings", "devices read so far", 1.0),
    ]
    blocks: list[Block] = [plot for plot in plots if plot is not None]
    if not blocks:
        return None
    rows = tuple((run.name, *_totals(run)) for run in runs)
    header = ("run", "pulses", "SET", "RESET", "devices in use", "pulses a device", "moved")
    caption = (
        "Pulses so far; moved: devices at least 5 % of the highest conductance from where they were"
    )
    return Section("Pulses", (Table(caption, header, rows), *blocks))


def _totals(run: ShownRun) -> tuple[str, ...]:
    last = run.record.metrics[-1] if run.record.metrics else {}
    total = last.get("pulses")
    pulsed = tuple(short(last.get(name)) for name in ("pulses", "counts.sets", "counts.resets"))
    devices = run.pictures.devices
    if devices is None:
        return *pulsed, MISSING, MISSING, MISSING
    moves = np.concatenate(
        [
            np.abs(_used(devices, devices.after, n) - _used(devices, devices.before, n)).ravel()
            for n in range(len(devices.used))
        ]
    )
    each = None if total is None else total / len(moves)
    moved = float(np.mean(moves >= _MOVED * devices.g_max))
    return *pulsed, short(len(moves)), short(each), percent(moved)


def _used(
    devices: Devices, conductance: Float[np.ndarray, "arrays rows columns 2"], array: int
) -> Float[np.ndarray, "used_rows used_columns 2"]:
    rows, columns = devices.used[array]
    return conductance[array, :rows, :columns]


def _map(title: str, pairs: Float[np.ndarray, "rows columns 2"], g_max: float) -> Plot:
    difference = _MICRO * (pairs[..., 0] - pairs[..., 1])
    rows, columns = difference.shape
    low, middle, high = np.quantile(difference, (0.05, 0.5, 0.95))
    numbers = Table(
        f"{title}: difference of each pair's conductances, µS",
        ("", "µS"),
        (
            ("mean", short(float(difference.mean()))),
            ("standard deviation", short(float(difference.std()))),
            ("smallest", short(float(difference.min()))),
            ("5 % are below", short(float(low))),
            ("half are below", short(float(middle))),
            ("95 % are below", short(float(high))),
            ("largest", short(float(difference.max()))),
        ),
    )
    says = (
        f"Map of {rows} word lines by {columns} bit lines: difference g⁺ − g⁻ of each pair, 90 % "
        f"of them between {low:.3g} and {high:.3g} µS."
    )
    figure = heatmap(difference, "bit line", "word line", "g⁺ − g⁻ (µS)", _MICRO * g_max)
    return Plot(title, says, figure, numbers)


def _histogram(
    array: int,
    before: Float[np.ndarray, "rows columns 2"],
    after: Float[np.ndarray, "rows columns 2"],
    g_max: float,
) -> Plot:
    """How many devices have which conductance; those beyond the last bin count in it."""
    edges = np.linspace(0, 1.1 * _MICRO * g_max, _BINS + 1)
    series = []
    for number, (name, values) in enumerate((("before", before), ("after", after))):
        devices = np.clip(_MICRO * values.ravel(), edges[0], edges[-1])
        counts, _ = np.histogram(devices, edges)
        series.append(
            Series(
                name,
                edges[:-1].tolist(),
                counts.tolist(),
                number=number,
                steps=True,
                marks=False,
            )
        )
    spread = [
        f"{name} {_MICRO * g.mean():.3g} µS"
        for name, g in zip(("before", "after"), (before, after), strict=True)
    ]
    return Plot(
        f"Array {array}, how conductances are spread",
        f"Histogram of the conductances of {before.size:,} devices; mean {' and '.join(spread)}.",
        lines(series, "conductance of a device (µS)", "devices", from_zero=True),
        series_table("Devices in each bin of conductance", "from (µS)", series),
    )
