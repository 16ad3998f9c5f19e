"""Ways to bring a chip to a task, behind one interface: learning on it, and what that is up to.

All see the same batches and start from the same weights, given the same key.
"""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Key

from madem import training
from madem.chips import AbstractChip, Limits
from madem.data import Batch
from madem.learning import (
    AbstractProgrammer,
    AbstractRule,
    Effort,
    FirstWeights,
    ModelBackprop,
    Twin,
    Variation,
    exact_twin,
    no_effort,
)
from madem.networks import AbstractNetwork

Batches = Callable[[Key[Array, ""]], Batch]
"""Draws one batch."""


class Trained(NamedTuple):
    """What came of training."""

    chip: AbstractChip
    """What answers from now on: the chip, or a digital twin."""
    effort: Effort
    """Pulses and reads that it took besides the steps of training."""
    record: training.Record
    """What was noted of each step, its pulses and reads too."""


class AbstractMethod(eqx.Module):
    """From a network, a chip and batches to something that answers.

    Pure and traceable: `eqx.filter_vmap` over chips and keys trains many in one program.
    """

    @abc.abstractmethod
    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        batches: Batches,
        steps: int,
        key: Key[Array, ""],
    ) -> Trained:
        """Train by `steps` batches. Raises `InputError` if the network does not fit the chip."""


class OnChip(AbstractMethod):
    """Learn on the chip, by any rule; with `ModelBackprop`, by backpropagation in situ."""

    rule: AbstractRule
    """From a batch to the gradient's estimate."""
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    """From the gradient's estimate to the change wanted of the weights; digital."""
    programmer: AbstractProgrammer
    """From the change wanted to pulses."""
    spread: float = eqx.field(static=True)
    """Standard deviation of the first weights."""

    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        batches: Batches,
        steps: int,
        key: Key[Array, ""],
    ) -> Trained:
        """Train the chip; see `AbstractMethod`."""
        start_key, train_key = jax.random.split(key)
        learner = training.Learner(network, self.rule, self.optimiser, self.programmer)
        state, first = training.begin(learner, chip, self.spread, start_key)
        state, record = training.train(
            learner, state, batches, jnp.int32(steps), train_key, most=steps
        )
        return Trained(state.chip, first, record)


class Digital(AbstractMethod):
    """Train a digital twin of the chip by its exact gradient; the twin is what answers.

    This is the ceiling: nothing limits it but the range of weights that pairs can hold.
    """

    rule: ModelBackprop
    """How the twin relaxes, how far errors travel back, and the cost."""
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    """From the gradient to the change of the weights."""
    spread: float = eqx.field(static=True)
    """Standard deviation of the first weights."""
    variation: Variation = eqx.field(static=True, default=Variation())
    """Flaws of the twins in training, drawn anew for each batch: weights that are to be written
    to a chip learn to bear what it will do to them (noise-aware training)."""
    feedback: float = eqx.field(static=True, default=1.0)
    """Gain of what travels back from layer to layer while the twin relaxes. At 0 a layered
    network is an ordinary multilayer perceptron."""

    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        batches: Batches,
        steps: int,
        key: Key[Array, ""],
    ) -> Trained:
        """Train a twin of the chip; see `AbstractMethod`."""
        twin, record = self.train(network, chip.limits, batches, steps, key)
        return Trained(twin, no_effort(), record)

    @eqx.filter_jit
    def train(
        self,
        network: AbstractNetwork,
        limits: Limits,
        batches: Batches,
        steps: int,
        key: Key[Array, ""],
    ) -> tuple[Twin, training.Record]:
        """Train the twin of a chip of these `limits`; keys fall to the same uses as `OnChip`'s."""
        start_key, train_key = jax.random.split(key)
        weight_key, _ = jax.random.split(start_key)
        weights = training.first_weights(network, limits, self.spread, weight_key)
        siemens = limits.g_range / network.mapping.weight_max

        def step(carry, number: Array):
            weights, optimiser = carry
            keys = jax.random.split(jax.random.fold_in(train_key, number), 3)
            batch_key, rule_key, variation_key = keys
            batch = batches(batch_key)
            twin = exact_twin(limits, siemens * weights, self.feedback)
            varied = self.variation(twin, variation_key)
            lesson = self.rule.through(
                varied, network, varied, batch.inputs, batch.targets, rule_key
            )
            change, optimiser = self.optimiser.update(lesson.gradient, optimiser, weights)
            most = network.mapping.weight_max
            weights = jnp.clip(weights + jnp.asarray(change), -most, most)
            return (weights, optimiser), training.note(lesson, batch.targets, no_effort())

        start = (weights, self.optimiser.init(weights))
        (weights, _), record = jax.lax.scan(step, start, jnp.arange(steps))
        return exact_twin(limits, siemens * weights, self.feedback), record


class ExSitu(AbstractMethod):
    """Train a digital twin, and write its weights to the chip by write-verify."""

    digital: Digital
    """How the twin is trained."""
    write: FirstWeights = eqx.field(static=True, default=FirstWeights(faulty_too=True))
    """How weights are written to the chip, after a self-test."""

    def __call__(
        self,
        network: AbstractNetwork,
        chip: AbstractChip,
        batches: Batches,
        steps: int,
        key: Key[Array, ""],
    ) -> Trained:
        """Train a twin of the chip and write its weights; see `AbstractMethod`."""
        twin, record = self.digital.train(network, chip.limits, batches, steps, key)
        start_key, _ = jax.random.split(key)
        _, write_key = jax.random.split(start_key)
        pairs = network.pairs(chip.limits)
        programmed = self.write(chip, twin.conductance, pairs, write_key)
        return Trained(programmed.chip, programmed.effort, record)
