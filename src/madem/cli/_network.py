"""A whole resistive network as a netlist, from a run of `madem train` or its configuration."""

from pathlib import Path

from madem._checks import InputError
from madem.circuits import layered_netlist
from madem.cli._runs import way_of
from madem.studies.resistive_circuit import circuit_of
from madem.studies.train import TrainStudy
from madem.studies.train_config import read_config
from madem.studies.train_run import TrainRun
from madem.training import TrainingState


def network_netlist(path: Path, sample: int) -> str:
    """The network at a test sample: a run's as last trained, a configuration's before training.

    Raises `InputError` if there is none, or it is not resistive.
    """
    try:
        return layered_netlist(circuit_of(*_trained(path), sample))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _trained(path: Path) -> tuple[TrainStudy, TrainingState]:
    if path.is_dir():
        run = way_of(path, {"train": TrainRun.open}, "netlists are of")(path)
        return run.study, run.load()[1]
    config, _ = read_config(path)
    study = TrainStudy(config, config.chip.text())
    return study, study.begin_traced()[0]
