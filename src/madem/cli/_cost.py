"""Accounts of costs on the terminal."""

from typing import Any

from madem.cli._console import results
from madem.report.costs import cost_lines, cost_table


def show_cost(found: dict[str, Any]) -> None:
    """Print an account."""
    results.print(cost_table(found))
    for line in cost_lines(found):
        results.print(line)
