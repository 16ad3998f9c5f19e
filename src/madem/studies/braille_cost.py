"""What the study of the nine names costs: of a run from what it counted, or before it runs."""

from pathlib import Path
from typing import Any

import jax

from madem._checks import InputError
from madem.chips.hardware import open_chip
from madem.costs import Counts
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.braille_run import BrailleRun
from madem.studies.job import Job, job_ahead, job_so_far


def job_of_run(run: BrailleRun) -> Job:
    """What a run has counted, on its chip as it is now. Raises `InputError` before step 1."""
    header, state = run.load()
    where = str(run.folder.path)
    counts = Counts.from_table(header.get("counts", {}), where)
    study, chip = run.study, run.study.description
    key = jax.random.fold_in(study.test_key, 1)
    return job_so_far(chip, study.learner, chip.limits, state, counts, where, key)


def job_of_config(config: BrailleConfig, chip: str) -> Job:
    """What a configuration will count on a chip (text of its description)."""
    study = BrailleStudy(config, open_chip(chip))
    described = study.description
    limits, begin = described.limits, study.begin_traced
    return job_ahead(described, study.learner, limits, config.steps, config.batch, begin)


def config_table(table: dict[str, Any], path: Path) -> BrailleConfig:
    """Configuration of the study from a file. Raises `InputError`."""
    if not isinstance(table.get("braille"), dict):
        raise InputError(
            f"{path}: no table [braille] or [training]; give the config.toml of madem braille, or "
            "a configuration of madem train"
        )
    return BrailleConfig.from_table(table["braille"], str(path))
