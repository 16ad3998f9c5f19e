"""The nine names: train a chip to reconstruct words in Braille from distorted ones."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from madem import training
from madem._checks import InputError
from madem.chips import AbstractChip, ChipDescription, Limits, Mapping
from madem.chips.hardware import Bench, failures_of, make_chip
from madem.costs import Counts
from madem.data import DOTS_PER_CELL, Flip, WordBatches, encode
from madem.learning import Effort
from madem.networks import (
    AbstractNetwork,
    AssociativeMemory,
    LayeredHopfield,
    SquaredError,
    check_fit,
)
from madem.relaxation import Sweeps
from madem.studies.braille_config import PROGRAMMERS, RULES, BrailleConfig
from madem.studies.counting import counts_before, counts_of
from madem.studies.descent import cosine_descent
from madem.studies.recall import Recall


@dataclass(frozen=True)
class Progress:
    """A stretch of training."""

    state: training.TrainingState
    """Where training stands."""
    entry: dict[str, float | int]
    """Means over the stretch; `pulses` and `reads` are its sums."""
    counts: Counts
    """What it counted."""


class BrailleStudy:
    """Everything that a configuration and a chip determine; keeps no state.

    Raises `InputError` if the network does not fit the chip.
    """

    def __init__(self, config: BrailleConfig, description: ChipDescription | Bench):
        self.config = config
        self.description = description
        self.dots = encode(config.words)
        self.network = _network(config, self.dots.shape[1])
        self.learner = _learner(config, self.network)
        limits = self.learner.programmer.for_weights(description.limits)
        _check_words_fit(self.network, limits, config)
        self.batches = WordBatches(
            jnp.asarray(self.dots), Flip(config.flip), config.batch, config.target
        )
        self.recall = Recall(
            self.network,
            Sweeps(config.recall_sweeps, config.tolerance, average=config.recall_sweeps // 3 or 1),
            config.recalls,
        )
        chip_key, start_key, self._run_key, self.test_key = jax.random.split(
            jax.random.key(config.seed), 4
        )
        self._chip_key, self._start_key = chip_key, start_key

    @property
    def cells(self) -> int:
        """Braille cells of the longest word."""
        return self.dots.shape[1] // DOTS_PER_CELL

    def fabricate(self) -> AbstractChip:
        """The chip as it comes from the fab, or as it is on the bench."""
        return make_chip(self.description, self._chip_key)

    def on_bench(self) -> contextlib.AbstractContextManager[None]:
        """Within it, what goes wrong on the bench is raised as what it is."""
        return failures_of(self.description)

    def take_up(self, state: training.TrainingState) -> training.TrainingState:
        """A state to go on from; see `madem.training.take_up`."""
        with self.on_bench():
            return training.take_up(state, jax.random.fold_in(self.test_key, 3))

    def begin(self) -> tuple[training.TrainingState, Counts]:
        """Self-test the chip and write the first weights; what that took."""
        with self.on_bench():
            state, effort = self.begin_traced()
        return state, counts_before(effort)

    def begin_traced(self) -> tuple[training.TrainingState, Effort]:
        """What `begin` does, traceable by JAX: its shapes are those of a checkpoint."""
        return training.begin(
            self.learner, self.fabricate(), self.config.first_weights, self._start_key
        )

    def train(self, state: training.TrainingState, stretch: int = 50) -> Iterator[Progress]:
        """Train to the end, pausing every `stretch` steps."""
        while (done := int(state.step)) < self.config.steps:
            steps = min(stretch - done % stretch, self.config.steps - done)
            progress = self.advance(state, steps, stretch)
            state = progress.state
            yield progress

    def advance(self, state: training.TrainingState, steps: int, most: int) -> Progress:
        """Make `steps` steps, at most `most` (compiled once for it), whatever was asked in all."""
        with self.on_bench():
            state, record = training.train(
                self.learner, state, self.batches, jnp.int32(steps), self._run_key, most=most
            )
        entry = {"step": int(state.step), **training.summarise(record, steps)}
        counts = counts_of(record, steps, self.learner, self.description.limits)
        return Progress(state, entry, counts)


def _network(config: BrailleConfig, dots: int) -> AbstractNetwork:
    mapping = Mapping(config.weight_max)
    if config.network == "associative":
        return AssociativeMemory(visible=dots, hidden=config.hidden[0], mapping=mapping)
    return LayeredHopfield(sizes=(dots, *config.hidden, dots), mapping=mapping)


def _learner(config: BrailleConfig, network: AbstractNetwork) -> training.Learner:
    return training.Learner(
        network=network,
        rule=RULES[config.rule](
            config.beta,
            free=Sweeps(config.free_sweeps, config.tolerance, average=3),
            nudged=Sweeps(config.nudged_sweeps, config.tolerance, average=3),
            loss=SquaredError(),
        ),
        optimiser=cosine_descent(
            config.rate, config.final_rate / config.rate, config.decay, config.steps
        ),
        programmer=PROGRAMMERS[config.programming],
    )


def _check_words_fit(network: AbstractNetwork, limits: Limits, config: BrailleConfig) -> None:
    """Say it in letters too, where the words' length is what does not fit."""
    try:
        check_fit(network, limits)
    except InputError as error:
        longest = max(config.words, key=len)
        raise InputError(
            f"{error}; or shorter words (the longest, {longest!r}, has {len(longest)} letters of "
            f"{DOTS_PER_CELL} dots)"
        ) from None
