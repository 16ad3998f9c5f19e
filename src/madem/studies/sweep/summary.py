"""What a store says: each setting with its median over seeds, and what failed."""

from collections.abc import Iterable, Sequence
from typing import Any

import madem
from madem.studies._statistics import median_interval
from madem.studies.sweep.axes import number_of


def summarise(
    rows: Sequence[dict[str, Any]], axes: Sequence[dict[str, Any]], planned: int
) -> dict[str, Any]:
    """Summary of the rows of a store and of its axes, as plain values.

    `settings` has one entry for each option of every axis that has a result: shares of the test
    right are the median over seeds, with the interval that `median_interval` gives.
    """
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        settings.setdefault(repr(row["axes"]), []).append(row)
    entries = [_setting(group) for group in settings.values()]
    measured = [entry for entry in entries if entry["median"] is not None]
    failures = [
        {name: row[name] for name in ("number", "axes", "seed", "error")}
        for row in rows
        if row["error"] is not None
    ]
    return {
        "points": planned,
        "measured": len(rows) - len(failures),
        "missing": planned - len(rows),
        "failed": failures,
        "axes": [axis | {"levels": _levels(axis, rows)} for axis in axes],
        "settings": entries,
        "best": max(measured, key=lambda entry: entry["median"], default=None),
        "seconds": sum(row["seconds"] for row in rows),
        "madem": madem.__version__,
    }


def _setting(group: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows that differ in their seed alone."""
    good = [row for row in group if row["error"] is None]
    entry = {
        "axes": group[0]["axes"],
        "seeds": len(good),
        "failed": len(group) - len(good),
        "tests": [row["test"] for row in good],
    }
    if not good:
        return entry | dict.fromkeys(("median", "low", "high", "coverage", "cost", "settled"))
    means = {name: sum(row[name] for row in good) / len(good) for name in ("cost", "settled")}
    return entry | median_interval(entry["tests"])._asdict() | means


def _levels(axis: dict[str, Any], rows: Iterable[dict[str, Any]]) -> list[Any]:
    """Labels of an axis: numbers and quantities in order, names as they come."""
    found = list(dict.fromkeys(row["axes"][axis["name"]] for row in rows))
    numbers = [number_of(label, axis["unit"]) for label in found]
    if any(number is None for number in numbers):
        return found
    return [label for _, label in sorted(zip(numbers, found, strict=True))]
