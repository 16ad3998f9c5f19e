"""All that there is to show of a run: its record, its chip looked at, and what is not whole."""

import tomllib
from dataclasses import dataclass, replace

from madem._checks import MademError
from madem.studies.braille_alignment import Followed, braille_alignment
from madem.studies.braille_pictures import braille_pictures
from madem.studies.braille_run import BrailleRun
from madem.studies.pictures import RunPictures
from madem.studies.run_record import RunRecord
from madem.studies.train_pictures import train_pictures
from madem.studies.train_run import TrainRun

NOTHING = RunPictures(words=None, energies=None, devices=None)
"""Pictures of a run whose chip could not be looked at."""


@dataclass(frozen=True)
class ShownRun:
    """A run to be shown."""

    name: str
    """What the report calls it."""
    record: RunRecord
    """What its files say."""
    pictures: RunPictures = NOTHING
    """What its chip shows."""
    alignment: tuple[Followed, ...] = ()
    """How well its rule follows the exact gradient."""
    flaws: tuple[str, ...] = ()
    """What is not there, or not whole, a sentence each."""


def show_run(record: RunRecord, name: str) -> ShownRun:
    """Look at the chip of a run's last checkpoint; a chip on the bench is left alone.

    What is damaged is left out and named in `flaws`.
    """
    shown = ShownRun(name, record, flaws=record.flaws)
    if on_bench(record):
        return _flawed(shown, "the chip is on a bench, which a report leaves alone: no maps of it")
    try:
        return _looked_at(shown)
    except (MademError, OSError, ValueError, EOFError) as error:
        return _flawed(shown, f"the chip could not be looked at: {error}")


def on_bench(record: RunRecord) -> bool:
    """Whether a run's chip is hardware."""
    try:
        return "hardware" in tomllib.loads(record.chip or "")
    except tomllib.TOMLDecodeError:
        return False


def _looked_at(shown: ShownRun) -> ShownRun:
    path = shown.record.path
    if shown.record.study == "braille":
        run = BrailleRun.open(path)
        alignment = tuple(braille_alignment(run))
        return replace(shown, pictures=braille_pictures(run), alignment=alignment)
    if shown.record.study == "train":
        return replace(shown, pictures=train_pictures(TrainRun.open(path)))
    return shown


def _flawed(shown: ShownRun, flaw: str) -> ShownRun:
    return replace(shown, flaws=(*shown.flaws, flaw))
