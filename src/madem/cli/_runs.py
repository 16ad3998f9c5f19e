"""Folders of runs, whichever command made them, and files that say what to run."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

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


def toml_table(path: Path, instead: str) -> dict[str, Any]:
    """What a TOML file holds. Raises `InputError`; where there is none, give what is `instead`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give {instead}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
