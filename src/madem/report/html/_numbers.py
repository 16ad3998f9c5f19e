"""Numbers as text."""

import math
from collections.abc import Sequence

import numpy as np

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"),
             (1e-12, "p"), (1e-15, "f"))  # fmt: skip
MISSING = "–"
"""What stands for a number that is not there."""


def percent(rate: float) -> str:
    """0.9831 → 98.31 %."""
    return f"{100 * rate:.2f} %"


def short(value: float | None) -> str:
    """Four digits, or all before the point; thousands apart."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"  # noqa: PLR2004


def si(value: float, unit: str) -> str:
    """Three digits and the prefix that suits them: 0.0123 J → 12.3 mJ."""
    factor, prefix = next(
        ((factor, prefix) for factor, prefix in _PREFIXES if abs(value) >= factor), _PREFIXES[-1]
    )
    return f"{value / factor:.3g} {prefix}{unit}" if value else f"0 {unit}"


def spread_rows(count: int, most: int = 40) -> list[int]:
    """Which of `count` rows a table shows: all, or `most` of them, first and last included."""
    if count <= most:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, most).astype(int)).tolist()


def listed(values: object) -> str:
    """A list as words: [a, b] → a, b."""
    if isinstance(values, Sequence) and not isinstance(values, str):
        return ", ".join(map(str, values)) or "none"
    return str(values)
