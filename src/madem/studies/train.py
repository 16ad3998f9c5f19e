"""`madem train` without files: any network, chip, rule and data, as pure functions of a state."""

import contextlib
import math
from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from madem import training
from madem._checks import InputError, MademError
from madem.chips import AbstractChip, Limits, blank_exact_chip
from madem.chips.hardware import Bench, failures_of, make_chip
from madem.costs import Counts
from madem.learning import AbstractProgrammer, Effort
from madem.networks import AbstractNetwork, check_fit
from madem.relaxation import Sweeps
from madem.studies._settings import about
from madem.studies._statistics import wilson_interval
from madem.studies.counting import counts_of
from madem.studies.divergence import where_it_diverged
from madem.studies.recall import Recall
from madem.studies.spreading import SpreadBatches, device_mesh, on_each, on_one
from madem.studies.train_config import TrainConfig

_ADVICE = (
    "the checkpoints before it are kept: start again with a lower optimiser.rate or a smaller "
    "network.first_weights"
)


class DivergedError(MademError):
    """Training left the numbers that can be represented."""


class Stretch(NamedTuple):
    """A stretch of training."""

    state: training.TrainingState
    """Where training stands."""
    entry: dict[str, float | int]
    """Means over the stretch; `pulses` and `reads` are its sums. `test` is there when it is due."""
    counts: Counts
    """What it counted."""


class Score(NamedTuple):
    """What a test found."""

    accuracy: float
    """Share of answers that are right."""
    interval: tuple[float, float]
    """95 % interval of it (Wilson)."""
    settled: float
    """Share of samples that settled to the tolerance."""


class RunKeys(NamedTuple):
    """What a run draws from."""

    chip: Key[Array, ""]
    """Its chip."""
    start: Key[Array, ""]
    """Its first weights."""
    run: Key[Array, ""]
    """Its steps."""
    test: Key[Array, ""]
    """Its tests."""


def run_keys(seed: int) -> RunKeys:
    """Keys of the run of a seed."""
    return RunKeys(*jax.random.split(jax.random.key(seed), 4))


