"""What `madem train` costs: from what a run has counted, or before it runs."""

import jax

from madem.costs import Counts
from madem.studies.counting import counts_ahead
from madem.studies.job import Job, all_counts, job_on, mean_conductance, planned
from madem.studies.train import TrainStudy
from madem.studies.train_config import TrainConfig
from madem.training import TrainingState


def job_so_far(study: TrainStudy, counts: Counts, state: TrainingState) -> Job:
    """What has been counted, on the chip as it is now."""
    key = jax.random.fold_in(study.test_key, study.steps + 1)  # no step tests with it
    chip, learner = study.description, study.learner
    conductance = mean_conductance(chip, learner, state, key)
    return job_on(chip, learner, study.limits, all_counts(chip, counts), conductance)


def job_of_config(config: TrainConfig, chip: str) -> Job:
    """What a configuration will count on a chip (text of its description)."""
    study = TrainStudy(config, chip)
    learner, limits = study.learner, study.limits
    for_weights = learner.programmer.for_weights(limits)
    counts = counts_ahead(
        learner, planned(learner, limits), for_weights, study.steps, config.training.batch
    )
    return job_on(study.description, learner, limits, counts)
