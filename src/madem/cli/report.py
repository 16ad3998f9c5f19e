"""`madem report`: runs as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from madem._checks import InputError
from madem._files import write_text
from madem.cli._console import (
    Force,
    Json,
    StoppedError,
    messages,
    print_json,
    refuse_to_overwrite,
    results,
)
from madem.report.html import check_report_extra, report_html, report_of
from madem.studies.run_record import read_record
from madem.studies.shown_run import ShownRun, show_run


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The file; by default report.html in the run, of several runs here."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Show runs as one HTML file: plots, maps, words, and what is needed to run them again."""
    check_report_extra()
    path = out or (runs[0] / "report.html" if len(runs) == 1 else Path("report.html"))
    own = out is None and len(runs) == 1
    refuse_to_overwrite(path, force=force or own)
    shown = _shown(runs)
    made = report_of(shown)
    flaws = {name: list(found) for name, found in made.flaws}
    for name, found in flaws.items():
        for flaw in found:
            messages.print(f"{name}: {flaw}", style="yellow", markup=False, soft_wrap=True)
    write_text(path, report_html(made))
    if as_json:
        sections = [section.title for part in made.parts for section in part.sections]
        print_json({"report": str(path), "sections": sections, "flaws": flaws})
    else:
        results.print(f"report: {path}", markup=False, soft_wrap=True)


def _shown(paths: list[Path]) -> list[ShownRun]:
    """Look at every run; what is no run is found before the first chip is looked at."""
    twins = [path for number, path in enumerate(paths) if path in paths[:number]]
    if twins:
        raise InputError(f"{twins[0]} is given twice; give each run once")
    records = [read_record(path) for path in paths]
    try:
        with messages.status("looking at the chips"):
            return [show_run(*run) for run in zip(records, _names(paths), strict=True)]
    except KeyboardInterrupt:
        raise StoppedError("stopped; nothing is written") from None


def _names(paths: list[Path]) -> list[str]:
    """Names of folders, whole paths where they would be the same."""
    short = [path.resolve().name for path in paths]
    return [
        name if short.count(name) == 1 else str(path)
        for path, name in zip(paths, short, strict=True)
    ]