class TrainStudy:
    """Everything that a configuration and a chip's text determine; keeps no state.

    Raises `InputError` if data, network, chip and rule do not go together: all that can be wrong
    is found here, before training starts.
    """

    def __init__(self, config: TrainConfig, chip: str):
        self.config = config
        settings = config.training
        self.description = config.chip.describe(chip)
        with about("data"):
            self.data = config.data.load(settings.batch, settings.seed)
        self.steps = settings.steps_of(self.data.samples)
        inputs, outputs = self.data.test.inputs.shape[1], self.data.test.targets.shape[1]
        with about("network"):
            self.network = config.network.build(inputs, outputs, self.data.shape)
        with about("update"):
            programmer = config.update.build()
        with about("rule"):
            rule = config.rule.build()
        self.learner = training.Learner(
            self.network, rule, config.optimiser.build(self.steps), programmer
        )
        if self.description is not None:
            _check_chip(self.network, programmer, self.description.limits)
        test = config.evaluation
        with about("evaluation"):
            sweeps = Sweeps(test.limit, test.tolerance, test.average)
        self.recall = Recall(self.network, sweeps, test.repeats)
        self._mesh = device_mesh(settings.devices, settings.batch)
        if isinstance(self.description, Bench) and self._mesh.size > 1:
            raise InputError("training.devices: there is one chip on the bench; give 1")
        self._batches = on_each(self._mesh, SpreadBatches(self.data.batches, self._mesh))
        self.keys = run_keys(settings.seed)
        self.test_key = self.keys.test

    @property
    def devices(self) -> int:
        """Devices that share a batch."""
        return self._mesh.size

    @property
    def limits(self) -> Limits:
        """Geometry and ranges of the chip."""
        if self.description is None:
            return eqx.filter_eval_shape(self._fresh_chip).limits
        return self.description.limits

    def on_bench(self) -> contextlib.AbstractContextManager[None]:
        """Within it, what goes wrong on the bench is raised as what it is."""
        return failures_of(self.description)

    def take_up(self, state: training.TrainingState) -> training.TrainingState:
        """A state to go on from; see `madem.training.take_up`."""
        with self.on_bench():
            return training.take_up(state, jax.random.fold_in(self.test_key, self.steps + 2))

    def begin_traced(self) -> tuple[training.TrainingState, Effort]:
        """The first state, traceable by JAX: its shapes are those of a checkpoint."""
        spread = self.config.network.first_weights
        return training.begin(self.learner, self._fresh_chip(), spread, self.keys.start)

    def train(self, state: training.TrainingState) -> Iterator[Stretch]:
        """Train to the end, pausing where a checkpoint or a test is due.

        Raises `DivergedError`, naming step, sweep and layer, once anything is not finite.
        """
        settings = self.config.training
        most = min(settings.checkpoint_every, settings.evaluate_every)
        while (done := int(state.step)) < self.steps:
            ends = (settings.checkpoint_every, settings.evaluate_every)
            steps = min(*(end - done % end for end in ends), self.steps - done)
            before = on_each(self._mesh, state)
            with self.on_bench():
                state, record = training.train(
                    self.learner, before, self._batches, jnp.int32(steps), self.keys.run, most=most
                )
            self._check_finite(before, state, record, steps)
            entry = {"step": done + steps, **training.summarise(record, steps)}
            if (done + steps) % settings.evaluate_every == 0 or done + steps == self.steps:
                entry["test"] = self.test(state).accuracy
            yield Stretch(state, entry, counts_of(record, steps, self.learner, self.limits))

    def test(self, state: training.TrainingState) -> Score:
        """Test a chip on what learning never sees."""
        key = jax.random.fold_in(self.test_key, int(state.step))
        chip = on_one(self._mesh, state.chip)
        with self.on_bench():
            recalled = self.recall(chip, self.data.test.inputs, key)
        right = np.asarray(self.data.right(recalled.output, self.data.test))
        return Score(
            float(right.mean()),
            wilson_interval(int(right.sum()), right.size),
            float(np.asarray(recalled.converged).mean()),
        )

    def _fresh_chip(self) -> AbstractChip:
        if self.description is None:
            network = self.network
            return blank_exact_chip(network.matrices, network.mapping.weight_max)
        return make_chip(self.description, self.keys.chip)

    def _check_finite(
        self,
        before: training.TrainingState,
        after: training.TrainingState,
        record: training.Record,
        steps: int,
    ) -> None:
        """Raise `DivergedError` unless costs, residuals and weights are finite."""
        noted = np.asarray(record.cost[:steps]) + np.asarray(record.residual[:steps])
        broken = ~np.isfinite(noted)
        if broken.any():
            last_good = int(np.argmax(broken))
        elif bool(_finite(self.learner.programmer, after)):
            return
        else:
            last_good = steps - 1
        if isinstance(self.description, Bench):  # what was pulsed cannot be done over
            raise DivergedError(
                f"training diverged in step {int(before.step) + last_good + 1}; {_ADVICE}"
            )
        state, _ = training.train(
            self.learner, before, self._batches, jnp.int32(last_good), self.keys.run, most=steps
        )
        raise DivergedError(
            f"training diverged in step {int(before.step) + last_good + 1}: "
            f"{where_it_diverged(self.learner, state, self.data.batches, self.keys.run)}; {_ADVICE}"
        )


@eqx.filter_jit
def _finite(programmer: AbstractProgrammer, state: training.TrainingState):
    weights = jax.tree.leaves(programmer.known(state.chip, state.memory))
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(one)) for one in weights]))


def _check_chip(network: AbstractNetwork, programmer: AbstractProgrammer, chip: Limits) -> None:
    """Raise `InputError`, with the number of arrays to ask for, unless a network fits a chip."""
    limits = programmer.for_weights(chip)
    try:
        check_fit(network, limits)
    except InputError as error:
        needed = sum(tiles.count for tiles in network.tiles(limits))
        arrays = math.ceil(needed * chip.arrays / max(limits.arrays, 1))
        raise InputError(f"chip: {error}; chip.count = {arrays} makes room") from None
