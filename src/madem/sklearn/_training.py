"""What the estimators share: a chip for a network, training it, and asking it.

Programs are compiled for shapes, and an estimator may meet any: rows are padded to few numbers of
them, so that data sets that differ only there share their programs.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from madem import training
from madem.chips import AbstractChip, ChipDescription, blank_exact_chip, fabricate, load_chip
from madem.data import Batch
from madem.learning import AccumulateAndProgram, Centred, SetWeights
from madem.networks import AbstractLoss, LayeredHopfield
from madem.relaxation import Sweeps
from madem.studies.compare_config import enlarged
from madem.studies.descent import cosine_descent
from madem.studies.recall import Recall

EXACT = "exact"
"""Name of the chip that is a calculation."""

Chip = str | Path | ChipDescription
"""What an estimator takes for a chip: `"exact"`, a preset, a TOML file, or a description."""

_TOLERANCE = 1e-3
_FEWEST_ROWS = 256
_ROWS_AT_ONCE = 128


class Rows(eqx.Module):
    """Draws rows of inputs and targets, each as likely as the other, and flips some inputs.

    The rows behind the first `count` are padding, and never drawn.
    """

    inputs: Float[Array, "padded inputs"]
    """Inputs, as activities."""
    targets: Float[Array, "padded outputs"]
    """What should come out, as activities."""
    count: Int[Array, ""]
    """Rows that are there."""
    flip: Float[Array, ""]
    """Probability that an input changes its sign."""
    size: int = eqx.field(static=True)
    """Rows in a batch."""

    def __call__(self, key: Key[Array, ""]) -> Batch:
        """One batch."""
        row_key, flip_key = jax.random.split(key)
        rows = jax.random.randint(row_key, (self.size,), 0, self.count)
        x = self.inputs[rows]
        flipped = jax.random.bernoulli(flip_key, self.flip, x.shape)
        return Batch(jnp.where(flipped, -x, x), self.targets[rows], rows)


def make_rows(
    inputs: Float[np.ndarray, "rows inputs"],
    targets: Float[np.ndarray, "rows outputs"],
    flip: float,
    size: int,
) -> Rows:
    """Batches of `size` of some rows, padded to a power of two of them."""
    count = len(inputs)
    padded = max(_FEWEST_ROWS, 1 << (count - 1).bit_length())
    padding = ((0, padded - count), (0, 0))
    x, y = (jnp.asarray(np.pad(rows, padding), jnp.float32) for rows in (inputs, targets))
    return Rows(x, y, jnp.int32(count), jnp.float32(flip), size)


@dataclass(frozen=True)
class Recipe:
    """How an estimator's network is trained; what was found by hand, and what the user gives."""

    loss: AbstractLoss
    """What the outputs cost."""
    beta: float
    """Nudging strength."""
    rate: float
    """Learning rate at the start."""
    final_share: float
    """Learning rate at the end, as a share of it."""
    decay: float
    """Weight decay, times the rate."""
    first_weights: float
    """Standard deviation of the weights before training."""
    free_sweeps: int
    """Most sweeps of the free phase."""
    steps: int
    """Batches to learn from."""


class Fitted(NamedTuple):
    """What came of training."""

    chip: AbstractChip
    """The chip."""
    record: training.Record
    """What was noted of each step."""
    pulses: int
    """Pulses that it took, first weights included."""


def fit_chip(
    network: LayeredHopfield, recipe: Recipe, rows: Rows, chip: Chip, key: Key[Array, ""]
) -> Fitted:
    """Make a chip with as many arrays as the network needs, and train it.

    Raises `InputError` if the chip cannot be used.
    """
    chip_key, start_key, run_key = jax.random.split(key, 3)
    exact = isinstance(chip, str) and chip == EXACT
    made = _exact(network) if exact else _fabricated(network, chip, chip_key)
    learner = _learner(network, recipe, exact)
    state, first = training.begin(learner, made, recipe.first_weights, start_key)
    steps = recipe.steps
    state, record = training.train(learner, state, rows, jnp.int32(steps), run_key, most=steps)
    pulses = int(first.pulses) + int(np.asarray(record.pulses).sum(dtype=np.int64))
    return Fitted(state.chip, record, pulses)


def _exact(network: LayeredHopfield) -> AbstractChip:
    return blank_exact_chip(network.matrices, network.mapping.weight_max)


def _fabricated(network: LayeredHopfield, chip: Chip, key: Key[Array, ""]) -> AbstractChip:
    description = chip if isinstance(chip, ChipDescription) else load_chip(chip)
    return fabricate(enlarged(description, network), key)


def _learner(network: LayeredHopfield, recipe: Recipe, exact: bool) -> training.Learner:
    return training.Learner(
        network=network,
        rule=Centred(
            beta=recipe.beta,
            free=Sweeps(recipe.free_sweeps, _TOLERANCE, average=3),
            nudged=Sweeps(6, _TOLERANCE, average=3),
            loss=recipe.loss,
        ),
        optimiser=cosine_descent(recipe.rate, recipe.final_share, recipe.decay, recipe.steps),
        programmer=SetWeights() if exact else AccumulateAndProgram(),
    )


def answers(
    network: LayeredHopfield,
    chip: AbstractChip,
    inputs: Float[np.ndarray, "rows inputs"],
    repeats: int,
    key: Key[Array, ""],
) -> Float[np.ndarray, "rows outputs"]:
    """Activities of the outputs for each row; noise averaged where they do not settle.

    Read noise is drawn for each row by what the row is: a row always gets the same answer, alone
    or among others.
    """
    recall = Recall(network, Sweeps(30, _TOLERANCE, average=10), repeats)
    found = [
        np.asarray(_ask(recall, chip, part, seeds, key))[:used]
        for part, seeds, used in _parts(inputs.astype(np.float32))
    ]
    return np.concatenate(found)


def _parts(
    inputs: Float[np.ndarray, "rows inputs"],
) -> Iterator[tuple[Array, Array, int]]:
    """Rows and a number for each, padded to one shape, and how many they are."""
    seeds = np.array([zlib.crc32(row.tobytes()) for row in inputs], np.uint32)
    for start in range(0, len(inputs), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        used = len(inputs[part])
        missing = (0, _ROWS_AT_ONCE - used)
        x = jnp.asarray(np.pad(inputs[part], (missing, (0, 0))))
        yield x, jnp.asarray(np.pad(seeds[part], missing)), used


@eqx.filter_jit
def _ask(
    recall: Recall,
    chip: AbstractChip,
    inputs: Float[Array, "rows inputs"],
    seeds: UInt32[Array, " rows"],
    key: Key[Array, ""],
) -> Float[Array, "rows outputs"]:
    def one(row: Array, seed: Array) -> Array:
        return recall(chip, row[None], jax.random.fold_in(key, seed)).output[0]

    return jax.vmap(one)(inputs, seeds)
