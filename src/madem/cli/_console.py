"""What the commands share: where they print, and options that mean the same in each."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from madem._checks import MademError

results = Console()
messages = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


class StoppedError(MademError):
    """Ctrl-C, with what to do next."""


def progress_bar(estimated_over: float = 30.0) -> Progress:
    """Bar for tasks with a `state` in words; the time left is from the last seconds, so many."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
        console=messages,
        speed_estimate_period=estimated_over,
    )


def print_json(value: dict[str, Any]) -> None:
    """Print one line of JSON."""
    print(json.dumps(value))  # noqa: T201
