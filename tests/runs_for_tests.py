"""Runs on disk, made in seconds."""

from pathlib import Path

from madem.chips import chip_text
from madem.studies.braille_config import BrailleConfig
from madem.studies.braille_cost import job_of_run
from madem.studies.braille_run import BrailleRun
from madem.studies.cost import account, default_prices

WORDS = ("ada", "bob")


def tiny_run(path: Path) -> Path:
    """A finished run of `madem braille`, of two words and 100 steps."""
    config = BrailleConfig(words=WORDS, hidden=(3,), steps=100, batch=8, samples=50)
    run = BrailleRun.create(path, config, chip_text("taox-64"))
    for _ in run.train():
        pass
    run.finish(run.evaluate(), account(job_of_run(run), default_prices()))
    return path
