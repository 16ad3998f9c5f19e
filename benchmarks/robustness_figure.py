"""Draw the table of the digits in `docs/why-it-tolerates-errors.md`: who still learns.

    python benchmarks/robustness_figure.py docs/why-it-tolerates-errors.md docs/pictures/digits.png

The table is what `benchmarks/robustness.py digits` measured: a median with the lowest and the
highest of the chips in each cell.
"""

import re
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from madem.report.figures import plain, save_figure

METHODS = ("madem", "madem, open loop", "in situ backprop", "ex situ", "noise-aware ex situ")
CEILING = "twin"
CELL = re.compile(r"([\d.]+) \(([\d.]+)–([\d.]+)\)")


def table(text: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """Chips, and of each method median, lowest and highest: (chips, 3)."""
    lines = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    start = next(k for k, line in enumerate(lines) if line[:2] == ["chip", "madem"])
    head, chips, cells = lines[start], [], []
    for line in lines[start + 1 :]:
        found = [CELL.fullmatch(cell) for cell in line[1:]]
        if len(line) != len(head) or not all(found):
            break
        chips.append(line[0])
        cells.append([[float(number) for number in one.groups()] for one in found if one])
    values = np.array(cells)
    return chips, {name: values[:, k] for k, name in enumerate(head[1:])}


def figure(chips: list[str], found: dict[str, np.ndarray]) -> Figure:
    """A row for each chip, a mark with its range for each method."""
    drawn = Figure(figsize=(8, 5), layout="constrained")
    axes = drawn.subplots()
    rows = np.arange(len(chips))[::-1]
    for number, method in enumerate(METHODS):
        median, low, high = found[method].T
        at = rows + 0.3 - 0.15 * number
        ranges = [median - low, high - median]
        axes.errorbar(median, at, xerr=ranges, fmt="o", ms=4, lw=1.2, label=method)
    ceiling = found[CEILING][0, 0]
    axes.axvline(ceiling, color="0.5", lw=0.8, ls="--", label="digital twin")
    axes.set_yticks(rows, chips)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the test digits right; 5 chips, median and range")
    axes.legend(loc="lower left", frameon=False, fontsize="small")
    plain(axes)
    return drawn


def main() -> None:
    """Read the page, write the picture."""
    page, picture = map(Path, sys.argv[1:])
    save_figure(figure(*table(page.read_text(encoding="utf-8"))), picture)


if __name__ == "__main__":
    main()
