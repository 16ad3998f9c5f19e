"""What the study of the nine names costs: of a run from what it counted, or before it runs."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from madem._checks import InputError
from madem.chips import parse_chip
from madem.chips.hardware import Bench
from madem.costs import Counts, plan
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.braille_run import BrailleRun
from madem.studies.cost import Job, arrays_of
from madem.studies.counting import counts_ahead
from madem.training import TrainingState


def job_of_run(run: BrailleRun) -> Job:
    """What a run has counted, on its chip as it is now. Raises `InputError` before step 1."""
    header, state = run.load()
    counts = Counts.from_table(header.get("counts", {}), str(run.folder.path))
    if not counts.vectors:
        raise InputError(f"{run.folder.path} has made no step yet; resume it, or ask of its config")
    return _job(run.study, counts, _mean_conductance(run, state))


def job_of_config(config: BrailleConfig, chip: str) -> Job:
    """What a configuration will count on a chip (text of its description)."""
    study = BrailleStudy(config, parse_chip(chip))
    limits = study.learner.programmer.for_weights(study.description.limits)
    counts = counts_ahead(
        study.learner, plan(study.network, limits), limits, config.steps, config.batch
    )
    return _job(study, counts, None)


def config_table(table: dict[str, Any], path: Path) -> BrailleConfig:
    """Configuration of the study from a file. Raises `InputError`."""
    if not isinstance(table.get("braille"), dict):
        raise InputError(f"{path}: no table [braille]; give the config.toml of madem braille")
    return BrailleConfig.from_table(table["braille"], str(path))


def _job(study: BrailleStudy, counts: Counts, conductance: float | None) -> Job:
    if isinstance(study.description, Bench):
        raise InputError(
            f"{study.description.name} is on the bench, and its file does not say what the account "
            "needs of it; ask of a chip that is described"
        )
    limits = study.learner.programmer.for_weights(study.description.limits)
    found = plan(study.network, limits)
    return Job(
        plan=found,
        counts=counts,
        arrays=arrays_of(study.description, found, conductance),
        devices=2 * found.pairs,
    )


def _mean_conductance(run: BrailleRun, state: TrainingState) -> float:
    """Mean over the devices in use, as read, siemens."""
    used = run.study.network.pairs(run.study.description.limits)
    return float(np.mean(run.read(state)[np.asarray(jax.device_get(used))]))
