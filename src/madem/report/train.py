"""Results of `madem train` as a table."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def training_table(summary: Mapping[str, Any]) -> Table:
    """What came of a run, of its `summary.json`."""
    low, high = summary["test_interval"]
    matrices = ", ".join(f"{rows} × {columns}" for rows, columns in summary["matrices"])
    rows = {
        "network": f"{summary['network']}: {matrices}, biases included",
        "chip": summary["chip"],
        "rule": f"{summary['rule']}, {summary['programming']}",
        "right in the test": f"{100 * summary['test']:.2f} % (95 %: {100 * low:.2f}–"
        f"{100 * high:.2f} %, {summary['test_samples']:,} samples)",
        "best on the way": f"{100 * summary['best']:.2f} % at step {summary['best_step']:,} "
        "(chosen by the test itself)",
        "settled in the test": f"{100 * summary['settled']:.1f} %",
        "steps": f"{summary['step']:,} of {summary['batch']} samples",
        "pulses, device reads": f"{summary['pulses']:,}, {summary['reads']:,}",
        "time": f"{summary['seconds']:.1f} s on {', '.join(summary['devices'])}",
    }
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    return table
