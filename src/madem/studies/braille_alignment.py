"""How well a run's rule follows the exact gradient of its own chip, before training and now."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from madem.chips import SimulatedChip
from madem.data import Batch
from madem.studies.alignment import alignment, exact_gradient, over_batches
from madem.studies.braille import BrailleStudy
from madem.studies.braille_run import BrailleRun
from madem.training import TrainingState

_BATCHES = 8


class Followed(NamedTuple):
    """One state of a chip: an estimate of each batch against the exact gradient of that batch."""

    step: int
    """Steps of training before it."""
    batch: int
    """Words in a batch."""
    cosine: Float[Array, " batches"]
    """Cosine of the angle between them."""
    norm_ratio: Float[Array, " batches"]
    """Norm of the estimate over that of the exact gradient."""
    converged: float
    """Share of the words whose fixed point, at which the exact gradient holds, was found."""


def braille_alignment(run: BrailleRun) -> list[Followed]:
    """Alignment before training and at the last checkpoint, of a simulated chip.

    The chip before training is made again: the same seed gives the same chip and weights.
    """
    first, (_, last) = run.study.begin()[0], run.load()
    states = [first, last] if int(last.step) else [last]
    key = jax.random.fold_in(run.study.test_key, 4)
    return [_followed(run.study, state, key) for state in states]


def _followed(study: BrailleStudy, state: TrainingState, key: Key[Array, ""]) -> Followed:
    chip, rule, network = state.chip, study.learner.rule, study.network
    assert isinstance(chip, SimulatedChip)

    def measure(batch: Batch, key: Key[Array, ""]):
        estimate = rule(network, chip, batch.inputs, batch.targets, key).gradient
        exact = exact_gradient(network, chip, rule.loss, batch.inputs, batch.targets)
        share = jnp.mean(exact.converged, dtype=jnp.float32)
        return alignment(estimate, exact.gradient), share

    aligned, converged = over_batches(measure, study.batches, _BATCHES, key)
    return Followed(
        step=int(state.step),
        batch=study.config.batch,
        cosine=aligned.cosine,
        norm_ratio=aligned.norm_ratio,
        converged=float(converged.mean()),
    )
