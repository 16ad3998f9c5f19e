"""Folders of runs, whichever command made them."""

from pathlib import Path
from typing import TypeVar

from madem._checks import InputError
from madem.studies.run_folder import RunFolder

Way = TypeVar("Way")


def way_of(run: Path, ways: dict[str, Way], what: str) -> Way:
    """How to go about a run: that of `ways` which goes with the command that made it.

    Raises `InputError` if there is none; `what` begins the sentence that says which there are.
    """
    study = RunFolder.open(run, needed=()).config().get("study")
    if study not in ways:
        raise InputError(f"{run} is a run of {study!r}; {what} runs of {', '.join(ways)}")
    return ways[study]
