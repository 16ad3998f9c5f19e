"""Options of commands that several computers run together."""

from pathlib import Path
from typing import Annotated

import typer

Coordinator = Annotated[
    str | None,
    typer.Option(help="HOST:PORT at which host 0 listens, for training on several hosts."),
]
Hosts = Annotated[int, typer.Option(help="Hosts that train together.", min=1)]
Host = Annotated[int, typer.Option(help="Number of this one, from 0.", min=0)]


def folder_of_host(path: Path, host: int) -> Path:
    """Folder that a host keeps its copy of a run in: hosts may share a disk."""
    return path.with_name(f"{path.name}-host-{host}") if host else path
