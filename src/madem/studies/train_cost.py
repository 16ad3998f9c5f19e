"""What `madem train` will cost, before it runs."""

from madem.studies.job import Job, job_ahead
from madem.studies.train import TrainStudy
from madem.studies.train_config import TrainConfig


def job_of_config(config: TrainConfig, chip: str) -> Job:
    """What a configuration will count on a chip (text of its description)."""
    study = TrainStudy(config, chip)
    batch = config.training.batch
    return job_ahead(
        study.description, study.learner, study.limits, study.steps, batch, study.begin_traced
    )
