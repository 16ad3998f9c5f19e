"""Recall: what a trained chip makes of distorted words, and how that compares."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from madem.chips import AbstractChip
from madem.data import Batch, Flip, WordBatches, activities
from madem.networks import AbstractNetwork
from madem.relaxation import Sweeps
from madem.studies._statistics import wilson_interval
from madem.studies.references import (
    ClassicalMemory,
    hebbian_memory,
    nearest_word,
    pseudo_inverse_memory,
)

TEST_FLIPS = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30)
"""Flip probabilities of the test."""


class Recalled(NamedTuple):
    """What was recalled."""

    output: Float[Array, "batch outputs"]
    """Activities of the outputs."""
    converged: Bool[Array, " batch"]
    """Whether they had settled to the tolerance, each time."""


class Recall(eqx.Module):
    """Relax freely from rest, and apply what comes out again, `repeats` times in all."""

    network: AbstractNetwork
    """Which neurons sit at which lines."""
    settle: Sweeps = eqx.field(static=True)
    """How it relaxes."""
    repeats: int = eqx.field(static=True)
    """Recalls in a row."""

    @eqx.filter_jit
    def __call__(
        self, chip: AbstractChip, inputs: Float[Array, "batch inputs"], key: Key[Array, ""]
    ) -> "Recalled":
        """Recall a batch."""
        converged = jnp.ones(len(inputs), bool)
        for repeat_key in jax.random.split(key, self.repeats):
            drive_key, settle_key = jax.random.split(repeat_key)
            drive = self.network.drive(chip, inputs, drive_key)
            rest = self.network.rest(len(inputs))
            settled = self.settle(self.network, chip, rest, drive, None, settle_key)
            inputs = self.network.output(settled.state)
            converged &= settled.converged
        return Recalled(inputs, converged)


@dataclass(frozen=True)
class RecallScores:
    """Results at several flip probabilities; each list has one entry for each."""

    samples: int
    """Distorted words at each probability."""
    flip: list[float]
    """Probability that a dot is flipped."""
    exact: list[float]
    """Share of words with every dot right."""
    exact_interval: list[tuple[float, float]]
    """95 % interval of it (Wilson)."""
    bits: list[float]
    """Share of dots right."""
    nearest: list[float]
    """Share of words right when the nearest learned word is named."""
    settled: list[float]
    """Share of recalls that settled to the tolerance within the sweeps allowed."""
    ml_limit: list[float]
    """Share of words that the maximum-likelihood decoder names right, of the same inputs."""
    hebbian: list[float]
    """Share of words exact by a classical Hopfield memory, Hebbian couplings."""
    pseudo_inverse: list[float]
    """The same, pseudo-inverse couplings."""

    def table(self) -> dict[str, list | int]:
        """Itself as plain values."""
        return dataclasses.asdict(self)


class _Counts(NamedTuple):
    """How many of a batch were right."""

    exact: Int[Array, ""]
    bits: Int[Array, ""]
    nearest: Int[Array, ""]
    settled: Int[Array, ""]
    ml_limit: Int[Array, ""]
    hebbian: Int[Array, ""]
    pseudo_inverse: Int[Array, ""]


def measure_recall(
    recall: Recall,
    chip: AbstractChip,
    dots: Float[np.ndarray, "words dots"],
    samples: int,
    key: Key[Array, ""],
    flips: Sequence[float] = TEST_FLIPS,
) -> RecallScores:
    """Distort learned words, recall them, and compare with the references."""
    columns: dict[str, list] = {field: [] for field in _Counts._fields}
    intervals = []
    for number, flip in enumerate(flips):
        batch_key, recall_key = jax.random.split(jax.random.fold_in(key, number))
        batch = WordBatches(jnp.asarray(dots), Flip(flip), samples)(batch_key)
        recalled = recall(chip, batch.inputs, recall_key)
        counts = _count(recalled, batch, activities(jnp.asarray(dots)))
        for field, count in counts._asdict().items():
            trials = samples * (dots.shape[1] if field == "bits" else 1)
            columns[field].append(int(count) / trials)
        intervals.append(wilson_interval(int(counts.exact), samples))
    return RecallScores(samples, list(flips), exact_interval=intervals, **columns)


@jax.jit
def _count(recalled: Recalled, batch: Batch, patterns: Float[Array, "words dots"]) -> _Counts:
    right = (recalled.output > 0) == (batch.targets > 0)

    def exact(memory: ClassicalMemory) -> Int[Array, ""]:
        return jnp.sum(jnp.all(memory.recall(batch.inputs) == batch.targets, axis=-1))

    def named(dots: Float[Array, "batch dots"]) -> Int[Array, ""]:
        return jnp.sum(nearest_word(dots, patterns) == batch.labels)

    return _Counts(
        exact=jnp.sum(jnp.all(right, axis=-1)),
        bits=jnp.sum(right),
        nearest=named(jnp.sign(recalled.output)),
        settled=jnp.sum(recalled.converged),
        ml_limit=named(batch.inputs),
        hebbian=exact(hebbian_memory(patterns)),
        pseudo_inverse=exact(pseudo_inverse_memory(patterns)),
    )
