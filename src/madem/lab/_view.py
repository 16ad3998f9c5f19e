"""What a page is sent: plain values, each number finite."""

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from madem.chips import SimulatedChip, stuck_devices
from madem.lab._experiment import Experiment, Seen, Sheet

_POINTS = 400
"""Most points of a curve."""
_FULL = 127


def words_view(sheet: Sheet, recalled: Float[np.ndarray, "words dots"] | None) -> dict[str, Any]:
    """Each word's dots as texts of 0 and 1, and how many are right."""
    made = [""] * len(sheet.words) if recalled is None else _texts(recalled > 0)
    columns = zip(sheet.words, _texts(sheet.true), _texts(sheet.distorted), made, strict=True)
    words = [
        {"word": word, "true": true, "distorted": distorted, "recalled": out}
        for word, true, distorted, out in columns
    ]
    right = sum(word["true"] == word["recalled"] for word in words)
    return {"words": words, "recovered": None if recalled is None else right}


def chip_view(chip: SimulatedChip, used: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The arrays as they are, before anyone reads them."""
    return {"arrays": _arrays(chip, np.asarray(chip.conductance), used)}


def experiment_view(experiment: Experiment, seen: Seen, sheet: Sheet) -> dict[str, Any]:
    """All that there is to see."""
    metrics = experiment.metrics
    last = metrics[-1] if metrics else {}
    counts = experiment.counts
    return {
        **words_view(sheet, np.asarray(seen.recalled)),
        "arrays": _arrays(experiment.chip, np.asarray(seen.conductance), experiment.used()),
        "step": experiment.step,
        "goal": experiment.goal,
        "exact": _number(last.get("exact")),
        "cost": _number(last.get("cost")),
        "pulses": counts.pulses,
        "reads": counts.reads,
        "seconds": _number(experiment.seconds),
        "curve": _curve(metrics),
        "limit": experiment.limit,
        "breaks": list(experiment.breaks),
        "energy": _energy(np.asarray(seen.energy)),
        "touched": experiment.touched,
    }


def _texts(dots: np.ndarray) -> list[str]:
    return ["".join("1" if dot else "0" for dot in row) for row in dots.astype(bool)]


def _arrays(
    chip: SimulatedChip,
    conductance: Float[np.ndarray, "arrays rows columns 2"],
    used: Sequence[tuple[int, int]],
) -> list[dict[str, Any]]:
    """Signed conductances of the pairs in use, −127…127 for −range…range, and what is stuck.

    Stuck is 0 for none of a pair, 1 for the positive device, 2 for the negative, 3 for both.
    """
    scaled = (conductance[..., 0] - conductance[..., 1]) / chip.limits.g_range
    weights = np.round(_FULL * np.clip(np.nan_to_num(scaled), -1, 1)).astype(np.int8)
    stuck = _stuck(np.asarray(stuck_devices(chip)))
    return [
        {
            "rows": rows,
            "columns": columns,
            "weights": _base64(weights[number, :rows, :columns]),
            "stuck": _base64(stuck[number, :rows, :columns]),
        }
        for number, (rows, columns) in enumerate(used)
    ]


def _stuck(devices: Bool[np.ndarray, "arrays rows columns 2"]) -> np.ndarray:
    return (devices[..., 0] + 2 * devices[..., 1]).astype(np.uint8)


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _curve(metrics: Sequence[dict[str, Any]]) -> dict[str, list]:
    """Exact words against steps; neighbours averaged where there are many stretches."""
    every = max(1, math.ceil(len(metrics) / _POINTS))
    parts = [metrics[start : start + every] for start in range(0, len(metrics), every)]
    return {
        "step": [part[-1]["step"] for part in parts],
        "exact": [_number(sum(one["exact"] for one in part) / len(part)) for part in parts],
    }


def _energy(energy: Float[np.ndarray, "sweeps words"]) -> dict[str, list]:
    """Quantiles over the words, after each sweep."""
    low, middle, high = np.quantile(energy, (0.1, 0.5, 0.9), axis=1)
    return {
        name: [_number(value) for value in values]
        for name, values in (("low", low), ("middle", middle), ("high", high))
    }


def _number(value: Any) -> float | None:
    """As JSON can hold it: None for what is no finite number."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.5g}")
