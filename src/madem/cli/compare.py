"""`madem compare`: methods on chips that become worse."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from madem._checks import InputError
from madem.chips import PRESETS, chip_text
from madem.cli._console import Json, StoppedError, print_json, progress_bar, results
from madem.report import compare_figure, compare_table, save_figure
from madem.studies.compare_config import AXES, CompareConfig
from madem.studies.compare_methods import METHODS
from madem.studies.compare_run import CompareRun
from madem.studies.tasks import TASKS


def compare(
    task: Annotated[str, typer.Option(help=f"One of {', '.join(TASKS)}.")] = "digits",
    axis: Annotated[
        str, typer.Option(help=f"How chips become worse: one of {', '.join(AXES)}.")
    ] = "read-noise",
    levels: Annotated[
        str | None, typer.Option(help="How far, such as 0,2,5,10 (percent, or × for range).")
    ] = None,
    methods: Annotated[
        str, typer.Option(help=f"Separated by commas, of {', '.join(METHODS)}.")
    ] = "madem,in-situ-backprop,ex-situ,digital",
    seeds: Annotated[int, typer.Option(help="Chips of each point.")] = CompareConfig.seeds,
    chip: Annotated[
        str,
        typer.Option(
            help=f"One of {', '.join(PRESETS)}, or a TOML file; arrays are added as needed."
        ),
    ] = "taox-64",
    steps: Annotated[
        int, typer.Option(help="Batches that each method learns from.")
    ] = CompareConfig.steps,
    data: Annotated[str, typer.Option(help="Folder of the data, for mnist-small.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the chips and of training.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, new or stopped; runs/… by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train chips by several methods, from mild chips to harsh ones, and compare."""
    config = CompareConfig(
        task=task,
        axis=axis,
        levels=_levels(axis, levels),
        methods=tuple(method.strip() for method in methods.split(",")),
        seeds=seeds,
        seed=seed,
        steps=steps,
        data=data,
    )
    path = out or Path("runs") / f"compare-{dt.datetime.now():%Y%m%d-%H%M%S}"
    run = CompareRun.at(path, config, chip_text(chip))
    _measure(run)
    summary = run.finish()
    save_figure(compare_figure(summary), run.folder.figures / "compare.png")
    _show(summary, as_json)


def _measure(run: CompareRun) -> None:
    total, left = len(run.comparison.points), len(run.missing())
    with progress_bar(estimated_over=3600) as progress:
        task = progress.add_task("points", total=total, completed=total - left, state="")
        try:
            for point in run.measure():
                state = f"{point.level:g}, {point.method}"
                progress.update(task, advance=1, state=state)
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; to go on, give the same command with --out {run.folder.path}"
            ) from None


def _show(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    results.print(compare_table(summary))
    results.print(f"run folder: {summary['run']}", soft_wrap=True)


def _levels(axis: str, text: str | None) -> tuple[float, ...]:
    """Levels of an option; those of the axis where none are given."""
    if text is None:
        return tuple(map(float, AXES[axis].levels)) if axis in AXES else ()
    try:
        return tuple(float(level) for level in text.split(","))
    except ValueError:
        raise InputError(f"--levels {text}: give numbers, such as 0,2,5,10") from None
