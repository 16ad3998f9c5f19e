"""Results as tables for the terminal."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table


def recall_table(summary: dict[str, Any]) -> Table:
    """Scores of a run over flip probabilities, beside the limit and the classical memories.

    `summary` is that of the run (`RecallScores.table` and what was counted), rates in percent.
    """
    table = Table(
        title=f"Words recalled by {summary['chip']} (seed {summary['seed']}), percent",
        caption=f"{summary['samples']:,} distorted words each; interval 95 %; classical memories "
        "grey: Hebbian, pseudo-inverse",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("flip", "exact", "interval", "limit", "gap", "dots", "nearest"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("Hebb", "pseudo"):
        table.add_column(name, justify="right", style="dim", no_wrap=True)
    for row, flip in enumerate(summary["flip"]):
        exact, limit = summary["exact"][row], summary["ml_limit"][row]
        low, high = summary["exact_interval"][row]
        table.add_row(
            f"{flip:.2f}",
            _percent(exact),
            f"{_percent(low)}–{_percent(high)}",
            _percent(limit),
            f"{100 * (limit - exact):.2f}",
            _percent(summary["bits"][row]),
            _percent(summary["nearest"][row]),
            _percent(summary["hebbian"][row]),
            _percent(summary["pseudo_inverse"][row]),
        )
    return table


def words_table(rows: Sequence[dict[str, Any]], flip: float) -> Table:
    """One example of each word as Unicode Braille, and how often it was recalled exactly."""
    table = Table(title=f"Recall at flip {flip:g}, percent exact", box=box.SIMPLE_HEAD)
    for name in ("word", "distorted", "reconstructed", "reads as", "nearest", "exact"):
        table.add_column(name, justify="right" if name == "exact" else "left")
    for row in rows:
        name = row["word"] if row["learned"] else f"{row['word']} (not learned)"
        table.add_row(
            name,
            row["distorted"],
            row["reconstructed"],
            row["reads_as"],
            row["nearest"],
            _percent(row["exact"]),
        )
    return table


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f}"
