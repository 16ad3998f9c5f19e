"""`madem resume`: take up a stopped run, of whichever command."""

from pathlib import Path
from typing import Annotated

import typer

from madem.cli import braille, train
from madem.cli._console import Json, messages
from madem.cli._hosts import Coordinator, Host, Hosts, folder_of_host
from madem.cli._runs import way_of
from madem.studies.braille_run import BrailleRun
from madem.studies.hosts import join_hosts
from madem.studies.train_run import TrainRun

_RUNS = {
    "braille": (BrailleRun.open, braille.complete, braille.show),
    "train": (TrainRun.open, train.complete, train.show),
}
"""How each command opens, completes and shows its runs."""


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of a run of braille or train.")],
    coordinator: Coordinator = None,
    hosts: Hosts = 1,
    host: Host = 0,
    as_json: Json = False,
) -> None:
    """Take up a stopped run: the same numbers as if it had never stopped."""
    join_hosts(coordinator, hosts, host)
    run = folder_of_host(run, host)
    reopen, complete, show = way_of(run, _RUNS, "resume takes")
    opened = reopen(run)
    summary = opened.folder.summary()
    if summary is None:
        complete(opened, as_json)
    else:
        messages.print(f"{run} is finished already; this is its result")
        show(summary, as_json)
