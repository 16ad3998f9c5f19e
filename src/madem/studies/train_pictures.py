"""What there is to see of a run of `madem train`."""

import jax
from jaxtyping import Array, Key

from madem.chips import AbstractChip
from madem.data import Batch
from madem.learning import Centred
from madem.relaxation import ContinuousTime
from madem.studies.pictures import Devices, Energies, RunPictures, energies, read_all, used_arrays
from madem.studies.train_run import TrainRun

_SAMPLES = 64  # over which energies are shown


def train_pictures(run: TrainRun) -> RunPictures:
    """Look at the chip of a run's last checkpoint.

    Energies are shown of the centred rule alone and where it sweeps, devices of chips that have
    some.
    """
    _, state = run.load()
    phase_key, read_key = jax.random.split(jax.random.key(run.study.config.training.seed))
    return RunPictures(
        words=None,
        energies=_energies(run, state.chip, phase_key),
        devices=_devices(run, state.chip, read_key),
    )


def _energies(run: TrainRun, chip: AbstractChip, key: Key[Array, ""]) -> Energies | None:
    rule, test = run.study.learner.rule, run.study.data.test
    if not isinstance(rule, Centred):
        return None
    free, nudged = rule.free, rule.nudged
    if isinstance(free, ContinuousTime) or isinstance(nudged, ContinuousTime):
        return None
    few = Batch(*(values[:_SAMPLES] for values in test))
    return energies(run.study.network, chip, few, rule, (free.limit, nudged.limit), key)


def _devices(run: TrainRun, chip: AbstractChip, key: Key[Array, ""]) -> Devices | None:
    study = run.study
    if study.description is None:
        return None
    first, _ = study.begin_traced()  # the same chip and the same weights as when the run began
    limits = study.description.limits
    return Devices(
        before=read_all(first.chip, key),
        after=read_all(chip, key),
        used=used_arrays(study.network, limits),
        g_max=limits.g_max,
    )
