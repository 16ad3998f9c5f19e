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
from madem.studies.counting import counts_ahead
from madem.studies.job import Job, all_counts, check_begun, job_on, mean_conductance, planned


def job_of_run(run: BrailleRun) -> Job:
    """What a run has counted, on its chip as it is now. Raises `InputError` before step 1."""
    header, state = run.load()
    where = str(run.folder.path)
    counts = Counts.from_table(header.get("counts", {}), where)
    check_begun(counts, where)
    study = run.study
    chip = study.description
    key = jax.random.fold_in(study.test_key, 1)
    conductance = mean_conductance(chip, study.learner, state, key)
    return job_on(chip, study.learner, chip.limits, all_counts(chip, counts), conductance)


def job_of_config(config: BrailleConfig, chip: str) -> Job:
    """What a configuration will count on a chip (text of its description)."""
    study = BrailleStudy(config, open_chip(chip))
    learner, limits = study.learner, study.description.limits
    for_weights = learner.programmer.for_weights(limits)
    found = planned(learner, limits)
    counts = counts_ahead(learner, found, for_weights, config.steps, config.batch)
    return job_on(study.description, learner, limits, counts)


def config_table(table: dict[str, Any], path: Path) -> BrailleConfig:
    """Configuration of the study from a file. Raises `InputError`."""
    if not isinstance(table.get("braille"), dict):
        raise InputError(
            f"{path}: no table [braille] or [training]; give the config.toml of madem braille, or "
            "a configuration of madem train"
        )
    return BrailleConfig.from_table(table["braille"], str(path))
