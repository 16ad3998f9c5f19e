"""`madem resume`: take up a stopped run, of whichever command."""

from pathlib import Path
from typing import Annotated

import typer

from madem._checks import InputError
from madem.cli._console import Json
from madem.cli.braille import resume_braille
from madem.cli.train import resume_training
from madem.studies.run_folder import RunFolder

_RESUMED = {"braille": resume_braille, "train": resume_training}


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of a run of braille or train.")],
    as_json: Json = False,
) -> None:
    """Take up a stopped run: the same numbers as if it had never stopped."""
    study = RunFolder.open(run).config().get("study")
    if study not in _RESUMED:
        raise InputError(f"{run} is a run of {study!r}; resume takes runs of {', '.join(_RESUMED)}")
    _RESUMED[study](run, as_json)
