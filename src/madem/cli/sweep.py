"""`madem sweep`: a study of many settings, by this process or by a cluster."""

import functools
from pathlib import Path
from typing import Annotated, Any

import typer

from madem._checks import InputError, MademError
from madem.cli._console import Json, StoppedError, messages, print_json, progress_bar, results
from madem.report import save_figure
from madem.report.sweep import sweep_figures, sweep_table
from madem.studies.sweep.export import check_export, export
from madem.studies.sweep.run import SweepRun, Workers
from madem.studies.sweep.study import read_study
from madem.studies.sweep.workers import measured_at, measured_here, measured_locally


def sweep(
    study: Annotated[Path, typer.Argument(help="TOML file; docs/sweeps.md lists its keys.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results, new or stopped; runs/STUDY by default."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Local processes that measure; 0 for this one alone.")
    ] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler to use, such as tcp://localhost:8786.")
    ] = None,
    together: Annotated[
        int, typer.Option(help="Most points (other seeds, other rates) trained side by side.")
    ] = 8,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Measure points that failed once more.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Measure nothing: show what is there.")
    ] = False,
    to: Annotated[
        list[Path] | None, typer.Option("--export", help="Write results to a .csv or .parquet.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure every point of a study once, and show how the test depends on each axis."""
    if workers < 0 or together < 1:
        raise InputError(
            f"--workers {workers} --together {together}: give 0 workers or more, and 1 point or "
            "more together"
        )
    if workers and scheduler:
        raise InputError("--workers and --scheduler: give one of them")
    for path in to or ():
        check_export(path)
    with messages.status("reading the study, and trying its programs"):
        run = SweepRun.at(out or Path("runs") / study.stem, read_study(study))
    missing = set() if show else run.missing(retry_failed=retry_failed)
    _measure(run, missing, _workers(workers, scheduler), together)
    summary = run.summary()
    for name, figure in sweep_figures(summary).items():
        save_figure(figure, run.folder.figures / f"{name}.png")
    for path in to or ():
        export(path, run.table())
    _show(summary, as_json)
    _name_failures(summary)


def _workers(workers: int, scheduler: str | None) -> Workers:
    if scheduler is not None:
        return functools.partial(measured_at, scheduler=scheduler)
    if workers:
        return functools.partial(measured_locally, workers=workers)
    return measured_here


def _measure(run: SweepRun, missing: set[str], workers: Workers, together: int) -> None:
    total = len(run.study.points)
    done, failed = total - len(missing), 0
    try:
        with progress_bar(estimated_over=3600) as progress:
            task = progress.add_task("points", total=total, completed=done, state="")
            for batch in run.measure(missing, workers, together):
                done += len(batch)
                failed += sum(result.outcome.error is not None for result in batch)
                progress.update(task, completed=done, state=f"{failed} failed" if failed else "")
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped at {done} of {total} points, which are stored; the same command goes on"
        ) from None


def _show(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    results.print(sweep_table(summary))
    results.print(f"run folder: {summary['run']}", soft_wrap=True)


def _name_failures(summary: dict[str, Any], most: int = 5) -> None:
    """Raise `MademError` if points failed."""
    failures = summary["failed"]
    if failures:
        named = "; ".join(
            f"point {one['number']} ({_named(one)}): {one['error']}" for one in failures[:most]
        )
        more = f"; and {len(failures) - most} more" if len(failures) > most else ""
        raise MademError(
            f"{len(failures)} of {summary['points']} points failed: {named}{more}. They are stored "
            "as that; --retry-failed measures them once more"
        )


def _named(failure: dict[str, Any]) -> str:
    settings = [f"{name} = {label}" for name, label in failure["axes"].items()]
    return ", ".join([*settings, f"seed {failure['seed']}"])
