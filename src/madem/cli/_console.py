"""What the commands share: where they print, and options that mean the same in each."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from madem._checks import InputError, MademError

results = Console()
messages = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]

Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


class StoppedError(MademError):
    """Ctrl-C, with what to do next."""


def progress_bar(estimated_over: float = 600.0) -> Progress:
    """Bar for tasks with a `state` in words; the time left is from the last seconds, so many.

    A chip on the bench may take a minute from one report to the next: two must lie within.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
        console=messages,
        speed_estimate_period=estimated_over,
    )


def refuse_to_overwrite(*paths: Path, force: bool) -> None:
    """Raise `InputError` if one of the files is there, unless that was asked for."""
    for path in paths:
        if path.exists() and not force:
            raise InputError(f"{path} exists and is left as it is; give another --out, or --force")


def print_json(value: dict[str, Any]) -> None:
    """Print one line of JSON."""
    print(json.dumps(value))  # noqa: T201
