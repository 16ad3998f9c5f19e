"""Plots as Plotly has them: plain tables of data and layout.

Colours are names that the page replaces by those of its light or dark mode: `@0` … `@6` for
series; `@0/0.2` is a transparent one. Plotly reads markup in every text, so texts that come from
outside are escaped.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

_COLOURS = 7
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "x")
_DIGITS, _DIGITS_OF_MAPS = 7, 4


@dataclass(frozen=True)
class Series:
    """A line of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    """Lower ends of a band about the line."""
    high: Sequence[float] | None = None
    """Upper ends."""
    number: int = 0
    """Which colour, dashes and marker it has."""
    steps: bool = False
    """Whether it is drawn as a histogram's outline."""
    marks: bool = True
    """Whether its points are marked."""


def lines(series: Iterable[Series], x: str, y: str, *, from_zero: bool = False) -> dict[str, Any]:
    """Lines with bands; gaps where a value is not finite. `x` and `y` name the axes."""
    data = []
    for one in series:
        if one.low is not None and one.high is not None:
            data.append(_band(one, one.low, one.high))
        data.append(_line(one))
    axis: dict[str, Any] = {"title": {"text": _plain(y)}}
    if from_zero:
        axis |= {"rangemode": "tozero"}
    return {"data": data, "layout": {"xaxis": {"title": {"text": _plain(x)}}, "yaxis": axis}}


def bars(lengths: Mapping[str, float], axis: str) -> dict[str, Any]:
    """Horizontal bars by name, on a logarithmic `axis`."""
    data = {
        "type": "bar",
        "orientation": "h",
        "y": [_plain(name) for name in lengths],
        "x": _numbers(lengths.values()),
        "marker": {"color": _colour(0)},
    }
    layout = {
        "xaxis": {"title": {"text": axis}, "type": "log", "exponentformat": "power"},
        "yaxis": {"autorange": "reversed"},
    }
    return {"data": [data], "layout": layout}


def heatmap(
    values: Float[np.ndarray, "rows columns"], x: str, y: str, unit: str, largest: float
) -> dict[str, Any]:
    """A map, red above zero and blue below, to ±`largest`; its first row is at the top."""
    data = {
        "type": "heatmap",
        "z": [_numbers(row, _DIGITS_OF_MAPS) for row in values.tolist()],
        "colorscale": [[0.0, "#2166ac"], [0.5, "#f7f7f7"], [1.0, "#b2182b"]],
        "zmin": -largest,
        "zmax": largest,
        "colorbar": {"title": {"text": unit, "side": "right"}, "thickness": 12},
        "hovertemplate": f"{x} %{{x}}<br>{y} %{{y}}<br>%{{z}} {unit}<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": x}, "showgrid": False},
        "yaxis": {"title": {"text": y}, "autorange": "reversed", "showgrid": False},
    }
    return {"data": [data], "layout": layout}


def _line(one: Series) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if one.marks else "lines",
        "name": _plain(one.name),
        "x": list(one.x),
        "y": _numbers(one.y),
        "line": {
            "color": _colour(one.number),
            "dash": _DASHES[one.number % len(_DASHES)],
            "shape": "hv" if one.steps else "linear",
            "width": 2,
        },
        "marker": {
            "color": _colour(one.number),
            "symbol": _MARKERS[one.number % len(_MARKERS)],
            "size": 6,
        },
    }


def _band(one: Series, low: Sequence[float], high: Sequence[float]) -> dict[str, Any]:
    whole = [edge for edge in zip(one.x, low, high, strict=True) if all(map(math.isfinite, edge))]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x for x, _, _ in whole] + [x for x, _, _ in reversed(whole)],
        "y": _numbers([low for _, low, _ in whole] + [high for _, _, high in reversed(whole)]),
        "fill": "toself",
        "fillcolor": f"{_colour(one.number)}/0.2",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _colour(number: int) -> str:
    return f"@{number % _COLOURS}"


def _numbers(values: Iterable[float], digits: int = _DIGITS) -> list[float | None]:
    """Numbers as JSON has them: what is not finite is a gap."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values]


def _plain(text: str) -> str:
    return html.escape(text, quote=False)
