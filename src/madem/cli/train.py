"""`madem train`: any network, chip, rule and data, as a TOML file asks."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from madem.cli._console import Json, StoppedError, messages, print_json, progress_bar, results
from madem.cli._cost import show_cost
from madem.cli._hosts import Coordinator, Host, Hosts, folder_of_host
from madem.report import training_table
from madem.studies.hosts import join_hosts
from madem.studies.train_run import TrainRun


def train(
    config: Annotated[Path, typer.Argument(help="TOML file; docs/training.md lists its keys.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, made anew; runs/… by default.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the run, instead of the configuration's.")
    ] = None,
    coordinator: Coordinator = None,
    hosts: Hosts = 1,
    host: Host = 0,
    as_json: Json = False,
) -> None:
    """Train a network on a chip as a configuration asks, and test it."""
    join_hosts(coordinator, hosts, host)
    path = out or Path("runs") / f"{config.stem}-{dt.datetime.now():%Y%m%d-%H%M%S}"
    path = folder_of_host(path, host)
    try:
        with messages.status("reading the data, and first weights"):
            run = TrainRun.create(path, config, seed)
    except KeyboardInterrupt:
        raise StoppedError(f"stopped before the first step; delete {path} if it is there") from None
    complete(run, as_json)


def complete(run: TrainRun, as_json: bool) -> None:
    """Train to the end, test, and show."""
    step = None
    try:
        with progress_bar() as progress:
            task = progress.add_task("training", total=run.study.steps, state="compiling")
            tested = ""
            for entry in run.train():
                step = entry["step"]
                if "test" in entry:
                    tested = f", test {100 * entry['test']:.2f} %"
                progress.update(task, completed=step, state=f"loss {entry['cost']:.3f}{tested}")
        with messages.status("testing"):
            summary = run.finish()
    except KeyboardInterrupt:
        at = "" if step is None else f" at step {step}"
        raise StoppedError(f"stopped{at}; go on with: madem resume {run.folder.path}") from None
    show(summary, as_json)


def show(summary: dict[str, Any], as_json: bool) -> None:
    """Print a result."""
    if as_json:
        print_json(summary)
        return
    results.print(training_table(summary))
    if "cost" in summary:  # not in runs of an older madem
        show_cost(summary["cost"])
    results.print(f"run folder: {summary['run']}", soft_wrap=True)
