"""What the commands share: where they print, and options that mean the same in each."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from madem._checks import MademError

results = Console()
messages = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


class StoppedError(MademError):
    """Ctrl-C, with what to do next."""


def print_json(value: dict[str, Any]) -> None:
    """Print one line of JSON."""
    print(json.dumps(value))  # noqa: T201
